"""Measure layer errors: find the layer in which a candidate departs from its reference.

Both run on the same samples. The real values that each layer writes are compared with those of its
counterpart in the reference. The measure is the signal-to-quantization-noise ratio, 10 log10 of the
reference's power over that of the difference, as in Lin, Talathi and Annapureddy, "Fixed Point
Quantization of Deep Convolutional Networks", ICML 2016.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import LitegateError, MeasurementError
from litegate.measures.accuracy.decisions import demand_same_split
from litegate.measures.accuracy.layer_pairs import LayerPair, match_layers
from litegate.runtimes.inference import inner_tensors
from litegate.spec import Artifact, frames_of
from litegate.tflite.graph import Tensor
from litegate.tflite.parser import parse

SAMPLES = 32
"""Samples on which layers are compared, evenly spread over the evaluation split.

Every tensor of a sample is read and converted to float64: more samples cost time in proportion. The
powers of all values of a layer are summed, so that 32 samples are hundreds of values or more."""
DIVERGENCE = ((15.0, 3.0), (20.0, 20.0))
"""Pairs of dB: a layer diverges if its SQNR is below the first and has fallen by more than the
second from that of its inputs.

15 dB is a difference of 18 % of the reference's RMS. Of 383 faults, each planted in one layer of a
candidate and costing a point or more, the rule names the faulty layer for 363, another for 11, and
no layer for 9 (benchmarks/layer_error.py)."""

_NO_COUNTERPART = "its inputs have no counterpart: the layers before it differ"
TensorValues = Mapping[int, NDArray[Any]]
"""The values of tensors after one sample, by the tensors' index."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerError:
    """The distance of a layer of the candidate from its counterpart in the reference."""

    name: str
    """The Keras layer's name, "conv2d_1"; the operator's kind if there is none."""
    operator: str
    """The kind of operator: "CONV_2D"."""
    index: int
    """Index of the operator in the candidate's main graph."""
    sqnr: float
    """dB: 10 log10(power of the reference / power of the difference). Infinite if nothing differs;
    minus infinity if the candidate is not finite, or the reference is 0 throughout."""
    before: float
    """dB: the lowest SQNR of the layer's operands; infinite without operands."""
    is_input_paired: bool = True
    """False if no operand has a counterpart, as after a layer that became another one."""

    @property
    def relative_rms(self) -> float:
        """The RMS of the difference as a share of the reference's RMS: 10^(-sqnr / 20)."""
        return 10 ** (-self.sqnr / 20) if self.sqnr > -math.inf else math.inf


@final
@dataclass(slots=True)
class _Power:
    """Sums of squares of the reference's values and of the differences from them."""

    signal: float = 0.0
    noise: float = 0.0

    def add(self, reference: NDArray[Any], candidate: NDArray[Any]) -> None:
        self.signal += float(np.square(reference).sum())
        self.noise += float(np.square(candidate - reference).sum())

    @property
    def sqnr(self) -> float:
        if not (math.isfinite(self.noise) and math.isfinite(self.signal)):
            return -math.inf
        if not self.noise:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal else -math.inf


TensorPair = tuple[Tensor, Tensor]
"""A tensor of the reference and its counterpart in the candidate."""


def layer_errors(reference: Artifact, candidate: Artifact) -> tuple[LayerError, ...]:
    """Compare the layers that both files have, in the candidate's order, on `SAMPLES` samples.

    Both run on LiteRT's kernels without a delegate, which may differ by a quantum from the kernels
    that are judged. Raises MeasurementError for different evaluation splits, or if no layer has a
    counterpart; ArtifactError if a file cannot be read or run.
    """
    demand_same_split(reference, candidate)
    graphs = [
        parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
        for artifact in (reference, candidate)
    ]
    layer_pairs = match_layers(*graphs)
    if not layer_pairs:
        raise MeasurementError(
            f"no layer of {candidate.name} has a counterpart in its reference",
            expected="operators of the same kind, output shape and fused activation",
            remedy="convert both from the same network",
        )
    tensors = [tensor for pair in layer_pairs for tensor in (_outputs(pair), *_operands(pair))]
    powers = _powers(reference, candidate, tensors)
    return tuple(_error(pair, powers) for pair in layer_pairs)


def _outputs(pair: LayerPair) -> TensorPair:
    return pair.reference.output, pair.candidate.output


def _operands(pair: LayerPair) -> Iterator[TensorPair]:
    """Yield the operands that both layers read from earlier layers."""
    for ours, theirs in zip(pair.reference.reads, pair.candidate.reads, strict=False):
        if ours and theirs and math.prod(ours.shape) == math.prod(theirs.shape):
            yield ours, theirs


def _error(pair: LayerPair, powers: Mapping[tuple[int, int], _Power]) -> LayerError:
    sqnr, *before = (powers[_key(tensors)].sqnr for tensors in (_outputs(pair), *_operands(pair)))
    return LayerError(
        name=pair.name,
        operator=pair.candidate.operator.name,
        index=pair.candidate.operator.index,
        sqnr=sqnr,
        before=min(before, default=math.inf),
        is_input_paired=bool(before),
    )


def _key(tensors: TensorPair) -> tuple[int, int]:
    return tensors[0].index, tensors[1].index


def _powers(
    reference: Artifact, candidate: Artifact, pairs: Sequence[TensorPair]
) -> dict[tuple[int, int], _Power]:
    """Run both files and add up squares for each pair of tensors."""
    powers = {_key(tensors): _Power() for tensors in pairs}
    samples = zip(
        _tensor_values(reference, [ours for ours, _ in pairs]),
        _tensor_values(candidate, [theirs for _, theirs in pairs]),
        strict=True,
    )
    # A broken candidate may overflow: `_Power.sqnr` reports that as minus infinity.
    with np.errstate(over="ignore", invalid="ignore"):
        for ours, theirs in samples:
            for (index, counterpart), power in powers.items():
                _demand_same_size(ours[index], theirs[counterpart], candidate.name)
                power.add(ours[index], theirs[counterpart])
    return powers


def _demand_same_size(ours: NDArray[Any], theirs: NDArray[Any], subject: str) -> None:
    """Raise MeasurementError if a tensor differs in size from what its file declares."""
    if ours.shape != theirs.shape:
        raise MeasurementError(
            f"a layer of {subject} has another size at run time than in its file",
            expected=f"{ours.size:,} values, as the reference",
            got=f"{theirs.size:,}",
        )


def _tensor_values(artifact: Artifact, tensors: Sequence[Tensor]) -> Iterator[TensorValues]:
    """Yield for each sample the values of tensors: real values, float64, flat."""
    x = frames_of(artifact.evaluation.x)
    chosen = np.unique(np.linspace(0, len(x) - 1, SAMPLES).astype(int))
    distinct = {tensor.index: tensor for tensor in tensors}
    samples = inner_tensors(
        artifact.tflite,
        x[chosen],
        list(distinct),
        subject=artifact.name,
        signature=artifact.signature,
    )
    for raw in samples:
        yield {index: _real(raw[index], tensor) for index, tensor in distinct.items()}


def _real(raw: NDArray[Any], tensor: Tensor) -> NDArray[np.float64]:
    values = raw.astype(np.float64).ravel()
    if not tensor.scales:
        return values
    return (values - tensor.zero_points[0]) * tensor.scales[0]


def first_diverging(errors: Sequence[LayerError]) -> LayerError | None:
    """Return the first layer that diverges, as `DIVERGENCE` defines it."""
    return next((error for error in errors if _diverges(error)), None)


def _diverges(error: LayerError) -> bool:
    return any(error.sqnr < low and error.before - error.sqnr > fall for low, fall in DIVERGENCE)


def divergence(reference: Artifact, candidate: Artifact) -> tuple[str, ...]:
    """Name the first layer that diverges, as evidence, or say why it is unknown."""
    try:
        errors = layer_errors(reference, candidate)
    except LitegateError as error:
        return (f"{_first(reference)} is not known: {error.what}",)
    layer = first_diverging(errors)
    if layer:
        before = f"{decibels(layer.before)} in its input"
        change = (
            f"SQNR {decibels(layer.sqnr)}, {before if layer.is_input_paired else _NO_COUNTERPART}"
        )
        return (f"{_first(reference)}: {layer.name} ({change})",)
    worst = min(errors, key=lambda layer: layer.sqnr)
    return (f"no single layer diverges: {worst.name} has the lowest SQNR, {decibels(worst.sqnr)}",)


def _first(reference: Artifact) -> str:
    """Name the file of the comparison: float and base may point to different layers."""
    return f"the first layer that diverges from {reference.name}"


def decibels(sqnr: float) -> str:
    """Format an SQNR: "31.2 dB", "exact" if nothing differs, or "no signal" for its opposite."""
    if math.isinf(sqnr):
        return "exact" if sqnr > 0 else "no signal"
    return f"{sqnr:.1f} dB"
