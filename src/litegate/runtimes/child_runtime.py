"""Run a file on a runtime in a child process: samples in, checked answers out."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError
from litegate.core.escaping import excerpt
from litegate.runtimes.litert import Ready
from litegate.runtimes.messages import MOST_BYTES, Header, arrays_of
from litegate.runtimes.program import Program, Refused
from litegate.runtimes.runtime import Arena, Reset, demand
from litegate.spec import Samples
from litegate.spec.runtimes import find_command
from litegate.tflite.parser import parse
from litegate.tflite.ports import arrays_by_port, in_file_order, parsed_ports

SAMPLES = 32
"""The most samples in one message: a sample of ResNet8 takes 10 to 25 ms in TensorFlow Lite Micro,
so that 32 outweigh the message by far; larger networks should stay far below the timeout."""

_DAY = 86_400
"""Seconds that no sample takes; a larger integer need not fit into a float."""
_ARENA = '"arena" with "total", "head" and "tail" in bytes, and "parts" by name'


@final
class ChildRuntime:
    """A file that a runtime has loaded in a child process. Not thread-safe; close it after use."""

    def __init__(
        self,
        tflite: bytes,
        runtime: str,
        *,
        subject: str = "the model",
        signature: str = "",
        resets: bool = True,
    ) -> None:
        """Start the runtime's program and load the file.

        Without `resets` the state runs on from one sample into the next. Raises ConfigError if
        this machine does not have the runtime, Refused if it refuses the file, ArtifactError if the
        file cannot be parsed or the program fails.
        """
        demand(runtime)
        self._runtime, self._resets = runtime, resets
        self._subject = subject.removesuffix(f" on {runtime}")  # which the sentences name
        self._program = Program(runtime)
        try:
            self.load(tflite, signature)
        except BaseException:
            self.close()
            raise

    def load(self, tflite: bytes, signature: str = "") -> None:
        """Load a file instead of the one before; raises as the constructor."""
        graph = parse(tflite, subject=self._subject, signature=signature)
        self.inputs = parsed_ports(graph, "inputs", signature)
        self.outputs = parsed_ports(graph, "outputs", signature)
        self.input_order = in_file_order(self.inputs, graph.main.inputs)
        self.output_order = in_file_order(self.outputs, graph.main.outputs)
        self._demand_one_sample()
        self._program.subject = self._subject
        self._program.request({"do": "load", "signature": signature}, tflite)

    @property
    def name(self) -> str:
        """The name that the program gives its runtime or device."""
        return str(self._program.identity["runtime"])

    @property
    def version(self) -> str:
        """The runtime's version."""
        return str(self._program.identity["version"])

    def _demand_one_sample(self) -> None:
        """Raise Refused unless one invocation takes one sample."""
        for side, ports in (("input", self.inputs), ("output", self.outputs)):
            if not ports:
                raise Refused(f"{self._subject} has no {side}", expected=f"at least one {side}")
        for name, port in self.inputs.items():
            if port.shape[:1] not in ((1,), (-1,)):
                raise Refused(
                    f"{self._runtime} cannot run {self._subject} one sample at a time",
                    expected="a batch of one",
                    got=f"the input {name} of shape {port.shape}",
                )

    def finish(self) -> None:
        """Let the program end; raises as `Program.finish`."""
        self._program.finish()

    def close(self) -> None:
        """End the program, if it still runs."""
        self._program.close()

    def ready(self, samples: Samples) -> Ready:
        """Convert real-valued samples to the inputs' types; safe to call from another thread.

        Raises ArtifactError unless there are samples of the right shape for every input,
        MeasurementError for values outside an input's range.
        """
        arrays = arrays_by_port(self.inputs, samples, self._subject)
        ready = {name: self.inputs[name].quantize(values) for name, values in arrays.items()}
        for name, values in ready.items():
            expected = self.inputs[name].resized_shape(values.shape)
            if values.shape != expected:
                raise ArtifactError(
                    f"{self._subject} does not take these samples",
                    expected=f"shape {expected} in {name}",
                    got=f"shape {values.shape}",
                    remedy="compare the data set's preprocessing with the network's input",
                )
        return ready

    def answer(self, ready: Ready, reset: Reset = "each") -> dict[str, NDArray[Any]]:
        """Answer some samples; return the raw outputs by name.

        `reset` says which samples start from a reset state; the others continue from the sample
        before them, in this call or the last. Raises Refused if the runtime cannot run them,
        ArtifactError if the program fails.
        """
        answers, _ = self._run(ready, reset)
        return answers

    def seconds(self, ready: Ready) -> list[float]:
        """Run some samples; return the device's own time of each. Raises as `answer`.

        Raises ArtifactError too if the program does not report them.
        """
        answers, header = self._run(ready, "each")
        times, samples = header.get("seconds"), len(next(iter(answers.values())))
        if isinstance(times, list) and len(times) == samples and all(map(_is_time, times)):
            return [float(it) for it in times]
        expected = f'"seconds" with {samples} positive numbers'
        raise self._program.nonsense(f'"seconds": {excerpt(str(times))}', expected)

    def _run(self, ready: Ready, reset: Reset) -> tuple[dict[str, NDArray[Any]], Header]:
        """Return the answers by name, and the reply's header."""
        inputs = [ready[name] for name in self.input_order]
        most = self._answer_bytes(len(inputs[0]))
        header = {"do": "run", "reset": reset if self._resets else "none"}
        header, content = self._program.request(header, arrays=inputs, most=most)
        try:
            arrays = arrays_of(header, content)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise self._program.nonsense(str(error)) from error
        self._check(arrays, len(inputs[0]))
        outputs = dict(zip(self.output_order, arrays, strict=True))
        return {name: outputs[name] for name in self.outputs}, header

    def _answer_bytes(self, samples: int) -> int:
        """Return the bytes of the answers to so many samples; the most there may be if unknown."""
        ports = self.outputs.values()
        if any(-1 in port.shape[1:] for port in ports):
            return MOST_BYTES
        return samples * sum(prod(port.shape[1:]) * port.dtype.itemsize for port in ports)

    @property
    def takes_batches(self) -> bool:
        """Return False: samples are run one at a time, however many are sent."""
        return False

    def run(self, samples: Samples) -> dict[str, NDArray[Any]]:
        """Convert and answer real-valued samples; raises as `ready` and `answer`."""
        return self.answer(self.ready(samples))

    def _check(self, arrays: Sequence[NDArray[Any]], samples: int) -> None:
        """Raise ArtifactError unless the arrays are the answers to so many samples."""
        ports = [self.outputs[name] for name in self.output_order]
        expected = [f"{port.dtype} of shape {(samples, *port.shape[1:])}" for port in ports]
        got = [f"{array.dtype} of shape {array.shape}" for array in arrays]
        fits = len(arrays) == len(ports) and all(
            array.dtype == port.dtype and _matches(array.shape, (samples, *port.shape[1:]))
            for array, port in zip(arrays, ports, strict=False)
        )
        if not fits:
            raise self._program.nonsense("; ".join(got) or "no array", "; ".join(expected))
        # Elsewhere NaN is the file's; a transport of the project's own is suspected first.
        if find_command(self._runtime) and not all(np.isfinite(array).all() for array in arrays):
            raise self._program.nonsense("NaN or infinity", "finite numbers")

    def arena(self) -> Arena | None:
        """Return the memory that the runtime recorded after an invocation; None if unknown."""
        header, _ = self._program.request({"do": "arena"})
        fields = header.get("arena")
        if not fields:
            return None
        try:
            arena = Arena(**fields)
            sizes = (arena.total, arena.head, arena.tail, *arena.parts.values())
        except (TypeError, AttributeError) as error:
            raise self._program.nonsense(excerpt(str(fields)), _ARENA) from error
        if not all(map(_is_size, sizes)):
            raise self._program.nonsense(excerpt(str(fields)), _ARENA)
        return arena


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_time(value: object) -> bool:
    """Return True for seconds of a sample: a day is no time of one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value < _DAY


def _matches(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Return True if a shape is the expected one, whose -1 stands for any size."""
    return len(shape) == len(expected) and all(
        wanted in (size, -1) for size, wanted in zip(shape, expected, strict=True)
    )
