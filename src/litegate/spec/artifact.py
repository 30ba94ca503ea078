"""Define Artifact, a built `.tflite` file, and Evaluation, the samples that it is judged on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

from litegate.spec.frames import Frames
from litegate.spec.recipe import Recipe
from litegate.spec.runtimes import XNNPACK
from litegate.spec.samples import Array, Domain, Samples, Sequences


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """The evaluation split as networks read it, preprocessed; shared by all its artifacts."""

    digest: str
    """The data set's key: a digest of its raw arrays' digests and of its preprocessing."""
    x: Samples
    """float32, shape (n, ...); `Inputs` of such arrays for several inputs; `Sequences` if
    `sequences` is set."""
    y: Array
    """Class numbers of the deciding output, integers, shape (n,), or (n, ...) for masks; or
    regression targets, floats, shape (n, ...). None without labels."""
    classes: tuple[str, ...]
    """Names of the classes; empty if the labels are no classes."""
    domain: Domain
    output: str = ""
    """Name of the output whose accuracy is judged; empty for the first."""
    slices: Mapping[str, Array] = field(default_factory=dict)
    """Masks of subsets by name, in alphabetical order: bools, shape (n,)."""
    leaked_samples: int | None = None
    """Number of distinct samples that are also in the training split, byte for byte before the
    preprocessing; None if unknown, as for ready-made files."""
    sequences: Frames | None = None
    """The declaration of samples that are sequences. `y` may then have a label for each frame."""
    whole: Evaluation | None = None
    """The split of which these are some samples; its answers to them are theirs."""
    chosen: Array = None
    """Indices of these samples in the whole split, shape (n,)."""

    @property
    def has_frame_labels(self) -> bool:
        """True if `y` has a label for each frame of sequences, and not for each sequence."""
        has_labels = self.y is not None and isinstance(self.x, Sequences)
        return has_labels and len(self.y) != len(self.x)

    def labels_of(self, chosen: Array) -> Array:
        """Return the labels of samples with these indices, or of the frames of sequences.

        None without labels.
        """
        if not (self.has_frame_labels and isinstance(self.x, Sequences)):
            return None if self.y is None else self.y[chosen]
        spans = zip(self.x.starts[chosen].tolist(), self.x.stops[chosen].tolist(), strict=True)
        return self.y[[frame for start, stop in spans for frame in range(start, stop)]]

    def some(self, chosen: Array) -> Evaluation:
        """Return the samples with these indices, shape (k,), as a split of their own."""
        digest = hashlib.sha256(f"{self.digest} {chosen.tolist()}".encode()).hexdigest()
        return replace(
            self,
            digest=digest,
            x=self.x[chosen],
            y=self.labels_of(chosen),
            slices={name: mask[chosen] for name, mask in self.slices.items()},
            whole=self,
            chosen=chosen,
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One built `.tflite` file with its certificate. Equal if the bytes and the split are equal."""

    model: str
    recipe: Recipe = field(compare=False)
    tflite: bytes = field(repr=False, compare=False)
    sha256: str
    certificate: Mapping[str, Any] = field(repr=False, compare=False)
    """All inputs of the build: key, versions, processor, digests, seeds."""
    training_curve: tuple[Mapping[str, Any], ...] = field(default=(), repr=False, compare=False)
    """One row per epoch: stage, epoch, loss, accuracy, val_loss, val_accuracy. A value is None if
    the loss or the labels do not define it."""
    evaluation: Evaluation = field(repr=False)
    keras_outputs: Array = field(default=None, repr=False, compare=False)
    """Outputs of the converted Keras network, float32, shape (n, ...); for several outputs a
    mapping from their names."""
    signature: str = ""
    """The signature that is judged; empty if the file has at most one."""
    title: str = field(default="", compare=False)
    """Name in sentences of a file that no model declares; empty for a model's artifact."""
    runtime: str = XNNPACK
    """The runtime that its answers come from."""
    elsewhere: bytes = field(default=b"", repr=False, compare=False)
    """Bytes that further runtimes run in its place, as a proof plants them; empty: its own."""
    resets: bool = True
    """False if state runs on from one sample into the next, as a proof plants it."""

    @property
    def ran_bytes(self) -> bytes:
        """The file that its runtime runs."""
        return self.tflite if self.runtime == XNNPACK else self.elsewhere or self.tflite

    @property
    def name(self) -> str:
        """Name for messages: "mnist_cnn/int8_qat", or "mnist_cnn/int8_qat on tflm"."""
        name = self.title or f"{self.model}/{self.recipe.name}"
        return name if self.runtime == XNNPACK else f"{name} on {self.runtime}"
