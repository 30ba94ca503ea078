"""Recipes: the named ways from a network to a `.tflite` file."""

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
    """The ways from a network to a `.tflite` file."""

    FLOAT32 = "float32"
    INT8_QAT = "int8_qat"
    INT8_PTQ = "int8_ptq"
    DYNAMIC_RANGE = "dynamic_range"
    FLOAT16 = "float16"
    INT16X8 = "int16x8"


IO_TYPES = ("float32", "int8", "uint8", "int16")
"""What inputs and outputs may be; int16 for `int16x8` alone."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """Magnitude pruning: the weights nearest to zero become zero, and stay it."""

    sparsity: Quantity
    """The share of each layer's weights that become zero: ``percent(60)``."""
    epochs: int = 2
    """Epochs of training with the pruned weights, before anything else of the recipe."""

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
            if getattr(self, name) == "int16" and self.kind is not Kind.INT16X8:
                raise ConfigError(
                    f"recipe {self.name}: only int16x8 computes in int16",
                    expected=f"{name} float32, int8 or uint8",
                    got=f"kind {self.kind}",
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
