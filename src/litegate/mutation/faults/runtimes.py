"""Plant faults of runtimes: one runs another file, or does not reset the state."""

from __future__ import annotations

from dataclasses import replace

from litegate.measures.names import Name
from litegate.mutation.faults import classes
from litegate.mutation.faults.fault import Family, fault
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.spec.runtimes import XNNPACK
from litegate.tflite.parser import parse
from litegate.tflite.variables import is_stateful


@fault(
    family=Family.ACCURACY,
    noticed_by=(
        *(Name.ACCURACY, Name.ACCURACY_DROP, Name.EXTRA_ERRORS, Name.CLASS_DROP),
        *(Name.REFERENCE_AGREEMENT, Name.OUTPUT_ERROR, Name.RUNTIME_AGREEMENT),
    ),
)
def another_file_on_runtime(scene: Scene, _grade: float) -> Scene:
    """The runtimes besides the default answer from another file, trained on shuffled labels."""
    runtimes = scene.model.budget_of(scene.recipe).judged_runtimes
    if set(runtimes) <= {XNNPACK}:
        raise Unplantable("the budget names no runtime besides the default")
    sound, planted = scene.candidate, classes.shuffled_labels(scene, 1).candidate
    # A split of its own keeps its answers apart from those of the sound file.
    split = replace(sound.evaluation)
    return replace(scene, candidate=replace(sound, elsewhere=planted.tflite, evaluation=split))


@fault(family=Family.ACCURACY, noticed_by=(Name.DETERMINISM, Name.BATCH_INVARIANCE))
def leaked_state(scene: Scene, _grade: float) -> Scene:
    """The state of one sample leaks into the next, as on a runtime that is not reset."""
    candidate = scene.candidate
    if not is_stateful(parse(candidate.tflite, subject=scene.name, signature=candidate.signature)):
        raise Unplantable("the file has no state")
    # A split of its own keeps its answers apart from those of the reset file.
    split = replace(candidate.evaluation)
    return replace(scene, candidate=replace(candidate, resets=False, evaluation=split))
