"""The nouns: what a file in `models/` declares and what is built from it.

Frozen dataclasses of the standard library alone. Arrays are typed `Any` here, with their shape and
type in words, so that reading a model file costs no import of NumPy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any, final

from litegate.errors import ConfigError
from litegate.units import Number, Quantity, Unit

Array = Any
"""A NumPy array."""


class Kind(StrEnum):
    """The ways from a network to a `.tflite` file."""

    FLOAT32 = "float32"
    INT8_QAT = "int8_qat"
    INT8_PTQ = "int8_ptq"
    DYNAMIC_RANGE = "dynamic_range"
    FLOAT16 = "float16"
    INT16X8 = "int16x8"


IO_TYPES = ("float32", "int8", "uint8")


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
    loss: str = "sparse_categorical_crossentropy"
    """A Keras loss by name."""
    from_logits: bool = True
    """For a cross-entropy: the network's last layer has no softmax."""
    threads: int = 1
    """Threads of one operation. Not the machine's: float sums depend on it, so do the bytes."""

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("batch_size", 1), ("threads", 1)):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"Training({name}=...) must be at least {least}", got=str(getattr(self, name))
                )
        if self.seed < 0:
            raise ConfigError("Training(seed=...) must not be negative", got=str(self.seed))


_HALF_A_POINT = Quantity(Fraction(5, 1000), Unit.POINTS)
_ONE_PERCENT = Quantity(Fraction(1, 100), Unit.PERCENT)
_TWO_AND_A_HALF_PERCENT = Quantity(Fraction(25, 1000), Unit.PERCENT)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """How much worse than the base a change may make a model; the defaults where none is set."""

    accuracy: Quantity = field(default=_HALF_A_POINT, metadata={"unit": Unit.POINTS})
    """Most top-1 accuracy that may be lost against the base."""
    size: Quantity = field(default=_ONE_PERCENT, metadata={"unit": Unit.PERCENT})
    """Most that the file may grow, as a share of the base's bytes."""
    latency: Quantity = field(default=_TWO_AND_A_HALF_PERCENT, metadata={"unit": Unit.PERCENT})
    """Most that one invocation may take longer, as a share of the base's time; at least 1 %."""
    lost_types: int = field(default=0, metadata={"unit": Unit.COUNT})
    """Most tensors that may lose their integer type."""
    agreement: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Least share of samples that both must decide alike; None judges nothing by it."""
    operators: int | None = field(default=None, metadata={"unit": Unit.COUNT})
    """Most operators that may come or go; None judges nothing by it."""

    def __post_init__(self) -> None:
        for each in fields(self):
            _check_limit("Regression", each.name, each.metadata["unit"], getattr(self, each.name))

    def unset(self) -> tuple[str, ...]:
        """The names of the fields that hold no limit."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) is None)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a model promises: the limits that its measurements must keep.

    A field left unset collects no check. `unit` in a field's metadata names the unit of its limit.
    """

    accuracy: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Least top-1 accuracy on the evaluation split."""
    accuracy_drop: Quantity | None = field(default=None, metadata={"unit": Unit.POINTS})
    """Most top-1 accuracy that quantizing may cost against the float reference."""
    extra_errors: Quantity | None = field(default=None, metadata={"unit": Unit.PER_THOUSAND})
    """Most additional wrong answers for each thousand samples."""
    class_drop: Quantity | None = field(default=None, metadata={"unit": Unit.POINTS})
    """Most accuracy that quantizing may cost any one class."""
    keras_agreement: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Least share of equal decisions of the Keras fake-quant network and the `.tflite`."""
    keras_difference: Quantity | None = field(default=None, metadata={"unit": Unit.QUANTA})
    """Largest difference of their outputs, in steps of the output's quantization."""
    agreement: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Least share of equal decisions of the float reference and the candidate."""
    output_error: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Largest RMS of what their outputs differ by, as a share of the reference's RMS."""
    kernel_agreement: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Least share of equal decisions of the optimized and the reference kernels."""
    size: Quantity | None = field(default=None, metadata={"unit": Unit.BYTES})
    """Largest `.tflite` file."""
    size_ratio: Number | None = field(default=None, metadata={"unit": Unit.RATIO})
    """Largest size as a share of the float reference's."""
    compressed_size: Quantity | None = field(default=None, metadata={"unit": Unit.BYTES})
    """Largest size after zlib at level 9, near what an app store or an update sends."""
    sparsity: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Least share of weights that are zero."""
    unique_weights: int | None = field(default=None, metadata={"unit": Unit.COUNT})
    """Most different weights that share one scale, in any layer."""
    latency: Quantity | None = field(default=None, metadata={"unit": Unit.SECONDS})
    """Longest median time of one invocation, one sample, one thread."""
    latency_ratio: Number | None = field(default=None, metadata={"unit": Unit.RATIO})
    """Longest time of one invocation as a share of the float reference's."""

    macs: int | None = field(default=None, metadata={"unit": Unit.COUNT})
    """Most multiply-accumulates of one invocation."""
    arena: Quantity | None = field(default=None, metadata={"unit": Unit.BYTES})
    """Most memory that the activations of one invocation need at once."""

    target: str | None = None
    """What must take every operator: "tflm", "edgetpu", "ethos-u", "xnnpack-int8", or the path of a
    TOML file of the project's, from its root."""
    regression: Regression | None = None
    """How much worse than the base a change may make it; None takes `Regression`'s defaults."""

    def __post_init__(self) -> None:
        if self.target is not None and not (isinstance(self.target, str) and self.target):
            raise ConfigError(
                "Budget(target=...) is a name or the path of a .toml file", got=repr(self.target)
            )
        for each in _limits():
            _check_limit("Budget", each.name, each.metadata["unit"], getattr(self, each.name))

    def over(self, other: Budget) -> Budget:
        """The limits set here, and the other's where a field is unset here."""
        mine = {f.name: getattr(self, f.name) for f in fields(self)}
        return Budget(**{k: getattr(other, k) if v is None else v for k, v in mine.items()})

    def unset(self) -> tuple[str, ...]:
        """The names of the fields that hold no limit."""
        return tuple(f.name for f in _limits() if getattr(self, f.name) is None)


OF_LABELS = frozenset(
    {"accuracy", "accuracy_drop", "extra_errors", "class_drop", "regression.accuracy"}
)
"""The limits of what only labels can tell."""


def _limits() -> tuple[Field[Any], ...]:
    return tuple(each for each in fields(Budget) if "unit" in each.metadata)


def _check_limit(owner: str, name: str, unit: Unit, limit: object) -> None:
    if limit is None:
        return
    plain = isinstance(limit, int | float | Fraction) and not isinstance(limit, bool)
    if unit is Unit.RATIO:
        if not plain:
            raise ConfigError(f"{owner}({name}=...) is a plain ratio", got=repr(limit))
        return
    if unit is Unit.COUNT:
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
            raise ConfigError(
                f"{owner}({name}=...) is a plain number of things",
                expected="0, 1, 2, ...",
                got=repr(limit),
            )
        return
    if not isinstance(limit, Quantity) or limit.unit is not unit:
        got = f"{limit} ({limit.unit})" if isinstance(limit, Quantity) else repr(limit)
        raise ConfigError(
            f"{owner}({name}=...) has the wrong unit",
            expected=f"a quantity in {unit}",
            got=got,
            remedy="use litegate.percent, points, per_thousand, kib, byte, ms, us or quanta",
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """Magnitude pruning: the weights nearest to zero become zero, and stay it."""

    sparsity: Quantity
    """The share of each layer's weights that become zero: ``percent(60)``."""
    epochs: int = 2
    """Epochs of training with the pruned weights, before anything else of the recipe."""

    def __post_init__(self) -> None:
        _check_limit("Pruning", "sparsity", Unit.PERCENT, self.sparsity)
        if self.sparsity is None or not 0 < self.sparsity.value < 1 or self.epochs < 1:
            raise ConfigError(
                "Pruning(...) needs a share between 0 and 100 % and at least one epoch",
                got=repr(self),
            )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """Weight clustering: the weights of a layer share a few values."""

    clusters: int
    """How many values each layer is left with."""
    epochs: int = 1
    """Epochs of training with the shared values, after pruning and before quantizing."""

    def __post_init__(self) -> None:
        if self.clusters < 2 or self.epochs < 1:
            raise ConfigError(
                "Clustering(...) needs at least two clusters and one epoch", got=repr(self)
            )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A named way from network to `.tflite`; made by a function of `litegate.recipes`."""

    name: str
    """Unique in its model; names the test id, the report's row and the exported file."""
    kind: Kind
    gate: bool = True
    """False: built, measured and shown beside the others, never judged."""
    budget: Budget | None = None
    """Limits that take the place of the model's own, field by field."""
    from_scratch: bool = False
    """int8_qat: quantization-aware from the first batch, in place of fine-tuning."""
    fine_tune_epochs: int = 0
    """Epochs after the model's own; for `float32`, those of a fair control."""
    input_type: str = "float32"
    output_type: str = "float32"
    annotate: Callable[..., Any] | None = None
    """int8_qat: ``annotate(network, tfmot)`` returns the network annotated by tfmot's own API."""
    custom_objects: Callable[[], Mapping[str, Any]] | None = None
    """int8_qat: returns the custom layers and QuantizeConfigs that `annotate` uses, by name."""
    float_layers: tuple[str, ...] = ()
    """int8_qat: layers that are left float, by name. The file must compute them in floats, and
    nothing else."""
    pruning: Pruning | None = None
    """int8_qat: makes weights zero before quantizing, which keeps them so."""
    clustering: Clustering | None = None
    """int8_qat: makes weights alike before quantizing, which keeps them so."""
    calibration_samples: int = 500
    """int8_ptq, int16x8: samples of the training split that set the activations' ranges."""
    strip: bool = False
    """Take out of the file what no device reads; its answers stay the same to the bit."""
    shipped: str | None = None
    """The file of the project that ships, relative to its root: it must hold the gated bytes."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w+-]*", self.name):
            raise ConfigError(
                f"a recipe cannot be called {self.name!r}: it names a folder and a test",
                expected="letters, digits, _, + and -",
            )
        if self.calibration_samples < 1 or self.fine_tune_epochs < 0:
            raise ConfigError(f"recipe {self.name}: a number of samples or epochs is too low")
        for name in ("input_type", "output_type"):
            if getattr(self, name) not in IO_TYPES:
                raise ConfigError(
                    f"recipe {self.name}: {name} is not supported",
                    expected=", ".join(IO_TYPES),
                    got=repr(getattr(self, name)),
                )
        if self.shipped is not None and not (self.shipped and self.gate):
            raise ConfigError(
                f"recipe {self.name} ships what nothing judges",
                expected="a gated recipe, and the path of a file",
                got=f"shipped={self.shipped!r}, gate={self.gate}",
                remedy="drop shipped=... or gate=False",
            )
        self._check_training()
        self._check_float_layers()
        for hook in (self.annotate, self.custom_objects):
            if hook is not None and not hook.__qualname__.isidentifier():
                raise ConfigError(
                    f"recipe {self.name}: {hook.__qualname__} is not a function of a module",
                    expected="a named function at the top of the model's file",
                    remedy="move it there: its source is part of the artifact's key",
                )

    def _check_float_layers(self) -> None:
        if not all(isinstance(each, str) and each for each in self.float_layers):
            raise ConfigError(
                f"recipe {self.name}: float_layers is no tuple of names",
                expected='names of layers: ("dense",)',
                got=repr(self.float_layers),
            )
        if self.float_layers and self.strip:
            raise ConfigError(
                f"recipe {self.name}: a stripped file no longer tells which layers are float",
                expected="float_layers or strip",
            )

    def _check_training(self) -> None:
        compressed = [each for each in (self.pruning, self.clustering) if each]
        trained = (self.annotate, self.custom_objects, self.float_layers, compressed)
        if any(trained) and self.kind is not Kind.INT8_QAT:
            raise ConfigError(
                f"recipe {self.name}: {self.kind} takes none of annotate, custom_objects, "
                "float_layers, pruning and clustering",
                expected="int8_qat",
            )
        if compressed and self.from_scratch:
            raise ConfigError(
                f"recipe {self.name}: pruning and clustering start from trained weights",
                expected="no from_scratch beside them",
            )

    @property
    def epochs(self) -> int:
        """Epochs after the model's own: those of pruning, of clustering and of fine-tuning."""
        steps = (each.epochs for each in (self.pruning, self.clustering) if each)
        return self.fine_tune_epochs + sum(steps)

    @property
    def reference(self) -> Recipe:
        """The float recipe with the same start, epochs and batches as this one."""
        extra = 0 if self.from_scratch else self.epochs
        name = f"float32+{extra}" if extra else "float32"
        return Recipe(name=name, kind=Kind.FLOAT32, gate=False, fine_tune_epochs=extra)

    def spec(self) -> dict[str, Any]:
        """What of this recipe makes the bytes, in JSON's types; names and budgets do not."""
        hooks = {k: h.__qualname__ if h else None for k, h in self._hooks().items()}
        kept = ("kind", "from_scratch", "fine_tune_epochs", "input_type", "output_type")
        values = {name: getattr(self, name) for name in kept}
        return values | hooks | self._rare() | {"calibration_samples": self.calibration_samples}

    def _rare(self) -> dict[str, Any]:
        """What few recipes say, by name; nothing of what is left out."""
        found: dict[str, Any] = {}
        if self.float_layers:
            found["float_layers"] = sorted(self.float_layers)
        if self.pruning:
            sparsity = str(Fraction(self.pruning.sparsity.value))
            found["pruning"] = {"sparsity": sparsity, "epochs": self.pruning.epochs}
        if self.clustering:
            found["clustering"] = asdict(self.clustering)
        if self.strip:
            found["strip"] = True
        return found

    def _hooks(self) -> dict[str, Callable[..., Any] | None]:
        return {"annotate": self.annotate, "custom_objects": self.custom_objects}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """A data set in memory: samples first, equal lengths in each split.

    The training split is None where nothing is trained, `y_test` where there are no labels.
    """

    x_train: Array = None
    """Training samples, shape (n, ...)."""
    y_train: Array = None
    """Integer class labels, shape (n,)."""
    x_test: Array
    """Samples of the evaluation split, shape (m, ...)."""
    y_test: Array = None
    """Their labels, shape (m,)."""


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
    """SHA-256 of each raw array's bytes, by its name in `Splits`; verified at every load."""
    preprocess: Callable[[Array], Array]
    """Raw samples, shape (n, ...), to what the network is fed, float32, shape (n, ...). A named
    function: its source is part of the artifact's key."""
    domain: tuple[float, float]
    """The least and greatest value of a preprocessed input."""
    classes: tuple[str, ...]
    """The name of each class, in the order of the network's outputs."""
    labels: bool = True
    """Whether the evaluation split has labels; without them accuracy cannot be measured."""


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
    """What a builder function or `prebuilt` declares in `models/`."""

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
    prebuilt: Mapping[str, File] = field(default_factory=dict)
    """The ready-made file of each recipe, the reference included; empty for what is built."""

    def budget_of(self, recipe: Recipe) -> Budget:
        """The limits of one recipe: its own over the model's."""
        return recipe.budget.over(self.budget) if recipe.budget else self.budget

    def recipe(self, name: str) -> Recipe:
        """The recipe of that name, among this model's own, their references and the baseline."""
        baseline = Recipe(name="float32", kind=Kind.FLOAT32, gate=False)
        implied = (baseline, *(recipe.reference for recipe in self.recipes))
        return {recipe.name: recipe for recipe in (*implied, *self.recipes)}[name]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """The evaluation split, as networks are fed it; one object for every artifact of it."""

    digest: str
    """The data set's key: its raw arrays' digests and its preprocessing."""
    x: Array
    """float32, shape (n, ...)."""
    y: Array
    """Integer labels, shape (n,); None where there are none."""
    classes: tuple[str, ...]
    domain: tuple[float, float]


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
    """One row an epoch: stage, epoch, loss, accuracy, val_loss, val_accuracy."""
    evaluation: Evaluation = field(repr=False)
    keras_outputs: Array = field(default=None, repr=False, compare=False)
    """Outputs of the Keras network that was converted, float32, shape (n, classes)."""

    @property
    def name(self) -> str:
        """The subject of a sentence: "mnist_cnn/int8_qat"."""
        return f"{self.model}/{self.recipe.name}"
