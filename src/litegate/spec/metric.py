"""Define Metric: a measure of a network's outputs besides top-1 accuracy, with its limits."""

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
from litegate.spec.detector import Detector

Limit = Quantity | Number
"""A plain number in the metric's own unit; for shares a quantity in per cent or points."""


class Limits(TypedDict, total=False):
    """Keyword arguments for the limits of a metric; see `Metric`."""

    least: Limit
    most: Limit
    loss: Limit
    class_loss: Limit
    slice_loss: Limit
    regression: Limit


class MetricKind(StrEnum):
    """Computation of a metric; `litegate.measures.metrics` implements each kind."""

    TOP_K = "top_k"
    F1 = "f1"
    AUC = "auc"
    MSE = "mse"
    MAE = "mae"
    RMSE = "rmse"
    IOU = "iou"
    MEAN = "mean"
    """The mean of the user's own function of each sample."""
    CUSTOM = "custom"
    """The user's own function of all samples."""
    FRAME_ACCURACY = "frame_accuracy"
    """The share of the frames of all sequences that are put in their class."""
    FALSE_ACCEPTS = "false_accepts"
    """Events of a detector that nothing was planted for, an hour."""
    FALSE_REJECTS = "false_rejects"
    """The share of planted events that a detector misses."""
    MAP_COCO = "map_coco"
    """Mean average precision of boxes as COCO defines it."""
    MAP_VOC = "map_voc"
    """Mean average precision of boxes as PASCAL VOC defines it since 2010."""


class Better(StrEnum):
    """Direction in which the values of a metric improve."""

    HIGHER = "higher"
    LOWER = "lower"


_OF_BOXES = frozenset({MetricKind.MAP_COCO, MetricKind.MAP_VOC})
OF_CLASSES = frozenset({MetricKind.TOP_K, MetricKind.F1, MetricKind.IOU}) | _OF_BOXES
"""Kinds with a value for each class, which may have a `class_loss`."""
_NOT_FOR_CLASSIFIERS = frozenset(
    {
        *(MetricKind.MSE, MetricKind.MAE, MetricKind.RMSE, MetricKind.IOU),
        *_OF_BOXES,
        MetricKind.FRAME_ACCURACY,  # its labels are of frames, not of samples
    }
)
_OF_DETECTORS = frozenset({MetricKind.FALSE_ACCEPTS, MetricKind.FALSE_REJECTS})
_SHARES = frozenset({MetricKind.TOP_K, MetricKind.FRAME_ACCURACY, MetricKind.FALSE_REJECTS})
"""Kinds whose value is a share of samples, frames or events, in per cent."""
LIMITS = tuple(Limits.__annotations__)
"""Names of the fields with limits."""
_TAKEN = frozenset({"accuracy", "arena", "latency", "size", "sparsity"})
"""Names of other measurements, which would be ambiguous in reports."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric with its limits, made by a function of `litegate.metrics`.

    An unset limit has no check. Metrics are equal if they compute the same, whatever their limits.

    Raises ConfigError for a limit with the wrong direction or unit, or if no limit is set.
    """

    name: str
    """Name in test ids and reports: letters, digits and underscores."""
    kind: MetricKind
    better: Better
    function: Callable[..., Any] | None = None
    """The user's own function; its parameters are named `outputs`, `labels` or `inputs`. Of boxes
    it decodes outputs into detections."""
    k: int = 1
    """For top-k: number of highest scores that may include the class."""
    of: int | str | None = None
    """The class that the metric is about, by number or name; None for all classes."""
    threshold: float | None = None
    """Least value of a single output that means class 1."""
    ignore: int | None = None
    """The label of pixels that are left out."""
    overlap: float | None = None
    """Least intersection over union of a detected box; None for the kind's own."""
    bounded: bool = False
    """True if every value lies between 0 and 1."""
    detector: Detector | None = None
    """For false accepts and rejects: what detects events in a sequence's frames."""

    least: Limit | None = field(default=None, compare=False)
    """Minimum value, for a metric that is better the higher it is."""
    most: Limit | None = field(default=None, compare=False)
    """Maximum value, for a metric that is better the lower it is."""
    loss: Limit | None = field(default=None, compare=False)
    """Maximum loss against the float reference."""
    class_loss: Limit | None = field(default=None, compare=False)
    """Maximum loss of the worst class against the float reference."""
    slice_loss: Limit | None = field(default=None, compare=False)
    """Maximum loss of the worst slice of the evaluation split against the float reference."""
    regression: Limit | None = field(default=None, compare=False)
    """Maximum loss against the merge base."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"{self.name!r} cannot be the name of a metric",
                expected="a letter, then letters, digits and underscores, since it is part of "
                "test ids",
                remedy="give it another name=...",
            )
        if self.name in _TAKEN:
            raise ConfigError(
                f"the metric name {self.name} is already the name of a measurement",
                remedy="give it another name=...",
            )
        self._check_directions()
        for name, limit in self.limits().items():
            self._check_limit(name, limit)

    def limits(self) -> dict[str, Limit]:
        """Return the limits that are set, by field."""
        limits = {name: getattr(self, name) for name in LIMITS}
        return {name: limit for name, limit in limits.items() if limit is not None}

    def with_defaults(self, defaults: Metric | None) -> Metric:
        """Return a metric whose unset limits are those of `defaults`, if both compute the same."""
        if defaults is None or self != defaults:
            return self
        merged: dict[str, Any] = defaults.limits() | self.limits()
        return replace(self, **merged)

    def unset_limits(self, *, compared: bool = False) -> tuple[str, ...]:
        """Return the limits that could be set, as "auc.loss"; `compared` adds "auc.regression"."""
        level = "least" if self.better is Better.HIGHER else "most"
        applicable = (level, "loss", *(("regression",) if compared else ()))
        return tuple(f"{self.name}.{name}" for name in applicable if getattr(self, name) is None)

    def unit(self, limit: str = "least") -> Unit:
        """Return the unit of a limit; the default is also the unit of the metric's value."""
        if self.kind not in _SHARES:
            return Unit.SCORE
        return Unit.PERCENT if limit in ("least", "most") else Unit.POINTS

    @property
    def definition(self) -> dict[str, Any]:
        """The parameters of the computation in JSON types, without limits and function."""
        excluded = {"name", "function", "detector", *LIMITS}
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in excluded}
        return own | ({"detector": self.detector.definition} if self.detector else {})

    @property
    def needs_labels(self) -> bool:
        """True if computing it takes the labels of the evaluation split."""
        if self.kind is MetricKind.FALSE_ACCEPTS:
            return False  # without labels nothing is planted
        if self.kind not in (MetricKind.MEAN, MetricKind.CUSTOM):
            return True
        return bool(self.function and "labels" in signature(self.function).parameters)

    @property
    def is_of_detector(self) -> bool:
        """True if it is about the events in sequences of frames."""
        return self.kind in _OF_DETECTORS

    @property
    def is_of_boxes(self) -> bool:
        """True if its labels and answers are boxes in images."""
        return self.kind in _OF_BOXES

    @property
    def needs_sequences(self) -> bool:
        """True if it is about the frames of sequences."""
        return self.is_of_detector or self.kind is MetricKind.FRAME_ACCURACY

    @property
    def fits_classifier(self) -> bool:
        """True if a network with this metric may be a classifier, with a score per class."""
        has_own_score = self.kind is MetricKind.AUC and self.function is not None
        return self.kind not in _NOT_FOR_CLASSIFIERS and not has_own_score

    def _check_directions(self) -> None:
        wrong = "most" if self.better is Better.HIGHER else "least"
        if getattr(self, wrong) is not None:
            right = "least" if wrong == "most" else "most"
            raise ConfigError(
                f"{self.name} is better the {self.better} it is, so {wrong}=... limits nothing",
                expected=f"{right}=..., loss=..., slice_loss=... or regression=...",
            )
        if self.class_loss is not None and self.kind not in OF_CLASSES:
            raise ConfigError(
                f"the metric {self.name} has no value for each class, so it takes no class_loss",
                expected=f"class_loss with one of {', '.join(sorted(OF_CLASSES))}",
                remedy="use slice_loss=... to limit any part of the evaluation split",
            )
        if not self.limits():
            raise ConfigError(
                f"the metric {self.name} has no limit",
                expected=f"one or more of {', '.join(name for name in LIMITS if name != wrong)}",
            )

    def _check_limit(self, name: str, limit: object) -> None:
        unit = self.unit(name)
        is_number = isinstance(limit, int | float | Fraction) and not isinstance(limit, bool)
        has_unit = isinstance(limit, Quantity) and limit.unit is unit
        is_valid = is_number if unit is Unit.SCORE else has_unit
        value: Any = limit.value if isinstance(limit, Quantity) else limit
        if not (is_valid and isinstance(value, int | float | Fraction) and math.isfinite(value)):
            raise ConfigError(
                f"{self.name}({name}=...) has the wrong unit",
                expected="a plain number" if unit is Unit.SCORE else f"a quantity in {unit}",
                got=repr(limit),
            )
        if self.bounded and not -1 <= float(value) <= 1:
            raise ConfigError(
                f"{self.name}({name}=...) is outside the metric's range, so it is always or "
                "never kept",
                expected="0 to 1, so 0.02 for two points" if unit is Unit.SCORE else "at most 100",
                got=repr(limit),
            )
