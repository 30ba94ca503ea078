"""Limits: what a model promises, and how much worse a change may make it."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from fractions import Fraction
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.core.units import Number, Quantity, Unit
from litegate.spec.metric import Metric

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
            check_limit("Regression", each.name, each.metadata["unit"], getattr(self, each.name))

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
    slice_drop: Quantity | None = field(default=None, metadata={"unit": Unit.POINTS})
    """Most accuracy that quantizing may cost any one slice of the evaluation split."""
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

    metrics: tuple[Metric, ...] = ()
    """What is measured besides top-1, each with limits of its own: `litegate.metrics`."""
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
        self._check_metrics()
        for each in _limits():
            check_limit("Budget", each.name, each.metadata["unit"], getattr(self, each.name))
        for name in ("accuracy", "agreement", "keras_agreement", "kernel_agreement"):
            floor = getattr(self, name)
            if floor is not None and 0 < floor.value < _ONE_PERCENT.value:
                raise ConfigError(
                    f"Budget({name}=...) is a floor below 1 %, which any network keeps",
                    got=str(floor),
                    remedy=f"percent(90) is 90 %: write {name}=litegate.percent"
                    f"({float(100 * 100 * floor.value):g})",
                )

    def _check_metrics(self) -> None:
        listed = isinstance(self.metrics, tuple)
        names = [getattr(each, "name", "") for each in (self.metrics if listed else ())]
        if not listed or not all(isinstance(each, Metric) for each in self.metrics):
            raise ConfigError(
                "Budget(metrics=...) is a tuple of metrics",
                expected="metrics=(litegate.metrics.f1(least=0.9),)",
                got=repr(self.metrics),
            )
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(
                f"Budget(metrics=...) has two metrics named {', '.join(twice)}",
                remedy="give one of them another name=...",
            )

    def over(self, other: Budget) -> Budget:
        """The limits set here, and the other's where one is unset here; of metrics, by name."""
        mine = {f.name: getattr(self, f.name) for f in fields(self)}
        found = {k: getattr(other, k) if v is None else v for k, v in mine.items()}
        metrics = {each.name: each for each in other.metrics}
        metrics |= {each.name: each.over(metrics.get(each.name)) for each in self.metrics}
        return Budget(**found | {"metrics": tuple(metrics.values())})

    def metric(self, name: str) -> Metric:
        """The metric of that name. KeyError where there is none."""
        return {each.name: each for each in self.metrics}[name]

    def unset(self) -> tuple[str, ...]:
        """The names of the fields that hold no limit."""
        return tuple(f.name for f in _limits() if getattr(self, f.name) is None)


OF_LABELS = frozenset(
    (
        *("accuracy", "accuracy_drop", "extra_errors", "class_drop", "slice_drop"),
        "regression.accuracy",
    )
)
"""The limits of top-1 accuracy, which only labels that are classes can tell."""


def _limits() -> tuple[Field[Any], ...]:
    return tuple(each for each in fields(Budget) if "unit" in each.metadata)


_MAKERS = {
    Unit.PERCENT: ("percent",),
    Unit.POINTS: ("points",),
    Unit.PER_THOUSAND: ("per_thousand",),
    Unit.BYTES: ("kib", "byte"),
    Unit.SECONDS: ("ms", "us"),
    Unit.QUANTA: ("quanta",),
}
"""What makes a quantity of a unit, in `litegate`."""


def _written(name: str, unit: Unit, limit: object) -> str:
    makers = (f"{name}=litegate.{each}({limit})" for each in _MAKERS[unit])
    return f"write {' or '.join(makers)}"


def check_limit(owner: str, name: str, unit: Unit, limit: object) -> None:
    """Raise ConfigError for a limit in another unit than that of its field; None is none."""
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
            remedy=_written(name, unit, limit if plain else "..."),
        )
