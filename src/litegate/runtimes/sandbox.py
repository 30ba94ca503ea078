"""Run a foreign file in a child process first, because LiteRT may crash or hang on it.

LiteRT trusts the file. It refuses most damaged files with an error, but crashes on some and never
returns on others. Files that the tool chain built here need no such run.

Imports NumPy and LiteRT late: only the child runs the file.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from litegate.core.child_process import ChildError, environment_for, own_module, run
from litegate.core.errors import ArtifactError, LitegateError
from litegate.runtimes.runtime import version
from litegate.spec.runtimes import XNNPACK

if TYPE_CHECKING:
    from litegate.runtimes.litert import Kernels, Runner
    from litegate.spec import Inputs

COMMAND = own_module("litegate.runtimes.sandbox")
TIMEOUT = 300.0
"""Seconds; a large network needs several of them with the reference kernels, and on a loaded
machine many. Less would refuse sound files there; a file that hangs costs all of them."""

_REFUSED = 3
"""The child's exit status if LiteRT refused the file; its message is the last line of stdout.

Python itself exits with 1 after an exception and with 2 for a wrong command line."""
FREE_SIZE = 64
"""The length to use for a dynamic size other than the batch.

At the length of 1, with which LiteRT begins, a convolution along time finds too little input and
refuses the file. 64 are enough for a few convolutions and poolings; a longer one costs time, for
attention with the square of it.
"""


def run_in_sandbox(
    tflite: bytes,
    *,
    subject: str = "the model",
    timeout: float = TIMEOUT,
    may_refuse: bool = False,
) -> None:
    """Load and run a file in a child process, with each set of LiteRT's kernels.

    With `may_refuse`, LiteRT may refuse the file in words, as one for an accelerator. Raises
    ArtifactError if the child crashes or has not ended after `timeout` seconds, and as
    `run_all_kernels` does.
    """
    try:
        child = run(COMMAND, stdin=tflite, env=environment_for(), timeout=timeout)
    except ChildError as error:
        raise ArtifactError(
            f"LiteRT does not finish with {subject}",
            expected=f"an answer within {timeout:g} s",
            got=f"none, {_last_step(error.stdout)}",
            remedy=_remedy(),
        ) from None
    if child.exit_code == _REFUSED and may_refuse:
        return
    if child.exit_code == _REFUSED:
        raise ArtifactError(
            f"LiteRT cannot load {subject}",
            got=_last_step(child.stdout),
            remedy="build it again, or check whether it needs a custom or Flex operator",
        )
    if child.exit_code:
        raise ArtifactError(
            f"LiteRT crashes on {subject}",
            expected="a file that LiteRT runs, or refuses with an error",
            got=f"{_ending(child.exit_code)} {_last_step(child.stdout)}",
            remedy=_remedy(),
        )


def _remedy() -> str:
    """Name LiteRT's version: another one may run the file."""
    installed = version(XNNPACK)
    return f"build or download the file again; if the error stays, LiteRT {installed} cannot run it"


def _last_step(stdout: str) -> str:
    """Return the last line of the child's stdout: the step that it began last."""
    lines = stdout.splitlines()
    return lines[-1] if lines else "before it was loaded"


def _ending(code: int) -> str:
    if code > 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    return f"{name}, probably out of memory," if name == "SIGKILL" else name


def run_all_kernels(tflite: bytes, report_step: Callable[[str], None]) -> None:
    """Run a file in this process with each set of kernels; call `report_step` before each step.

    Raises ArtifactError if LiteRT's kernels without a delegate refuse to load the file. They go
    first, because they check operands that XNNPACK's delegate reads unchecked, where a crash is not
    reproducible. A later refusal only ends the run of that set of kernels: whoever uses them with
    this file gets LiteRT's message then.
    """
    from litegate.runtimes.drawn_inputs import answer_drawn
    from litegate.runtimes.litert import Kernels, load

    report_step(f"while it was loaded, {Kernels.BUILTIN} kernels")
    load(tflite, "it", Kernels.BUILTIN)
    for kernels in (Kernels.BUILTIN, Kernels.REFERENCE, Kernels.XNNPACK):
        for signature in _signatures_to_run(tflite):
            try:
                _run(tflite, kernels, signature, report_step)
            except (LitegateError, MemoryError):
                # It takes no samples, as a file with a scalar input; `litegate strip` runs it.
                report_step(f"while it was run on random inputs, {kernels} kernels")
                with suppress(LitegateError):
                    answer_drawn(tflite, kernels, signature=signature)


def _signatures_to_run(tflite: bytes) -> tuple[str, ...]:
    """Return the names of the signatures if there are several, else one empty name."""
    from litegate.runtimes.litert import signatures

    try:
        names = signatures(tflite)
    except LitegateError:
        names = ()
    return names if len(names) > 1 else ("",)


def _run(
    tflite: bytes, kernels: Kernels, signature: str, report_step: Callable[[str], None]
) -> None:
    """Run zeros and random samples: one and, if the batch is free, as many as inference will."""
    from litegate.runtimes.batch_sizes import batch_of
    from litegate.runtimes.litert import Runner

    report_step(f"while it was loaded, {kernels} kernels")
    runner = Runner(tflite, kernels=kernels, signature=signature)
    label = f" of {signature}" if signature else ""
    full = batch_of(next(_samples(runner, 1)), kernels)
    for batch in (1, full) if runner.takes_batches else (1,):
        report_step(f"while it was run on {batch}{label}, {kernels} kernels")
        for samples in _samples(runner, batch):
            runner.run(samples)


def _samples(runner: Runner, batch: int) -> Iterator[Inputs]:
    """Yield zeros, then random values, or ones for an input of whole numbers."""
    import numpy as np

    from litegate.spec import Inputs

    rng = np.random.default_rng(0)
    ports = runner.inputs.items()
    shapes = {
        name: (batch, *(FREE_SIZE if size == -1 else size for size in port.shape[1:]))
        for name, port in ports
    }
    yield Inputs({name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
    # An SD of 100, as of samples that nobody scaled: inputs and activations reach the ends of their
    # ranges, where a smaller one would leave kernels unused.
    values = {
        name: rng.normal(scale=100, size=shape).astype(np.float32) for name, shape in shapes.items()
    }
    ones = {name: np.ones_like(values[name]) for name, port in ports if port.takes_counts}
    yield Inputs(values | ones)


def main() -> None:
    """Run the file read from stdin; a crash of LiteRT is this process's crash."""
    try:
        run_all_kernels(sys.stdin.buffer.read(), _print_line)
    except ArtifactError as error:
        _print_line(" ".join(error.got.split()))
        sys.exit(_REFUSED)


def _print_line(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
