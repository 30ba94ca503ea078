"""Define Recipe, a named way to make a `.tflite` file from a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.core.units import Quantity, Unit
from litegate.spec.budget import Budget, check_limit


class Kind(StrEnum):
    """Kinds of quantization."""

    FLOAT32 = "float32"
    INT8_QAT = "int8_qat"
    INT8_PTQ = "int8_ptq"
    DYNAMIC_RANGE = "dynamic_range"
    FLOAT16 = "float16"
    INT16X8 = "int16x8"
    STATIC_WI8_AI8 = "static_wi8_ai8"
    STATIC_WI8_AI16 = "static_wi8_ai16"
    DYNAMIC_WI8_AFP32 = "dynamic_wi8_afp32"
    WEIGHT_ONLY_WI8_AFP32 = "weight_only_wi8_afp32"
    WEIGHT_ONLY_WI4_AFP32 = "weight_only_wi4_afp32"
    DYNAMIC_WI4B32_AFP32 = "dynamic_wi4b32_afp32"


BASELINE = Kind.FLOAT32.value
"""The name of the plain float recipe, whose file litert-quantizer quantizes."""
STATIC_KINDS = frozenset({Kind.STATIC_WI8_AI8, Kind.STATIC_WI8_AI16})
"""The kinds of litert-quantizer that quantize activations, too, and so need calibration."""
QUANTIZER_KINDS = STATIC_KINDS | {
    Kind.DYNAMIC_WI8_AFP32,
    Kind.WEIGHT_ONLY_WI8_AFP32,
    Kind.WEIGHT_ONLY_WI4_AFP32,
    Kind.DYNAMIC_WI4B32_AFP32,
}
"""The kinds that litert-quantizer makes from a float `.tflite`, under its own names."""
_KEEPS_LAYERS = {
    "float_layers": (Kind.INT8_QAT, *sorted(STATIC_KINDS)),
    "int16_layers": (Kind.STATIC_WI8_AI8,),
}
"""The kinds that can keep single layers in float, or give them activations of 16 bits."""

_QAT_NAME = re.compile(r"int8_p?c?qat(_scratch)?")
"""The names that `litegate.recipes` gives to recipes of quantization-aware training."""
CALIBRATION_SAMPLES = 500
"""Default: the most of the 100 to 500 that TensorFlow's guide to quantization after training names.

More samples cover rarer values, but take longer and widen the quantization steps."""
IO_TYPES = ("float32", "int8", "uint8", "int16")
"""Types of inputs and outputs; int16 only for `int16x8` and `static_wi8_ai16`."""
_QUANTIZER_PORTS = {Kind.STATIC_WI8_AI8: "int8", Kind.STATIC_WI8_AI16: "int16"}
"""The integer type that litert-quantizer gives to inputs and outputs, by kind."""


def default_port_type(kind: Kind) -> str:
    """Return the type of a ready-made file's inputs and outputs if no other is declared."""
    if kind in (Kind.INT8_QAT, Kind.INT8_PTQ):
        return "int8"
    return _QUANTIZER_PORTS.get(kind, "float32")


def port_types(kind: Kind) -> tuple[str, ...]:
    """Return the types that inputs and outputs of a kind of recipe may have."""
    if kind in QUANTIZER_KINDS:
        return tuple(dict.fromkeys(("float32", default_port_type(kind))))
    return IO_TYPES if kind is Kind.INT16X8 else IO_TYPES[:3]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """Magnitude pruning: sets the smallest weights to zero and keeps them at zero."""

    sparsity: Quantity
    """Share of each layer's weights that become zero: ``percent(60)``."""
    epochs: int = 2
    """Training epochs with pruned weights, before all other steps of the recipe.

    The first half prunes step by step, the second trains what is left: by default one epoch
    each."""

    def __post_init__(self) -> None:
        check_limit("Pruning", "sparsity", Unit.PERCENT, self.sparsity)
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
    """Number of different weights in each layer afterwards."""
    epochs: int = 1
    """Training epochs with shared weights, after pruning and before quantization.

    They train the few shared values; more epochs cost time, and may regain some accuracy."""

    def __post_init__(self) -> None:
        if self.clusters < 2 or self.epochs < 1:
            raise ConfigError(
                "Clustering(...) needs at least two clusters and one epoch", got=repr(self)
            )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A named way to make a `.tflite` file, made by a function of `litegate.recipes`."""

    name: str
    """Unique in its model; part of test ids, of the report's rows and of exported files."""
    kind: Kind
    """Kind of quantization, which decides the rules for tensors and operators."""
    gate: bool = True
    """False: built, measured and reported, but never judged."""
    budget: Budget | None = None
    """Limits that replace the model's, field by field."""
    from_scratch: bool = False
    """int8_qat: quantization-aware training from the first batch, instead of fine-tuning."""
    fine_tune_epochs: int = 0
    """Epochs after the model's own. The float reference trains as many, for a fair comparison."""
    input_type: str = "float32"
    """Type of the file's inputs: float32, int8, uint8, or int16 for int16x8; of the recipes of
    litert-quantizer float32, int8 for static_wi8_ai8, and int16 for static_wi8_ai16."""
    output_type: str = "float32"
    """Type of the file's outputs, as for inputs."""
    annotate: Callable[..., Any] | None = None
    """int8_qat: ``annotate(network, tfmot)`` returns the network annotated with tfmot's API."""
    custom_objects: Callable[[], Mapping[str, Any]] | None = None
    """int8_qat: returns the custom layers and QuantizeConfigs of `annotate`, by name."""
    float_layers: tuple[str, ...] = ()
    """int8_qat, static_wi8_ai8, static_wi8_ai16: names of the layers that stay float. The file must
    compute these layers, and no others, in floats."""
    int16_layers: tuple[str, ...] = ()
    """static_wi8_ai8: names of the layers whose activations have 16 bits, and these alone."""
    pruning: Pruning | None = None
    """int8_qat: prunes before quantization, which keeps zeros."""
    clustering: Clustering | None = None
    """int8_qat: clusters before quantization, which keeps the clusters."""
    calibration_samples: int = CALIBRATION_SAMPLES
    """int8_ptq, int16x8, static_wi8_ai8, static_wi8_ai16: number of training samples that set the
    ranges of the activations."""
    chosen_on_half: bool = False
    """A seeded half of the evaluation split chose the layers that are left out, so that the other
    half alone judges: `litegate repair` declares it."""
    variant_of: str = ""
    """Name of the declared recipe that `litegate repair` tries with other layers left out; empty
    for a declared one."""
    strip: bool = False
    """Remove from the file what no device reads; its outputs stay the same to the bit."""
    shipped: str | None = None
    """Path of the file that ships, from the project's root; it must equal the gated file."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w+-]*", self.name):
            raise ConfigError(
                f"{self.name!r} cannot be the name of a recipe, since folders and test ids use it",
                expected="letters, digits, _, + and -",
            )
        self._check_kind_of_name()
        if self.calibration_samples < 1 or self.fine_tune_epochs < 0:
            raise ConfigError(f"recipe {self.name}: a number of samples or epochs is too low")
        for name in ("input_type", "output_type"):
            if getattr(self, name) not in IO_TYPES:
                raise ConfigError(
                    f"recipe {self.name}: {name} is not supported",
                    expected=", ".join(IO_TYPES),
                    got=repr(getattr(self, name)),
                )
            if getattr(self, name) not in port_types(self.kind):
                raise ConfigError(
                    f"recipe {self.name}: {self.kind} cannot have {getattr(self, name)} as {name}",
                    expected=" or ".join(port_types(self.kind)),
                )
        if self.shipped is not None and not (self.shipped and self.gate):
            raise ConfigError(
                f"recipe {self.name} has shipped=..., but is not gated or names no file",
                expected="a gated recipe, and the path of a file",
                got=f"shipped={self.shipped!r}, gate={self.gate}",
                remedy="remove shipped=... or gate=False",
            )
        self._check_training()
        self._check_layers()
        for hook in (self.annotate, self.custom_objects):
            if hook is not None and not hook.__qualname__.isidentifier():
                raise ConfigError(
                    f"recipe {self.name}: {hook.__qualname__} is not a function at the top of "
                    "a module",
                    expected="a named function at the top of the model's file",
                    remedy="move it there: its source is part of the artifact's key",
                )

    def _check_kind_of_name(self) -> None:
        """Raise ConfigError for the name of another kind: reports show the name alone."""
        named = Kind.INT8_QAT if _QAT_NAME.fullmatch(self.name) else self.name
        if named in set(Kind) - {self.kind}:
            raise ConfigError(
                f"recipe {self.name} is named like the kind {named}, but is of kind {self.kind}",
                expected=f"another name, such as {self.kind.value}",
            )

    def _check_layers(self) -> None:
        """Raise ConfigError for `float_layers` or `int16_layers` that the recipe cannot have."""
        for field, names in self.kept_layers.items():
            if not all(isinstance(name, str) and name for name in names):
                raise ConfigError(
                    f"recipe {self.name}: {field} must be a tuple of names",
                    expected='names of layers: ("dense",)',
                    got=repr(names),
                )
            if names and self.kind not in _KEEPS_LAYERS[field]:
                raise ConfigError(
                    f"recipe {self.name}: {self.kind} does not accept {field}",
                    expected=f"{field} of {' or '.join(_KEEPS_LAYERS[field])}",
                )
            if names and self.strip:
                raise ConfigError(
                    f"recipe {self.name}: a stripped file does not show its {field}",
                    expected=f"{field} or strip",
                )
        if both := sorted({*self.float_layers} & {*self.int16_layers}):
            raise ConfigError(
                f"recipe {self.name}: {', '.join(both)} cannot be both float and int16",
                expected="each layer in float_layers or in int16_layers",
            )

    @property
    def kept_layers(self) -> dict[str, tuple[str, ...]]:
        """The layers that are not quantized like the others, by the name of the field."""
        return {field: getattr(self, field) for field in _KEEPS_LAYERS}

    def _check_training(self) -> None:
        compression = [step for step in (self.pruning, self.clustering) if step]
        qat_only = (self.annotate, self.custom_objects, compression)
        if any(qat_only) and self.kind is not Kind.INT8_QAT:
            raise ConfigError(
                f"recipe {self.name}: {self.kind} does not accept options of int8_qat",
                expected="int8_qat for annotate, custom_objects, pruning, clustering",
            )
        if compression and self.from_scratch:
            raise ConfigError(
                f"recipe {self.name}: pruning and clustering start from trained weights",
                expected="from_scratch=False",
            )

    @property
    def epochs(self) -> int:
        """Number of epochs after the model's own: pruning, clustering and fine-tuning."""
        compression = (step.epochs for step in (self.pruning, self.clustering) if step)
        return self.fine_tune_epochs + sum(compression)

    @property
    def reference(self) -> Recipe:
        """The float recipe with the same start, epochs and batches as this one."""
        extra = 0 if self.from_scratch else self.epochs
        name = f"float32+{extra}" if extra else "float32"
        return Recipe(name=name, kind=Kind.FLOAT32, gate=False, fine_tune_epochs=extra)

    def spec(self) -> dict[str, Any]:
        """Return the fields that decide the file's bytes in JSON types, for the artifact's key."""
        hooks = {k: h.__qualname__ if h else None for k, h in self._hooks().items()}
        names = ("kind", "from_scratch", "fine_tune_epochs", "input_type", "output_type")
        fields = {name: getattr(self, name) for name in names}
        return fields | hooks | self._optional() | {"calibration_samples": self.calibration_samples}

    def _optional(self) -> dict[str, Any]:
        """Return the fields that are in the spec only if they are set.

        So a new field of this kind does not change the keys of recipes that do not use it.
        """
        optional: dict[str, Any] = {}
        optional |= {field: sorted(names) for field, names in self.kept_layers.items() if names}
        if self.pruning:
            sparsity = str(Fraction(self.pruning.sparsity.value))
            optional["pruning"] = {"sparsity": sparsity, "epochs": self.pruning.epochs}
        if self.clustering:
            optional["clustering"] = asdict(self.clustering)
        if self.strip:
            optional["strip"] = True
        return optional

    def _hooks(self) -> dict[str, Callable[..., Any] | None]:
        return {"annotate": self.annotate, "custom_objects": self.custom_objects}
