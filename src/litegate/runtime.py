"""Run an artifact on arrays with LiteRT: the only place that imports its interpreter."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.datasets.rows import in_parts
from litegate.entries import entry, told
from litegate.errors import ArtifactError, MeasurementError
from litegate.gathering import gathered
from litegate.greeting import without_greeting
from litegate.ports import Port, matched, matching
from litegate.spec import Artifact, Samples, by_input

BATCH = 100
"""Samples to one invocation where the model's batch can be resized. The answers are the same to the
bit; of 1,000, the activations of MNIST's float file leave the cache and take 2.5 times as long."""


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
        self._shapes = {} if _waits(interpreter, subject) else ready
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

        `Inputs` where there are several inputs. ArtifactError where the model cannot take them,
        MeasurementError for values that an input cannot hold.
        """
        arrays = matched(self.inputs, samples, self._subject)
        self._fit({name: self.inputs[name].fitted(each.shape) for name, each in arrays.items()})
        raw = {name: self.inputs[name].quantize(each) for name, each in arrays.items()}
        if any(each.shape != self._shapes[name] for name, each in raw.items()):
            raise self._refusal(raw)
        try:
            self._entry.feed(raw)
        except ValueError as error:
            raise self._refusal(raw) from error

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

    def _refusal(self, raw: Mapping[str, NDArray[Any]]) -> ArtifactError:
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


@lru_cache(maxsize=64)
def demand_loadable(artifact: Artifact) -> None:
    """Raise ArtifactError where LiteRT refuses to load an artifact, or to give it its memory."""
    interpreter = load(artifact.tflite, artifact.name, Kernels.XNNPACK)
    if _waits(interpreter, artifact.name):
        runner = Runner(artifact.tflite, subject=artifact.name, signature=artifact.signature)
        runner.take(artifact.evaluation.x[:1])


def load(tflite: bytes, subject: str, kernels: Kernels, threads: int = 1) -> Any:
    """LiteRT's interpreter with its memory; ArtifactError where it refuses the file.

    A file that takes sequences of any length gets memory when its samples are known: at the length
    of 1, which LiteRT would begin with, its convolutions may find too little.
    """
    try:
        with without_greeting():
            interpreter = _interpreter(tflite, kernels, threads)
            if not _waits(interpreter, subject):
                interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ArtifactError(
            f"LiteRT cannot load {subject}",
            got=str(error).strip(),
            remedy="build it again, or look whether it needs a custom or Flex operator",
        ) from error
    return interpreter


def _waits(interpreter: Any, subject: str) -> bool:
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


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """What a model answered to n samples."""

    raw: Any
    """In the output's own type, shape (n, ...): an array, or `Rows` where it is too large."""
    port: Port
    """Which output it is."""

    def __getitem__(self, picked: Any) -> Outputs:
        """What it answered to some of the samples, by a slice or an array of indices."""
        return Outputs(raw=self.raw[picked], port=self.port)

    @property
    def real(self) -> NDArray[np.float32]:
        """What the raw values mean, same shape; made anew each time where they are quantized.

        DataError where they are too large to be held in memory: take them in parts.
        """
        return self.port.real(np.asarray(self.raw))

    @property
    def quantum(self) -> float:
        """Size of one step of the output; 0 for a float output."""
        return self.port.scale


def predict(
    artifact: Artifact, kernels: Kernels = Kernels.XNNPACK, most: int = 0, output: str = ""
) -> Outputs:
    """Run an artifact on its evaluation split, one thread; on the first `most` samples if given.

    Gives one output: the one that is named, else the one that the data set says decides, else the
    first of the file's signature. Kept for the rest of the process: an artifact's answers to one
    split do not change. Raises ArtifactError where LiteRT refuses the file or there is no such
    output, MeasurementError for an empty split and for samples that are NaN or infinite: an integer
    file answers them like any other.
    """
    found = predict_all(artifact, kernels, most)
    return _one(found, output or artifact.evaluation.output, artifact.name)


@lru_cache(maxsize=64)
def predict_all(
    artifact: Artifact, kernels: Kernels = Kernels.XNNPACK, most: int = 0
) -> dict[str, Outputs]:
    """As `predict`, each output by its name; the first of the file's signature is first."""
    samples = artifact.evaluation.x[:most] if most else artifact.evaluation.x
    return all_outputs(
        artifact.tflite,
        samples,
        subject=artifact.name,
        kernels=kernels,
        signature=artifact.signature,
        on_part=partial(_check_finite, samples, artifact.name),
    )


def _check_finite(samples: Samples, subject: str, some: Samples) -> None:
    """Raise MeasurementError where some of the samples hold NaN or infinity."""
    for name, part in by_input(some):
        if not np.isfinite(part).all():
            raise _not_finite(dict(by_input(samples))[name], name, subject)


def _not_finite(array: NDArray[Any], name: str, subject: str) -> MeasurementError:
    sound = [np.isfinite(x).reshape(len(x), -1).all(axis=1) for x in in_parts(array)]
    broken = ~np.concatenate(sound)
    where = f" in the input {name}" if name else ""
    return MeasurementError(
        f"the evaluation split of {subject} holds NaN or infinity in"
        f" {int(broken.sum()):,} of {len(array):,} samples",
        expected="finite samples",
        got=f"sample {int(broken.argmax())}{where} is the first",
        remedy="correct the data or their preprocessing, and build again",
    )


def outputs(
    tflite: bytes,
    samples: Samples,
    *,
    subject: str = "the model",
    kernels: Kernels = Kernels.XNNPACK,
    batch: int = BATCH,
    output: str = "",
) -> Outputs:
    """As `all_outputs`, the one that is named, else the first."""
    found = all_outputs(tflite, samples, subject=subject, kernels=kernels, batch=batch)
    return _one(found, output, subject)


def _one(found: Mapping[str, Outputs], output: str, subject: str) -> Outputs:
    if not output:
        return next(iter(found.values()))
    ports = {name: one.port for name, one in found.items()}
    return found[matching(ports, output, "output", subject)]


def all_outputs(
    tflite: bytes,
    samples: Samples,
    *,
    subject: str = "the model",
    kernels: Kernels = Kernels.XNNPACK,
    batch: int = BATCH,
    signature: str = "",
    on_part: Callable[[Samples], None] = lambda _: None,
) -> dict[str, Outputs]:
    """Run `tflite` on real-valued samples of shape (n, ...), n at least 1, in batches if it can.

    Gives each output by its name, in the order of the file's signature. `Inputs` where there are
    several inputs. An array may be `Rows`: a batch is read at a time. `on_part` is called with
    each beforehand. Raises as `Runner.take`.
    """
    if not len(samples):
        raise MeasurementError(f"there is no sample to run {subject} on", expected="at least one")
    runner = Runner(tflite, subject=subject, kernels=kernels, signature=signature)
    raw = gathered(_batches(runner, samples, batch, on_part), len(samples), subject)
    return {name: Outputs(raw=raw[name], port=one) for name, one in runner.outputs.items()}


def inner(
    tflite: bytes,
    samples: Samples,
    tensors: Sequence[int],
    *,
    subject: str = "the model",
    signature: str = "",
) -> Iterator[dict[int, NDArray[Any]]]:
    """What tensors of the graph that is run hold, by their index, after each real-valued sample.

    `samples` has shape (n, ...). One sample is one invocation, so memory stays flat. Raises
    ArtifactError where LiteRT refuses the file or a sample.
    """
    runner = Runner(tflite, subject=subject, kernels=Kernels.BUILTIN, signature=signature)
    for number in range(len(samples)):
        runner.run(samples[number : number + 1])
        yield {index: runner.tensor(index) for index in tensors}


def _batches(
    runner: Runner, samples: Samples, batch: int, on_part: Callable[[Samples], None]
) -> Iterator[dict[str, NDArray[Any]]]:
    size = min(batch, len(samples)) if runner.batches else 1
    for start in range(0, len(samples), size):
        part = samples[start : start + size]
        on_part(part)
        yield runner.run(part)
