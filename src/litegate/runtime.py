"""Run an artifact on arrays with LiteRT: the only place that imports its interpreter."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, partial
from itertools import chain
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.datasets.rows import chunks
from litegate.errors import ArtifactError, MeasurementError
from litegate.quantizing import meant, quantized
from litegate.spec import Artifact

BATCH = 100
"""Samples to one invocation where the model's batch can be resized. The answers are the same to the
bit; of 1,000, the activations of MNIST's float file leave the cache and take 2.5 times as long."""


class Kernels(StrEnum):
    """Which implementation of the operators runs; int8 results differ by a quantum between them."""

    XNNPACK = "xnnpack"
    """LiteRT's default: the optimized kernels that phones and servers run."""
    REFERENCE = "reference"
    """The plain kernels that microcontrollers' results are held to; ten times slower."""
    BUILTIN = "builtin"
    """The optimized kernels without a delegate; every tensor between two operators can be read."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output of a model."""

    index: int
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """The signature's shape; -1 where the size is free."""
    scale: float
    """Size of a quantum; 0 where the port is not quantized."""
    zero_point: int

    def quantize(self, real: NDArray[Any]) -> NDArray[Any]:
        """Real values as this port takes them: rounded half away from zero, saturating."""
        if not np.issubdtype(self.dtype, np.integer):
            return np.ascontiguousarray(real, dtype=self.dtype)
        if not self.scale:
            raise ArtifactError(
                f"{self.name} is {self.dtype} and has no scale", remedy="quantize it, or use floats"
            )
        try:
            return quantized(real, self.dtype, self.scale, self.zero_point)
        except ValueError as error:
            raise MeasurementError(f"NaN cannot be quantized for {self.name}") from error

    def real(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """What raw values of this port mean, float32; floats are given back, not copied."""
        if not self.scale:
            return raw.astype(np.float32, copy=False)
        return meant(raw, self.scale, self.zero_point)


@final
class Runner:
    """One interpreter with one input and one output, ready to invoke. Not safe across threads."""

    def __init__(
        self,
        tflite: bytes,
        *,
        subject: str = "the model",
        kernels: Kernels = Kernels.XNNPACK,
        threads: int = 1,
    ) -> None:
        """Load and allocate `tflite`; ArtifactError where LiteRT refuses it."""
        self._subject = subject
        self._interpreter = load(tflite, subject, kernels, threads)
        self.input = _only(self._interpreter.get_input_details, "input", subject)
        self.output = _only(self._interpreter.get_output_details, "output", subject)

    def resize(self, batch: int) -> None:
        """Make one invocation take `batch` samples; ArtifactError where the model cannot."""
        try:
            self._interpreter.resize_tensor_input(
                self.input.index, (batch, *self.input.shape[1:]), strict=False
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ArtifactError(f"{self._subject} takes no batch of {batch}") from error

    def feed(self, raw: NDArray[Any]) -> None:
        """Set the input, in the input's own type and shape."""
        try:
            self._interpreter.set_tensor(self.input.index, raw)
        except ValueError as error:
            raise ArtifactError(
                f"{self._subject} does not take these samples",
                expected=f"{self.input.dtype} of shape {self.input.shape}",
                got=f"{raw.dtype} of shape {raw.shape}",
                remedy="compare the data set's preprocessing with the network's input",
            ) from error

    def invoke(self) -> None:
        """Run once on what was fed; ArtifactError where an operator fails."""
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise ArtifactError(f"LiteRT cannot run {self._subject}", got=str(error)) from error

    def fetch(self) -> NDArray[Any]:
        """A copy of the output, in the output's own type."""
        out: NDArray[Any] = self._interpreter.get_tensor(self.output.index)
        return out

    def tensor(self, index: int) -> NDArray[Any]:
        """A copy of any tensor of the main graph, in its own type; for `Kernels.BUILTIN` alone."""
        out: NDArray[Any] = self._interpreter.get_tensor(index)
        return out

    def run(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Feed, invoke and fetch; shape (batch, ...) in and out."""
        self.feed(raw)
        self.invoke()
        return self.fetch()


@lru_cache(maxsize=64)
def demand_loadable(artifact: Artifact) -> None:
    """Raise ArtifactError where LiteRT refuses to load an artifact, or to give it its memory."""
    load(artifact.tflite, artifact.name, Kernels.XNNPACK)


def load(tflite: bytes, subject: str, kernels: Kernels, threads: int = 1) -> Any:
    """LiteRT's interpreter with its memory; ArtifactError where it refuses the file."""
    try:
        interpreter = _interpreter(tflite, kernels, threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ArtifactError(
            f"LiteRT cannot load {subject}",
            got=str(error).strip(),
            remedy="build it again, or look whether it needs a custom or Flex operator",
        ) from error
    return interpreter


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


def _only(read: Callable[[], list[dict[str, Any]]], what: str, subject: str) -> Port:
    try:
        details = read()
    except UnicodeDecodeError as error:
        raise ArtifactError(
            f"the name of an {what} of {subject} is no text",
            expected="UTF-8",
            got=repr(error.object[:80]),
            remedy="build it again, or fetch it again if it came from elsewhere",
        ) from error
    if len(details) != 1:
        raise ArtifactError(f"{subject} has {len(details)} {what}s", expected=f"one {what}")
    one = details[0]
    scales = one["quantization_parameters"]["scales"]
    zeros = one["quantization_parameters"]["zero_points"]
    return Port(
        index=one["index"],
        name=one["name"],
        dtype=np.dtype(one["dtype"]),
        shape=tuple(int(size) for size in one["shape_signature"]),
        scale=float(scales[0]) if len(scales) else 0.0,
        zero_point=int(zeros[0]) if len(zeros) else 0,
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """What a model answered to n samples."""

    raw: NDArray[Any]
    """In the output's own type, shape (n, ...)."""
    port: Port

    @property
    def real(self) -> NDArray[np.float32]:
        """What the raw values mean, same shape; made anew each time where they are quantized."""
        return self.port.real(self.raw)

    @property
    def quantum(self) -> float:
        """Size of one step of the output; 0 for a float output."""
        return self.port.scale


@lru_cache(maxsize=64)
def predict(artifact: Artifact, kernels: Kernels = Kernels.XNNPACK, most: int = 0) -> Outputs:
    """Run an artifact on its evaluation split, one thread; on the first `most` samples if given.

    Kept for the rest of the process: an artifact's answers to one split do not change.
    Raises ArtifactError where LiteRT refuses the file, MeasurementError for an empty split and for
    samples that are NaN or infinite: an integer file answers them like any other.
    """
    samples = artifact.evaluation.x[:most] if most else artifact.evaluation.x
    check = partial(_check_finite, samples, artifact.name)
    return outputs(artifact.tflite, samples, subject=artifact.name, kernels=kernels, on_chunk=check)


def _check_finite(samples: NDArray[Any], subject: str, chunk: NDArray[Any]) -> None:
    """Raise MeasurementError where a chunk of the samples holds NaN or infinity."""
    if np.isfinite(chunk).all():
        return
    sound = [np.isfinite(x).reshape(len(x), -1).all(axis=1) for _, x in chunks(samples)]
    broken = ~np.concatenate(sound)
    raise MeasurementError(
        f"the evaluation split of {subject} holds NaN or infinity in {int(broken.sum()):,} of"
        f" {len(samples):,} samples",
        expected="finite samples",
        got=f"sample {int(broken.argmax())} is the first",
        remedy="correct the data or their preprocessing, and build again",
    )


def outputs(
    tflite: bytes,
    samples: NDArray[Any],
    *,
    subject: str = "the model",
    kernels: Kernels = Kernels.XNNPACK,
    batch: int = BATCH,
    on_chunk: Callable[[NDArray[Any]], None] = lambda _: None,
) -> Outputs:
    """Run `tflite` on real-valued samples of shape (n, ...), n at least 1, in batches if it can.

    `samples` may be `Rows`: a batch is read at a time. `on_chunk` is called with each beforehand.
    """
    if not len(samples):
        raise MeasurementError(f"there is no sample to run {subject} on", expected="at least one")
    runner = Runner(tflite, subject=subject, kernels=kernels)
    parts = _batches(runner, samples, batch, on_chunk)
    return Outputs(raw=_gathered(parts, len(samples), subject), port=runner.output)


def _gathered(parts: Iterator[NDArray[Any]], n: int, subject: str) -> NDArray[Any]:
    """The parts one after another in one array of n rows; ArtifactError for more or fewer."""
    first = next(parts)
    whole, done = np.empty((n, *first.shape[1:]), first.dtype), 0
    for part in chain([first], parts):
        if done + len(part) <= n:
            whole[done : done + len(part)] = part
        done += len(part)
    if done != n:
        raise ArtifactError(
            f"{subject} gave another number of answers than it was given samples",
            expected=str(n),
            got=str(done),
        )
    return whole


def inner(
    tflite: bytes, samples: NDArray[Any], tensors: Sequence[int], *, subject: str = "the model"
) -> Iterator[dict[int, NDArray[Any]]]:
    """What tensors of the main graph hold, by their index, after each real-valued sample.

    `samples` has shape (n, ...). One sample is one invocation, so memory stays flat. Raises
    ArtifactError where LiteRT refuses the file or a sample.
    """
    runner = Runner(tflite, subject=subject, kernels=Kernels.BUILTIN)
    for sample in samples:
        runner.run(runner.input.quantize(sample[np.newaxis]))
        yield {index: runner.tensor(index) for index in tensors}


def _batches(
    runner: Runner,
    samples: NDArray[Any],
    batch: int,
    on_chunk: Callable[[NDArray[Any]], None],
) -> Iterator[NDArray[Any]]:
    size = min(batch, len(samples)) if runner.input.shape[:1] == (-1,) else 1
    for start in range(0, len(samples), size):
        chunk = samples[start : start + size]
        on_chunk(chunk)
        if start == 0 or len(chunk) != size:
            runner.resize(len(chunk))
        yield runner.run(runner.input.quantize(chunk))
