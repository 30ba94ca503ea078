"""What is built of a model, and the samples that it is judged on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from litegate.spec.recipe import Recipe
from litegate.spec.samples import Array, Domain, Samples


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """The evaluation split, as networks are fed it; one object for every artifact of it."""

    digest: str
    """The data set's key: its raw arrays' digests and its preprocessing."""
    x: Samples
    """float32, shape (n, ...); `Inputs` of such where there are several inputs."""
    y: Array
    """Class numbers of the deciding output, integers, shape (n,), or (n, ...) for masks; or
    targets, floats, shape (n, ...). None where there are none."""
    classes: tuple[str, ...]
    """Empty where the labels are no classes."""
    domain: Domain
    output: str = ""
    """The output that decides, by its name; empty for the first."""
    slices: Mapping[str, Array] = field(default_factory=dict)
    """Parts of it by name, in the order of the alphabet: bools, shape (n,)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One built `.tflite` with its birth certificate. Equal where bytes and split are equal."""

    model: str
    recipe: Recipe = field(compare=False)
    tflite: bytes = field(repr=False, compare=False)
    sha256: str
    certificate: Mapping[str, Any] = field(repr=False, compare=False)
    """Every input that made it: key, versions, processor, digests, seeds."""
    history: tuple[Mapping[str, Any], ...] = field(default=(), repr=False, compare=False)
    """One row an epoch: stage, epoch, loss, accuracy, val_loss, val_accuracy; None where it
    does not suit the loss or the labels."""
    evaluation: Evaluation = field(repr=False)
    keras_outputs: Array = field(default=None, repr=False, compare=False)
    """Outputs of the Keras network that was converted, float32, shape (n, ...); of several a
    mapping from the output's name."""
    signature: str = ""
    """The signature that is judged; empty where the file has one at most."""
    title: str = field(default="", compare=False)
    """What sentences call a file that is no model's; empty for one that is."""

    @property
    def name(self) -> str:
        """The subject of a sentence: "mnist_cnn/int8_qat"."""
        return self.title or f"{self.model}/{self.recipe.name}"
