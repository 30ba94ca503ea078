"""Plant faults that show on one runtime alone."""

from __future__ import annotations

from dataclasses import replace

from litegate.measures.names import Name
from litegate.mutation.faults import classes
from litegate.mutation.faults.fault import LOSSES, Family, fault
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.spec.runtimes import XNNPACK

_OF_KERAS = {Name.KERAS_AGREEMENT, Name.KERAS_DIFFERENCE}  # judged on the default runtime alone


@fault(
    family=Family.ACCURACY,
    noticed_by=(Name.ACCURACY, *(name for name in LOSSES if name not in _OF_KERAS)),
)
def another_file_on_runtime(scene: Scene, _grade: float) -> Scene:
    """The runtimes besides the default answer from another file, trained on shuffled labels."""
    runtimes = scene.model.budget_of(scene.recipe).judged_runtimes
    if set(runtimes) <= {XNNPACK}:
        raise Unplantable("the budget names no runtime besides the default")
    sound = scene.candidate
    planted = classes.shuffled_labels(scene, 1).candidate
    # The same digest, as a file that is taken for another; a split of its own keeps the answers
    # apart from those of the sound file.
    elsewhere = replace(sound, tflite=planted.tflite, evaluation=replace(sound.evaluation))
    return replace(scene, elsewhere=elsewhere)
