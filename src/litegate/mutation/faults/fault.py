"""Define faults: known defects that are planted to test whether a gate notices them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from litegate.core.errors import ConfigError
from litegate.measures.names import Name
from litegate.mutation.faults.scene import Scene

Plant = Callable[[Scene, float], Scene]
"""Takes a sound scene and a grade and returns the faulty scene; may raise Unplantable."""


class Family(StrEnum):
    """The group of faults that `--prove-family` selects, by the quality that they damage."""

    ACCURACY = "accuracy"
    TYPES = "types"
    SIZE = "size"
    LATENCY = "latency"
    OPERATORS = "operators"
    PLUMBING = "plumbing"


class Expect(StrEnum):
    """The reaction of a gate that notices the fault."""

    FAIL = "fail"
    """A check fails or raises one of litegate's errors. The planted file loads and runs."""
    REFUSED = "refused"
    """The same for a file that LiteRT may refuse to load; a check that crashes does not count."""
    UNPROVEN = "unproven"
    """A verdict is inconclusive or a check fails, because the comparison cannot show anything."""


class OfMetric(StrEnum):
    """A kind of measurement that should notice a fault, if the model has slices or metrics."""

    SLICE = Name.SLICE_DROP
    VALUE = "values of metrics"
    LOSS = "losses of metrics"
    REGRESSION = "regressions of metrics"


@final
@dataclass(frozen=True, slots=True, init=False)
class Ladder:
    """The grades of a fault in ascending order.

    ``Ladder(1, 2, 5, unit="points", must=5)``: some check must notice grade 5 and larger ones.
    Raises ConfigError if the grades do not rise from above 0 or do not include `must`.
    """

    grades: tuple[float, ...]
    unit: str
    must: float

    def __init__(self, *grades: float, unit: str, must: float) -> None:
        if not grades or list(grades) != sorted(set(grades)) or grades[0] <= 0:
            raise ConfigError(
                "a ladder cannot have these grades",
                expected="increasing numbers above 0",
                got=repr(grades),
            )
        if must not in grades:
            raise ConfigError(f"grade {must:g} is none of the ladder's", expected=repr(grades))
        object.__setattr__(self, "grades", grades)
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "must", must)

    @property
    def top(self) -> float:
        """The largest grade."""
        return self.grades[-1]

    def text(self, grade: float) -> str:
        """Return a grade with its unit; empty for a fault without grades."""
        return format_grade(grade, self.unit)


def format_grade(grade: float, unit: str) -> str:
    """Return a grade with its plural unit, as in "5 points" or "1 layer"; empty without a unit."""
    if not unit:
        return ""
    noun, *rest = unit.split(" ")
    if grade == 1:
        noun = noun.removesuffix("s")
    return " ".join([f"{grade:g}", noun, *rest])


ONCE = Ladder(1, unit="", must=1)
"""The ladder of a fault without grades, which is either planted or not."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A defect that can be planted in grades, and the measurements that should notice it."""

    name: str
    family: Family
    summary: str
    """The defect in one sentence."""
    plant: Plant
    ladder: Ladder
    noticed_by: tuple[str, ...]
    """Names of the measurements, as in the rows of a report. Each one that the model limits must
    notice the largest grade."""
    expect: Expect
    metrics: tuple[OfMetric, ...] = ()
    """Further measurements that should notice it, if the model limits metrics or slices."""

    def __call__(self, scene: Scene, grade: float) -> Scene:
        """Plant the fault. Raises Unplantable if this model cannot have it."""
        return self.plant(scene, grade)


def fault(
    *,
    family: Family | str,
    noticed_by: tuple[str, ...],
    ladder: Ladder = ONCE,
    expect: Expect = Expect.FAIL,
    metrics: tuple[OfMetric, ...] = (),
) -> Callable[[Plant], Fault]:
    """Turn a function that takes a scene and a grade and returns the faulty scene into a fault.

    The function's name becomes the fault's name, the first line of its docstring the summary. The
    decorator registers nothing: a project's own faults are those in `faults.py` in its folder of
    checks. Raises ConfigError for an unknown family or a function without a docstring.
    """
    if family not in tuple(Family):
        raise ConfigError(f"there is no family {family!r}", expected=", ".join(Family))

    def decorate(plant: Plant) -> Fault:
        summary = (plant.__doc__ or "").strip().partition("\n")[0]
        if not summary:
            raise ConfigError(
                f"the fault {plant.__name__} has no docstring", remedy="describe the defect"
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

    return decorate


LOSSES = (
    Name.ACCURACY_DROP,
    Name.EXTRA_ERRORS,
    Name.CLASS_DROP,
    Name.KERAS_AGREEMENT,
    Name.KERAS_DIFFERENCE,
    Name.ACCURACY_REGRESSION,
    Name.REFERENCE_AGREEMENT,
    Name.BASE_AGREEMENT,
    Name.OUTPUT_ERROR,
)
"""Measurements that should notice a candidate with damaged weights."""
