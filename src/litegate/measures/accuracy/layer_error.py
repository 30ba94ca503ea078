"""Layer error: where on its way through the network a candidate leaves its reference.

Both run on the same samples. What each layer writes, in real values, is compared with what its
counterpart in the reference writes. The measure is the signal-to-quantization-noise ratio, 10 log10
of the reference's power over that of the difference, as in Lin, Talathi and Annapureddy, "Fixed
Point Quantization of Deep Convolutional Networks", ICML 2016.
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
from litegate.measures.accuracy.layer_pairs import Pair, pairs
from litegate.runtimes.inference import inner
from litegate.spec import Artifact
from litegate.tflite.graph import Tensor
from litegate.tflite.reader import parse

SAMPLES = 32
"""Samples that layers are compared on, evenly spread over the evaluation split."""
DIVERGES = ((15.0, 3.0), (20.0, 20.0))
"""dB: below the first, having fallen by more than the second from what the layer reads. 15 dB is a
difference of 18 % of the reference's RMS. Of 383 faults, each planted in one layer of a candidate
and costing a point or more, the rule names the faulty layer for 363, another for 11, none for 9
(benchmarks/layer_error.py)."""

_NO_COUNTERPART = "what it reads has no counterpart: the layers before it are others"
Held = Mapping[int, NDArray[Any]]
"""What tensors hold after one sample, by their index."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerError:
    """How far a layer of the candidate is from its counterpart in the reference."""

    name: str
    """What Keras called it: "conv2d_1"; else its operator's kind."""
    operator: str
    """The kind of its operator: "CONV_2D"."""
    index: int
    """Of the operator in the candidate's main graph."""
    sqnr: float
    """dB: 10 log10(power of the reference / power of the difference). Infinite where nothing
    differs; minus infinity where the candidate is not finite, or the reference is 0 throughout."""
    before: float
    """dB: the same of what the layer reads, the lowest of its operands; infinite without one."""
    fed_alike: bool = True
    """Whether what it reads has a counterpart: not behind a layer that became another."""

    @property
    def relative_rms(self) -> float:
        """The RMS of the difference as a share of the reference's RMS: 10^(-sqnr / 20)."""
        return 10 ** (-self.sqnr / 20) if self.sqnr > -math.inf else math.inf


@final
@dataclass(slots=True)
class _Power:
    """Sums of squares, of the reference's values and of the differences from them."""

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


Places = tuple[Tensor, Tensor]
"""A tensor of the reference and its counterpart in the candidate."""


def layer_errors(reference: Artifact, candidate: Artifact) -> tuple[LayerError, ...]:
    """Compare the layers that both files have, in the candidate's order, on `SAMPLES` samples.

    Both run on LiteRT's kernels without a delegate, which may differ by a quantum from those that
    are judged. Raises MeasurementError for different evaluation splits, or where no layer has a
    counterpart; ArtifactError where a file cannot be read or run.
    """
    demand_same_split(reference, candidate)
    graphs = [
        parse(one.tflite, subject=one.name, signature=one.signature)
        for one in (reference, candidate)
    ]
    matched = pairs(*graphs)
    if not matched:
        raise MeasurementError(
            f"no layer of {candidate.name} has a counterpart in its reference",
            expected="operators of the same kind, output shape and fused activation",
            remedy="convert both from the same network",
        )
    wanted = [places for pair in matched for places in (_writes(pair), *_reads(pair))]
    powers = _powers(reference, candidate, wanted)
    return tuple(_error(pair, powers) for pair in matched)


def _writes(pair: Pair) -> Places:
    return pair.reference.output, pair.candidate.output


def _reads(pair: Pair) -> Iterator[Places]:
    """The operands that both layers take from the layers before."""
    for one, other in zip(pair.reference.reads, pair.candidate.reads, strict=False):
        if one and other and math.prod(one.shape) == math.prod(other.shape):
            yield one, other


def _error(pair: Pair, powers: Mapping[tuple[int, int], _Power]) -> LayerError:
    sqnr, *before = (powers[_key(places)].sqnr for places in (_writes(pair), *_reads(pair)))
    return LayerError(
        name=pair.name,
        operator=pair.candidate.operator.name,
        index=pair.candidate.operator.index,
        sqnr=sqnr,
        before=min(before, default=math.inf),
        fed_alike=bool(before),
    )


def _key(places: Places) -> tuple[int, int]:
    return places[0].index, places[1].index


def _powers(
    reference: Artifact, candidate: Artifact, wanted: Sequence[Places]
) -> dict[tuple[int, int], _Power]:
    """Run both files and sum up squares, for each pair of tensors."""
    powers = {_key(places): _Power() for places in wanted}
    held = zip(
        _held(reference, [one for one, _ in wanted]),
        _held(candidate, [other for _, other in wanted]),
        strict=True,
    )
    with np.errstate(over="ignore", invalid="ignore"):
        for ours, theirs in held:
            for (one, other), power in powers.items():
                _demand_same_size(ours[one], theirs[other], candidate.name)
                power.add(ours[one], theirs[other])
    return powers


def _demand_same_size(ours: NDArray[Any], theirs: NDArray[Any], subject: str) -> None:
    """What a file says of a shape need not be what comes out of an operator."""
    if ours.shape != theirs.shape:
        raise MeasurementError(
            f"a layer of {subject} has another size when it is run than its file says",
            expected=f"{ours.size:,} values, as the reference",
            got=f"{theirs.size:,}",
        )


def _held(artifact: Artifact, tensors: Sequence[Tensor]) -> Iterator[Held]:
    """For each sample, what tensors hold: real values, float64, flat."""
    x = artifact.evaluation.x
    chosen = np.unique(np.linspace(0, len(x) - 1, SAMPLES).astype(int))
    distinct = {one.index: one for one in tensors}
    held = inner(
        artifact.tflite,
        x[chosen],
        list(distinct),
        subject=artifact.name,
        signature=artifact.signature,
    )
    for raw in held:
        yield {index: _real(raw[index], one) for index, one in distinct.items()}


def _real(raw: NDArray[Any], tensor: Tensor) -> NDArray[np.float64]:
    values = raw.astype(np.float64).ravel()
    if not tensor.scales:
        return values
    return (values - tensor.zero_points[0]) * tensor.scales[0]


def diverging(errors: Sequence[LayerError]) -> LayerError | None:
    """The first layer that diverges, as `DIVERGES` says."""
    return next((one for one in errors if _diverges(one)), None)


def _diverges(one: LayerError) -> bool:
    return any(one.sqnr < low and one.before - one.sqnr > fall for low, fall in DIVERGES)


def divergence(reference: Artifact, candidate: Artifact) -> tuple[str, ...]:
    """Name the first layer that diverges, as evidence; what keeps it from being known is told."""
    try:
        errors = layer_errors(reference, candidate)
    except LitegateError as error:
        return (f"the first layer that diverges is not known: {error.what}",)
    found = diverging(errors)
    if found:
        before = f"{decibels(found.before)} before" if found.fed_alike else _NO_COUNTERPART
        what = f"SQNR {decibels(found.sqnr)}, {before}"
        return (f"the first layer that diverges: {found.name} ({what})",)
    least = min(errors, key=lambda one: one.sqnr)
    return (f"no single layer diverges: {least.name} has the lowest SQNR, {decibels(least.sqnr)}",)


def decibels(sqnr: float) -> str:
    """An SQNR in words: "31.2 dB"; "exact" where nothing differs, "no signal" for its opposite."""
    if math.isinf(sqnr):
        return "exact" if sqnr > 0 else "no signal"
    return f"{sqnr:.1f} dB"
