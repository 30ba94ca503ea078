"""A part of a split that is too large to be held: faults are planted in samples in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from litegate.datasets import rows
from litegate.faults.scene import Scene
from litegate.measures.agreement import spread


def in_memory(scene: Scene) -> tuple[Scene, str]:
    """The scene judged on as many samples as are held in memory, and the sentence that says so.

    One drawn from each of as many equal stretches, for every artifact; the sentence is empty where
    all of them are held.
    """
    split, keras = scene.candidate.evaluation, scene.candidate.keras_outputs
    if not isinstance(split.x, rows.Rows):
        return scene, ""
    chosen = spread(len(split.x), max(1, rows.IN_MEMORY // (split.x.nbytes // len(split.x))))
    part: Any = split.x[chosen]
    moved = scene.with_split(part, None if split.y is None else split.y[chosen])
    kept = None if keras is None else keras[chosen]
    moved = replace(moved, candidate=replace(moved.candidate, keras_outputs=kept))
    said = f"{scene.name} is proven on {len(chosen):,} of {len(split.x):,} samples, evenly drawn"
    return moved, f"{said}: more are not held in memory, where faults are planted"
