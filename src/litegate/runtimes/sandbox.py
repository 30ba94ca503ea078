"""Trial: a file from elsewhere is run in a process of its own before it is run in this one.

LiteRT trusts a file. Of damaged ones that can be parsed it refuses most in words, but crashes on a
few and never ends on others. What the tool chain built here needs no trial.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from litegate.core.errors import ArtifactError, LitegateError

if TYPE_CHECKING:
    from litegate.runtimes.litert import Kernels, Runner
    from litegate.spec import Inputs

COMMAND = (sys.executable, "-P", "-m", "litegate.runtimes.sandbox")
TIMEOUT = 300.0
"""Seconds; a large network takes a few by the reference kernels."""

_REFUSED = 3
"""The child's exit status for words of LiteRT's, which stand in the last line of its stdout."""
_BATCH = 8
_FREE = 64
"""The length of a free size besides the batch: enough for a few convolutions."""
_REMEDY = "fetch or build the file again; if it stays, this LiteRT cannot run it"


def demand_trial(tflite: bytes, *, subject: str = "the model", timeout: float = TIMEOUT) -> None:
    """Load a file in a child process and run it, by each set of LiteRT's kernels.

    Raises ArtifactError where the child crashes, has not ended after `timeout` seconds, or as
    `attempt` does.
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
    if done.returncode == _REFUSED:
        raise ArtifactError(
            f"LiteRT cannot load {subject}",
            got=_last(done.stdout),
            remedy="build it again, or look whether it needs a custom or Flex operator",
        )
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

    Raises ArtifactError where LiteRT's kernels without a delegate refuse to load the file. They go
    first: they check operands that XNNPACK's delegate reads unchecked, which crashes on one day and
    not on another. What is refused in words after that ends one set of kernels, and is told
    wherever the file is run by them.
    """
    from litegate.runtimes.litert import Kernels, load

    tell(f"while it was loaded, {Kernels.BUILTIN} kernels")
    load(tflite, "it", Kernels.BUILTIN)
    for kernels in (Kernels.BUILTIN, Kernels.REFERENCE, Kernels.XNNPACK):
        for signature in _entries(tflite):
            with suppress(LitegateError, MemoryError):
                _run(tflite, kernels, signature, tell)


def _entries(tflite: bytes) -> tuple[str, ...]:
    """Every signature, where there are several; else one that needs no name."""
    from litegate.runtimes.litert import signatures

    try:
        found = signatures(tflite)
    except LitegateError:
        found = ()
    return found if len(found) > 1 else ("",)


def _run(tflite: bytes, kernels: Kernels, signature: str, tell: Callable[[str], None]) -> None:
    """Run zeros and drawn samples, one and, where the batch is free, several at a time."""
    from litegate.runtimes.inference import BATCH
    from litegate.runtimes.litert import Runner

    tell(f"while it was loaded, {kernels} kernels")
    runner = Runner(tflite, kernels=kernels, signature=signature)
    free = runner.batches
    which = f" of {signature}" if signature else ""
    for batch in (1, _BATCH) if free else (1,):
        tell(f"while it was run on {batch}{which}, {kernels} kernels")
        for samples in _samples(runner, batch):
            runner.run(samples)
    if free:
        tell(f"while memory was taken for {BATCH}{which}, {kernels} kernels")
        runner.take(next(_samples(runner, BATCH)))


def _samples(runner: Runner, batch: int) -> Iterator[Inputs]:
    """Zeros, then drawn values; ones where an input takes whole numbers."""
    import numpy as np

    from litegate.spec import Inputs

    rng = np.random.default_rng(0)
    ports = runner.inputs.items()
    shapes = {
        k: (batch, *(_FREE if size == -1 else size for size in one.shape[1:])) for k, one in ports
    }
    yield Inputs({name: np.zeros(shape) for name, shape in shapes.items()})
    drawn = {name: rng.normal(scale=100, size=shape) for name, shape in shapes.items()}
    ones = {name: np.ones_like(drawn[name]) for name, one in ports if one.counts}
    yield Inputs(drawn | ones)


def main() -> None:
    """Run the file that stands in stdin, and end as LiteRT ends."""
    try:
        attempt(sys.stdin.buffer.read(), _tell)
    except ArtifactError as error:
        _tell(" ".join(error.got.split()))
        sys.exit(_REFUSED)


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
