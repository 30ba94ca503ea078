"""Faults: known defects that `--prove` plants in accepted artifacts, to test the gate.

A project declares its own faults as functions in `faults.py` in its folder of checks::

    from litegate.mutation.faults import Draft, Ladder, edit, fault, layers

    @fault(
        family="accuracy",
        ladder=Ladder(1, 4, 8, unit="channels", must=8),
        noticed_by=("accuracy drop",),
    )
    def dead_channels(scene, grade):
        "The first channels of the first layer answer nothing."

        def change(model):
            draft = Draft(model)
            first = layers(draft)[0]
            values = draft.values(first.weight).copy()
            values[: int(grade)] = 0
            draft.store(first.weight, values)

        return scene.with_candidate(edit(scene.candidate.tflite, change))
"""

from litegate.mutation.faults.fault import ONCE, Expect, Family, Fault, Ladder, OfMetric, fault
from litegate.mutation.faults.layers import Layer, layers
from litegate.mutation.faults.scene import Scene, Unplantable, sound
from litegate.tflite.editing.draft import Draft, edit

__all__ = [
    "ONCE",
    "Draft",
    "Expect",
    "Family",
    "Fault",
    "Ladder",
    "Layer",
    "OfMetric",
    "Scene",
    "Unplantable",
    "edit",
    "fault",
    "layers",
    "sound",
]
