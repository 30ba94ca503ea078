"""Ways in which a run may look better than it is: each becomes an error of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, final

import pytest

from litegate.core.escaping import plain
from litegate.gate.session import Session
from litegate.regression.loosening import LOOSENED, Loosenings
from litegate.spec import Model
from litegate.spec.cases import Case, gated

SHOWN = "none of its recipes is gated, all are shown; drop gate=False from one that ships"


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Tally:
    """What one run collected, selected and heard of; a worker of pytest-xdist hands over its own.

    Checks stand by node id.
    """

    offered: list[str] = field(default_factory=list)
    """The checks that were collected."""
    chosen: list[str] = field(default_factory=list)
    """Those of them that were selected."""
    digests: dict[str, str] = field(default_factory=dict)
    """What a worker declares of its checks; empty where this process collects them itself."""
    seen: set[str] = field(default_factory=set)
    """The checks that reported."""
    skipped_files: list[str] = field(default_factory=list)
    """Files of checks that skipped themselves when they were loaded."""
    failures: list[str] = field(default_factory=list)
    """What failed and is no check's verdict: a file, a plain test, a worker that crashed."""

    @property
    def left_out(self) -> list[str]:
        """The checks that were collected and not selected."""
        chosen = set(self.chosen)
        return [one for one in self.offered if one not in chosen]

    @property
    def silent(self) -> list[str]:
        """The checks that were selected and never reported."""
        return [one for one in self.chosen if one not in self.seen]

    def handed_over(self) -> dict[str, Any]:
        """What a controller cannot know by itself, in types that cross processes."""
        return {name: asdict(self)[name] for name in ("offered", "chosen", "digests")}

    def take(self, handed: Mapping[str, Any]) -> None:
        """Take what a worker handed over; each of them collects the same."""
        self.offered, self.chosen = list(handed["offered"]), list(handed["chosen"])
        self.digests = dict(handed["digests"])


def silences(tally: Tally, *, ended_well: bool) -> Iterator[str]:
    """Checks that were selected and never reported, files that skipped themselves."""
    for one in tally.silent if ended_well else ():
        yield f"{plain(one)} was selected and never reported"
    for one in tally.skipped_files:
        yield f"{plain(one)} skipped itself as a whole"


def shown_models(models: Iterable[Model]) -> dict[str, str]:
    """The models that no recipe of is gated, each with what to do."""
    return {model.name: SHOWN for model in models if not gated(model, ())}


def nothing_gated(session: Session) -> Iterator[str]:
    """Name the models that are only shown; where a run has no other, it gated nothing."""
    run = session.run
    models = session.models if any(row["model"] for row in run.verdicts) else {}
    shown = shown_models(models.values())
    run.not_gated |= shown
    if shown and len(shown) == len(models):
        yield f"no model of this run has a gated recipe: {plain(', '.join(shown))}"


def unseen_loosenings(
    session: Session, loosenings: Callable[[Case | None], Loosenings]
) -> Iterator[str]:
    """What this change loosens, where no check of this run said so."""
    subjects = [None, *(Case(model=m, recipe=None) for m in session.models.values())]
    for case in subjects:
        name = case.model.name if case else ""
        found = loosenings(case).found
        rows = [r for r in session.run.verdicts if r["model"] == name]
        said = [r for r in rows if r["measurement"] == LOOSENED and r["verdict"] == "fail"]
        if found and not said:
            yield f"loosened, and no check of this run said so: {plain(found[0].sentence)}"


def bad_end(tally: Tally, status: int, why: str) -> str:
    """Why pytest calls a run red whose verdicts are good."""
    known = {code.value: code.name.lower().replace("_", " ") for code in pytest.ExitCode}
    said = [f"pytest ended with exit status {status}"]
    said += [known[status]] if status in known else []
    return ": ".join((*said, "; ".join(plain(one) for one in (why, *tally.failures) if one)))
