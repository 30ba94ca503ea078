"""Detect runs that would look green without judging everything; each is an error of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest

from litegate.core.escaping import plain
from litegate.gate.recorder import Recorder
from litegate.gate.session import GateSession
from litegate.regression.weakening import WEAKENED, WeakenedLimits
from litegate.report.run_record import Run
from litegate.spec import Model
from litegate.spec.cases import Case, gated_recipes

SHOWN = "none of its recipes is gated, all are shown; drop gate=False from one that ships"


def silences(recorder: Recorder, *, ended_well: bool) -> Iterator[str]:
    """Checks that were selected and never reported, files that skipped themselves."""
    for one in recorder.silent if ended_well else ():
        yield f"{plain(one)} was selected and never reported"
    for one in recorder.skipped_files:
        yield f"{plain(one)} skipped itself as a whole"


def shown_models(models: Iterable[Model]) -> dict[str, str]:
    """The models that no recipe of is gated, each with what to do."""
    return {model.name: SHOWN for model in models if not gated_recipes(model, ())}


def nothing_gated(session: GateSession, run: Run) -> Iterator[str]:
    """Record the models that are only shown; a run that has no other gated nothing."""
    models = session.models if any(row["model"] for row in run.verdicts) else {}
    shown = shown_models(models.values())
    run.not_gated |= shown
    if shown and len(shown) == len(models):
        yield f"no model of this run has a gated recipe: {plain(', '.join(shown))}"


def unreported_weakening(
    session: GateSession, run: Run, weakened_limits: Callable[[Case | None], WeakenedLimits]
) -> Iterator[str]:
    """What this change loosens, where no check of this run said so."""
    subjects = [None, *(Case(model=m, recipe=None) for m in session.models.values())]
    for case in subjects:
        name = case.model.name if case else ""
        found = weakened_limits(case).weakenings
        rows = [r for r in run.verdicts if r["model"] == name]
        said = [r for r in rows if r["measurement"] == WEAKENED and r["verdict"] == "fail"]
        if found and not said:
            yield f"loosened, and no check of this run said so: {plain(found[0].sentence)}"


def bad_end(recorder: Recorder, status: int, why: str) -> str:
    """Why pytest calls a run red whose verdicts are good."""
    known = {code.value: code.name.lower().replace("_", " ") for code in pytest.ExitCode}
    said = [f"pytest ended with exit status {status}"]
    said += [known[status]] if status in known else []
    return ": ".join((*said, "; ".join(plain(one) for one in (why, *recorder.failures) if one)))
