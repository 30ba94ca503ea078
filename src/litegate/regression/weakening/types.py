"""Types of the comparison: one weakening, and all weakenings of one subject."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import final


class Change(StrEnum):
    """Kind of a weakening; the value is its name in a sentence."""

    BUDGET = "budget"
    METRIC = "metric"
    CHECK_REMOVED = "check removed"
    CHECK_CHANGED = "check changed"
    SHARED_CODE = "code shared by the checks of"
    STATEMENTS = "top-level statements of"
    MODULE = "module"
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
    WORKFLOW = "workflow"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Weakening:
    """One limit, check or setting that is weaker in the head than in the base."""

    kind: Change
    field: str
    """Name of the limit, check, data array, option or file."""
    before: str
    after: str
    model: str = ""
    """Empty if it concerns the whole project."""
    recipe: str = ""
    """Empty if it concerns the whole model."""
    remedy: str = ""
    """The fix, if it is something else than reverting the change."""
    lines: tuple[str, ...] = ()
    """The first changed lines of code, each with "+" or "-" before it."""

    @property
    def sentence(self) -> str:
        """The change with both values in full, so that a waiver of it covers no other change."""
        subject = "/".join(part for part in (self.model, self.recipe) if part)
        prefix = f"{subject}: " if subject else ""
        suffix = f"; {self.remedy}" if self.remedy else ""
        change = f"{prefix}{self.kind} {self.field}: {self.before} -> {self.after}{suffix}"
        return " | ".join((change, *self.lines))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WeakenedLimits:
    """All weakenings of one model, or of the project as a whole."""

    subject: str
    weakenings: tuple[Weakening, ...]
    compared: int
    """Number of items of the base that were compared."""
    new: bool = False
    """True if the base has no such model, or does not use litegate: nothing can be weakened."""


DIGEST_DIGITS = 16
"""Hexadecimal digits of a digest that stands for an item: few keep sentences short. 64 bits do not
collide by accident, and nothing but them tells the two items apart."""


def digest_change(kind: Change, field: str, before: str | None, after: str | None) -> Weakening:
    """Return the weakening of an item that is compared by its digest; None if it is missing."""
    before, after = (
        "none" if digest is None else digest[:DIGEST_DIGITS] for digest in (before, after)
    )
    return Weakening(kind=kind, field=field, before=before, after=after)
