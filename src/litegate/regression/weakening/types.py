"""The nouns: one thing that was loosened, and all that one subject loosened."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import final


class Change(StrEnum):
    """What was loosened; the value is how it reads in a sentence."""

    BUDGET = "budget"
    METRIC = "metric"
    CHECK_REMOVED = "check removed"
    CHECK_CHANGED = "check changed"
    MODEL_REMOVED = "model removed"
    RECIPE_REMOVED = "recipe removed"
    RECIPE_CHANGED = "recipe changed"
    NOT_GATED = "no longer gated"
    EVALUATION = "evaluation split"
    PREPROCESSING = "preprocessing"
    DOMAIN = "domain"
    CLASSES = "classes"
    STRICT = "strict"
    ADDOPTS = "addopts"
    DESELECTION = "deselection"
    SETTING = "setting"
    CONFTEST = "conftest"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Weakening:
    """One thing that the head promises less of than the base."""

    kind: Change
    field: str
    """Which limit, check, data array, option or file."""
    before: str
    after: str
    model: str = ""
    """Empty where it is the project's."""
    recipe: str = ""
    remedy: str = ""
    """What to do where that is not to undo it."""

    @property
    def sentence(self) -> str:
        """Say it with both values to the last digit, so that a waiver of it covers nothing else."""
        whose = "/".join(part for part in (self.model, self.recipe) if part)
        head = f"{whose}: " if whose else ""
        tail = f"; {self.remedy}" if self.remedy else ""
        return f"{head}{self.kind} {self.field}: {self.before} -> {self.after}{tail}"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WeakenedLimits:
    """What one model, or the project as a whole, loosens."""

    subject: str
    weakenings: tuple[Weakening, ...]
    compared: int
    """How many things of the base were looked at."""
    new: bool = False
    """The base has no such model, or no litegate: there is nothing to loosen."""


def differs(kind: Change, field: str, before: str | None, after: str | None) -> Weakening:
    """Something known by its digest that came, went or is another."""
    shown = ["none" if digest is None else digest[:16] for digest in (before, after)]
    return Weakening(kind=kind, field=field, before=shown[0], after=shown[1])
