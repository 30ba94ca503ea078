"""Define Model and its parts: data set, splits, files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.spec.budget import Budget
from litegate.spec.frames import Frames
from litegate.spec.recipe import Kind, Recipe
from litegate.spec.runtimes import Command
from litegate.spec.samples import Array, Domain, Samples, Stream
from litegate.spec.training import DECLARED, Training

SLICE = "slices."
"""Prefix of the names of slices in `Data.digests`."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """A data set: each split as arrays of equal length, samples first, or as a stream.

    The training split is None if nothing is trained, `y_test` if there are no labels. Samples of
    several inputs are a mapping from input names to arrays, labels of several outputs a mapping
    from output names; after preprocessing samples are `Inputs`.

    Raises ConfigError for a split given as arrays and as a stream, or without an evaluation split.
    """

    train: Stream | None = None
    """The training split, instead of `x_train` and `y_train`; read into memory as a whole."""
    test: Stream | None = None
    """The evaluation split, instead of `x_test` and `y_test`; never in memory as a whole."""
    x_train: Samples | Mapping[str, Array] = None
    """Training samples, shape (n, ...)."""
    y_train: Array | Mapping[str, Array] = None
    """Training labels: class numbers, integers, shape (n,), or (n, ...) for one per pixel; or
    regression targets, floats, shape (n, ...); None if the samples only calibrate recipes of
    litert-quantizer."""
    x_test: Samples | Mapping[str, Array] = None
    """Samples of the evaluation split, shape (m, ...)."""
    y_test: Array | Mapping[str, Array] = None
    """Labels of the evaluation split, shape (m, ...); their kind may differ from that of `y_train`,
    as for an anomaly detector."""
    slices: Mapping[str, Array] = field(default_factory=dict)
    """Masks of subsets of the evaluation split that are judged on their own, by name: bools, shape
    (m,)."""
    lengths: Array = None
    """Frames of each sequence of the evaluation split, integers, shape (m,), for
    `Data(sequences=...)`. `x_test` then holds the frames of all sequences, one after another, and
    `y_test` a label for each frame, or for each sequence. A stream has a sequence as each item,
    and no lengths."""

    def arrays(self) -> dict[str, Array]:
        """Return all arrays by their names in `Data.digests`.

        "x_test", or "x_test.NAME" for each of several inputs; "slices.NAME".
        """
        arrays: dict[str, Array] = {}
        for f in fields(self):
            content = getattr(self, f.name)
            if isinstance(content, Mapping):
                arrays |= {f"{f.name}.{name}": array for name, array in content.items()}
            elif content is not None and not isinstance(content, Stream):
                arrays[f.name] = content
        return arrays

    def __post_init__(self) -> None:
        for split in ("train", "test"):
            arguments = (split, f"x_{split}", f"y_{split}")
            passed = [name for name in arguments if getattr(self, name) is not None]
            if (split in passed and len(passed) > 1) or (split == "test" and not passed):
                raise ConfigError(
                    f"Splits(...) needs the {split} split in exactly one form",
                    expected=f"x_{split}=... with y_{split}=..., or {split}=lg.Stream(...)",
                    got=", ".join(passed) or "nothing",
                )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DataLocations:
    """Folders in which data sets are looked up."""

    project: Path | None = None
    """The project's root, the start of relative paths."""
    directory: Path | None = None
    """The setting `litegate_data`."""
    cache: Path | None = None
    """Folder for downloads; None forbids downloading."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A data set: how to load it, its expected digests, its preprocessing and domain.

    Raises ConfigError for classes that are not names.
    """

    name: str
    """Name of the data set, for messages and reports."""
    load: Callable[[DataLocations], Splits]
    """Loads the raw arrays. Runs only if something must be built."""
    preprocess: Callable[[Any], Any]
    """Maps raw samples, shape (n, ...), to the network's inputs, float32, shape (n, ...); for
    several inputs a mapping to a mapping. It must be a named function, since its source is part of
    the artifact's key, and must treat each sample by itself, since a large evaluation split is
    preprocessed in parts."""
    domain: Domain
    """Least and greatest value of a preprocessed input; for several inputs one pair for all, or a
    mapping from input names."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Digest of each raw array's dtype, shape and values, verified at every load. The names are
    those of `Splits`: "x_test", "x_test.NAME" for several inputs, "slices.NAME" for a slice.
    Nothing is judged without them; `litegate digests MODEL --write` fills them in."""
    classes: tuple[str, ...] = ()
    """Names of the classes, in the order of the network's outputs. Empty if the labels are not
    classes: then metrics replace the accuracy."""
    labels: bool = True
    """True if the evaluation split has labels; without labels accuracy cannot be measured."""
    output: str = ""
    """Name of the output whose classes these are and whose accuracy is judged; empty for the first
    in the file's signature."""
    files: tuple[str, ...] = ()
    """Files that the preprocessing reads, relative to the project's root; their bytes are part of
    the artifact's key."""
    sequences: Frames | None = None
    """Set if a sample of the evaluation split is a sequence of frames: the state of the file lasts
    from frame to frame, and is reset between sequences. The preprocessing maps frames."""

    def __post_init__(self) -> None:
        is_sequence = isinstance(self.classes, Sequence) and not isinstance(self.classes, str)
        if not is_sequence or not all(isinstance(name, str) for name in self.classes):
            raise ConfigError(
                "Data(classes=...) takes the names of the classes, in the order of the outputs",
                expected='such as classes=("cat", "dog")',
                got=repr(self.classes),
            )

    @property
    def slices(self) -> tuple[str, ...]:
        """Names of the evaluation split's slices, in alphabetical order."""
        return tuple(sorted(n.removeprefix(SLICE) for n in self.digests if n.startswith(SLICE)))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of the user: in git, pinned by its digest, or made by a command.

    Raises ConfigError for arguments that do not identify the file.
    """

    path: str = ""
    """Relative to the project's root, or absolute; ``~`` and ``$NAME`` are expanded."""
    url: str = ""
    """Downloaded once, instead of `path`; needs `sha256`."""
    sha256: str = ""
    """Expected digest; needed for a file outside of the project."""
    command: str = ""
    """Command that makes `path`; runs in the project's root, once per run, without a shell."""

    def __post_init__(self) -> None:
        if bool(self.path) is bool(self.url) or (self.command and self.url):
            raise ConfigError(
                "File(...) needs a path or a url, and takes a command only with a path",
                got=repr(self),
            )
        if not re.fullmatch("[0-9a-f]{64}", self.sha256 or "0" * 64):
            raise ConfigError(
                "File(sha256=...) is not a SHA-256 digest",
                expected="64 hexadecimal digits",
                got=self.sha256,
            )
        if self.url and not self.sha256:
            raise ConfigError(
                f"File(url={self.url!r}) has no sha256",
                expected="the digest of its bytes, since the server's file may change",
            )

    def __str__(self) -> str:
        return self.path or self.url


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as a builder function, `trained` or `prebuilt` declares it in `models/`."""

    name: str
    file: Path
    line: int
    """Line of the declaration, for messages."""
    build: Callable[..., Any]
    """Takes the `tf_keras` module, returns a network."""
    summary: str
    """The first line of the builder's docstring."""
    data: Data
    training: Training
    recipes: tuple[Recipe, ...]
    budget: Budget
    renamed_from: str | None = None
    """Name of this model in the base."""
    files: tuple[Path, ...] = ()
    """Files that the builder reads; their bytes are part of the artifact's key."""
    reads: tuple[Path, ...] = ()
    """Files of the project that the model's file read when it was loaded, Python source apart."""
    signature: str = ""
    """The signature that is judged, for ready-made files with several."""
    prebuilt: Mapping[str, File] = field(default_factory=dict)
    """The ready-made files: the reference, and the candidate unless recipes quantize the reference;
    empty for a model that is built."""
    start: File | None = None
    """The trained network that the recipes start from, instead of a builder's."""
    is_moved: bool = False
    """True if it is built on another device than the declared one."""

    @property
    def external_files(self) -> tuple[File, ...]:
        """Files of the user that this model needs; each may be missing on this machine."""
        return (self.start,) if self.start else tuple(self.prebuilt.values())

    @property
    def has_accuracy(self) -> bool:
        """True if the network is a classifier of named classes with labelled samples.

        A metric of other outputs than one score per class, such as `mse`, means that it is not.
        """
        metrics = (m for recipe in self.recipes for m in self.budget_of(recipe).metrics)
        is_classifier = all(metric.fits_classifier for metric in metrics)
        return self.data.labels and bool(self.data.classes) and is_classifier

    def budget_of(self, recipe: Recipe) -> Budget:
        """Return the limits of a recipe: its own, and the model's where a limit is unset."""
        return recipe.budget.with_defaults(self.budget) if recipe.budget else self.budget

    @property
    def commands(self) -> tuple[Command, ...]:
        """The runtimes of the project's own that its budgets name."""
        budgets = (self.budget, *(self.budget_of(recipe) for recipe in self.recipes))
        return tuple(dict.fromkeys(command for it in budgets for command in it.commands))

    def recipe(self, name: str) -> Recipe:
        """Return a recipe by name: the baseline, a reference, or one of this model's own.

        Raises KeyError for an unknown name.
        """
        baseline = Recipe(name="float32", kind=Kind.FLOAT32, gate=False)
        implied = (baseline, *(recipe.reference for recipe in self.recipes))
        return {recipe.name: recipe for recipe in (*implied, *self.recipes)}[name]


def on_device(model: Model, device: str) -> Model:
    """Return the model as it is built with `--litegate-device DEVICE`."""
    if device in (DECLARED, model.training.device):
        return model
    return replace(model, training=replace(model.training, device=device), is_moved=True)
