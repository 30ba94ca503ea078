"""LiteRT's interpreter: the only place that imports it."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, final

from numpy.typing import NDArray

from litegate.core.errors import ArtifactError
from litegate.runtimes.signatures import entry, told
from litegate.spec import Samples
from litegate.tflite.ports import Port, matched

_STDERR = 2
_GREETING = re.compile(rb"^INFO: Created .* delegate for CPU")
_GREETED: list[bytes] = []
"""The line, once it was written."""


@contextmanager
def without_greeting() -> Iterator[None]:
    """Keep LiteRT's one line about its delegate off stderr; all else that it writes goes there.

    It writes that line once in a process, when it loads its first file with the delegate.
    """
    kept = None if _GREETED else _duplicate(_STDERR)
    if kept is None:
        yield
        return
    with tempfile.TemporaryFile() as caught:
        sys.stderr.flush()
        os.dup2(caught.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            caught.seek(0)
            for line in caught:
                if _GREETING.search(line):
                    _GREETED.append(line)
                else:
                    os.write(_STDERR, line)


def _duplicate(descriptor: int) -> int | None:
    """Another descriptor of the same file; None where it is closed."""
    try:
        return os.dup(descriptor)
    except OSError:
        return None


def version() -> str:
    """LiteRT's, as installed."""
    from importlib.metadata import version as installed

    return installed("ai-edge-litert")


class Kernels(StrEnum):
    """Which implementation of the operators runs; int8 results differ by a quantum between them."""

    XNNPACK = "xnnpack"
    """LiteRT's default: the optimized kernels that phones and servers run."""
    REFERENCE = "reference"
    """The plain kernels that microcontrollers' results are held to; ten times slower."""
    BUILTIN = "builtin"
    """The optimized kernels without a delegate; every tensor between two operators can be read."""


Ready = Mapping[str, NDArray[Any]]
"""The samples of one or several inputs, by input, in the input's own type."""


@final
class Runner:
    """One interpreter, ready to invoke. Not safe across threads.

    `inputs` and `outputs` are the ports by their names, in the order of the file's signature (which
    converters sort by name), else in the file's own.
    """

    def __init__(
        self,
        tflite: bytes,
        *,
        subject: str = "the model",
        kernels: Kernels = Kernels.XNNPACK,
        threads: int = 1,
        signature: str = "",
    ) -> None:
        """Load and allocate `tflite`; ArtifactError where LiteRT refuses it.

        Of a file with several signatures `signature` names the one that is run.
        """
        self._subject = subject
        interpreter = load(tflite, subject, kernels, threads)
        self._entry = entry(interpreter, signature, subject)
        self.inputs, self.outputs = self._entry.inputs, self._entry.outputs
        ready = {name: one.allocated for name, one in self.inputs.items()}
        self._shapes = {} if waits(interpreter, subject) else ready
        for what, ports in (("input", self.inputs), ("output", self.outputs)):
            if not ports:
                raise ArtifactError(f"{subject} has no {what}", expected=f"at least one {what}")

    @property
    def input(self) -> Port:
        """The one input; ArtifactError where there are several."""
        return _only(self.inputs, "input", self._subject)

    @property
    def output(self) -> Port:
        """The one output; ArtifactError where there are several."""
        return _only(self.outputs, "output", self._subject)

    @property
    def batches(self) -> bool:
        """Whether one invocation takes as many samples as it is given."""
        return all(one.shape[:1] == (-1,) for one in self.inputs.values())

    def take(self, samples: Samples) -> None:
        """Feed real-valued samples, shape (batch, ...), after fitting free sizes to theirs.

        `Inputs` where there are several inputs. Raises as `ready` and `feed`.
        """
        self.feed(self.ready(samples))

    def ready(self, samples: Samples) -> Ready:
        """Samples as the inputs take them, by input; another thread may do it.

        ArtifactError for other inputs than the model's, MeasurementError for values that an input
        cannot hold.
        """
        arrays = matched(self.inputs, samples, self._subject)
        return {name: self.inputs[name].quantize(each) for name, each in arrays.items()}

    def feed(self, ready: Ready) -> None:
        """Feed what is ready, a row or several of it; ArtifactError for a shape not taken."""
        self._fit({name: self.inputs[name].fitted(each.shape) for name, each in ready.items()})
        if any(each.shape != self._shapes[name] for name, each in ready.items()):
            raise self._refusal(ready)
        try:
            self._entry.feed(ready)
        except ValueError as error:
            raise self._refusal(ready) from error

    def _fit(self, shapes: dict[str, tuple[int, ...]]) -> None:
        if shapes == self._shapes:
            return
        try:
            self._entry.resize(shapes)
        except (ValueError, RuntimeError) as error:
            batch, told = next(iter(shapes.values()))[0], str(error).strip()
            fed = ", ".join(map(str, shapes.values()))
            raise ArtifactError(
                f"{self._subject} takes no batch of {batch}", got=f"{told} (shape {fed})"
            ) from error
        self._shapes = shapes

    def _refusal(self, raw: Ready) -> ArtifactError:
        ports = self.inputs.items()
        name = {one: f"{one}: " if len(raw) > 1 else "" for one in raw}
        return ArtifactError(
            f"{self._subject} does not take these samples",
            expected="; ".join(f"{name[k]}{one.dtype} of shape {one.shape}" for k, one in ports),
            got="; ".join(f"{name[k]}{x.dtype} of shape {x.shape}" for k, x in raw.items()),
            remedy="compare the data set's preprocessing with the network's input",
        )

    def invoke(self) -> None:
        """Run once on what was fed; ArtifactError where an operator fails."""
        try:
            self._entry.invoke()
        except (RuntimeError, ValueError) as error:
            raise ArtifactError(f"LiteRT cannot run {self._subject}", got=str(error)) from error

    def fetch(self) -> dict[str, NDArray[Any]]:
        """A copy of each output by its name, in the output's own type."""
        return self._entry.fetch()

    def tensor(self, index: int) -> NDArray[Any]:
        """A copy of any tensor of the graph, in its own type; for `Kernels.BUILTIN` alone."""
        return self._entry.tensor(index)

    def run(self, samples: Samples) -> dict[str, NDArray[Any]]:
        """Take, invoke and fetch; shape (batch, ...) in and out."""
        self.take(samples)
        self.invoke()
        return self.fetch()


def _only(ports: Mapping[str, Port], what: str, subject: str) -> Port:
    if len(ports) != 1:
        raise ArtifactError(f"{subject} has {len(ports)} {what}s", expected=f"one {what}")
    return next(iter(ports.values()))


def signatures(tflite: bytes, *, subject: str = "the model") -> tuple[str, ...]:
    """The names of a file's signatures. ArtifactError where LiteRT refuses the file."""
    read = load(tflite, subject, Kernels.BUILTIN).get_signature_list
    return tuple(told(read, "a signature", subject))


def load(tflite: bytes, subject: str, kernels: Kernels, threads: int = 1) -> Any:
    """LiteRT's interpreter with its memory; ArtifactError where it refuses the file.

    A file that takes sequences of any length gets memory when its samples are known: at the length
    of 1, which LiteRT would begin with, its convolutions may find too little.
    """
    try:
        with without_greeting():
            interpreter = _interpreter(tflite, kernels, threads)
            if not waits(interpreter, subject):
                interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ArtifactError(
            f"LiteRT cannot load {subject}",
            got=str(error).strip(),
            remedy="build it again, or look whether it needs a custom or Flex operator",
        ) from error
    return interpreter


def waits(interpreter: Any, subject: str) -> bool:
    """Whether an input has a free size besides the batch."""
    inputs = told(interpreter.get_input_details, "an input", subject)
    return any(-1 in one["shape_signature"][1:] for one in inputs)


def _interpreter(tflite: bytes, kernels: Kernels, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = {
        Kernels.XNNPACK: OpResolverType.AUTO,
        Kernels.REFERENCE: OpResolverType.BUILTIN_REF,
        Kernels.BUILTIN: OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    }[kernels]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Interpreter(
            model_content=tflite,
            num_threads=threads,
            experimental_op_resolver_type=resolver,
            experimental_preserve_all_tensors=kernels is Kernels.BUILTIN,
        )
