"""Loose limits: those that guard nothing, and those that do."""

import pytest

from litegate import kib, metrics, percent, points, us
from litegate.core.units import Unit, byte, per_thousand, quanta
from litegate.measures.measurement import Interval, Measurement, violations
from litegate.report.loose_limits import loose_limits
from litegate.report.run_record import Place, verdict_row
from litegate.spec import Budget

PLACE = Place(id="x", model="net", recipe="int8_qat", check="c", requirement="r", file="f", line=1)


def sum_of(outputs):
    return outputs.sum(axis=1)


def found(name, value, unit, interval=None, n=None):
    ends = interval and Interval(low=interval[0], high=interval[1], method="m")
    subject = "net/int8_qat"
    return Measurement(name=name, subject=subject, value=value, unit=unit, interval=ends, n=n)


def size(value):
    return found("size", value, Unit.BYTES)


def notes(budget, *verdicts):
    return loose_limits(budget, [verdict_row(PLACE, verdict) for verdict in verdicts])


@pytest.mark.parametrize(
    ("value", "said"), [(6000, True), (6500, True), (6702, True), (6703, False), (12288, False)]
)
def test_a_size_far_below_its_limit(value, said):
    """With a tenth on top, 6,702 B are 60 % of 12 KiB and 6,703 are more."""
    budget = Budget(size=kib(12))
    assert bool(notes(budget, size(value) <= budget.size)) is said


def test_the_note_gives_the_limit_as_it_is_written():
    """6,000 B and a tenth are 6.45 KiB, so 6.5 is the limit to write."""
    budget = Budget(size=kib(12))
    (note,) = notes(budget, size(6000) <= budget.size)
    assert note == (
        "net/int8_qat: size is 6,000 B, its limit 12,288 B: it could be tightened to "
        "size=lg.kib(6.5)"
    )


@pytest.mark.parametrize(
    ("name", "field", "limit", "value", "unit", "proposed"),
    [
        ("size ratio", "size_ratio", 0.9, 0.3, Unit.RATIO, "size_ratio=0.33"),
        ("compressed size", "compressed_size", kib(24), 5120, Unit.BYTES, "size=lg.kib(5.5)"),
        ("max difference from Keras", "keras_difference", quanta(8), 1, Unit.QUANTA, "(1.1)"),
    ],
)
def test_exact_limits(name, field, limit, value, unit, proposed):
    """Each in the unit that its author writes."""
    budget = Budget(**{field: limit})
    (note,) = notes(budget, found(name, value, unit) <= limit)
    assert note.endswith(f"{proposed}")


@pytest.mark.parametrize(
    ("low", "proposed"),
    [(0.98, "accuracy=lg.percent(98)"), (0.97, "lg.percent(97)"), (0.9699, None)],
)
def test_a_floor_is_judged_by_what_it_allows_to_be_wrong(low, proposed):
    """Of 5 % wrong answers allowed, 60 % are 3: the interval's lower end decides."""
    budget = Budget(accuracy=percent(95))
    measured = found("accuracy", 0.99, Unit.PERCENT, (low, 0.995))
    told = notes(budget, measured >= budget.accuracy)
    assert (proposed in told[0]) if proposed else not told


@pytest.mark.parametrize(("high", "said"), [(0.0059, True), (0.006, True), (0.0061, False)])
def test_a_drop_is_judged_by_its_interval(high, said):
    """A gain that is not proven to be one leaves its limit nothing to take away."""
    budget = Budget(accuracy_drop=points(1))
    measured = found("accuracy drop", -0.001, Unit.POINTS, (-0.008, high))
    assert bool(notes(budget, measured <= budget.accuracy_drop)) is said


@pytest.mark.parametrize(
    ("limit", "said"), [(2.0, "accuracy_drop=lg.points(0.34)"), (0.5, "")], ids=["loose", "tight"]
)
def test_a_proposed_drop_can_be_decided(limit, said):
    """Three of 900 samples, although a file that got better needs none."""
    budget = Budget(accuracy_drop=points(limit))
    drop = found("accuracy drop", -0.0056, Unit.POINTS, (-0.015, 0.0003), n=900)
    printed = " ".join(notes(budget, drop <= budget.accuracy_drop))
    assert printed.endswith(said)
    assert bool(printed) is bool(said)


def test_extra_errors_are_told_per_thousand():
    """The proposal is rounded up to two digits."""
    budget = Budget(extra_errors=per_thousand(20))
    measured = found("extra errors", 0, Unit.PER_THOUSAND, (-0.002, 0.00412))
    assert "extra_errors=lg.per_thousand(4.2)" in notes(budget, measured <= budget.extra_errors)[0]


def test_only_what_passed_has_a_loose_limit():
    """A failed or unproven limit is never called too wide."""
    budget = Budget(accuracy=percent(50))
    measured = Measurement(
        name="accuracy",
        subject="s",
        value=0.9,
        unit=Unit.PERCENT,
        low=0.4,
        interval=Interval(low=0.85, high=0.95, method="m"),
    )
    assert not notes(budget, measured >= budget.accuracy)
    assert not notes(Budget(size=byte(10)), size(11) <= byte(10))


def test_other_limits_have_no_note():
    """Times, counts, limits that the budget does not set, and limits of a check's own."""
    time = found("latency", 1e-6, Unit.SECONDS) <= us(500)
    count = violations("tensor type violations", "s", (), n=9) <= 0
    budget = Budget(latency=us(500), size=kib(12))
    assert not notes(budget, time, count, size(10) <= kib(50))
    assert not notes(Budget(), size(10) <= kib(12))


def test_a_limit_that_allows_nothing_is_not_loose():
    """A floor of 100 %, a drop of 0."""
    budget = Budget(accuracy=percent(100), accuracy_drop=points(0))
    perfect = found("accuracy", 1, Unit.PERCENT, (1, 1)) >= budget.accuracy
    no_drop = found("accuracy drop", 0, Unit.POINTS, (0, 0)) <= budget.accuracy_drop
    assert not notes(budget, perfect, no_drop)


@pytest.mark.parametrize("value", [1, 37, 999, 6000])
def test_the_proposed_limit_is_kept_and_is_not_loose_itself(value):
    """Whoever follows a note gets no second one, and no failure."""
    budget = Budget(size=kib(12))
    (note,) = notes(budget, size(value) <= budget.size)
    written = note.partition("size=lg.kib(")[2].partition(")")[0]
    tighter = Budget(size=kib(float(written)))
    verdict = size(value) <= tighter.size
    assert verdict.outcome == "pass"
    assert not notes(tighter, verdict)


METRICS = (
    metrics.auc(least=0.5, loss=0.2),
    metrics.mse(most=9, slice_loss=3),
    metrics.top_k(2, least=percent(50), loss=points(10)),
    metrics.mean("level", sum_of, better="higher", least=1),
)


@pytest.mark.parametrize(
    ("name", "value", "interval", "proposed"),
    [
        ("auc", 0.95, (0.9, 0.97), "metric auc: least=0.9"),
        ("auc drop", 0.01, (0, 0.02), "metric auc: loss=0.02"),
        ("mse", 2, (1, 3), "metric mse: most=3"),
        ("worst slice's mse rise", 0.1, (0, 0.25), "metric mse: slice_loss=0.25"),
        ("top_2", 0.9, (0.89, 0.92), "metric top_2: least=lg.percent(89)"),
        ("top_2 drop", 0.001, (0, 0.002), "metric top_2: loss=lg.points(0.2)"),
        ("level", 9, (8, 10), None),
    ],
)
def test_limits_of_metrics(name, value, interval, proposed):
    """Each by its metric; a floor of what has no end allows no share of a whole."""
    budget = Budget(metrics=METRICS)
    owner = next(one for one in METRICS if one.name in name)
    field = {"drop": "loss", "rise": "slice_loss"}.get(name.rpartition(" ")[2])
    field = field or ("least" if owner.least is not None else "most")
    limit, measured = getattr(owner, field), found(name, value, owner.unit(field), interval)
    verdict = measured >= limit if field == "least" else measured <= limit
    said = notes(budget, verdict)
    assert len(said) == (proposed is not None)
    assert not said or said[0].endswith(f"{proposed}")
