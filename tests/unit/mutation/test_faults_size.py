"""Faults in the size: how many bytes they add, what stays as it was, and who notices."""

import numpy as np
import pytest
from noticing import notices
from scenes import scene

from litegate.mutation.faults import size
from litegate.mutation.faults.catalogue import faults_in
from litegate.runtimes.inference import outputs
from litegate.spec import Kind
from litegate.tflite.parser import parse

FAULTS = faults_in(size)
DESCRIBED = 400
"""Bytes that describe what was added, at most, beside what was asked for."""


def test_each_fault_stands_in_the_module():
    assert [fault.name for fault in FAULTS] == [
        "padding",
        "unread_buffer",
        "weights_stored_twice",
        "metadata_grown",
    ]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_named_measurement_notices_the_top_grade_and_no_sound_scene(fault):
    planted = fault(scene(), fault.ladder.top)
    assert not [name for name in fault.noticed_by if not notices(name, planted)]
    assert not any(notices(name, scene()) for name in fault.noticed_by)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_growth_is_noticed_from_two_per_cent_and_never_at_half_of_one(fault):
    growth = {grade: notices("size growth", fault(scene(), grade)) for grade in (0.5, 2)}
    assert growth[2]
    assert not growth[0.5] or fault.name != "padding"


@pytest.mark.parametrize("kind", [Kind.INT8_QAT, Kind.INT16X8, Kind.FLOAT32])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_bytes_are_added_and_no_answer_changes(fault, kind):
    sound = scene(kind)
    split, before = sound.candidate.evaluation, len(sound.candidate.tflite)
    for grade in (0.25, 20, 400):
        planted = fault(sound, grade).candidate.tflite
        parse(planted)
        many = DESCRIBED * (1 + grade / 20) if fault.name == "weights_stored_twice" else DESCRIBED
        assert 0 <= len(planted) - before - round(grade / 100 * before) <= many
        assert np.array_equal(
            outputs(planted, split.x[:20]).raw, outputs(sound.candidate.tflite, split.x[:20]).raw
        )


def test_padding_adds_exactly_its_zeros():
    sound = scene().candidate.tflite
    assert size.padding(scene(), 5).candidate.tflite == sound + bytes(round(0.05 * len(sound)))


def test_only_random_bytes_grow_what_is_compressed():
    grown = {fault.name: notices("compressed size", fault(scene(), 100)) for fault in FAULTS}
    assert [name for name, noticed in grown.items() if noticed] == ["metadata_grown"]


def test_weights_are_stored_as_tensors_that_nobody_reads():
    planted = parse(size.weights_stored_twice(scene(), 100).candidate.tflite)
    (graph,), known = planted.subgraphs, len(parse(scene().candidate.tflite).subgraphs[0].tensors)
    added = range(known, len(graph.tensors))
    assert added
    assert not set(added) & {index for op in graph.operators for index in op.inputs}
