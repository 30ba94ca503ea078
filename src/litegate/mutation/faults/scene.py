"""What checks are handed in a proof, in place of what the run has accepted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, final

from litegate.core.errors import LitegateError
from litegate.data import disk_arrays
from litegate.measures.accuracy.agreement import spread_indices
from litegate.measures.accuracy.decisions import chooses
from litegate.spec import Array, Artifact, Model, Recipe, Samples, by_input
from litegate.tflite.editing.draft import Draft, edit

Declaration = Mapping[str, Any]
"""What a checkout declares, as `litegate.regression.loosening` compares it."""


class Unplantable(LitegateError):
    """A fault that this model cannot have, such as a clipped weight where nothing has weights."""


def same(declared: Declaration) -> Declaration:
    """The declaration as it is."""
    return declared


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """One candidate and all that it is held against. A fault makes a faulty scene of a sound one.

    In a sound scene the base and the anchor are the candidate itself, written again: whatever a
    check notices of a faulty one is the fault.
    """

    model: Model
    recipe: Recipe
    candidate: Artifact
    reference: Artifact
    baseline: Artifact
    base: Artifact | LitegateError
    """What `base` and `anchor` give, or the error that they raise."""
    anchored: bool = False
    """Whether the run is held against an anchor, so that checks of drift are promised, too."""
    shipped: bytes
    """What the file that ships holds."""
    declared_before: Callable[[Declaration], Declaration] = same
    """Makes what the base declared of what this checkout declares."""
    seed: int = 0
    """Draws what a fault leaves to chance."""

    @property
    def name(self) -> str:
        """The candidate's name: "mnist_cnn/int8_qat"."""
        return f"{self.model.name}/{self.recipe.name}"

    @property
    def labels(self) -> Array:
        """The classes of the evaluation split, shape (n,). Unplantable where there are none."""
        found = self.candidate.evaluation.y
        if found is None:
            raise Unplantable("the evaluation split has no labels")
        if not chooses(self.candidate):
            raise Unplantable("the network does not choose between classes")
        return found

    def with_candidate(self, tflite: bytes) -> Scene:
        """The scene with other bytes for a candidate; they ship, too."""
        return replace(self, candidate=with_bytes(self.candidate, tflite), shipped=tflite)

    def with_edited(self, change: Callable[[Draft], None]) -> Scene:
        """The scene with a candidate whose unpacked bytes `change` alters."""
        return self.with_candidate(
            edit(self.candidate.tflite, lambda model: change(self.draft(model)))
        )

    def draft(self, model: Any) -> Draft:
        """An unpacked file of this scene, at the graph and the output that are judged."""
        split = self.candidate.evaluation
        return Draft(model, signature=self.candidate.signature, output=split.output)

    def with_reference(self, tflite: bytes) -> Scene:
        """The scene with other bytes for a float reference."""
        return replace(self, reference=with_bytes(self.reference, tflite))

    def with_samples(self, x: Samples) -> Scene:
        """The candidate is fed other samples than the reference, under the same labels.

        `x` is float32 of the evaluation split's shape, `Inputs` where there are several inputs. The
        candidate's bytes get another name, so that nothing takes the two for the same artifact.
        """
        split = replace(self.candidate.evaluation, x=x)
        renamed = edit(self.candidate.tflite, _describe)
        return replace(
            self.with_candidate(renamed),
            candidate=replace(with_bytes(self.candidate, renamed), evaluation=split),
        )

    def with_split(
        self, x: Samples, y: Array, slices: Mapping[str, Array] = MappingProxyType({})
    ) -> Scene:
        """Every artifact is judged on other samples, float32 (n, ...), and labels, shape (n, ...).

        `y` is None where there are no labels; `slices` are the masks of the new samples.
        """
        split = replace(self.candidate.evaluation, x=x, y=y, slices=slices, digest=digest(x, y))

        def moved(artifact: Artifact) -> Artifact:
            return replace(artifact, evaluation=split, keras_outputs=None)

        return replace(
            self,
            candidate=moved(self.candidate),
            reference=moved(self.reference),
            baseline=moved(self.baseline),
            base=moved(self.base) if isinstance(self.base, Artifact) else self.base,
        )


def sound(scene: Scene) -> Scene:
    """Grade 0 of every fault: the candidate written again, and held against itself.

    Writing a file again with the flatbuffer tools alone changes its size by about 100 bytes, so
    that faults count from the size of what was written again.
    """
    again = scene.with_candidate(edit(scene.candidate.tflite, lambda _model: None))
    return replace(again, base=again.candidate)


def with_bytes(artifact: Artifact, tflite: bytes) -> Artifact:
    """The artifact with other bytes."""
    return replace(artifact, tflite=tflite, sha256=hashlib.sha256(tflite).hexdigest())


def digest(x: Samples, y: Array) -> str:
    """A digest of samples and labels."""
    samples = b"".join(name.encode() + array.tobytes() for name, array in by_input(x))
    labels = b"" if y is None else y.tobytes()
    return hashlib.sha256(samples + labels).hexdigest()


def picked(outputs: Any, chosen: Any) -> Any:
    """The answers of Keras to some samples, shape (n, ...), or a mapping of such by output."""
    if isinstance(outputs, Mapping):
        return {name: array[chosen] for name, array in outputs.items()}
    return outputs[chosen]


def _describe(model: Any) -> None:
    text = model.description or b""
    model.description = text[:-1] + (b"!" if text[-1:] != b"!" else b"?")


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
    chosen = spread_indices(len(split.x), max(1, disk_arrays.IN_MEMORY // each))
    labels = None if split.y is None else split.y[chosen]
    slices = {name: mask[chosen] for name, mask in split.slices.items()}
    moved = scene.with_split(split.x[chosen], labels, slices)
    kept = None if keras is None else picked(keras, chosen)
    moved = replace(moved, candidate=replace(moved.candidate, keras_outputs=kept))
    said = f"{scene.name} is proven on {len(chosen):,} of {len(split.x):,} samples, evenly drawn"
    return moved, f"{said}: more are not held in memory, where faults are planted"
