"""Trial: a file from elsewhere is run in a process of its own before it is run in this one.

LiteRT trusts a file. Of damaged ones that can be parsed it refuses most in words, but crashes on a
few and never ends on others. What the tool chain built here needs no trial.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

from litegate.errors import ArtifactError, LitegateError

COMMAND = (sys.executable, "-P", "-m", "litegate.trial")
TIMEOUT = 300.0
"""Seconds; a large network takes a few by the reference kernels."""

_SAMPLES = 2
_REMEDY = "fetch or build the file again; if it stays, this LiteRT cannot run it"


def demand_trial(tflite: bytes, *, subject: str = "the model", timeout: float = TIMEOUT) -> None:
    """Load a file in a child process and run it, by each set of LiteRT's kernels.

    Raises ArtifactError where the child crashes, or has not ended after `timeout` seconds. A file
    that LiteRT refuses in words stands the trial: whoever runs it here is told those words.
    """
    path = os.pathsep.join(filter(None, sys.path))
    try:
        done = subprocess.run(  # noqa: S603 our own interpreter
            COMMAND,
            input=tflite,
            capture_output=True,
            env=os.environ | {"PYTHONPATH": path},
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(
            f"LiteRT does not come to an end with {subject}",
            expected=f"an answer within {timeout:g} s",
            got=f"none, {_last(error.stdout)}",
            remedy=_REMEDY,
        ) from None
    if done.returncode:
        raise ArtifactError(
            f"LiteRT crashes on {subject}",
            expected="that it runs the file, or refuses it in words",
            got=f"{_end(done.returncode)} {_last(done.stdout)}",
            remedy=_REMEDY,
        )


def _last(told: bytes | None) -> str:
    """The step that the child began last."""
    lines = (told or b"").decode("utf-8", "replace").splitlines()
    return lines[-1] if lines else "before it was loaded"


def _end(code: int) -> str:
    if code > 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    return f"{name}, most likely for want of memory," if name == "SIGKILL" else name


def attempt(tflite: bytes, tell: Callable[[str], None]) -> None:
    """Run a file by each set of kernels, in this process; `tell` hears of each step before it.

    On zeros and on drawn samples, one at a time; where the batch is free, memory for a whole batch
    is taken too, as an evaluation does. What LiteRT refuses in words ends only that set of kernels.
    """
    from litegate.runtime import Kernels

    for kernels in Kernels:
        with suppress(LitegateError, MemoryError):
            _attempt(tflite, kernels, tell)


def _attempt(tflite: bytes, kernels: str, tell: Callable[[str], None]) -> None:
    import numpy as np

    from litegate.runtime import BATCH, Kernels, Runner

    tell(f"while it was loaded, {kernels} kernels")
    runner = Runner(tflite, kernels=Kernels(kernels))
    tell(f"while it was run, {kernels} kernels")
    runner.resize(1)
    shape = tuple(1 if size == -1 else size for size in (1, *runner.input.shape[1:]))
    runner.run(runner.input.quantize(np.zeros(shape)))
    rng = np.random.default_rng(0)
    for _ in range(_SAMPLES):
        runner.run(runner.input.quantize(rng.normal(scale=100, size=shape)))
    if runner.input.shape[:1] == (-1,):
        tell(f"while it was made ready for a batch, {kernels} kernels")
        runner.resize(BATCH)


def main() -> None:
    """Run the file that stands in stdin, and end as LiteRT ends."""
    attempt(sys.stdin.buffer.read(), lambda step: print(step, flush=True))  # noqa: T201


if __name__ == "__main__":
    main()
