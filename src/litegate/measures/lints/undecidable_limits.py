"""Warn about limits that an evaluation split of this size cannot decide, when a model is collected.

A lint is a sentence, never a verdict. The thresholds are those of the verdicts themselves:

- A tolerance is too fine if not even a run without a flip would prove it: Tango's one-sided 95 %
  limit is then z^2 / (n + z^2), about 2.7 samples.
- A floor is too high if not even a run with every sample right would prove it: Wilson's limit.
- A limit for each class, or slice, is too fine if it is worth less than three samples of one: one
  or two flip by chance, and from three on a run without a flip proves it.
- A drop deserves a second look if it lets the errors double, which a limit in points hides.
- Samples of a single class prove nothing: a network that knows no other answer gets all right.
  Mistakes in a class without a sample go unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from litegate.core.errors import MeasurementError
from litegate.core.escaping import listed
from litegate.core.units import Number, Quantity, Unit, text
from litegate.measures.accuracy.runtime_agreement import REFERENCE_SAMPLES
from litegate.measures.accuracy.shares import groups_in_words
from litegate.measures.statistics.sample_sizes import n_deciding, n_least, unseen_limit
from litegate.spec import Budget

MIN_SAMPLES = 3
"""Samples that a limit for each class, or each slice, must be worth.

One or two flip by chance; Tango's one-sided limit without a flip is 2.7 samples, so from three on
a run without a flip proves the limit."""
GROWTH = 2
"""Growth of the errors from which a tolerance gets a note: at 99.5 % accuracy, 0.5 points.

Twice the errors is what a user sees as a worse model; a smaller factor would warn about common
limits, such as 0.5 points at 97 % (1.17 times)."""
USUAL_FLIPS = 0.01
"""Share of flips for which a note computes the samples needed.

A small MNIST network flips 0.1 %. Fewer flips need fewer samples, so 1 % errs on the safe side."""


_REGRESSION = "regression.accuracy"
_NOISE = "`litegate noise` measures how much of it training from another seed changes"
"""A limit against the base has training noise, too, which more samples do not reduce."""


def undecidable_limit_notes(
    budget: Budget,
    n: int,
    per_class: Mapping[str, int],
    *,
    per_slice: Mapping[str, int] = MappingProxyType({}),
    accuracy: Number | None = None,
) -> tuple[str, ...]:
    """Return a note for each limit in `budget` that `n` samples cannot decide.

    `n` is the size of the evaluation split, `per_class` and `per_slice` are its samples of each
    class and of each slice by name. `accuracy` is the reference's, a share; if it is unknown, the
    budget's floor stands in for it. Raises MeasurementError for an empty split.
    """
    if n < 1:
        raise MeasurementError("the evaluation split is empty", expected="at least one sample")
    floor = budget.accuracy.value if budget.accuracy else None
    reference_accuracy = floor if accuracy is None else accuracy
    drops = {"accuracy_drop": budget.accuracy_drop, "extra_errors": budget.extra_errors}
    base_agreement = budget.regression.agreement if budget.regression else None
    floors = {
        "accuracy": (budget.accuracy, n),
        "regression.agreement": (base_agreement, n),
        "agreement": (budget.agreement, n),
        "keras_agreement": (budget.keras_agreement, n),
        "runtime_agreement": (budget.runtime_agreement, min(n, REFERENCE_SAMPLES)),
    }
    notes = [_too_high(name, limit, samples) for name, (limit, samples) in floors.items() if limit]
    notes += [_too_fine(name, limit, n) for name, limit in drops.items() if limit]
    if budget.regression and (note := _too_fine(_REGRESSION, budget.regression.accuracy, n)):
        notes.append(f"{note}; {_NOISE}")
    notes += [
        _errors_grow(name, limit, reference_accuracy)
        for name, limit in drops.items()
        if limit and reference_accuracy is not None
    ]
    groups = {"class": (budget.class_drop, per_class), "slice": (budget.slice_drop, per_slice)}
    notes += [
        _group_too_fine(noun, limit, sizes) for noun, (limit, sizes) in groups.items() if limit
    ]
    notes += [_single_class(per_class) or _classes_without_sample(per_class)]
    return tuple(note for note in notes if note)


def _too_high(name: str, limit: Quantity, n: int) -> str:
    best = 1 - unseen_limit(n)
    if limit.value <= best:
        return ""
    allowed_errors = 1 - limit.value
    remedy = (
        f"{n_least(allowed_errors):,} samples are needed"
        if allowed_errors > 0
        else "no number of samples can"
    )
    return (
        f"{name}: at least {limit} cannot be proven with {n:,} samples: even if all are "
        f"right, the one-sided 95 % lower limit is {text(best, limit.unit)}; {remedy}"
    )


def _too_fine(name: str, limit: Quantity, n: int) -> str:
    if limit.value >= unseen_limit(n):
        return ""
    return (
        f"{name}: {limit} of {n:,} samples is {_count(limit, n)} samples: even without a flip"
        f" the one-sided 95 % upper limit is {text(unseen_limit(n), limit.unit)};"
        f" {_samples_needed(limit.value)}"
    )


def _samples_needed(tolerance: Number) -> str:
    if tolerance <= 0:
        return "no number of samples proves it"
    deciding = n_deciding(USUAL_FLIPS / 2, USUAL_FLIPS / 2, tolerance)
    return (
        f"{n_least(tolerance):,} samples prove it if none flips, {deciding:,} nine times in "
        f"ten if {text(USUAL_FLIPS, Unit.PERCENT)} do"
    )


def _errors_grow(name: str, limit: Quantity, accuracy: Number) -> str:
    errors = 1 - accuracy
    if limit.value < (GROWTH - 1) * errors or limit.value <= 0:
        return ""
    allowed = f"{name}: {limit} allows {_in_thousand(limit.value)} more errors in 1,000 samples"
    if not errors:
        return f"{allowed}; the reference makes none"
    return f"{allowed}; the reference makes {_in_thousand(errors)}"


def _in_thousand(share: Number) -> str:
    return f"{float(1000 * share):.1f}".removesuffix(".0")


def _group_too_fine(noun: str, limit: Quantity, sizes: Mapping[str, int]) -> str:
    too_small = [name for name, n in sizes.items() if limit.value * n < MIN_SAMPLES]
    if not too_small:
        return ""
    smallest = min(too_small, key=sizes.__getitem__)
    n = sizes[smallest]
    return (
        f'{noun}_drop: {limit} of the {n:,} samples of {noun} "{smallest}" is {_count(limit, n)}'
        f" samples, and below {MIN_SAMPLES} they flip by chance; {len(too_small)} of"
        f" {groups_in_words(len(sizes), noun)} are as small"
    )


def _single_class(per_class: Mapping[str, int]) -> str:
    present = [name for name, n in per_class.items() if n]
    if len(present) != 1:
        return ""
    return (
        f'evaluation split: every sample is of class "{present[0]}": a network that always answers'
        " this gets all right, so no limit of accuracy or agreement proves anything"
    )


def _classes_without_sample(per_class: Mapping[str, int]) -> str:
    absent = [name for name, n in per_class.items() if not n]
    if not absent:
        return ""
    return (
        f"evaluation split: {len(absent)} of {groups_in_words(len(per_class), 'class')} have no"
        f" sample, so mistakes in them go unseen: {listed(absent)}"
    )


def _count(limit: Quantity, n: int) -> str:
    return text(limit.value * n, Unit.COUNT)
