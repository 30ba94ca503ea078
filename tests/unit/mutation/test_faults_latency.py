"""Faults in the latency: the same answers, more work, in the measure that was asked for."""

import time

import numpy as np
import pytest
from noticing import notices
from scenes import scene

from litegate import percent, us
from litegate.measures.latency import latency_ratio
from litegate.measures.measurement import Outcome
from litegate.measures.names import Name
from litegate.measures.regression import latency_growth
from litegate.measures.structure.macs import macs
from litegate.mutation.faults import Unplantable, latency
from litegate.mutation.faults.catalogue import faults_in
from litegate.runtimes.inference import outputs
from litegate.spec import Kind
from litegate.testing import Draft, edit
from litegate.tflite.parser import parse

FAULTS = faults_in(latency)
WORK = (latency.repeated_work, latency.wider_layer)
TIMED = (Name.LATENCY, Name.LATENCY_RATIO, Name.LATENCY_GROWTH, Name.REAL_TIME_FACTOR)


def test_each_fault_stands_in_the_module():
    assert [fault.name for fault in FAULTS] == ["added_operators", "repeated_work", "wider_layer"]


@pytest.mark.parametrize("kind", [Kind.INT8_QAT, Kind.FLOAT32, Kind.INT16X8, Kind.DYNAMIC_RANGE])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_no_answer_changes(fault, kind):
    sound = scene(kind).candidate
    for grade in (fault.ladder.grades[0], fault.ladder.top):
        planted = fault(scene(kind), grade).candidate.tflite
        parse(planted)
        for n in (1, 20):
            x = sound.evaluation.x[:n]
            assert np.array_equal(outputs(planted, x).raw, outputs(sound.tflite, x).raw)


@pytest.mark.parametrize("port", ["int8", "uint8"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_no_answer_changes_behind_integer_ports(fault, port):
    ported = scene(input_type=port, output_type=port)
    x = ported.candidate.evaluation.x[:20]
    planted = fault(ported, fault.ladder.must).candidate.tflite
    assert np.array_equal(outputs(planted, x).raw, outputs(ported.candidate.tflite, x).raw)


def test_work_is_repeated_as_often_as_asked():
    once = macs(scene().candidate).value
    repeated = [macs(latency.repeated_work(scene(), n).candidate).value for n in (1, 3, 10)]
    assert repeated == [2 * once, 4 * once, 11 * once]


@pytest.mark.parametrize("fault", WORK, ids=lambda fault: fault.name)
def test_what_can_be_counted_is_noticed_at_the_top_grade(fault):
    counted = [name for name in fault.noticed_by if name not in TIMED]
    planted = fault(scene(), fault.ladder.top)
    assert counted
    assert all(notices(name, planted) and not notices(name, scene()) for name in counted)


def test_operators_follow_the_per_cent():
    counts = [
        len(parse(latency.added_operators(scene(), grade).candidate.tflite).subgraphs[0].operators)
        for grade in latency.added_operators.ladder.grades
    ]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_nothing_but_depthwise_layers_cannot_be_wider():
    def leave_depthwise(model):
        draft = Draft(model)
        for name in ("conv/weight", "dense/weight"):
            tensor = draft.tensor(name)
            tensor.buffer = 0

    bare = scene().with_candidate(edit(scene().candidate.tflite, leave_depthwise))
    with pytest.raises(Unplantable, match="depthwise"):
        latency.wider_layer(bare, 2)


def test_a_floor_that_is_a_hundred_times_too_high_hides_the_must_grade(monkeypatch):
    """The grade adds a share of 40 us, and not of the user's own floor: 4 us here."""
    monkeypatch.setattr(latency, "_time_costs", lambda _: (5e-6, 1e-7))
    planted = latency.added_operators(scene(), latency.added_operators.ladder.must)
    added = len(parse(planted.candidate.tflite).subgraphs[0].operators) - len(
        parse(scene().candidate.tflite).subgraphs[0].operators
    )
    assert added * 1e-7 == pytest.approx(4 * us(1).value)
    assert added * 1e-7 < us(100).value


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("kind", [Kind.INT8_QAT, Kind.FLOAT32])
def test_must_grade_is_a_regression(fault, kind):
    """Really timed: LiteRT leaves none of the added work out."""
    planted, limit = fault(scene(kind), fault.ladder.must), percent(2.5)
    found = latency_growth(planted.base, planted.candidate, limit, floor=us(1))
    assert (found <= limit).outcome is Outcome.FAIL


@pytest.mark.slow
def test_top_grade_is_more_than_any_honest_budget():
    planted = latency.repeated_work(scene(), latency.repeated_work.ladder.top)
    found = latency_ratio(planted.candidate, planted.reference, 10)
    assert (found <= 10).outcome is Outcome.FAIL
    assert found.value > 30


def test_a_batch_repeats_the_work_of_one_sample():
    """So the checks that answer the whole split stay quick: 200 times the work of 1 in 200."""
    sound, planted = scene().candidate, latency.repeated_work(scene(), 200).candidate
    x = np.tile(sound.evaluation.x, (50, 1, 1, 1))
    seconds = []
    for one in (sound, planted):
        started = time.perf_counter()
        outputs(one.tflite, x)
        seconds.append(time.perf_counter() - started)
    assert seconds[1] < 20 * seconds[0] + 0.5
