"""Search for the cheapest set of layers to leave out of quantization.

The search knows neither files nor samples: a function tries a set, which costs a build. Layers are
ranked by their error, again after each trial that fails. The first of them are left out, one, two,
four and so on, until the limits are kept; then layers are taken back one at a time, the most
expensive first. The trials that are left look for cheaper sets of one or two layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations, islice
from typing import final

SPARE_TRIALS = 16
"""Trials besides one for each layer: 46 for 30 layers.

One without any layer, up to ten to find how many of the ranking are needed, one for each of these
to take it back; what is left looks for cheaper sets."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer that could be left out of quantization."""

    name: str
    cost: int
    """Bytes that it adds to the file, or its multiply-accumulates."""
    error: float
    """Measured error that it adds, above 0; any unit that orders the layers."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The result of one set of layers."""

    layers: frozenset[str]
    excess: float
    """By how much the worst limit is broken that leaving out layers helps; kept if not above 0."""
    blocked: tuple[str, ...] = ()
    """Limits that leaving out layers breaks, such as the file's size."""
    errors: Callable[[], Mapping[str, float]] | None = None
    """Measures the errors of the layers again; None: those of `Layer` are the best known.

    A layer that destroys its output hides the errors of the layers after it, until it is left out.
    """

    @property
    def keeps_quality(self) -> bool:
        """True if every limit is kept that leaving out layers helps."""
        return self.excess <= 0

    @property
    def keeps(self) -> bool:
        """True if every limit is kept."""
        return self.keeps_quality and not self.blocked


class OutOfTrials(Exception):
    """The search may try no further set, since time or trials are used up."""


Try = Callable[[frozenset[str]], Trial]
"""Tries a set of layers. Raises OutOfTrials to end the search."""


def search(layers: Sequence[Layer], try_set: Try, most: int | None = None) -> list[Trial]:
    """Return all trials, in their order; `cheapest` picks from them.

    Tries at most `most` sets, by default `SPARE_TRIALS` more than there are layers. Leaving out
    another layer must not make a limit of quality worse; if it does, a set may be missed. Never
    tries all layers: a file with no quantized layer is not quantized.
    """
    limit = len(layers) + SPARE_TRIALS if most is None else most
    state = _Search(layers=tuple(layers), try_set=try_set, most=limit)
    with suppress(OutOfTrials):
        if not state.trial(frozenset()).keeps_quality and (start := state.first_keeping()):
            state.take_back(start)
            state.improve()
    return list(state.trials.values())


def cost_of(layers: Sequence[Layer], names: frozenset[str]) -> int:
    """Return the cost of a set."""
    return sum(layer.cost for layer in layers if layer.name in names)


def cheapest(layers: Sequence[Layer], trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that keep every limit, the cheapest first."""
    kept = [trial for trial in trials if trial.keeps]
    return sorted(kept, key=lambda trial: (cost_of(layers, trial.layers), sorted(trial.layers)))


def likely_sets(
    layers: Sequence[Layer], trials: Sequence[Trial], most: int
) -> list[frozenset[str]]:
    """Return sets to confirm where trials say little: the cheapest that kept, then the ranking's.

    Of the ranking, the first one, two, four and so on. Never no layer, and never all.
    """
    ranked = [it.name for it in sorted(layers, key=lambda it: -it.error)]
    beginnings = (frozenset(ranked[: 2**k]) for k in range(len(ranked).bit_length()))
    sets = [*(it.layers for it in cheapest(layers, trials)), *beginnings]
    usable = [it for it in dict.fromkeys(sets) if 0 < len(it) < len(layers)]
    return usable[:most]


def nearest(layers: Sequence[Layer], trials: Sequence[Trial]) -> Trial:
    """Return the trial that misses the limits least: kept quality first, then the least cost."""
    return min(
        trials,
        key=lambda trial: (max(trial.excess, 0), len(trial.blocked), cost_of(layers, trial.layers)),
    )


@final
@dataclass(kw_only=True, eq=False)
class _Search:
    layers: tuple[Layer, ...]
    try_set: Try
    most: int
    trials: dict[frozenset[str], Trial] = field(default_factory=dict)

    def trial(self, names: frozenset[str]) -> Trial:
        """Try a set once. Raises OutOfTrials if no more may be tried."""
        if names not in self.trials:
            if len(self.trials) >= self.most:
                raise OutOfTrials
            self.trials[names] = self.try_set(names)
        return self.trials[names]

    def keeps(self, names: frozenset[str]) -> bool:
        """Return True if a set keeps the limits of quality; parts of a failed set fail untried."""
        if any(names <= it.layers and not it.keeps_quality for it in self.trials.values()):
            return False
        return self.trial(names).keeps_quality

    def first_keeping(self) -> frozenset[str]:
        """Return the shortest beginning of the ranking that keeps quality; empty if none does."""
        last = len(self.layers) - 1  # one layer must stay quantized
        ranked: list[str] = []
        low, high = 0, min(1, last)
        while high > low:
            ranked += self._worst(ranked, high - low)
            if self.keeps(frozenset(ranked)):
                break
            low, high = high, min(2 * high, last)
        if high == low:
            return frozenset()
        while high - low > 1:
            middle = (low + high) // 2
            is_kept = self.keeps(frozenset(ranked[:middle]))
            low, high = (low, middle) if is_kept else (middle, high)
        return frozenset(ranked[:high])

    def _worst(self, names: Sequence[str], count: int) -> list[str]:
        """Return the layers with the largest errors that remain if `names` are left out."""
        errors = {layer.name: layer.error for layer in self.layers}
        trial = self.trials.get(frozenset(names))
        if trial and trial.errors:
            errors |= trial.errors()
        left = [layer.name for layer in self.layers if layer.name not in names]
        return sorted(left, key=lambda name: -errors[name])[:count]

    def take_back(self, names: frozenset[str]) -> frozenset[str]:
        """Quantize layers of a set again, the most expensive first, while quality is kept."""
        for layer in sorted(self.layers, key=lambda it: -it.cost):
            if layer.name in names and self.keeps(names - {layer.name}):
                names -= {layer.name}
        return names

    def improve(self) -> None:
        """Try cheaper sets while trials are left, the likeliest first.

        Half of the trials go to single layers, whose gains then rank the pairs.
        """
        half = (self.most - len(self.trials)) // 2
        singles = islice(self._cheaper_sets(1), half)
        if any(map(self.keeps, singles)) or any(map(self.keeps, self._cheaper_sets(2))):
            self.improve()

    def _cheaper_sets(self, count: int) -> Iterator[frozenset[str]]:
        """Yield sets of `count` layers that cost less than the best set, the likeliest first."""
        kept = [it for it in self.trials.values() if it.keeps_quality]
        best = min(cost_of(self.layers, it.layers) for it in kept)
        gains = self._gains()
        cheap = [layer for layer in self.layers if layer.cost < best]
        sets = [it for it in combinations(cheap, count) if sum(layer.cost for layer in it) < best]
        for layers in sorted(sets, key=lambda it: -sum(gains[layer.name] for layer in it)):
            yield frozenset(layer.name for layer in layers)

    def _gains(self) -> dict[str, float]:
        """Estimate by how much each layer alone reduces the excess.

        Measured where it was tried alone; elsewhere in proportion to its error.
        """
        start = self.trials[frozenset()].excess
        measured = {
            layer.name: max(start - trial.excess, 0.0)
            for layer in self.layers
            if (trial := self.trials.get(frozenset({layer.name})))
        }
        errors = {layer.name: layer.error for layer in self.layers}
        known = sum(errors[name] for name in measured)
        scale = sum(measured.values()) / known if known and any(measured.values()) else 1.0
        return {name: measured.get(name, scale * error) for name, error in errors.items()}
