"""Run a file on a runtime in a child process, which may refuse it, crash, hang or answer nonsense.

The child speaks the messages of `litegate.runtimes.messages`; `litegate.runtimes.worker` is the one
of litegate's own runtimes.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryFile
from threading import Timer
from typing import Any, final

from numpy.typing import NDArray

from litegate.core.child_process import environment_for, own_module, process_group, tail
from litegate.core.child_process import kill as kill_group
from litegate.core.errors import ArtifactError
from litegate.runtimes.litert import Ready
from litegate.runtimes.messages import (
    Header,
    arrays_of,
    read_message,
    write_arrays,
    write_message,
)
from litegate.runtimes.runtime import Arena, Reset, demand
from litegate.spec import Samples
from litegate.tflite.parser import parse
from litegate.tflite.ports import arrays_by_port, in_file_order, parsed_ports

TIMEOUT = 300.0
"""Seconds for one message: what `sandbox` gives a file. A message has at most `SAMPLES` samples."""
SAMPLES = 32
"""The most samples in one message: a sample of ResNet8 takes 10 to 25 ms in TensorFlow Lite Micro,
so that 32 outweigh the message by far; larger networks should stay far below the timeout."""


_WORKER = "litegate.runtimes.worker"


class Refused(ArtifactError):
    """A runtime refuses a file, or a sample, in words of its own."""


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
        command: Sequence[str] = (),
        timeout: float = TIMEOUT,
    ) -> None:
        """Start the child and load the file.

        `command` is the child's, by default that of litegate's own runtime. Raises ConfigError if
        this machine does not have the runtime, Refused if it refuses the file, ArtifactError if the
        file cannot be parsed or the child fails.
        """
        demand(runtime)
        self._runtime, self._timeout = runtime, timeout
        self._subject = subject.removesuffix(f" on {runtime}")  # which the sentences name
        self._closing = ExitStack()
        self._stderr = self._closing.enter_context(TemporaryFile())  # noqa: SIM115 closed with it
        self.identity: Header = {}
        try:
            self._child = self._start(command or own_module(_WORKER, runtime, signature))
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
        self.identity, _ = self._request({"do": "load"}, tflite)

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        group = process_group(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment_for(),
        )
        try:
            child = self._closing.enter_context(group)
        except OSError as error:
            raise ArtifactError(
                f"{self._runtime} cannot be started", got=str(error), remedy="correct its command"
            ) from error
        if child.stdout:
            self._closing.callback(child.stdout.close)
        return child

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
        """Let the child end; raise ArtifactError if it crashes, as after corrupting its memory.

        What a heap's check finds, it finds when memory is freed: after the last answer.
        """
        if self._child.stdin:
            with suppress(OSError):  # it has ended already
                self._child.stdin.close()
        with self._deadline() as expired:
            code = self._child.wait()
        if expired:
            raise self._error("does not finish with", f"none within {self._timeout:g} s")
        if code:
            raise self._error("crashes on", _ending(code))

    def close(self) -> None:
        """End the child process, if it still runs."""
        self._closing.close()

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
        ArtifactError if the child fails.
        """
        inputs = [ready[name] for name in self.input_order]
        header, content = self._request({"do": "run", "reset": reset}, arrays=inputs)
        try:
            arrays = arrays_of(header, content)
        except (ValueError, TypeError, KeyError) as error:
            raise self._nonsense(str(error)) from error
        self._check(arrays, len(inputs[0]))
        outputs = dict(zip(self.output_order, arrays, strict=True))
        return {name: outputs[name] for name in self.outputs}

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
            raise self._nonsense("; ".join(got) or "no array", "; ".join(expected))

    def arena(self) -> Arena | None:
        """Return the memory that the runtime recorded after an invocation; None if unknown."""
        header, _ = self._request({"do": "arena"})
        fields = header.get("arena")
        try:
            return Arena(**fields) if fields else None
        except TypeError as error:
            raise self._nonsense(str(fields)) from error

    def _request(
        self, header: Header, content: bytes = b"", arrays: Sequence[NDArray[Any]] = ()
    ) -> tuple[Header, bytes]:
        stdin, stdout = self._child.stdin, self._child.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the child was started without pipes")
        with self._deadline() as expired:
            try:
                if arrays:
                    write_arrays(stdin, header, arrays)  # type: ignore[arg-type] # a BinaryIO
                else:
                    write_message(stdin, header, content)  # type: ignore[arg-type]
                reply = read_message(stdout)  # type: ignore[arg-type]
            except OSError:
                reply = None
            except ValueError as error:
                if not expired:
                    raise self._nonsense(str(error)) from error
                reply = None
        if expired:
            raise self._error("does not finish with", f"none within {self._timeout:g} s")
        if reply is None:
            raise self._error("crashes on", _ending(self._child.wait()))
        if "error" in reply[0]:
            raise Refused(
                f"{self._runtime} refuses {self._subject}", got=str(reply[0]["error"]).strip()
            )
        return reply

    @contextmanager
    def _deadline(self) -> Iterator[list[bool]]:
        """Kill the child after the timeout; the list has an element then."""
        expired = list[bool]()

        def kill() -> None:
            expired.append(True)
            kill_group(self._child)

        timer = Timer(self._timeout, kill)
        timer.daemon = True
        timer.start()
        try:
            yield expired
        finally:
            timer.cancel()

    def _nonsense(self, got: str, expected: str = "a message as the protocol has it") -> Exception:
        return ArtifactError(
            f"{self._runtime} gives no valid answer for {self._subject}",
            expected=expected,
            got=_with_stderr(got, self._written()),
        )

    def _error(self, what: str, got: str) -> ArtifactError:
        version = self.identity.get("version", "")
        return ArtifactError(
            f"{f'{self._runtime} {version}'.strip()} {what} {self._subject}",
            expected="that it runs the file, or refuses it in words",
            got=_with_stderr(got, self._written()),
            remedy=f"fetch or build the file again; if it stays, {self._runtime} cannot run it",
        )

    def _written(self) -> str:
        """Return the end of the child's stderr."""
        self._stderr.seek(0)
        written = self._stderr.read()  # to its end, where the child goes on: they share the place
        return tail(written.decode(errors="replace"))


def _matches(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Return True if a shape is the expected one, whose -1 stands for any size."""
    return len(shape) == len(expected) and all(
        wanted in (size, -1) for size, wanted in zip(shape, expected, strict=True)
    )


def _with_stderr(got: str, written: str) -> str:
    return f"{got}; stderr: {written}" if written else got


def _ending(code: int) -> str:
    """Describe how a process ended: by a signal, or with an exit code."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
