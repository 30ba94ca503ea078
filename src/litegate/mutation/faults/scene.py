"""Scenes: the artifacts that checks receive in a proof, instead of those of the run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, final

import numpy as np

from litegate.core.errors import LitegateError
from litegate.data import disk_arrays
from litegate.data.duplicates import sample_digests
from litegate.measures.accuracy.agreement import spread_indices
from litegate.measures.accuracy.decisions import chooses
from litegate.spec import Array, Artifact, Model, Recipe, Samples, Sequences, by_input
from litegate.tflite.editing.draft import Draft, edit

Declaration = Mapping[str, Any]
"""The declarations of a checkout in JSON's types, as `litegate.regression.weakening` takes them."""


class Unplantable(LitegateError):
    """Raised if a model cannot have a fault, such as clipped weights in a model without weights."""


def unchanged(declaration: Declaration) -> Declaration:
    """Return the declaration as it is."""
    return declaration


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A candidate and everything that checks compare it with.

    A fault turns a sound scene into a faulty one. In a sound scene, the base and the anchor are the
    candidate itself, so that a check of a faulty scene can notice nothing but the fault.
    """

    model: Model
    recipe: Recipe
    candidate: Artifact
    reference: Artifact
    baseline: Artifact
    base: Artifact | LitegateError
    """The artifact that the fixtures `base` and `anchor` return, or the error that they raise."""
    anchored: bool = False
    """Whether the run has an anchor, so that the gate must have checks of drift, too."""
    shipped: bytes
    """The content of the file that ships."""
    derive_base_declaration: Callable[[Declaration], Declaration] = unchanged
    """Returns the base's declaration for that of this checkout, which a fault may alter."""
    seed: int = 0
    """Seed of the faults' random choices."""

    @property
    def name(self) -> str:
        """The candidate's name, as in "mnist_cnn/int8_qat"."""
        return f"{self.model.name}/{self.recipe.name}"

    @property
    def labels(self) -> Array:
        """The class labels of the evaluation split, shape (n,).

        Raises Unplantable without labels or if the network is not a classifier.
        """
        labels = self.candidate.evaluation.y
        if labels is None:
            raise Unplantable("the evaluation split has no labels")
        if not chooses(self.candidate):
            raise Unplantable("the network is not a classifier")
        return labels

    def with_candidate(self, tflite: bytes) -> Scene:
        """Replace the bytes of the candidate and of the file that ships."""
        return replace(self, candidate=with_bytes(self.candidate, tflite), shipped=tflite)

    def with_edited(self, change: Callable[[Draft], None]) -> Scene:
        """Replace the candidate by a copy that `change` has altered."""
        return self.with_candidate(
            edit(self.candidate.tflite, lambda model: change(self.draft(model)))
        )

    def draft(self, model: Any) -> Draft:
        """Open an unpacked file at the signature and the output that the checks judge."""
        split = self.candidate.evaluation
        return Draft(model, signature=self.candidate.signature, output=split.output)

    def with_reference(self, tflite: bytes) -> Scene:
        """Replace the bytes of the float reference."""
        return replace(self, reference=with_bytes(self.reference, tflite))

    def with_samples(self, x: Samples) -> Scene:
        """Feed the candidate other samples than the reference, under the same labels.

        `x` is float32 of the evaluation split's shape; `Inputs` if the model has several inputs.
        The candidate gets another description and so another digest, so that no measure takes it
        for the same artifact as its base.
        """
        split = replace(self.candidate.evaluation, x=x)
        tflite = edit(self.candidate.tflite, _change_description)
        return replace(
            self.with_candidate(tflite),
            candidate=replace(with_bytes(self.candidate, tflite), evaluation=split),
        )

    def with_split(
        self, x: Samples, y: Array, slices: Mapping[str, Array] = MappingProxyType({})
    ) -> Scene:
        """Judge every artifact on other samples, float32 (n, ...), and labels, shape (n, ...).

        `y` is None without labels; `slices` are the masks of the new samples. Removes the answers
        of Keras, which belong to the old samples.
        """
        split = replace(self.candidate.evaluation, x=x, y=y, slices=slices, digest=digest(x, y))

        def with_new_split(artifact: Artifact) -> Artifact:
            return replace(artifact, evaluation=split, keras_outputs=None)

        return replace(
            self,
            candidate=with_new_split(self.candidate),
            reference=with_new_split(self.reference),
            baseline=with_new_split(self.baseline),
            base=with_new_split(self.base) if isinstance(self.base, Artifact) else self.base,
        )


def sound(scene: Scene) -> Scene:
    """Return grade 0 of every fault: the candidate, packed again, with itself as its base.

    Packing a file again with the flatbuffer tools changes its size by about 100 bytes, so the size
    of the packed file is the one to which faults add.
    """
    repacked = scene.with_candidate(edit(scene.candidate.tflite, lambda _model: None))
    return replace(repacked, base=repacked.candidate)


def with_bytes(artifact: Artifact, tflite: bytes) -> Artifact:
    """Replace the bytes and the digest of an artifact."""
    return replace(artifact, tflite=tflite, sha256=hashlib.sha256(tflite).hexdigest())


def digest(x: Samples, y: Array) -> str:
    """Return the SHA-256 digest of samples and labels."""
    labels = b"" if y is None else y.tobytes()
    if isinstance(x, Sequences):
        return hashlib.sha256(sample_digests(x).tobytes() + labels).hexdigest()
    samples = b"".join(name.encode() + array.tobytes() for name, array in by_input(x))
    return hashlib.sha256(samples + labels).hexdigest()


def _in_memory(x: Samples) -> Samples:
    """Return selected samples; of sequences, with their own frames alone, read into memory."""
    if not isinstance(x, Sequences):
        return x
    # An array: samples of several inputs are never on disk.
    parts: list[Array] = [part for _, part in x.parts(max(x.lengths.tolist()))]
    stops = np.cumsum(x.lengths)
    return Sequences(np.concatenate(parts), stops - x.lengths, stops)


def select_outputs(outputs: Any, indices: Any) -> Any:
    """Return the outputs of some samples: an array of shape (n, ...), or a mapping by output."""
    if isinstance(outputs, Mapping):
        return {name: array[indices] for name, array in outputs.items()}
    return outputs[indices]


def _change_description(model: Any) -> None:
    """Replace the description's last character, which changes the digest and nothing else."""
    text = model.description or b""
    model.description = text[:-1] + (b"!" if text[-1:] != b"!" else b"?")


def fit_in_memory(scene: Scene) -> tuple[Scene, str]:
    """Reduce the evaluation split to the samples that fit in memory; return a note about it, too.

    Takes one sample from each of equally long stretches, for every artifact. The note is empty if
    the split is in memory already.
    """
    split, keras_outputs = scene.candidate.evaluation, scene.candidate.keras_outputs
    inputs = [array for _, array in by_input(split.x)]
    if not any(isinstance(array, disk_arrays.DiskArray) for array in inputs):
        return scene, ""
    sample_bytes = sum(array.nbytes for array in inputs) // len(split.x)
    indices = spread_indices(len(split.x), max(1, disk_arrays.IN_MEMORY // sample_bytes))
    labels = split.labels_of(indices)
    slices = {name: mask[indices] for name, mask in split.slices.items()}
    reduced = scene.with_split(_in_memory(split.x[indices]), labels, slices)
    if keras_outputs is not None:
        keras_outputs = select_outputs(keras_outputs, indices)
    reduced = replace(reduced, candidate=replace(reduced.candidate, keras_outputs=keras_outputs))
    count = f"{scene.name} is proven on {len(indices):,} of {len(split.x):,} samples, evenly drawn"
    return reduced, f"{count}: a proof keeps no more in memory"
