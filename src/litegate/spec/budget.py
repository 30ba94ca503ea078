"""Define Budget, the limits of a model, and Regression, the limits of a change against the base."""

from __future__ import annotations

import sys
from dataclasses import Field, dataclass, field, fields
from fractions import Fraction
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.core.units import Number, Quantity, Unit, us
from litegate.spec.metric import Metric
from litegate.spec.runtimes import RUNTIMES, TFLM, XNNPACK, Command
from litegate.spec.vela import Vela

# Proving a drop of at most 0.5 points takes 1,713 samples if 0.5 % of the answers flip, 6,852 if
# 2 % do (90 % power). The fine-tuned MNIST network varies with an SD of 0.30 points from seed to
# seed; a model that varies more needs a wider limit, which `litegate noise` measures.
_HALF_A_POINT = Quantity(Fraction(5, 1000), Unit.POINTS)
# The same network converts to the same bytes, so growth is exact and 1 % is no margin for noise: it
# admits small changes, such as a longer name or a bias, and reports a layer that stays in float32.
ONE_PERCENT = Quantity(Fraction(1, 100), Unit.PERCENT)
# A slowdown of twice the limit, 5 %, is detected in about 0.2 s for networks below 1 ms, without a
# false alarm in 500 comparisons. Limits below 1 % come too close to the remaining bias of memory
# placement and harness, up to 0.2 %.
_TWO_AND_A_HALF_PERCENT = Quantity(Fraction(25, 1000), Unit.PERCENT)
# 2.5 % of an invocation of 6.8 us are 0.17 us: the placement of one buffer moves as much, and no
# application notices it. From 40 us on, 2.5 % are more than this floor, and decide.
_ONE_MICROSECOND = us(1)


ARROW = " -> "
"""Between the old and the new value of a changed input or output, in the words of the check."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """Limits on how much worse than the base a change may make a model."""

    accuracy: Quantity = field(default=_HALF_A_POINT, metadata={"unit": Unit.POINTS})
    """Maximum loss of top-1 accuracy."""
    size: Quantity | None = field(default=ONE_PERCENT, metadata={"unit": Unit.PERCENT})
    """Maximum growth of the file, as a share of the base's bytes. None makes growth a note, for a
    model whose `Budget(size=...)` limits its bytes."""
    latency: Quantity = field(default=_TWO_AND_A_HALF_PERCENT, metadata={"unit": Unit.PERCENT})
    """How much slower than the base one invocation may be; the smallest allowed value is 1 %. If
    `Budget(latency=...)` passes in the same run, a slowdown is only noted."""
    latency_floor: Quantity = field(default=_ONE_MICROSECOND, metadata={"unit": Unit.SECONDS})
    """Growth of the time of one invocation that is always allowed, whatever its share."""
    lost_types: int = field(default=0, metadata={"unit": Unit.COUNT})
    """Maximum number of tensors and operators that may lose their integer type.

    Types are exact and do not change by training, so the default is zero."""
    agreement: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Minimum share of samples on which both decide the same; None: not judged."""
    operators: int | None = field(default=None, metadata={"unit": Unit.COUNT})
    """Maximum number of added and removed operators; None: not judged."""
    interface: tuple[str, ...] = ()
    """Declared changes of inputs and outputs, in the words of the check, as in
    ("input 'image': type uint8 -> int8",). Without the values, as in "output 'logits': scale", a
    declaration covers every later change, too."""

    def __post_init__(self) -> None:
        for f in limit_fields(Regression):
            check_limit("Regression", f.name, f.metadata["unit"], getattr(self, f.name))
        if self.latency_floor is None or self.latency_floor.value < 0:
            raise ConfigError(
                "Regression(latency_floor=...) must be a time",
                expected="litegate.us(1), or litegate.us(0) for no floor",
                got=str(self.latency_floor),
            )
        is_tuple = isinstance(self.interface, tuple)
        if not is_tuple or not all(isinstance(change, str) for change in self.interface):
            raise ConfigError(
                "Regression(interface=...) must be a tuple of strings",
                expected="interface=(\"input 'image': type uint8 -> int8\",)",
                got=repr(self.interface),
            )

    @property
    def lasting_changes(self) -> tuple[str, ...]:
        """The declared changes that hold for every later change, too."""
        return tuple(change for change in self.interface if ARROW not in change)

    def unset_limits(self) -> tuple[str, ...]:
        """Return the names of the limits that are not set."""
        return tuple(f.name for f in limit_fields(Regression) if getattr(self, f.name) is None)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The limits that the measurements of a model must satisfy.

    An unset field collects no check. `unit` in a field's metadata is the unit of its limit.
    """

    accuracy: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Minimum top-1 accuracy on the evaluation split."""
    accuracy_drop: Quantity | None = field(default=None, metadata={"unit": Unit.POINTS})
    """Maximum loss of top-1 accuracy against the float reference."""
    extra_errors: Quantity | None = field(default=None, metadata={"unit": Unit.PER_THOUSAND})
    """Maximum number of additional wrong answers per thousand samples."""
    class_drop: Quantity | None = field(default=None, metadata={"unit": Unit.POINTS})
    """Maximum loss of accuracy of the worst class, against the float reference."""
    slice_drop: Quantity | None = field(default=None, metadata={"unit": Unit.POINTS})
    """Maximum loss of accuracy of the worst slice, against the float reference."""
    leaked_samples: int | None = field(default=None, metadata={"unit": Unit.COUNT})
    """Maximum number of distinct evaluation samples that are also in the training split."""
    keras_agreement: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Minimum share of equal decisions of the Keras fake-quant network and the `.tflite`."""
    keras_difference: Quantity | None = field(default=None, metadata={"unit": Unit.QUANTA})
    """Maximum difference of the outputs of Keras and the `.tflite`, in quantization steps."""
    agreement: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Minimum share of equal decisions of the float reference and the candidate."""
    output_error: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Maximum RMS of the difference between the outputs of reference and candidate, as a share of
    the reference's RMS."""
    runtime_agreement: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Minimum share of equal decisions of XNNPACK and of each other runtime: LiteRT's reference
    kernels (500 samples), and those of `runtimes`."""
    size: Quantity | None = field(default=None, metadata={"unit": Unit.BYTES})
    """Maximum size of the `.tflite` file."""
    size_ratio: Number | None = field(default=None, metadata={"unit": Unit.RATIO})
    """Maximum size, as a share of the float reference's. It suits a fixed architecture: a smaller
    network has a smaller reference, too, and may fail."""
    compressed_size: Quantity | None = field(default=None, metadata={"unit": Unit.BYTES})
    """Maximum size after zlib at level 9, close to the download size of an app or an update."""
    sparsity: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Minimum share of weights that are zero."""
    unique_weights: int | None = field(default=None, metadata={"unit": Unit.COUNT})
    """Maximum number of different weights that share one scale, in any layer."""
    latency: Quantity | None = field(default=None, metadata={"unit": Unit.SECONDS})
    """Maximum median time of one invocation: one sample, one thread."""
    latency_ratio: Number | None = field(default=None, metadata={"unit": Unit.RATIO})
    """Maximum time of one invocation, as a share of the float reference's."""
    real_time_factor: Number | None = field(default=None, metadata={"unit": Unit.RATIO})
    """Maximum median time of one frame, as a share of its period: of `Data(sequences=...)`."""

    macs: int | None = field(default=None, metadata={"unit": Unit.COUNT})
    """Maximum multiply-accumulates of one invocation."""
    arena: Quantity | None = field(default=None, metadata={"unit": Unit.BYTES})
    """Maximum memory of one invocation: with the runtime "tflm" all that its interpreter recorded,
    else the planned memory of the activations."""

    vela: Vela | None = None
    """Configuration of the compiler for an Ethos-U, which the limits `npu_...` need, and a compiled
    file that ships."""
    npu_cycles: int | None = field(default=None, metadata={"unit": Unit.COUNT})
    """Maximum cycles of the NPU in one invocation, as Vela estimates them."""
    npu_share: Quantity | None = field(default=None, metadata={"unit": Unit.PERCENT})
    """Minimum share of the MACs that Vela places on the NPU."""
    npu_sram: Quantity | None = field(default=None, metadata={"unit": Unit.BYTES})
    """Maximum SRAM that Vela plans."""
    npu_dram: Quantity | None = field(default=None, metadata={"unit": Unit.BYTES})
    """Maximum DRAM that Vela plans."""
    npu_on_chip_flash: Quantity | None = field(default=None, metadata={"unit": Unit.BYTES})
    """Maximum on-chip flash that Vela plans."""
    npu_off_chip_flash: Quantity | None = field(default=None, metadata={"unit": Unit.BYTES})
    """Maximum off-chip flash that Vela plans."""

    metrics: tuple[Metric, ...] = ()
    """Metrics besides top-1, each with its own limits: `litegate.metrics`."""
    target: str | None = None
    """Target that must support every operator: "tflm", "edgetpu", "ethos-u", "xnnpack-int8", or the
    path of a TOML file, relative to the project's root. "tflm" also judges the answers on the
    runtime "tflm", which needs `litegate[tflm]` and minutes for 10,000 samples."""
    runtimes: tuple[str | Command, ...] | None = None
    """Runtimes that answers are judged on: "xnnpack", "reference", "tflm", "gpu", or a `Command` of
    your own; None: "xnnpack" alone. The target "tflm" adds "tflm"."""
    regression: Regression | None = None
    """Limits of a change against the base; None: the defaults of `Regression`."""

    def __post_init__(self) -> None:
        if self.target is not None and not (isinstance(self.target, str) and self.target):
            raise ConfigError(
                "Budget(target=...) must be a name or the path of a .toml file",
                got=repr(self.target),
            )
        self._check_metrics()
        self._check_runtimes()
        if not isinstance(self.vela, Vela | None):
            raise ConfigError("Budget(vela=...) must be a litegate.Vela(...)", got=repr(self.vela))
        for f in limit_fields(Budget):
            check_limit("Budget", f.name, f.metadata["unit"], getattr(self, f.name))
        for name in _FLOORS:
            floor = getattr(self, name)
            # percent(0.9) for percent(90) would be such a limit.
            if floor is not None and 0 < floor.value < ONE_PERCENT.value:
                raise ConfigError(
                    f"Budget({name}=...) is a floor below 1 %, which any network keeps",
                    got=str(floor),
                    # Once 100 to undo `percent`, once for the share in per cent.
                    remedy=f"percent(90) is 90 %: write {name}=litegate.percent"
                    f"({float(100 * 100 * floor.value):g})",
                )

    def _check_metrics(self) -> None:
        is_tuple = isinstance(self.metrics, tuple)
        names = [getattr(metric, "name", "") for metric in (self.metrics if is_tuple else ())]
        if not is_tuple or not all(isinstance(metric, Metric) for metric in self.metrics):
            raise ConfigError(
                "Budget(metrics=...) must be a tuple of metrics",
                expected="metrics=(litegate.metrics.f1(least=0.9),)",
                got=repr(self.metrics),
            )
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(
                f"Budget(metrics=...) has two metrics named {', '.join(twice)}",
                remedy="give one of them another name=...",
            )

    def _check_runtimes(self) -> None:
        runtimes = self.runtimes
        is_tuple = isinstance(runtimes, tuple) and bool(runtimes)
        if runtimes is not None and not (
            is_tuple and all(isinstance(it, Command) or it in RUNTIMES for it in runtimes)
        ):
            raise ConfigError(
                "Budget(runtimes=...) is a tuple of the runtimes to judge on",
                expected=f"names out of {', '.join(RUNTIMES)}, or litegate.Command(...)",
                got=repr(runtimes),
                remedy='write runtimes=("xnnpack", "tflm")',
            )

    @property
    def judged_runtimes(self) -> tuple[str, ...]:
        """The runtimes that answers are judged on: the declared ones, and the target's own."""
        implied = (TFLM,) if self.target == TFLM else ()
        declared = (
            it.name if isinstance(it, Command) else it for it in self.runtimes or (XNNPACK,)
        )
        return tuple(dict.fromkeys((*declared, *implied)))

    @property
    def commands(self) -> tuple[Command, ...]:
        """The declared runtimes that are programs of the project."""
        return tuple(it for it in self.runtimes or () if isinstance(it, Command))

    def with_defaults(self, defaults: Budget) -> Budget:
        """Return a budget with its unset limits from `defaults`; metrics are merged by name."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        merged = {k: getattr(defaults, k) if v is None else v for k, v in own.items()}
        metrics = {metric.name: metric for metric in defaults.metrics}
        metrics |= {m.name: m.with_defaults(metrics.get(m.name)) for m in self.metrics}
        return Budget(**merged | {"metrics": tuple(metrics.values())})

    def metric(self, name: str) -> Metric:
        """Return the metric of that name. Raises KeyError if there is none."""
        return {metric.name: metric for metric in self.metrics}[name]

    def unset_limits(self) -> tuple[str, ...]:
        """Return the names of the limits that are not set."""
        return tuple(f.name for f in limit_fields(Budget) if getattr(self, f.name) is None)

    @property
    def limits_nothing(self) -> bool:
        """True if no limit of an absolute value is set, no metric's and no target."""
        is_unset = len(self.unset_limits()) == len(limit_fields(Budget))
        return is_unset and not any(metric.limits() for metric in self.metrics) and not self.target


_FLOORS = ("accuracy", "agreement", "keras_agreement", "runtime_agreement", "npu_share")
"""Minimum shares of samples or MACs; sparsity may be below 1 %."""

NPU_LIMITS = frozenset(
    (
        *("npu_cycles", "npu_share", "npu_sram", "npu_dram"),
        *("npu_on_chip_flash", "npu_off_chip_flash"),
    )
)
"""Limits on an Ethos-U, which need `Budget(vela=...)`."""

ACCURACY_LIMITS = frozenset(
    (
        *("accuracy", "accuracy_drop", "extra_errors", "class_drop", "slice_drop"),
        "regression.accuracy",
    )
)
"""Limits of top-1 accuracy, which need labels that are classes."""
ANSWER_LIMITS = ACCURACY_LIMITS | {"agreement", "output_error", "regression.agreement"}
"""Limits of what a file answers, besides those of metrics: each runtime must keep them."""

LATENCY_LIMITS = frozenset(("latency", "latency_ratio", "real_time_factor", "regression.latency"))
"""Limits of time, which each device that reports its own must keep."""


def limit_fields(owner: type[Budget | Regression]) -> tuple[Field[Any], ...]:
    """Return the fields that are limits, with the unit in their metadata."""
    return tuple(f for f in fields(owner) if "unit" in f.metadata)


MAKERS = {
    Unit.PERCENT: ("percent",),
    Unit.POINTS: ("points",),
    Unit.PER_THOUSAND: ("per_thousand",),
    Unit.BYTES: ("kib", "byte"),
    Unit.SECONDS: ("ms", "us"),
    Unit.QUANTA: ("quanta",),
}
"""Functions of `litegate` that make a quantity of a unit."""


def _suggestion(name: str, unit: Unit, limit: object) -> str:
    calls = (f"{name}=litegate.{maker}({limit})" for maker in MAKERS[unit])
    return f"write {' or '.join(calls)}"


def check_limit(owner: str, name: str, unit: Unit, limit: object) -> None:
    """Raise ConfigError for a limit that does not have the unit of its field; None is allowed."""
    if limit is None:
        return
    is_number = isinstance(limit, int | float | Fraction) and not isinstance(limit, bool)
    if unit is Unit.RATIO:
        # Not NaN, infinite, or an integer that no float holds: times are floats.
        if not is_number or not abs(limit) <= sys.float_info.max:  # type: ignore[arg-type]
            raise ConfigError(
                f"{owner}({name}=...) must be a plain number (a ratio)", got=f"{limit!r:.40}"
            )
        return
    if unit is Unit.COUNT:
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
            raise ConfigError(
                f"{owner}({name}=...) must be a whole number",
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
            remedy=_suggestion(name, unit, limit if is_number else "..."),
        )
