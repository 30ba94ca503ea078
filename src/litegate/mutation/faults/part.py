"""A part of a split that is too large to be held: faults are planted in samples in memory."""

from __future__ import annotations

from dataclasses import replace

from litegate.data import disk_arrays
from litegate.measures.accuracy.agreement import spread
from litegate.mutation.faults.scene import Scene, picked
from litegate.spec import by_input


def in_memory(scene: Scene) -> tuple[Scene, str]:
    """The scene judged on as many samples as are held in memory, and the sentence that says so.

    One drawn from each of as many equal stretches, for every artifact; the sentence is empty where
    all of them are held.
    """
    split, keras = scene.candidate.evaluation, scene.candidate.keras_outputs
    inputs = [array for _, array in by_input(split.x)]
    if not any(isinstance(array, disk_arrays.Rows) for array in inputs):
        return scene, ""
    each = sum(array.nbytes for array in inputs) // len(split.x)
    chosen = spread(len(split.x), max(1, disk_arrays.IN_MEMORY // each))
    labels = None if split.y is None else split.y[chosen]
    slices = {name: mask[chosen] for name, mask in split.slices.items()}
    moved = scene.with_split(split.x[chosen], labels, slices)
    kept = None if keras is None else picked(keras, chosen)
    moved = replace(moved, candidate=replace(moved.candidate, keras_outputs=kept))
    said = f"{scene.name} is proven on {len(chosen):,} of {len(split.x):,} samples, evenly drawn"
    return moved, f"{said}: more are not held in memory, where faults are planted"
