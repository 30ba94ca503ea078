"""Lints: limits that an evaluation split of this size cannot decide, told when a model is read.

A lint is a sentence, never a verdict. The thresholds are those of the verdicts themselves:

- A tolerance is too fine where not even a run without a flip would prove it: Tango's one-sided
  95 % limit is then z^2 / (n + z^2), about 2.7 samples.
- A floor is too high where not even a run with every sample right would prove it: Wilson's limit.
- A limit for each class, or slice, is too fine below three samples of one: one or two flip by
  chance, and from three on a run without a flip proves it.
- A drop is worth a second look where it lets the errors double, since points hide that.
- Samples of a single class prove nothing: a network that knows no other answer gets all right.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from litegate.core.errors import MeasurementError
from litegate.core.units import Number, Quantity, Unit, text
from litegate.measures.accuracy.agreement import KERNEL_SAMPLES
from litegate.measures.accuracy.shares import several
from litegate.measures.statistics.proportions import n_deciding, n_least, unseen
from litegate.spec import Budget

LEAST_OF_A_CLASS = 3
"""Samples that a limit for each class, or each slice, must be worth."""
GROWN = 2
"""How many times the errors may grow before a tolerance is worth a second look."""
USUAL_FLIPS = 0.01
"""The share of flips for which the samples needed are told; a small MNIST network flips 0.1 %."""


def lints(
    budget: Budget,
    n: int,
    per_class: Mapping[str, int],
    *,
    per_slice: Mapping[str, int] = MappingProxyType({}),
    accuracy: Number | None = None,
) -> tuple[str, ...]:
    """What a person should know of the limits in `budget` before trusting them.

    `n` is the size of the evaluation split, `per_class` and `per_slice` its samples of each class
    and of each slice by name, and `accuracy` the reference's where it is known, a share; the
    budget's floor stands in for it.
    MeasurementError for an empty split.
    """
    if n < 1:
        raise MeasurementError("the evaluation split is empty", expected="at least one sample")
    floor = budget.accuracy.value if budget.accuracy else None
    known = floor if accuracy is None else accuracy
    drops = {"accuracy_drop": budget.accuracy_drop, "extra_errors": budget.extra_errors}
    against = budget.regression.agreement if budget.regression else None
    floors = {
        "accuracy": (budget.accuracy, n),
        "regression.agreement": (against, n),
        "agreement": (budget.agreement, n),
        "keras_agreement": (budget.keras_agreement, n),
        "kernel_agreement": (budget.kernel_agreement, min(n, KERNEL_SAMPLES)),
    }
    found = [_too_high(name, limit, of) for name, (limit, of) in floors.items() if limit]
    found += [_too_fine(name, limit, n) for name, limit in drops.items() if limit]
    found += [
        _multiplies(name, limit, known)
        for name, limit in drops.items()
        if limit and known is not None
    ]
    parts = {"class": (budget.class_drop, per_class), "slice": (budget.slice_drop, per_slice)}
    found += [_part_too_fine(noun, limit, of) for noun, (limit, of) in parts.items() if limit]
    found += [_one_class(per_class)]
    return tuple(sentence for sentence in found if sentence)


def _too_high(name: str, limit: Quantity, n: int) -> str:
    best = 1 - unseen(n)
    if limit.value <= best:
        return ""
    room = 1 - limit.value
    need = f"{n_least(room):,} samples are the least" if room > 0 else "no number of samples can"
    return (
        f"{name}: at least {limit} cannot be proven with {n:,} samples: with every one of them"
        f" right the one-sided 95 % lower limit is {text(best, limit.unit)}; {need}"
    )


def _too_fine(name: str, limit: Quantity, n: int) -> str:
    if limit.value >= unseen(n):
        return ""
    return (
        f"{name}: {limit} of {n:,} samples is {_count(limit, n)} samples: even without a flip"
        f" the one-sided 95 % upper limit is {text(unseen(n), limit.unit)}; {_need(limit.value)}"
    )


def _need(tolerance: Number) -> str:
    if tolerance <= 0:
        return "no number of samples proves it"
    usual = n_deciding(USUAL_FLIPS / 2, USUAL_FLIPS / 2, tolerance)
    return (
        f"{n_least(tolerance):,} samples prove it where none flips,"
        f" {usual:,} nine times in ten where {text(USUAL_FLIPS, Unit.PERCENT)} do"
    )


def _multiplies(name: str, limit: Quantity, accuracy: Number) -> str:
    errors = 1 - accuracy
    if limit.value < (GROWN - 1) * errors or limit.value <= 0:
        return ""
    allowed = f"{name}: {limit} allows {_in_thousand(limit.value)} errors more in 1,000 samples"
    if not errors:
        return f"{allowed}; the reference makes none"
    grow = text(1 + limit.value / errors, Unit.RATIO)
    return f"{allowed}; the reference makes {_in_thousand(errors)}: they may grow {grow} times"


def _in_thousand(share: Number) -> str:
    return f"{float(1000 * share):.1f}"


def _part_too_fine(noun: str, limit: Quantity, per_part: Mapping[str, int]) -> str:
    fine = [name for name, n in per_part.items() if limit.value * n < LEAST_OF_A_CLASS]
    if not fine:
        return ""
    least = min(fine, key=per_part.__getitem__)
    n = per_part[least]
    return (
        f'{noun}_drop: {limit} of the {n:,} samples of {noun} "{least}" is {_count(limit, n)}'
        f" samples, and below {LEAST_OF_A_CLASS} they flip by chance; {len(fine)} of"
        f" {several(len(per_part), noun)} are as small"
    )


def _one_class(per_class: Mapping[str, int]) -> str:
    present = [name for name, n in per_class.items() if n]
    if len(present) != 1:
        return ""
    return (
        f'evaluation split: every sample is of class "{present[0]}": a network that always answers'
        " this gets all right, so no limit of accuracy or agreement proves anything"
    )


def _count(limit: Quantity, n: int) -> str:
    return text(limit.value * n, Unit.COUNT)
