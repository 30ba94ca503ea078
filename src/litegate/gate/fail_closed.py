"""Detect runs that would look green without judging everything; each is an error of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest

from litegate.core.errors import LitegateError
from litegate.core.escaping import plain
from litegate.gate.recorder import Recorder
from litegate.gate.session import GateSession
from litegate.measures.names import Name
from litegate.regression.weakening import WeakenedLimits
from litegate.report.run_record import Run
from litegate.spec import Model
from litegate.spec.cases import Case, gated_recipes

SHOWN = "all its recipes have gate=False: remove it from a recipe that ships"


def silences(recorder: Recorder, *, ended_well: bool) -> Iterator[str]:
    """Yield the checks that were selected and never reported, and files that skipped themselves."""
    for check in recorder.silent if ended_well else ():
        yield f"{plain(check)} was selected but never reported a result"
    for file in recorder.skipped_files:
        yield f"{plain(file)} was skipped as a whole"


def shown_models(models: Iterable[Model]) -> dict[str, str]:
    """Return the models without a gated recipe, each with what to do."""
    return {model.name: SHOWN for model in models if not gated_recipes(model, ())}


def only_shows(session: GateSession) -> bool:
    """Return True if the run has models, and none of them has a gated recipe."""
    try:
        models = session.models
    except LitegateError:
        return False
    return len(shown_models(models.values())) == len(models)


def nothing_gated(session: GateSession, run: Run, *, has_run: bool) -> Iterator[str]:
    """Record the models that are only shown; a run that has no other gated nothing.

    `has_run` is False if no check had a case. A run of project checks alone is not concerned.
    """
    concerns_models = not has_run or any(row["model"] for row in run.verdicts)
    models = session.models if concerns_models else {}
    shown = shown_models(models.values())
    run.not_gated |= shown
    if shown and len(shown) == len(models):
        yield f"no model of this run has a gated recipe: {plain(', '.join(shown))}"


def unreported_weakening(
    session: GateSession, run: Run, weakened_limits: Callable[[Case | None], WeakenedLimits]
) -> Iterator[str]:
    """Yield what this change weakens if no check of this run reported it."""
    subjects = [None, *(Case(model=m, recipe=None) for m in session.models.values())]
    for case in subjects:
        name = case.model.name if case else ""
        try:
            weakenings = weakened_limits(case).weakenings
        except LitegateError as error:
            yield f"cannot tell which limits this change weakens: {error}"
            return
        rows = [row for row in run.verdicts if row["model"] == name]
        failed = [
            row
            for row in rows
            if row["measurement"] == Name.WEAKENED_LIMITS and row["verdict"] == "fail"
        ]
        if weakenings and not failed:
            yield f"weakened, and no check of this run reported it: {plain(weakenings[0].sentence)}"


def bad_end(recorder: Recorder, status: int, why: str) -> str:
    """Explain why pytest fails a run whose verdicts are good."""
    names = {code.value: code.name.lower().replace("_", " ") for code in pytest.ExitCode}
    sentence = [f"pytest ended with exit status {status}"]
    sentence += [names[status]] if status in names else []
    reasons = "; ".join(plain(reason) for reason in (why, *recorder.failures) if reason)
    return ": ".join((*sentence, reasons))
