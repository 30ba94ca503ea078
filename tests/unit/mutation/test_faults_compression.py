"""Faults in pruned and clustered weights: who notices, and who cannot have them."""

from dataclasses import replace

import numpy as np
import pytest
from noticing import notices
from scenes import scene

from litegate import Clustering, Pruning, percent
from litegate.mutation.faults import Draft, Unplantable, compression, edit, layers
from litegate.mutation.faults.catalogue import faults_in
from litegate.spec import Kind
from litegate.tflite.parser import parse

FAULTS = faults_in(compression)


def compressed():
    """The tiny network with every weight near zero made zero, and the others alike."""

    def compress(model):
        draft = Draft(model)
        for layer in layers(draft):
            values = draft.values(layer.weight)
            alike = np.where(np.abs(values) < 30, 0, np.sign(values) * 90)
            draft.store(layer.weight, alike.astype(np.int8))

    before = scene()
    recipe = replace(
        before.recipe,
        pruning=Pruning(sparsity=percent(30)),
        clustering=Clustering(clusters=3),
    )
    return replace(before, recipe=recipe).with_candidate(edit(before.candidate.tflite, compress))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_its_measurement_notices_it_and_not_the_sound_scene(fault):
    sound = compressed()
    (name,) = fault.noticed_by
    assert not notices(name, sound)
    for grade in (fault.ladder.must, fault.ladder.top):
        planted = fault(sound, grade)
        assert notices(name, planted)
        parse(planted.candidate.tflite)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_recipe_that_compresses_nothing_cannot_have_it(fault):
    with pytest.raises(Unplantable, match="nothing"):
        fault(scene(), 100)


def test_a_file_without_int8_weights_cannot_have_it():
    floats = scene(Kind.FLOAT32)
    recipe = replace(compressed().recipe)
    with pytest.raises(Unplantable, match="int8"):
        compression.zeros_lost(replace(floats, recipe=recipe), 100)
