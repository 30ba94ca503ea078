"""Run LiteRT's interpreter; the only module that imports it."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError
from litegate.runtimes.captured_stderr import STDERR, captured_stderr
from litegate.runtimes.runtime import Reset, resets
from litegate.runtimes.signatures import RunnableGraph, read_names, runnable_graph
from litegate.spec import Samples
from litegate.tflite.parser import parse
from litegate.tflite.ports import Port, arrays_by_port
from litegate.tflite.variables import variables

_GREETING = re.compile(rb"^INFO: Created .* delegate for CPU")
_SEEN_GREETINGS: list[bytes] = []
"""The greeting lines seen in this process; empty until LiteRT has written one."""


@contextmanager
def without_greeting() -> Iterator[None]:
    """Filter LiteRT's line about its delegate from stderr, and pass on everything else.

    The line says the same of every file, and would stand in the middle of the progress line, or in
    the captured output of whichever check runs first. LiteRT writes it
    once in a process, when it loads the first file with the delegate.
    It writes to the file descriptor, so redirecting `sys.stderr` would not catch it.
    """
    if _SEEN_GREETINGS:
        yield
        return
    content = b""
    try:
        with captured_stderr() as written:
            try:
                yield
            finally:
                content = written()
    finally:
        for line in content.splitlines(keepends=True):
            if _GREETING.search(line):
                _SEEN_GREETINGS.append(line)
            else:
                os.write(STDERR, line)


@cache
def instruction_set() -> str:
    """Return a digest of the processor's instruction set, by which XNNPACK chooses its kernels.

    Elsewhere than on Linux, whose kernel lists the extensions, it is the processor's name alone.
    """
    lines: list[str] = []
    with suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8") as cpuinfo:
        # "flags" on x86-64, "Features" on Arm; the same for every core of nearly every machine.
        lines = sorted({line for line in cpuinfo if line.lower().startswith(("flags", "features"))})
    name = f"{platform.machine()} {'' if lines else platform.processor()}"
    return hashlib.sha256("".join([name, *lines]).encode()).hexdigest()


class Kernels(StrEnum):
    """The implementation of the operators; int8 results differ by a quantum between them."""

    XNNPACK = "xnnpack"
    """LiteRT's default: the optimized kernels used on phones and servers."""
    REFERENCE = "reference"
    """The plain kernels that microcontrollers' results are compared with; ten times slower."""
    BUILTIN = "builtin"
    """The optimized kernels without a delegate, which keep every inner tensor readable."""


Ready = Mapping[str, NDArray[Any]]
"""Samples by input name, converted to each input's own type."""


@final
class Runner:
    """An interpreter with allocated tensors. Not thread-safe.

    `inputs` and `outputs` are ports by name, in the order of the file's signature (which converters
    sort by name), or in the file's order if there is no signature.
    """

    def __init__(
        self,
        tflite: bytes,
        *,
        subject: str = "the model",
        kernels: Kernels = Kernels.XNNPACK,
        threads: int = 1,
        signature: str = "",
        resets: bool = True,
    ) -> None:
        """Load and allocate `tflite`; raise ArtifactError if LiteRT refuses it.

        `signature` selects the signature to run, if the file has several. Without `resets` the
        state runs on from one sample into the next, as a proof plants it.
        """
        self._subject, self._resets = subject, resets
        self._variables = variables(parse(tflite, subject=subject, signature=signature))
        self._load = partial(_load_graph, tflite, subject, kernels, threads, signature)
        self._graph, self._shapes = self._load()
        self._has_run = False
        self.inputs, self.outputs = self._graph.inputs, self._graph.outputs
        for what, ports in (("input", self.inputs), ("output", self.outputs)):
            if not ports:
                raise ArtifactError(f"{subject} has no {what}", expected=f"at least one {what}")

    @property
    def input(self) -> Port:
        """The only input; raises ArtifactError if there are several."""
        return _only(self.inputs, "input", self._subject)

    @property
    def output(self) -> Port:
        """The only output; raises ArtifactError if there are several."""
        return _only(self.outputs, "output", self._subject)

    @property
    def takes_batches(self) -> bool:
        """Return True if one invocation takes any number of samples.

        The batch must be free, and the file without state, which samples of a batch would share.
        """
        return not self.is_stateful and all(
            port.shape[:1] == (-1,) for port in self.inputs.values()
        )

    @property
    def is_stateful(self) -> bool:
        """Return True if the file has variables, whose values invocations carry on."""
        return bool(self._variables)

    def reset(self) -> None:
        """Set the state to what it is after loading."""
        if not (self._has_run and self._resets):
            return
        if any(variable.is_resource or variable.initializers for variable in self._variables):
            # LiteRT 2.3 resets tensors alone, and only to zero. Loading takes about a millisecond.
            self._graph, self._shapes = self._load()
        elif self._variables:
            self._graph.reset()
        self._has_run = False

    def take(self, samples: Samples) -> None:
        """Resize to real-valued samples, shape (batch, ...), and feed them.

        Several inputs take `Inputs`. Raises as `ready` and `feed`.
        """
        self.feed(self.ready(samples))

    def ready(self, samples: Samples) -> Ready:
        """Convert samples to the inputs' types, by input; safe to call from another thread.

        Raises ArtifactError unless there are samples for every input, MeasurementError for values
        outside an input's range.
        """
        arrays = arrays_by_port(self.inputs, samples, self._subject)
        return {name: self.inputs[name].quantize(values) for name, values in arrays.items()}

    def feed(self, ready: Ready) -> None:
        """Feed converted samples; raise ArtifactError if the model does not take their shape."""
        self._fit(
            {name: self.inputs[name].resized_shape(values.shape) for name, values in ready.items()}
        )
        if any(values.shape != self._shapes[name] for name, values in ready.items()):
            raise self._refusal(ready)
        try:
            self._graph.feed(ready)
        except ValueError as error:
            raise self._refusal(ready) from error

    def _fit(self, shapes: dict[str, tuple[int, ...]]) -> None:
        if shapes == self._shapes:
            return
        try:
            self._graph.resize(shapes)
        except (ValueError, RuntimeError) as error:
            shape_text = ", ".join(map(str, shapes.values()))
            raise ArtifactError(
                f"{self._subject} does not accept inputs of shape {shape_text}",
                got=str(error).strip(),
            ) from error
        self._shapes = shapes

    def _refusal(self, raw: Ready) -> ArtifactError:
        ports = self.inputs.items()
        labels = {name: f"{name}: " if len(raw) > 1 else "" for name in raw}
        return ArtifactError(
            f"{self._subject} does not accept these samples",
            expected="; ".join(
                f"{labels[name]}{port.dtype} of shape {port.shape}" for name, port in ports
            ),
            got="; ".join(
                f"{labels[name]}{values.dtype} of shape {values.shape}"
                for name, values in raw.items()
            ),
            remedy="compare the data set's preprocessing with the network's input",
        )

    def invoke(self) -> None:
        """Run once on the fed samples; raise ArtifactError if an operator fails."""
        self._has_run = True
        try:
            self._graph.invoke()
        except (RuntimeError, ValueError) as error:
            raise ArtifactError(f"LiteRT cannot run {self._subject}", got=str(error)) from error

    def fetch(self) -> dict[str, NDArray[Any]]:
        """Return a copy of each output by name, in the output's own type."""
        return self._graph.fetch()

    def tensor(self, index: int) -> NDArray[Any]:
        """Return a copy of any tensor, in its own type; needs `Kernels.BUILTIN`."""
        return self._graph.tensor(index)

    def run(self, samples: Samples) -> dict[str, NDArray[Any]]:
        """Reset, feed samples, invoke and fetch the outputs; shape (batch, ...) in and out."""
        self.reset()
        self.take(samples)
        self.invoke()
        return self.fetch()

    def answer(self, ready: Ready, reset: Reset = "each") -> dict[str, NDArray[Any]]:
        """Answer converted samples one at a time; return the raw outputs by name, shape (n, ...).

        `reset` says which samples start from a reset state; the others continue from the sample
        before them, in this call or the last. Raises as `feed` and `invoke`.
        """
        rows = []
        for row in range(len(next(iter(ready.values())))):
            if resets(reset, row):
                self.reset()
            self.feed({name: values[row : row + 1] for name, values in ready.items()})
            self.invoke()
            rows.append(self.fetch())
        return {
            name: np.concatenate([np.atleast_1d(outputs[name]) for outputs in rows])
            for name in self.outputs
        }


def _load_graph(
    tflite: bytes, subject: str, kernels: Kernels, threads: int, signature: str
) -> tuple[RunnableGraph, dict[str, tuple[int, ...]]]:
    """Return a graph to run, and the shapes of the inputs that it is allocated for, if any."""
    interpreter = load(tflite, subject, kernels, threads)
    graph = runnable_graph(interpreter, signature, subject)
    shapes = {name: port.allocated for name, port in graph.inputs.items()}
    return graph, {} if needs_sample_shapes(interpreter, subject) else shapes


def _only(ports: Mapping[str, Port], what: str, subject: str) -> Port:
    if len(ports) != 1:
        raise ArtifactError(f"{subject} has {len(ports)} {what}s", expected=f"one {what}")
    return next(iter(ports.values()))


def signatures(tflite: bytes, *, subject: str = "the model") -> tuple[str, ...]:
    """Return the names of a file's signatures; raise ArtifactError if LiteRT refuses the file."""
    read = load(tflite, subject, Kernels.BUILTIN).get_signature_list
    return tuple(read_names(read, "a signature", subject))


def load(tflite: bytes, subject: str, kernels: Kernels, threads: int = 1) -> Any:
    """Create LiteRT's interpreter and allocate its tensors; raise ArtifactError if it refuses.

    A file with dynamic sizes besides the batch is allocated later, when its samples are known: at
    the length of 1, with which LiteRT begins, a convolution along time finds too little input and
    refuses the file.
    """
    try:
        with without_greeting():
            interpreter = _interpreter(tflite, kernels, threads)
            if not needs_sample_shapes(interpreter, subject):
                interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ArtifactError(
            f"LiteRT cannot load {subject}",
            got=str(error).strip(),
            remedy="build it again, or check whether it needs a custom or Flex operator",
        ) from error
    return interpreter


def needs_sample_shapes(interpreter: Any, subject: str) -> bool:
    """Return True if allocation must wait: an input has a dynamic size besides the batch."""
    inputs = read_names(interpreter.get_input_details, "an input", subject)
    return any(-1 in detail["shape_signature"][1:] for detail in inputs)


def _interpreter(tflite: bytes, kernels: Kernels, threads: int) -> Any:
    # Late: it loads LiteRT's shared library, and most modules that import this one run no file.
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = {
        Kernels.XNNPACK: OpResolverType.AUTO,
        Kernels.REFERENCE: OpResolverType.BUILTIN_REF,
        Kernels.BUILTIN: OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    }[kernels]
    # LiteRT may warn of the removal of TensorFlow's interpreter, which is not this one: whoever
    # runs the checks can do nothing about it, and `-W error` would fail them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Interpreter(
            model_content=tflite,
            num_threads=threads,
            experimental_op_resolver_type=resolver,
            experimental_preserve_all_tensors=kernels is Kernels.BUILTIN,
        )
