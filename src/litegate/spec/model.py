"""What a file in `models/` declares: training, data, files, the model itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.spec.budget import Budget
from litegate.spec.recipe import Kind, Recipe
from litegate.spec.samples import Array, Domain, Samples, Stream

SLICE = "slices."
"""What the name of a slice begins with among a data set's digests."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How a network is trained; everything here is part of an artifact's key."""

    epochs: int = 1
    """Passes over the training split; 0 leaves the weights as the builder gives them."""
    batch_size: int = 32
    seed: int = 7
    """Seeds the initial weights, the order of the batches and every random layer."""
    optimizer: str = "adam"
    """A Keras optimizer by name."""
    learning_rate: float | None = None
    """None leaves the optimizer's own default."""
    fine_tune_learning_rate: float | None = None
    """That of fine-tuning, and of the reference beside it; None leaves `learning_rate`."""
    loss: str | Mapping[str, str] = "sparse_categorical_crossentropy"
    """A Keras loss by name; of several outputs one for all, or a mapping from each output."""
    from_logits: bool = True
    """For a cross-entropy: the network's last layer has no softmax."""
    threads: int = 1
    """Threads of one operation. Not the machine's: float sums depend on it, so do the bytes."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "threads", "seed"):
            if not isinstance(getattr(self, name), int):
                raise ConfigError(
                    f"Training({name}=...) is a whole number", got=repr(getattr(self, name))
                )
        for name, least in (("epochs", 0), ("batch_size", 1), ("threads", 1)):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"Training({name}=...) must be at least {least}", got=str(getattr(self, name))
                )
        if self.seed < 0:
            raise ConfigError("Training(seed=...) must not be negative", got=str(self.seed))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """A data set: each split as arrays, samples first, equal lengths, or as a stream.

    The training split is None where nothing is trained, `y_test` where there are no labels. Samples
    of several inputs are a mapping from the input's name to its array, labels of several outputs
    one from the output's; prepared, samples are `Inputs`. ConfigError for a split that is given in
    both ways, or no evaluation split.
    """

    train: Stream | None = None
    """The training split in place of `x_train` and `y_train`; gathered into memory."""
    test: Stream | None = None
    """The evaluation split in place of `x_test` and `y_test`; never in memory as a whole."""
    x_train: Samples | Mapping[str, Array] = None
    """Training samples, shape (n, ...)."""
    y_train: Array | Mapping[str, Array] = None
    """What the network is trained towards: class numbers, integers, shape (n,), or (n, ...) for one
    a pixel; or targets, floats, shape (n, ...)."""
    x_test: Samples | Mapping[str, Array] = None
    """Samples of the evaluation split, shape (m, ...)."""
    y_test: Array | Mapping[str, Array] = None
    """Their labels, of either kind; they may be of another than `y_train`, as an anomaly detector's
    are. Shape (m, ...)."""
    slices: Mapping[str, Array] = field(default_factory=dict)
    """Parts of the evaluation split that must not be lost in it, by name: bools, shape (m,)."""

    def arrays(self) -> dict[str, Array]:
        """The arrays that there are, by the names that `Data.digests` has for them.

        "x_test", or "x_test.NAME" for each of several inputs; "slices.NAME".
        """
        found: dict[str, Array] = {}
        for each in fields(self):
            held = getattr(self, each.name)
            if isinstance(held, Mapping):
                found |= {f"{each.name}.{name}": array for name, array in held.items()}
            elif held is not None and not isinstance(held, Stream):
                found[each.name] = held
        return found

    def __post_init__(self) -> None:
        for split in ("train", "test"):
            ways = (split, f"x_{split}", f"y_{split}")
            given = [name for name in ways if getattr(self, name) is not None]
            if (split in given and len(given) > 1) or (split == "test" and not given):
                raise ConfigError(
                    f"Splits(...) needs the {split} split in one way",
                    expected=f"x_{split}=... with y_{split}=..., or {split}=lg.Stream(...)",
                    got=", ".join(given) or "nothing",
                )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DataLocations:
    """Where data may be looked for."""

    project: Path | None = None
    """The folder that paths of the user's own start from."""
    directory: Path | None = None
    """The data directory setting."""
    cache: Path | None = None
    """Where a download is kept; None forbids downloading."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A data set: how it is had, what it must be, and what its inputs may be."""

    name: str
    load: Callable[[DataLocations], Splits]
    """Gives the raw arrays. Runs only when something must be built."""
    digests: Mapping[str, str]
    """SHA-256 of each raw array's bytes, by its name in `Splits` ("x_test"; of several inputs
    "x_test.NAME"), "slices.NAME" for a slice; verified at every load."""
    preprocess: Callable[[Any], Any]
    """Raw samples, shape (n, ...), to what the network is fed, float32, shape (n, ...); of several
    inputs a mapping to a mapping. A named function: its source is part of the artifact's key. It
    treats each sample by itself, for it is shown a large evaluation split a part at a time."""
    domain: Domain
    """The least and greatest value of a preprocessed input; of several inputs one pair for all, or
    a mapping from each input's name."""
    classes: tuple[str, ...] = ()
    """The name of each class, in the order of the network's outputs. Empty where labels are no
    classes: then there is no accuracy, and metrics take its place."""
    labels: bool = True
    """Whether the evaluation split has labels; without them accuracy cannot be measured."""
    output: str = ""
    """Of several outputs the one whose classes these are: accuracy is its accuracy. Empty for the
    first in the file's signature."""
    files: tuple[str, ...] = ()
    """What the preprocessing reads, by paths from the project's root: their bytes are part of the
    artifact's key."""

    @property
    def slices(self) -> tuple[str, ...]:
        """The names of the evaluation split's slices, in the order of the alphabet."""
        return tuple(sorted(n.removeprefix(SLICE) for n in self.digests if n.startswith(SLICE)))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of the user's own. It lies in git, or is pinned by its digest, or is made.

    ConfigError where what is given does not say so.
    """

    path: str = ""
    """From the project's root, or absolute; ``~`` and ``$NAME`` are filled in."""
    url: str = ""
    """Fetched once, in place of `path`; needs `sha256`."""
    sha256: str = ""
    """What the bytes must be; needed for whatever lies outside the project."""
    command: str = ""
    """Makes `path`; run in the project's root, once in each run, without a shell."""

    def __post_init__(self) -> None:
        if bool(self.path) is bool(self.url) or (self.command and self.url):
            raise ConfigError(
                "File(...) names a path or a url, and a command only beside a path",
                got=repr(self),
            )
        if not re.fullmatch("[0-9a-f]{64}", self.sha256 or "0" * 64):
            raise ConfigError(
                "File(sha256=...) is no SHA-256", expected="64 hexadecimal digits", got=self.sha256
            )
        if self.url and not self.sha256:
            raise ConfigError(
                f"File(url={self.url!r}) has no sha256",
                expected="the digest of its bytes: what a server sends may change",
            )

    def __str__(self) -> str:
        return self.path or self.url


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What a builder function, `trained` or `prebuilt` declares in `models/`."""

    name: str
    file: Path
    line: int
    """Where it stands, for messages."""
    build: Callable[..., Any]
    """Takes the `tf_keras` module, returns a network."""
    summary: str
    """The first line of the builder's docstring."""
    data: Data
    training: Training
    recipes: tuple[Recipe, ...]
    budget: Budget
    renamed_from: str | None = None
    """The name that the base knows this model by."""
    files: tuple[Path, ...] = ()
    """What the builder reads; their bytes are part of the artifact's key."""
    signature: str = ""
    """Of ready-made files with several signatures the one that is judged."""
    prebuilt: Mapping[str, File] = field(default_factory=dict)
    """The ready-made file of each recipe, the reference included; empty for what is built."""
    start: File | None = None
    """The trained network that the recipes start from, in place of a builder's."""

    @property
    def brought(self) -> tuple[File, ...]:
        """The files from elsewhere that this model rests on, each of which may not be had here."""
        return (self.start,) if self.start else tuple(self.prebuilt.values())

    @property
    def chooses(self) -> bool:
        """Whether its network is taken to choose between named classes, so has an accuracy.

        Not where one of its metrics is of other outputs than one score a class.
        """
        metrics = (each for recipe in self.recipes for each in self.budget_of(recipe).metrics)
        chosen = all(each.chooses for each in metrics)
        return self.data.labels and bool(self.data.classes) and chosen

    def budget_of(self, recipe: Recipe) -> Budget:
        """The limits of one recipe: its own over the model's."""
        return recipe.budget.over(self.budget) if recipe.budget else self.budget

    def recipe(self, name: str) -> Recipe:
        """The recipe of that name, among this model's own, their references and the baseline."""
        baseline = Recipe(name="float32", kind=Kind.FLOAT32, gate=False)
        implied = (baseline, *(recipe.reference for recipe in self.recipes))
        return {recipe.name: recipe for recipe in (*implied, *self.recipes)}[name]
