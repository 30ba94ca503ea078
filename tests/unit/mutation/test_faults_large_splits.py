"""A split on disk is proven on a part of it, and the proof says so."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import scene

from litegate.data import disk_arrays
from litegate.data.disk_arrays import DiskArray
from litegate.mutation.faults.scene import fit_in_memory


@pytest.fixture
def on_disk(tmp_path, monkeypatch):
    """A scene of 200 samples of 400 bytes on disk, of which 50 are held in memory."""
    monkeypatch.setattr(disk_arrays, "IN_MEMORY", 50 * 400)
    found = scene()
    split = found.candidate.evaluation
    np.save(tmp_path / "x.npy", split.x)
    there = replace(split, x=DiskArray(tmp_path / "x.npy"))

    def moved(artifact):
        return replace(artifact, evaluation=there)

    candidate, base = moved(found.candidate), moved(found.base)
    reference = moved(found.reference)
    return replace(found, candidate=candidate, base=base, reference=reference, baseline=reference)


def test_a_part_stands_for_the_whole(on_disk):
    """Samples, labels and Keras's outputs of the same samples, for every artifact."""
    part, said = fit_in_memory(on_disk)
    assert said == (
        "tiny/int8_qat is proven on 50 of 200 samples, evenly drawn: "
        "a proof keeps no more in memory"
    )
    whole, split = scene().candidate, part.candidate.evaluation
    places = [np.flatnonzero((whole.evaluation.x == x).all(axis=(1, 2, 3)))[0] for x in split.x]
    assert [place // 4 for place in places] == list(range(50))
    np.testing.assert_array_equal(split.y, whole.evaluation.y[places])
    np.testing.assert_array_equal(part.candidate.keras_outputs, whole.keras_outputs[places])
    assert {split} == {one.evaluation for one in (part.reference, part.baseline, part.base)}
    assert split.digest != on_disk.candidate.evaluation.digest


def test_samples_in_memory_are_all_proven_on():
    assert fit_in_memory(scene()) == (scene(), "")
