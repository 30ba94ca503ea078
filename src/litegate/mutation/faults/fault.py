"""A fault: a known defect, planted on purpose to see whether a gate notices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from litegate.core.errors import ConfigError
from litegate.mutation.faults.scene import Scene

Plant = Callable[[Scene, float], Scene]
"""Takes a sound scene and a grade; gives the faulty scene. Unplantable where it cannot."""


class Family(StrEnum):
    """Which promise a fault breaks."""

    ACCURACY = "accuracy"
    TYPES = "types"
    SIZE = "size"
    LATENCY = "latency"
    OPERATORS = "operators"
    PLUMBING = "plumbing"


class Expect(StrEnum):
    """What a gate that notices the fault does."""

    FAIL = "fail"
    """A check fails, or raises one of litegate's errors. The planted file loads and runs."""
    REFUSED = "refused"
    """Likewise, for a file that LiteRT need not load: a clear verdict, no crash, no pass."""
    UNPROVEN = "unproven"
    """A verdict is inconclusive, or a check fails: a comparison that can show nothing."""


class OfMetric(StrEnum):
    """Which measurements of metrics and slices, where a model promises them, should notice it."""

    SLICE = "worst slice's accuracy drop"
    VALUE = "values of metrics"
    LOSS = "losses of metrics"
    REGRESSION = "losses of metrics against the base"


@final
@dataclass(frozen=True, slots=True, init=False)
class Ladder:
    """The grades of a fault, the smallest first.

    ``Ladder(1, 2, 5, unit="points", must=5)``: from grade 5 up some check must notice.
    """

    grades: tuple[float, ...]
    unit: str
    must: float

    def __init__(self, *grades: float, unit: str, must: float) -> None:
        if not grades or list(grades) != sorted(set(grades)) or grades[0] <= 0:
            raise ConfigError(
                "a ladder has no such grades", expected="rising, above 0", got=repr(grades)
            )
        if must not in grades:
            raise ConfigError(f"grade {must:g} is none of the ladder's", expected=repr(grades))
        object.__setattr__(self, "grades", grades)
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "must", must)

    @property
    def top(self) -> float:
        """The grossest grade."""
        return self.grades[-1]

    def text(self, grade: float) -> str:
        """A grade as a person reads it: "5 points", "1 layer"; empty for a fault without grades."""
        return graded(grade, self.unit)


def graded(grade: float, unit: str) -> str:
    """A grade with its unit, which stands in the plural: "5 points", "1 layer"."""
    if not unit:
        return ""
    first, *rest = unit.split(" ")
    one = first.removesuffix("s") if grade == 1 else first
    return " ".join([f"{grade:g}", one, *rest])


ONCE = Ladder(1, unit="", must=1)
"""For a fault without grades: it is there or not."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A defect in grades, with the measurements that are meant to notice it."""

    name: str
    family: Family
    summary: str
    """What is wrong, in one sentence."""
    plant: Plant
    ladder: Ladder
    noticed_by: tuple[str, ...]
    """Names of the measurements meant to notice it, as a report's rows have them: each one that
    the model promises must notice the top grade."""
    expect: Expect
    metrics: tuple[OfMetric, ...] = ()
    """What else is meant to notice it, where the model promises metrics or slices."""

    def __call__(self, scene: Scene, grade: float) -> Scene:
        """Plant it. Raises Unplantable where this model cannot have it."""
        return self.plant(scene, grade)


def fault(
    *,
    family: Family | str,
    noticed_by: tuple[str, ...],
    ladder: Ladder = ONCE,
    expect: Expect = Expect.FAIL,
    metrics: tuple[OfMetric, ...] = (),
) -> Callable[[Plant], Fault]:
    """Make a fault of a function that takes a scene and a grade and gives the faulty scene.

    Its name becomes the fault's, its docstring's first line the summary. Registers nothing: a
    project's own faults are the ones that `faults.py` in its folder of checks holds. ConfigError
    for a function without a docstring, or an unknown family.
    """
    if family not in tuple(Family):
        raise ConfigError(f"there is no family {family!r}", expected=", ".join(Family))

    def made(plant: Plant) -> Fault:
        summary = (plant.__doc__ or "").strip().partition("\n")[0]
        if not summary:
            raise ConfigError(
                f"the fault {plant.__name__} has no docstring", remedy="say what is wrong with it"
            )
        return Fault(
            name=plant.__name__,
            family=Family(family),
            summary=summary,
            plant=plant,
            ladder=ladder,
            noticed_by=noticed_by,
            expect=expect,
            metrics=metrics,
        )

    return made


LOSSES = (
    "accuracy drop",
    "number of extra errors",
    "worst class's accuracy drop",
    "agreement with Keras",
    "largest difference from Keras",
    "accuracy lost against the base",
    "agreement with the reference",
    "agreement with the base",
    "output error",
)
"""The measurements that notice a candidate which no longer works."""
