"""Against the base: at the limits, on the same bytes, and where nothing may be compared."""

import hashlib
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from several import Graph, write
from tiny import artifact as selected
from tiny import selector

from litegate import percent, points, us
from litegate.core.errors import ArtifactError, ConfigError, MeasurementError
from litegate.core.units import Quantity, Unit
from litegate.measures import regression
from litegate.measures.accuracy import accuracy
from litegate.measures.latency.paired_test import Decision
from litegate.measures.measurement import Outcome
from litegate.measures.regression import (
    SAME_BYTES,
    accuracy_loss,
    agreement_with_base,
    latency_growth,
    lost_types,
    operator_changes,
    size_growth,
)
from litegate.measures.verdict_text import sentence
from litegate.spec import Kind
from litegate.testing import (
    artifact,
    custom_operator,
    edit,
    float_layer,
    pad,
    round_trip,
    tiny,
    tiny_artifact,
)
from litegate.tflite.parser import parse

BASE = tiny_artifact()


def grown(count):
    return artifact(pad(BASE.tflite, count))


def of_bytes(tflite, like=BASE):
    return replace(like, tflite=tflite, sha256=hashlib.sha256(tflite).hexdigest())


def decided(outcome=Outcome.PASS, **other):
    """What timing both files might give."""
    values = {
        "outcome": outcome,
        "stage": "early",
        "ratio": 1.004,
        "low": 0.991,
        "high": 1.01,
        "method": "signs",
        "wall_ratio": 1.006,
        "candidate": 41.2e-6,
        "reference": 41.0e-6,
        "epochs": 8,
        "under": 8,
        "elapsed": 0.15,
        "budget": 3.0,
        "clock": "thread CPU clock",
    }
    return Decision(**values | other)


def flipped(n, *, broken=0, fixed=0, labels=None):
    """A base and a candidate on n samples of two classes: so many broken, so many fixed."""
    labels = np.zeros(n, int) if labels is None else np.asarray(labels)
    before, after = labels.copy(), labels.copy()
    after[:broken] = 1 - after[:broken]
    before[broken : broken + fixed] = 1 - before[broken : broken + fixed]
    x = np.concatenate([np.eye(2)[before], np.eye(2)[after], np.arange(n)[:, None]], axis=1)
    return (
        selected(selector(5, columns), x, labels, classes=2, model="net")
        for columns in ([0, 1], [2, 3])
    )


@pytest.fixture
def nothing_runs(monkeypatch):
    """Whatever reads or runs a file refuses to."""

    def refuse(*_args, **_options):
        raise AssertionError("the same bytes were run or read")

    for name in (
        "class_scores",
        "parse",
        "answers",
        "accuracy_drop",
        "size_changes",
        "latency_ratio",
    ):
        monkeypatch.setattr(regression, name, refuse)


def test_every_difference_is_exactly_zero(nothing_runs):
    """No interval, no rule, one line of evidence; the strictest limit is kept."""
    for found, limit in (
        (size_growth(BASE, grown(0)), percent(0)),
        (accuracy_loss(BASE, grown(0), noise=0.5), points(0)),
        (lost_types(BASE, grown(0)), 0),
        (operator_changes(BASE, grown(0)), 0),
        (latency_growth(BASE, grown(0), percent(1)), percent(1)),
    ):
        assert (found.value, found.interval, found.evidence) == (0, None, (SAME_BYTES,))
        assert (found.subject, found.artifacts) == ("tiny/int8_qat", (BASE.sha256,) * 2)
        assert (found <= limit).outcome is Outcome.PASS


def test_they_agree_on_everything(nothing_runs):
    """All decisions, exactly: the strictest limit is kept without a sample."""
    found = agreement_with_base(BASE, grown(0))
    assert (found.value, found.interval, found.evidence) == (1, None, (SAME_BYTES,))
    assert (found >= percent(100)).outcome is Outcome.PASS


def test_one_byte_more_is_not_the_same(nothing_runs):
    """Anything else is read and run."""
    with pytest.raises(AssertionError, match="run or read"):
        accuracy_loss(BASE, grown(1))


def test_no_bytes_are_not_the_same_as_no_bytes(nothing_runs):
    """Two empty files are an error, not equal."""
    empty = of_bytes(b"")
    with pytest.raises(MeasurementError, match="the base's tiny/int8_qat has no bytes"):
        size_growth(empty, empty)


@pytest.mark.parametrize(
    ("over", "outcome"), [(-1, Outcome.PASS), (0, Outcome.PASS), (1, Outcome.FAIL)]
)
def test_growth_is_held_to_the_byte(over, outcome):
    """43 bytes of 4,304 are the limit exactly."""
    count = len(BASE.tflite)
    limit = Quantity(Fraction(43, count), Unit.PERCENT)
    found = size_growth(BASE, grown(43 + over))
    assert found.value == Fraction(43 + over, count)
    assert (found <= limit).outcome is outcome


def test_growth_names_what_caused_it():
    """Both sizes, and a line for each part; they add up to the difference."""
    candidate = artifact(float_layer(BASE.tflite, "conv"))
    told = sentence(size_growth(BASE, candidate) <= percent(1))
    assert "4,576 B against 4,304 B of the base" in told
    assert "tensor 'conv/weight' (int8 to float32) +108 B" in told
    assert "new operators (1 DEQUANTIZE, 1 QUANTIZE) +72 B" in told


def test_growth_by_padding_names_the_command_that_removes_it():
    hint = "`litegate strip FILE --to FILE` removes bytes that no kernel reads"
    assert hint in size_growth(BASE, grown(43)).evidence
    wider = size_growth(BASE, artifact(float_layer(BASE.tflite, "conv")))
    assert hint not in wider.evidence


def test_a_smaller_file_is_growth_below_zero():
    """It passes, offends nobody, and the evidence says what went."""
    found = size_growth(artifact(float_layer(BASE.tflite, "conv")), BASE)
    assert found.value < 0
    assert found.offenders == ()
    assert "gone operators (1 DEQUANTIZE, 1 QUANTIZE) -72 B" in found.evidence


def test_a_file_that_cannot_be_read_is_an_error():
    """Of the base, the message says so."""
    broken = of_bytes(BASE.tflite[:500])
    for measure in (size_growth, lost_types, operator_changes):
        with pytest.raises(ArtifactError, match=r"^the base's tiny/int8_qat is not a valid"):
            measure(broken, BASE)
        with pytest.raises(ArtifactError, match=r"^tiny/int8_qat is not a valid"):
            measure(BASE, broken)


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [(0.49, Outcome.FAIL), (0.5, Outcome.INCONCLUSIVE), (1.09, "inconclusive"), (1.11, "pass")],
)
def test_three_verdicts_of_a_loss(limit, outcome):
    """Five of 1,000 lost net are 0.5 points; the one-sided limit is 1.1."""
    verdict = accuracy_loss(*flipped(1000, broken=7, fixed=2)) <= points(limit)
    assert verdict.outcome == outcome
    assert "accuracy regression of net/float32 is 0.50 points" in sentence(verdict)
    assert "9 flips: 7 broken, 2 fixed" in sentence(verdict)
    assert "991 of 1,000 decisions equal" in sentence(verdict)


def test_a_gain_is_no_loss():
    """Its value is below zero, and no class is called the worst."""
    found = accuracy_loss(*flipped(1000, fixed=20))
    assert found.value == -points(2).value
    assert (found <= points(0)).outcome is Outcome.PASS
    assert not any("worst" in fact for fact in found.evidence)


def test_flips_are_told_by_class():
    """The first samples of each, and the class that loses most of its own."""
    labels = [0] * 3 + [1] * 2 + [0] * 95
    found = accuracy_loss(*flipped(100, broken=5, fixed=1, labels=labels))
    assert 'class "a": 3 broken (samples 0, 1, 2), 1 fixed (sample 5)' in found.evidence
    assert 'class "b": 2 broken (samples 3, 4), none fixed' in found.evidence
    assert 'worst class "b" loses 2 of its 2 samples' in found.evidence


def test_many_flips_are_cut_short():
    """Three samples of a class are named, the rest is counted."""
    found = accuracy_loss(*flipped(100, broken=12))
    assert 'class "a": 12 broken (samples 0, 1, 2, ...), none fixed' in found.evidence


def test_many_classes_are_cut_short():
    """Five classes are named, the rest is counted."""
    labels = np.arange(8)
    x = np.concatenate([np.eye(8), np.roll(np.eye(8), 1, axis=1)], axis=1)
    base, candidate = (
        selected(selector(16, list(range(k, k + 8))), x, labels, classes=8) for k in (0, 8)
    )
    found = accuracy_loss(base, candidate)
    assert sum("broken (" in fact for fact in found.evidence) == 5
    assert "flips in 3 more classes" in found.evidence


@pytest.mark.parametrize(("limit", "warned"), [(1.99, True), (2, False), (2.01, False)])
@pytest.mark.parametrize("broken", [0, 5, 50])
def test_a_limit_below_two_sd_is_linted_whatever_the_verdict(limit, warned, broken):
    """With an SD of one point the limit must be two; the SD is printed in either case."""
    pair = flipped(1000, broken=broken)
    verdict = accuracy_loss(*pair, noise=0.01) <= points(limit)
    plain = accuracy_loss(*flipped(1000, broken=broken)) <= points(limit)
    assert ("harmless changes also break it" in sentence(verdict)) is warned
    assert "SD from seed to seed 1.00 points" in sentence(verdict)
    assert verdict.outcome is plain.outcome
    assert "seed" not in sentence(plain)


@pytest.mark.parametrize(("certificate", "is_hinted"), [({"seed": 1}, True), ({}, False)])
def test_unknown_noise_is_said_of_what_was_trained(certificate, is_hinted):
    """A ready-made file has no seed."""
    base, candidate = flipped(1000, broken=5)
    found = accuracy_loss(base, replace(candidate, certificate=certificate))
    assert any("`litegate noise`" in fact for fact in found.evidence) is is_hinted
    known = accuracy_loss(base, replace(candidate, certificate=certificate), noise=0.01)
    assert not any("`litegate noise`" in fact for fact in known.evidence)


def test_different_splits_cannot_be_compared():
    """Neither accuracy nor agreement."""
    base, candidate = next(flipped(10)), list(flipped(10, broken=1))[1]
    for measure in (accuracy_loss, agreement_with_base):
        with pytest.raises(MeasurementError, match="different evaluation splits"):
            measure(base, candidate)


def test_broken_outputs_of_the_base_are_named_as_the_bases():
    """NaN in the base is an error that does not blame the candidate."""
    x = np.eye(2).repeat(5, axis=0)
    broken = selected(selector(2, [0, 1], bias=[0, np.nan]), x, classes=2, model="net")
    sound = selected(selector(2, [0, 1]), x, classes=2, model="net")
    for measure in (accuracy_loss, agreement_with_base):
        with pytest.raises(MeasurementError, match="outputs of the base's net/float32 are NaN"):
            measure(broken, sound)
        with pytest.raises(MeasurementError, match="outputs of net/float32 are NaN"):
            measure(sound, broken)


def test_agreement_counts_decisions_right_or_wrong():
    """Three of 200 differ; Wilson's interval stands beside it."""
    found = agreement_with_base(*flipped(200, broken=2, fixed=1))
    assert (found.value, found.n) == (Fraction(197, 200), 200)
    assert found.interval.method == "Wilson's score"
    assert found.evidence == ("197 of 200 decisions equal",)


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [(96, Outcome.PASS), (98, Outcome.INCONCLUSIVE), (98.5, "inconclusive"), (98.6, "fail")],
)
def test_three_verdicts_of_an_agreement(limit, outcome):
    """98.5 % agree; the one-sided lower limit is 96.3 %."""
    found = agreement_with_base(*flipped(200, broken=2, fixed=1))
    assert (found >= percent(limit)).outcome == outcome


def test_a_layer_that_fell_back_to_float_is_named():
    """Its weights, its bias, and the operator; what came with it is evidence."""
    found = lost_types(BASE, artifact(float_layer(BASE.tflite, "conv")))
    assert found.offenders == (
        "tensor 2 'conv/weight', weight, was int8 and is float32",
        "tensor 3 'conv/bias', bias, was int32 and is float32",
        "operator 2 CONV_2D v1 computed in integers and now computes in floats",
    )
    assert found.evidence == (
        "1 DEQUANTIZE came (1 in the base, 2 now)",
        "1 QUANTIZE came (1 in the base, 2 now)",
    )
    outcomes = [(found <= limit).outcome for limit in (2, 3, 4)]
    assert outcomes == [Outcome.FAIL, Outcome.PASS, Outcome.PASS]


def test_a_hybrid_kernel_is_a_lost_type():
    """The weights stay int8, what is computed does not."""
    found = lost_types(BASE, tiny_artifact(Kind.DYNAMIC_RANGE))
    assert any("'conv', activation, was int8 and is float32" in each for each in found.offenders)
    assert any("FULLY_CONNECTED" in e and "is a hybrid kernel" in e for e in found.offenders)
    assert not any("'dense/weight'" in each for each in found.offenders)


def test_lost_types_are_found_under_other_names():
    """A converter that renames every tensor hides nothing."""

    def rename(model):
        for number, tensor in enumerate(model.subgraphs[0].tensors):
            tensor.name = f"renamed/{number}".encode()

    found = lost_types(BASE, artifact(edit(float_layer(BASE.tflite, "conv"), rename)))
    told = "\n".join(found.offenders)
    assert "weight, was int8 and is float32" in told
    assert "('conv/weight' in the base)" in told
    assert "CONV_2D v1 computed in integers and now computes in floats" in told
    assert "DEPTHWISE" not in told


def test_an_operator_replaced_by_a_float_one_is_a_lost_type():
    """Another kind of operator in its place does not hide that it was integer."""
    found = lost_types(
        BASE, artifact(custom_operator(float_layer(BASE.tflite, "conv"), "conv/float", "Mine"))
    )
    assert any("CUSTOM v1, CONV_2D in the base, computed" in each for each in found.offenders)


@pytest.mark.parametrize(
    "candidate",
    [
        tiny_artifact(Kind.INT16X8),
        tiny_artifact(input_type="uint8", output_type="uint8"),
        artifact(round_trip(BASE.tflite, "conv")),
        artifact(tiny(seed=8)),
    ],
    ids=["wider integers", "other ports", "a detour through floats", "other weights"],
)
def test_what_stays_integer_lost_nothing(candidate):
    """Other integers, and floats that come on top, are other checks' matter."""
    found = lost_types(BASE, candidate)
    assert found.offenders == ()
    assert found.n == len(parse(BASE.tflite).main.tensors) + 6


def test_a_float_base_has_nothing_to_lose():
    """From float to integers is a gain."""
    assert lost_types(tiny_artifact(Kind.FLOAT32), BASE).value == 0


@pytest.mark.parametrize(
    ("limit", "outcome"), [(1, Outcome.FAIL), (2, Outcome.PASS), (3, Outcome.PASS)]
)
def test_operators_that_came_and_went(limit, outcome):
    """Counted one by one, named by kind, custom ones by their code."""
    found = operator_changes(BASE, artifact(custom_operator(BASE.tflite, "conv", "FlexConv2D")))
    assert (found.value, found.unit) == (2, Unit.COUNT)
    assert found.offenders == (
        "1 CONV_2D went (1 in the base, 0 now)",
        "1 CUSTOM FlexConv2D came (0 in the base, 1 now)",
    )
    assert (found <= limit).outcome is outcome


def test_a_change_without_other_operators_brings_none():
    """Other weights and more bytes are other checks' matter."""
    for candidate in (grown(1), artifact(tiny(seed=8))):
        assert operator_changes(BASE, candidate).value == 0


def slower(outcome=Outcome.PASS, limit=2.5, **other):
    limit = percent(limit)
    again = decided(outcome, **other)
    return latency_growth(
        BASE, grown(1), limit, here=lambda _: again, elsewhere=lambda _: again
    ), limit


@pytest.mark.parametrize("outcome", list(Outcome))
def test_growth_of_latency_is_the_ratios_decision(outcome):
    """In per cent, by the fresh-pair rule: it is not judged again by its value."""
    found, limit = slower(outcome, ratio=1.03, over=11)
    assert (found <= limit).outcome is outcome
    assert found.value == pytest.approx(0.03)
    assert (found.interval.low, found.interval.high) == pytest.approx((-0.009, 0.01))
    assert (found.repeats.low, found.repeats.high) == pytest.approx((-0.009, 0.01))


def test_sentence_of_latency():
    """Growth and limit in per cent, both clocks, and against whom."""
    found, limit = slower()
    told = sentence(found <= limit)
    assert told.startswith("latency growth of tiny/int8_qat is 0.40 %, must be at most 2.50 %")
    assert "against the base's tiny/int8_qat, 8 fresh pairs" in told


def test_latency_is_timed_for_the_limit_as_a_ratio():
    """1 + limit, the base as the reference, and the chance shared among the models."""
    seen = []
    latency_growth(
        BASE, grown(1), percent(2.5), models=3, here=lambda c: seen.append(c) or decided()
    )
    assert (seen[0].limit, seen[0].models) == (1.025, 3)
    assert (seen[0].reference, seen[0].candidate) == (BASE.tflite, grown(1).tflite)


@pytest.mark.parametrize(("limit", "floor"), [(percent(2.5), 1e-6), (percent(-5), 0)])
def test_the_floor_reaches_the_timer_unless_a_speed_up_is_asked_for(limit, floor):
    seen = []
    found = latency_growth(
        BASE, grown(1), limit, floor=us(1), here=lambda c: seen.append(c) or decided(ratio=1.1)
    )
    assert seen[0].floor == floor
    told = sentence(found <= limit)
    assert ("by less than the 1.0 us that latency_floor allows" in told) is (limit.value > 0)


@pytest.mark.parametrize("limit", [-5, 1, 1.5, 300])
def test_honest_limits_of_latency_are_taken(limit):
    """From 1 % on, and any speed-up."""
    found, asked = slower(limit=limit)
    assert (found <= asked).outcome is Outcome.PASS


@pytest.mark.parametrize("limit", [percent(0), percent(0.99), points(2.5)])
@pytest.mark.parametrize("candidate", [BASE, grown(1)], ids=["same bytes", "other bytes"])
def test_dishonest_limits_of_latency_are_refused(limit, candidate):
    """Below 1 %, or no share; on the same bytes too, so that the mistake is seen at once."""
    with pytest.raises(ConfigError, match="is too tight"):
        latency_growth(BASE, candidate, limit, here=lambda _: decided())


def test_latency_answers_only_the_question_it_was_timed_for():
    """Another limit or relation is refused."""
    found, limit = slower()
    with pytest.raises(ConfigError, match=r"measured for another limit than <= 2\.60 %"):
        found <= percent(2.6)  # noqa: B015 - comparing raises
    with pytest.raises(ConfigError, match="measured for another limit than >="):
        found >= limit  # noqa: B015 - comparing raises


def times(factor):
    """A graph that multiplies samples of three values."""
    graph = Graph()
    given, out = graph.tensor("given", -1, 3), graph.tensor("out", -1, 3)
    graph.step("MUL", [given, graph.tensor("factor", data=np.float32(factor))], out)
    return (graph, [given], [out]), ({"x": given}, {"y": out})


def test_another_signature_of_the_same_bytes_is_another_network():
    """Nothing of the file differs, and everything that is judged of it."""
    graphs, ports = zip(times(1), times(-1), strict=True)
    names = ("as_it_is", "upside_down")
    both = write(*graphs, signatures=[(n, k, *ports[k]) for k, n in enumerate(names)])
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    one, other = (selected(both, x, x.argmax(axis=1), signature=name) for name in names)
    assert (accuracy_loss(one, other) <= points(0)).outcome is Outcome.FAIL
    assert accuracy_loss(one, one).evidence == (SAME_BYTES,)


def test_a_comparison_gives_the_candidates_own_number():
    """A waiver names it: bytes at most, accuracy at least."""
    size_bound = size_growth(BASE, grown(43)).absolute()
    assert (size_bound.measurement, size_bound.relation.value) == ("size", "<=")
    assert size_bound.value == len(BASE.tflite) + 43
    candidate = grown(43)
    accuracy_bound = accuracy_loss(BASE, candidate).absolute()
    assert (accuracy_bound.measurement, accuracy_bound.relation.value) == ("accuracy", ">=")
    assert accuracy_bound.value == accuracy(candidate).value
