"""Accuracy and what quantizing costs of it, at the limits and where nothing can be said."""

from dataclasses import replace

import numpy as np
import pytest
from tiny import artifact, rounder, selector

from litegate import per_thousand, percent, points
from litegate.core.errors import MeasurementError
from litegate.core.units import Quantity, Unit
from litegate.data import duplicates
from litegate.data.duplicates import originals
from litegate.measures.accuracy import (
    accuracy,
    accuracy_drop,
    answers,
    class_drop,
    error_growth,
    extra_errors,
    flips,
)
from litegate.measures.accuracy.decisions import decide
from litegate.measures.measurement import Outcome
from litegate.measures.statistics.proportions import FlipCounts, drop_limits
from litegate.measures.statistics.sample_sizes import n_deciding, n_proving
from litegate.measures.verdict_text import sentence
from litegate.spec.recipes import float32, int8_ptq
from litegate.testing import tiny_artifact


def pair(labels, before, after, *, classes=2, numbers=None):
    """A reference and a candidate that decide as told on samples of these labels.

    Samples are numbered, so that no two are the same, or by `numbers`.
    """
    one_hot, numbers = np.eye(classes), np.arange(len(labels)) if numbers is None else numbers
    told = [one_hot[np.asarray(before)], one_hot[np.asarray(after)], np.reshape(numbers, (-1, 1))]
    x, columns = np.concatenate(told, axis=1), list(range(2 * classes))
    one, other = (selector(len(x[0]), each) for each in (columns[:classes], columns[classes:]))
    return tuple(artifact(each, x, labels, classes=classes) for each in (one, other))


def flipped(n, *, broken=0, fixed=0, wrong=0, numbers=None):
    """A pair on n samples of class 0: so many broken, fixed, and wrong in both."""
    before, after = np.zeros(n, int), np.zeros(n, int)
    after[:broken] = 1
    before[broken : broken + fixed] = 1
    both = slice(broken + fixed, broken + fixed + wrong)
    before[both] = after[both] = 1
    return pair(np.zeros(n, int), before, after, numbers=numbers)


@pytest.mark.parametrize(
    ("floor", "outcome"),
    [(95.1, Outcome.FAIL), (95, Outcome.INCONCLUSIVE), (94, Outcome.INCONCLUSIVE), (90, "pass")],
)
def test_floor_is_decided_by_the_one_sided_limit(floor, outcome):
    """190 of 200 right is 95 %, and Wilson's one-sided limit 91.8 %."""
    verdict = accuracy(flipped(200, wrong=10)[0]) >= percent(floor)
    assert verdict.outcome == outcome
    assert "190 of 200 samples right" in sentence(verdict)


def test_floor_is_proven_exactly_from_its_limit_down():
    """The limit itself proves a floor, a number above it does not."""
    found = accuracy(flipped(200, wrong=10)[0])
    assert float(found.low) == pytest.approx(0.91811, abs=1e-5)
    for step, outcome in ((0, Outcome.PASS), (1, Outcome.PASS), (-1, Outcome.INCONCLUSIVE)):
        floor = float(found.low) - step * 1e-15
        assert (found >= Quantity(floor, Unit.PERCENT)).outcome is outcome


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [
        (0.49, Outcome.FAIL),
        (0.5, Outcome.INCONCLUSIVE),
        (0.51, Outcome.INCONCLUSIVE),
        (1.09, Outcome.INCONCLUSIVE),
        (1.11, Outcome.PASS),
    ],
)
def test_three_verdicts_of_a_drop(limit, outcome):
    """Five of 1,000 lost net is 0.5 points; Tango's one-sided limit is 1.1."""
    verdict = accuracy_drop(*flipped(1000, broken=7, fixed=2)) <= points(limit)
    assert verdict.outcome is outcome
    assert "9 flips: 7 broken, 2 fixed" in sentence(verdict)


def test_unproven_drop_says_what_would_decide():
    """The sentence gives samples, flips, interval, and the samples that would decide."""
    verdict = accuracy_drop(*flipped(360, broken=2, fixed=1)) <= points(1)
    needed = n_deciding(2 / 360, 1 / 360, 0.01)
    told = sentence(verdict)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    for part in ("360 samples", "3 flips: 2 broken, 1 fixed", "95 % interval -1.05 points to 1.75"):
        assert part in told
    assert f"{needed:,} samples would prove it nine times in ten" in told


def test_unproven_floor_says_what_would_decide():
    told = sentence(accuracy(flipped(360, wrong=15)[0]) >= percent(94))
    needed = n_proving(345 / 360, 0.94)
    assert "the one-sided 95 % lower limit is 93.73 %" in told
    assert f"at these rates {needed:,} samples would prove it nine times in ten" in told


def test_broken_floor_names_the_highest_one_that_its_samples_prove():
    found = accuracy(flipped(200, wrong=10)[0])
    assert "these samples prove a limit of at most 91.81 %" in sentence(found >= percent(97))
    assert (found >= percent(91.81)).outcome is Outcome.PASS
    assert (found >= percent(91.82)).outcome is Outcome.INCONCLUSIVE
    assert "these samples prove" not in sentence(found <= percent(90))
    assert "these samples prove" not in sentence(accuracy(flipped(9, wrong=9)[0]) >= percent(1))


def test_unproven_floor_counts_distinct_samples():
    """Copies prove nothing, so more of them would not, either."""
    one = flipped(60, wrong=2)[0]
    split = one.evaluation
    x, y = np.tile(split.x, (20, 1)), np.tile(split.y, 20)
    twice = artifact(one.tflite, x, y, classes=len(split.classes))
    told = sentence(accuracy(twice) >= percent(94))
    assert "not proven" in told
    assert "distinct samples would prove it nine times in ten" in told


def test_no_number_of_samples_proves_a_drop_at_its_limit():
    """The sentence does not promise a way out where there is none."""
    verdict = accuracy_drop(*flipped(1000, broken=5)) <= points(0.5)
    assert "at the limit itself no number of samples proves it" in sentence(verdict)


def test_gain_is_a_drop_below_zero():
    """A candidate that is better passes, and its value says by how much."""
    found = accuracy_drop(*flipped(1000, fixed=20))
    assert found.value == -points(2).value
    assert (found <= points(0)).outcome is Outcome.PASS


def test_identical_decisions_are_not_proven_by_few_samples():
    """No flips in 360 samples leave room for 0.75 points."""
    found = accuracy_drop(*flipped(360))
    assert (found <= points(0.74)).outcome is Outcome.INCONCLUSIVE
    assert (found <= points(0.75)).outcome is Outcome.PASS
    assert "no flips" in found.evidence


@pytest.mark.parametrize("limit", [0, 0.1, 50])
def test_one_sample_decides_nothing(limit):
    """A split of one sample is measured, and inconclusive."""
    reference, candidate = flipped(1)
    assert (accuracy_drop(reference, candidate) <= points(limit)).outcome is Outcome.INCONCLUSIVE
    assert (accuracy(candidate) >= percent(50)).outcome is Outcome.INCONCLUSIVE


def test_models_that_are_equally_wrong():
    """Nothing is lost against a reference that is as wrong; the floor fails all the same."""
    reference, candidate = flipped(1000, wrong=900)
    assert (accuracy_drop(reference, candidate) <= points(1)).outcome is Outcome.PASS
    assert (accuracy(candidate) >= percent(90)).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("limit", "outcome"), [(4.9, Outcome.FAIL), (5, Outcome.INCONCLUSIVE), (12, Outcome.PASS)]
)
def test_extra_errors(limit, outcome):
    """The same rule for each thousand samples, and how many times the errors grew."""
    verdict = extra_errors(*flipped(1000, broken=6, fixed=1, wrong=4)) <= per_thousand(limit)
    assert verdict.outcome is outcome
    assert "10 errors for 5, 2.00 times as many" in sentence(verdict)


def test_growth_from_nothing():
    """No ratio where the reference made no error."""
    assert error_growth(0, 3) == "3 errors where there were none"
    assert error_growth(0, 0) == "no errors in either"


def collapsed(n, lost):
    """Ten classes of n samples; the candidate takes `lost` samples of class d for class e."""
    labels = np.repeat(np.arange(10), n)
    after = labels.copy()
    after[3 * n : 3 * n + lost] = 4
    return pair(labels, labels, after, classes=10)


def test_collapsed_class_hides_from_the_drop_but_not_from_class_drop():
    """A class that is lost altogether costs ten points of the whole and a hundred of its own."""
    reference, candidate = collapsed(100, 100)
    assert (accuracy_drop(reference, candidate) <= points(12)).outcome is Outcome.PASS
    verdict = class_drop(reference, candidate) <= points(12)
    assert verdict.outcome is Outcome.FAIL
    assert 'class "d" loses 100 of its 100 samples' in sentence(verdict)
    assert "the limit of 12.00 points is 12 samples" in sentence(verdict)


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [(4.9, Outcome.FAIL), (5, Outcome.INCONCLUSIVE), (8, Outcome.INCONCLUSIVE), (11, "pass")],
)
def test_three_verdicts_of_the_worst_class(limit, outcome):
    """Five of 100 samples lost are five points; their one-sided limit is 10.2."""
    assert (class_drop(*collapsed(100, 5)) <= points(limit)).outcome == outcome


def test_every_class_must_be_proven_not_only_the_worst():
    """A class of few samples keeps a limit unproven that the worst class, of many, proves."""
    labels = np.array([0] * 1000 + [1] * 30)
    after = labels.copy()
    after[:5] = 1
    found = class_drop(*pair(labels, labels, after))
    assert found.value == points(0.5).value
    told = sentence(found <= points(5))
    assert 'upper limit is 8.27 points for class "b" (30 samples)' in told
    assert (found <= points(8.3)).outcome is Outcome.PASS


def test_interval_of_the_worst_class_holds_for_all_at_once():
    """Picked from ten, its interval is that of a share of one in 200 outside, not one in 20."""
    found = class_drop(*collapsed(100, 5))
    low, high = drop_limits(FlipCounts(n=100, broken=5, fixed=0), 0.05 / 10 / 2)
    assert (found.interval.low, found.interval.high) == (low, high)
    assert found.interval.method.endswith("Bonferroni over 10 classes")


def test_worst_class_that_gains():
    """Where every class gains, the least gain is told as one."""
    labels = np.repeat([0, 1], 400)
    before = labels.copy()
    before[[0, 1, 400]] = 1 - before[[0, 1, 400]]
    verdict = class_drop(*pair(labels, before, labels)) <= points(2)
    assert verdict.outcome is Outcome.PASS
    assert 'class "b" gains 1 of its 400 samples' in sentence(verdict)


def test_class_without_samples_is_an_error():
    """Nothing can be promised for a class that the split does not hold."""
    labels = np.array([0, 0, 2])
    with pytest.raises(MeasurementError, match="1 of 3 classes have no sample") as error:
        class_drop(*pair(labels, labels, labels, classes=3))
    assert error.value.got == "none of b"


def test_ties_go_to_the_lowest_index_and_are_counted():
    """Equal scores choose the first class, and the evidence says how often."""
    x = [[0.5, 0.5, 0.1], [0.1, 0.7, 0.7], [0.9, 0.1, 0.1]]
    found = accuracy(artifact(selector(3, [0, 1, 2]), x, [0, 1, 0]))
    assert found.evidence == ("3 of 3 samples right", "2 ties, decided for the lowest index")


def test_the_evidence_of_an_accuracy_names_the_worst_class():
    """By its share; a class without samples has none, and equal shares name nobody."""
    labels, chosen = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 2, 1, 2])
    found = accuracy(pair(labels, chosen, chosen, classes=3)[0])
    assert found.evidence == ("3 of 5 samples right", 'worst class "b": 1 of 2 right')
    found = accuracy(pair(labels, labels, labels, classes=3)[0])
    assert found.evidence == ("5 of 5 samples right",)


def test_one_tie_in_the_candidate_is_told_as_such():
    """Ties of a drop name the side they are on."""
    x = [[0.9, 0.1, 0.5, 0.5], [0.9, 0.1, 0.9, 0.1]]
    reference = artifact(selector(4, [0, 1]), x, classes=2)
    candidate = artifact(selector(4, [2, 3]), x, classes=2)
    found = accuracy_drop(reference, candidate)
    assert found.evidence[-1] == "1 tie in the candidate, decided for the lowest index"


def test_shifted_scales_lose_what_they_cost():
    """Coarse steps make neighbouring scores equal, and the drop counts what that breaks."""
    x = np.random.default_rng(3).random((500, 4))
    labels = x.astype(np.float32).argmax(axis=1)
    reference = artifact(selector(4, [0, 1, 2, 3]), x, labels)
    fine = artifact(rounder(4, scale=1 / 255, zero_point=-128), x, labels)
    coarse = artifact(rounder(4, scale=1 / 16, zero_point=-128), x, labels)
    assert (accuracy_drop(reference, fine) <= points(3)).outcome is Outcome.PASS
    verdict = accuracy_drop(reference, coarse) <= points(3)
    assert verdict.outcome is Outcome.FAIL
    assert flips(reference, coarse).broken > flips(reference, fine).broken


@pytest.mark.parametrize("bias", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_not_finite_are_an_error(bias):
    """A bias that is NaN or infinite is named, with the number of samples that it spoils."""
    x = np.zeros((1500, 4))
    sound = artifact(selector(4, [0, 1]), x, classes=2)
    broken = artifact(selector(4, [0, 1], bias=[0, bias]), x, classes=2)
    with pytest.raises(MeasurementError, match=r"NaN or infinite for 1,500 of 1,500 samples"):
        accuracy(broken)
    with pytest.raises(MeasurementError, match="NaN or infinite"):
        accuracy_drop(sound, broken)
    with pytest.raises(MeasurementError, match="NaN or infinite"):
        accuracy_drop(broken, sound)


def test_some_outputs_that_are_not_finite_are_an_error_too():
    """One overflowing sample of three is enough."""
    x = [[0.1, 0.2], [1e30, 0.2], [0.1, 0.2]]
    with pytest.raises(MeasurementError, match="for 1 of 3 samples") as error:
        accuracy(artifact(selector(2, [0, 1], gain=1e30), x))
    assert error.value.got == "sample 1 is the first"


def test_empty_split_is_an_error():
    """No sample, no accuracy."""
    with pytest.raises(MeasurementError, match="no sample"):
        accuracy(artifact(selector(2, [0, 1]), np.zeros((0, 2))))


@pytest.mark.parametrize(
    "labels", [[0, 1, 2], [0, -1, 1], [0, 1], [[0], [1], [0]], [0.0, 1.0, 0.0]]
)
def test_labels_that_do_not_fit_are_an_error(labels):
    """Beyond the outputs, below zero, too few, of another shape, or not whole numbers."""
    x = np.random.default_rng(len(labels)).random((3, 2))
    with pytest.raises(MeasurementError, match="do not fit"):
        accuracy(artifact(selector(2, [0, 1]), x, labels))


def test_outputs_without_a_class_are_an_error():
    """A network with more outputs than classes does not belong to the data set."""
    with pytest.raises(MeasurementError, match="the 3 outputs of"):
        accuracy(artifact(selector(3, [0, 1, 2]), np.zeros((4, 3)), classes=2))


def test_single_output_is_an_error():
    """One output decides nothing by top-1."""
    with pytest.raises(MeasurementError, match="is not a classifier"):
        accuracy(artifact(selector(2, [0]), np.zeros((4, 2)), classes=1))


@pytest.mark.parametrize("n", [99, 100, 101])
def test_a_score_a_pixel_is_no_choice_however_many_samples_there_are(n):
    """A hundred samples of a hundred pixels look like a hundred classes."""
    with pytest.raises(MeasurementError, match="is not a classifier"):
        decide(np.zeros((n, 10, 10)), "m")


def test_different_splits_cannot_be_paired():
    """A drop between two splits is no drop."""
    reference, candidate = flipped(10)[0], flipped(10, broken=1)[1]
    for measure in (accuracy_drop, extra_errors, class_drop, flips):
        with pytest.raises(MeasurementError, match="different evaluation splits"):
            measure(reference, candidate)


def test_measurements_name_whose_they_are():
    """The candidate is the subject, and both artifacts are in the evidence."""
    reference, candidate = flipped(10, broken=1)
    for measure in (accuracy_drop, extra_errors):
        found = measure(reference, candidate)
        assert found.subject == candidate.name
        assert found.artifacts == (reference.sha256, candidate.sha256)
    assert accuracy(candidate).artifacts == (candidate.sha256,)


@pytest.mark.slow
def test_mlperf_resnet8_on_all_of_cifar10(data_directory):
    """The published pair scores 75.48 % and 75.42 % on 10,000 images, fed as 0 to 255."""
    with np.load(data_directory / "cifar10_test.npz") as arrays:
        data = dict(arrays)
    x, y = data["x_test"], data["y_test"].astype(np.int64)
    integers = int8_ptq(input_type="int8", output_type="int8")
    reference, candidate = (
        artifact(
            (data_directory / f"mlperf_tiny/resnet8_{kind}.tflite").read_bytes(),
            x,
            y,
            recipe=recipe,
            classes=10,
        )
        for kind, recipe in (("float32", float32()), ("int8", integers))
    )
    assert accuracy(reference).value == percent(75.48).value
    assert accuracy(candidate).value == percent(75.42).value
    verdict = accuracy_drop(reference, candidate) <= points(0.5)
    assert verdict.outcome is Outcome.PASS
    assert "380 flips: 193 broken, 187 fixed" in sentence(verdict)


def copied(distinct, times, *, broken=0):
    """A pair on `distinct` samples of two classes, each there `times`; so many are broken."""
    numbers = np.tile(np.arange(distinct), times)
    labels = numbers % 2
    after = np.where(numbers < broken, 1 - labels, labels)
    return pair(labels, labels, after, numbers=numbers)


def test_copies_prove_no_more_than_the_samples_that_they_are_copies_of():
    """45 samples without a flip leave 5.7 points open; eight copies of each leave as much."""
    few, many = (accuracy_drop(*copied(45, times)) for times in (1, 8))
    assert (few.n, many.n) == (45, 360)
    assert (many.high, many.low) == (few.high, few.low)
    assert (accuracy_drop(*flipped(360)) <= points(2)).outcome is Outcome.PASS
    verdict = many <= points(2)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "360 samples, 45 distinct" in sentence(verdict)
    assert "133 distinct samples would prove it" in sentence(verdict)


@pytest.mark.parametrize("measure", [accuracy_drop, extra_errors, class_drop])
def test_copies_do_not_narrow_a_drop(measure):
    """Two of 45 flip, whether each is there once or eight times."""
    few, many = (measure(*copied(45, times, broken=2)) for times in (1, 8))
    assert many.value == few.value
    assert many.high == pytest.approx(few.high)
    assert any("360 samples, 45 distinct" in fact for fact in many.evidence)
    assert not any("distinct" in fact for fact in few.evidence)


def test_copies_do_not_narrow_an_accuracy():
    """Wilson's limits of 43 in 45, not of 344 in 360."""
    few, many = (accuracy(copied(45, times, broken=2)[1]) for times in (1, 8))
    assert (many.value, many.low, many.high) == (few.value, few.low, few.high)
    assert many.evidence[-1] == "360 samples, 45 distinct"


def test_uneven_copies_give_the_outer_of_both_intervals():
    """One wrong sample of 45 that stands there 100 times breaks what each once would keep."""
    groups = np.concatenate([np.zeros(100, int), np.arange(1, 45)])
    right = pair(np.zeros(144, int), np.zeros(144, int), (groups == 0).astype(int), numbers=groups)
    found = accuracy_drop(*right)
    every, once = FlipCounts(n=144, broken=100, fixed=0), FlipCounts(n=45, broken=1, fixed=0)
    assert found.value == every.drop
    assert float(found.high) == drop_limits(every)[1]
    assert float(found.low) == drop_limits(once)[0]


def test_class_is_counted_by_its_own_distinct_samples():
    """The copies of one class open its interval, though the other has none."""
    labels = np.repeat([0, 1], 400)
    numbers = np.concatenate([np.arange(400), np.tile(400 + np.arange(50), 8)])
    found = class_drop(*pair(labels, labels, labels, numbers=numbers))
    assert float(found.high) == drop_limits(FlipCounts(n=50, broken=0, fixed=0))[1]
    assert 'class "b" (400 samples, 50 distinct)' in sentence(found <= points(1))


def test_a_copy_among_ten_thousand_images_is_found_once(monkeypatch):
    """Each image is digested once, however many ask."""
    digested = []
    one_by_one = duplicates.sample_digests
    monkeypatch.setattr(
        duplicates, "sample_digests", lambda x: digested.append(len(x)) or one_by_one(x)
    )
    x = np.random.default_rng(0).random((10_000, 28, 28), np.float32)
    x[9_999] = x[0]
    split = artifact(b"", x, classes=2).evaluation
    found = originals(split)
    assert (found[:-1] == np.arange(9_999)).all()
    assert found[-1] == 0
    assert originals(split) is found
    assert digested == [10_000]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint64"])
def test_labels_of_any_integer_type_can_be_counted_with(dtype):
    """A page multiplies them by the number of classes."""
    one = tiny_artifact()
    narrow = one.evaluation.y.astype(dtype)
    one = replace(one, evaluation=replace(one.evaluation, y=narrow))
    assert answers(one).labels.dtype == np.intp
