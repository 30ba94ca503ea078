"""A metric: what is measured of a network's outputs besides top-1, and what is promised of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from fractions import Fraction
from inspect import signature
from typing import Any, TypedDict, final

from litegate.core.errors import ConfigError
from litegate.core.units import Number, Quantity, Unit

Limit = Quantity | Number
"""A plain number in the metric's own unit; of top-k a quantity in per cent or points."""


class Limits(TypedDict, total=False):
    """The limits that a metric may be given, as `Metric` has them."""

    least: Limit
    most: Limit
    loss: Limit
    class_loss: Limit
    slice_loss: Limit
    regression: Limit


class MetricKind(StrEnum):
    """How a metric is computed; `litegate.measures.metric_rule` has the arithmetic."""

    TOP_K = "top_k"
    F1 = "f1"
    AUC = "auc"
    MSE = "mse"
    MAE = "mae"
    RMSE = "rmse"
    IOU = "iou"
    MEAN = "mean"
    """The average of the user's own function of each sample."""
    CUSTOM = "custom"
    """The user's own function of all samples."""


class Better(StrEnum):
    """Which way a metric's values improve."""

    HIGHER = "higher"
    LOWER = "lower"


OF_CLASSES = frozenset({MetricKind.TOP_K, MetricKind.F1, MetricKind.IOU})
"""The kinds that have a value of each class, so a `class_loss`."""
_OF_VALUES = frozenset({MetricKind.MSE, MetricKind.MAE, MetricKind.RMSE, MetricKind.IOU})
LIMITS = tuple(Limits.__annotations__)
"""The fields that hold limits."""
_TAKEN = frozenset({"accuracy", "arena", "latency", "size", "sparsity"})
"""Names that other measurements have."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric with its limits; `litegate.metrics` makes them. A limit left unset has no check.

    Equal where the same is computed, whatever is promised of it.

    ConfigError for a limit in a direction or a unit that the metric does not have, or for none.
    """

    name: str
    """How tests and reports call it: letters, digits and underscores."""
    kind: MetricKind
    better: Better
    function: Callable[..., Any] | None = None
    """The user's own; asks for `outputs`, `labels` or `inputs` by the names of its parameters."""
    k: int = 1
    """Of top-k: how many of the highest scores may hold the class."""
    of: int | str | None = None
    """The class whose metric it is, by number or name; None where it is of all."""
    threshold: float | None = None
    """From which value on a single output says yes."""
    ignore: int | None = None
    """The label of pixels that do not count."""
    bounded: bool = False
    """Whether every value lies between 0 and 1."""

    least: Limit | None = field(default=None, compare=False)
    """The floor, of a metric that is better the higher it is."""
    most: Limit | None = field(default=None, compare=False)
    """The ceiling, of one that is better the lower it is."""
    loss: Limit | None = field(default=None, compare=False)
    """How much worse than its float reference at most."""
    class_loss: Limit | None = field(default=None, compare=False)
    """The same, of the class that loses most."""
    slice_loss: Limit | None = field(default=None, compare=False)
    """The same, of the slice of the evaluation split that loses most."""
    regression: Limit | None = field(default=None, compare=False)
    """How much worse than the merge base at most."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"a metric is named {self.name!r}",
                expected="a letter, then letters, digits and underscores: it is part of test ids",
                remedy="give it another name=...",
            )
        if self.name in _TAKEN:
            raise ConfigError(
                f"a metric is named {self.name}, as another measurement is",
                remedy="give it another name=...",
            )
        self._check_directions()
        for name, limit in self.limits().items():
            self._check_limit(name, limit)

    def limits(self) -> dict[str, Limit]:
        """The limits that are set, by their field."""
        found = {name: getattr(self, name) for name in LIMITS}
        return {name: limit for name, limit in found.items() if limit is not None}

    def over(self, other: Metric | None) -> Metric:
        """The limits set here, and those of another that computes the same where one is unset."""
        if other is None or self != other:
            return self
        held: dict[str, Any] = other.limits() | self.limits()
        return replace(self, **held)

    def unset(self, *, compared: bool = False) -> tuple[str, ...]:
        """The limits that could be set and are not, "auc.loss"; `compared`: to a base too."""
        level = "least" if self.better is Better.HIGHER else "most"
        could = (level, "loss", *(("regression",) if compared else ()))
        return tuple(f"{self.name}.{name}" for name in could if getattr(self, name) is None)

    def unit(self, limit: str = "least") -> Unit:
        """The unit of its value, or of what one of its limits bounds."""
        if self.kind is not MetricKind.TOP_K:
            return Unit.SCORE
        return Unit.PERCENT if limit in ("least", "most") else Unit.POINTS

    @property
    def definition(self) -> dict[str, Any]:
        """What it computes in JSON's types, limits and the user's function aside."""
        left_out = {"name", "function", *LIMITS}
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}

    @property
    def needs_labels(self) -> bool:
        """Whether it cannot be computed without the evaluation split's labels."""
        if self.kind not in (MetricKind.MEAN, MetricKind.CUSTOM):
            return True
        return bool(self.function and "labels" in signature(self.function).parameters)

    @property
    def chooses(self) -> bool:
        """Whether it may be of a network that chooses between classes, so has an accuracy too."""
        scored = self.kind is MetricKind.AUC and self.function is not None
        return self.kind not in _OF_VALUES and not scored

    def _check_directions(self) -> None:
        wrong = "most" if self.better is Better.HIGHER else "least"
        if getattr(self, wrong) is not None:
            right = "least" if wrong == "most" else "most"
            raise ConfigError(
                f"the metric {self.name} is better the {self.better} it is: {wrong}=... promises "
                "nothing",
                expected=f"{right}=..., loss=..., slice_loss=... or regression=...",
            )
        if self.class_loss is not None and self.kind not in OF_CLASSES:
            raise ConfigError(
                f"the metric {self.name} has no value of each class, so no class_loss",
                expected=f"class_loss of {', '.join(sorted(OF_CLASSES))}",
                remedy="slice_loss=... holds any part of the evaluation split",
            )
        if not self.limits():
            raise ConfigError(
                f"the metric {self.name} has no limit, so nothing is promised of it",
                expected=f"one or more of {', '.join(name for name in LIMITS if name != wrong)}",
            )

    def _check_limit(self, name: str, limit: object) -> None:
        unit = self.unit(name)
        plain = isinstance(limit, int | float | Fraction) and not isinstance(limit, bool)
        fits = plain if unit is Unit.SCORE else isinstance(limit, Quantity) and limit.unit is unit
        value: Any = limit.value if isinstance(limit, Quantity) else limit
        if not (fits and isinstance(value, int | float | Fraction) and math.isfinite(value)):
            raise ConfigError(
                f"{self.name}({name}=...) has the wrong unit",
                expected="a plain number" if unit is Unit.SCORE else f"a quantity in {unit}",
                got=repr(limit),
            )
        if self.bounded and not -1 <= float(value) <= 1:
            raise ConfigError(
                f"{self.name}({name}=...) can never be broken, or never be kept",
                expected="0 to 1, so 0.02 for two points" if unit is Unit.SCORE else "at most 100",
                got=repr(limit),
            )
