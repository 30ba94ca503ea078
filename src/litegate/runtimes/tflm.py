"""Run a file in TensorFlow Lite Micro; only a child process imports its interpreter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, final

from numpy.typing import NDArray

from litegate.core.child_process import tail
from litegate.core.errors import ArtifactError
from litegate.runtimes.captured_stderr import captured_stderr
from litegate.runtimes.runtime import Arena
from litegate.tflite.parser import parse
from litegate.tflite.variables import variables

_FIRST_ARENA = 1 << 20
"""Bytes of the first attempt: most files of microcontrollers fit, and an attempt takes 20 ms."""
_LARGEST_ARENA = 1 << 30
"""Bytes above which no microcontroller's memory is tried: doubling must end for a file that fits
nowhere, and no microcontroller has so many."""
_TOO_SMALL = re.compile(r"Requested: \d+, available \d+")
"""The interpreter's line if the arena is too small: the exception alone does not say so."""
# `print_allocations` has no other answer than lines on stderr.
_LINE = re.compile(r"\[RecordingMicroAllocator\] (?:'(.+)' used|Arena allocation (\w+)) (\d+) byte")


@final
class LoadedFile:
    """A file in the interpreter, with an arena that it fits into. Not thread-safe."""

    def __init__(self, tflite: bytes) -> None:
        """Load and allocate; raise ArtifactError with the interpreter's words if it refuses."""
        self._tflite, self._interpreter = tflite, _load(tflite)
        # The interpreter resets to zero, and runs the graph of a CALL_ONCE once and never again.
        known = variables(parse(tflite, subject="it"))
        self._resets_to_zero = all(variable.starts_at_zero for variable in known)
        self._outputs = _count_outputs(self._interpreter)

    def reset(self) -> None:
        """Set all state to what it was after loading."""
        if self._resets_to_zero:
            self._interpreter.reset()
        else:
            self._interpreter = _load(self._tflite)

    def answer(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run once on one sample, by input in the file's order; raises ArtifactError."""
        try:
            for position, values in enumerate(inputs):
                self._interpreter.set_input(values, position)
            self._interpreter.invoke()
        except (RuntimeError, ValueError, IndexError) as error:
            raise ArtifactError("it is refused", got=str(error).strip()) from error
        return [self._interpreter.get_output(position) for position in range(self._outputs)]

    def arena(self) -> Arena:
        """Return the memory that the interpreter recorded, which it prints on stderr alone."""
        with captured_stderr() as written:
            self._interpreter.print_allocations()
            lines = _LINE.findall(written().decode(errors="replace"))
        sizes = {total: int(size) for _, total, size in lines if total}
        parts = {part: int(size) for part, _, size in lines if part}
        return Arena(parts=parts, **{name: sizes[name] for name in ("total", "head", "tail")})


def _load(tflite: bytes) -> Any:
    """Create the interpreter; the arena is doubled until the file allocates."""
    from tflite_micro.python.tflite_micro.runtime import Interpreter

    size = _FIRST_ARENA
    while True:
        with captured_stderr() as written:
            try:
                return Interpreter.from_bytes(tflite, arena_size=size)
            except Exception as error:  # the parser raises whatever a damaged file makes it raise
                is_too_small = _TOO_SMALL.search(written().decode(errors="replace"))
                if not is_too_small or size >= _LARGEST_ARENA:
                    raise _refusal(error, written()) from error
        size *= 2


def _refusal(error: Exception, written: bytes) -> ArtifactError:
    """Return the error; the reason is on stderr, and the exception only says that there is one."""
    return ArtifactError(
        "it is refused", got=tail(written.decode(errors="replace")) or str(error).strip()
    )


def _count_outputs(interpreter: Any) -> int:
    """Count the outputs, whose number the interpreter does not offer."""
    count = 0
    with captured_stderr():  # it also writes the end of the list there
        while True:
            try:
                interpreter.get_output_details(count)
            except IndexError:
                return count
            count += 1
