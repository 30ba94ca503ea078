"""Between pytest and the session: which items are checks, and what their reports carry."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import pytest

from litegate.core.errors import ConfigError, LitegateError
from litegate.core.escaping import plain
from litegate.core.options import OPTIONS, GateOptions
from litegate.gate import integrity
from litegate.gate.coverage import Promised
from litegate.gate.environment import header
from litegate.gate.invocation import (
    asked_for,
    concerned,
    looks,
    narrowed,
    options_of,
    setting,
    whole_folder,
)
from litegate.gate.items import cases_of, fixtures_of
from litegate.gate.progress import Progress, uncaptured
from litegate.gate.session import Session
from litegate.regression import waiver_file
from litegate.regression.loosening import Loosenings, of_model, of_project
from litegate.regression.waivers import Waiver, covering
from litegate.report.run_record import Place, error_row
from litegate.spec.cases import Case

if TYPE_CHECKING:
    from litegate.mutation.faults import Scene

ROLES = frozenset({"base", "anchor"})
"""Fixtures that give an artifact of another commit."""


@final
@dataclass(eq=False)
class Gate:
    """The gate of one pytest process."""

    config: pytest.Config
    options: GateOptions
    active: bool
    """Whether this run was pointed at the folder of checks."""
    session: Session
    progress: Progress
    promised: Promised = field(default_factory=Promised)
    functions: dict[str, Any] = field(default_factory=dict)
    """The function of every test below the folder of checks, by node id without brackets."""
    ran: bool = False
    """Whether a test below the folder of checks ran, in this process or one of its workers."""
    report: Mapping[str, Any] | None = None
    waivers: tuple[Waiver, ...] = ()
    """The exceptions that the project's reviewed file names."""
    tally: integrity.Tally = field(default_factory=integrity.Tally)
    shown: Mapping[str, str] = field(default_factory=dict)
    """The models that no recipe of is gated."""
    told: set[str] = field(default_factory=set)
    """The errors that were printed in full."""
    aside: list[pytest.Item] = field(default_factory=list)
    """Checks that compare with a base that this run does not have: for the proof alone."""
    scene: Scene | None = None
    """What checks are handed in a proof, in place of what the run has accepted."""

    @classmethod
    def of(cls, config: pytest.Config) -> Gate:
        """Parse this run's options. ConfigError for a wrong value or a misspelt model."""
        options = options_of(config)
        progress = Progress()
        session = Session(options, progress.on_event, progress.on_notice)
        gate = cls(config, options, concerned(config, options.checks), session, progress)
        if gate.active and (options.only_models or options.only_recipes):
            _ = session.models
        if gate.active:
            _ = session.base, session.anchor
            gate.waivers = waiver_file.load(config.rootpath, today())
        return gate

    @property
    def is_worker(self) -> bool:
        """Whether this is a worker of pytest-xdist."""
        return hasattr(self.config, "workerinput")

    def start(self) -> None:
        """See that there is a place to write, and take the last run's report away.

        Nobody must read yesterday's pass for today's.
        """
        if not self.active or self.is_worker or looks(self.config):
            return
        from litegate.report.json_report import make_room

        try:
            self.session.pipeline.store.demand_folder()
            make_room(self.options.report)
        except LitegateError as error:
            raise pytest.UsageError(str(error)) from error

    def header(self) -> list[str]:
        """Lines for pytest's header."""
        if not self.active:
            return []
        words = {"base": "against {}, the merge base with {}", "anchor": "and {}, the anchor {}"}
        sides = self.session.counterparts.items()
        commits = ((role, side.base.commit) for role, side in sides)
        held = [words[role].format(commit.short, plain(commit.ref)) for role, commit in commits]
        return header(self.session.run.environment) + held

    def declaration(self) -> dict[str, Any]:
        """What this checkout declares, once its checks are collected."""
        from litegate.regression import declaration

        project, paths = self.config.rootpath, self.config.getini("pythonpath")
        settings = {name: setting(self.config, name) for name in _SETTINGS}
        checks = self.options.checks
        return self.session.declared | {
            "checks": self.tally.digests
            or declaration.declared_checks(self.functions, project, paths),
            "settings": settings | {"addopts": shlex.join(self.config.getini("addopts"))},
            "conftests": declaration.declared_conftests(project, checks, paths),
        }

    def is_check(self, path: Path) -> bool:
        """Whether a test file lies below the folder of checks."""
        return path.resolve().is_relative_to(self.options.checks.resolve())

    def is_asked_for_all(self) -> bool:
        """Whether the command line names the whole folder of checks."""
        return whole_folder(self.config, self.options.checks)

    def loosenings(self, case: Case | None) -> Loosenings:
        """What this change loosens of one model, or of the project. ConfigError without a base."""
        mine = self.declaration()
        theirs = dict(self.scene.declared_before(mine)) if self.scene else self._asked_of_base()
        return of_model(theirs, mine, case.model.name) if case else of_project(theirs, mine)

    def _asked_of_base(self) -> dict[str, Any]:
        """What the base declares, with those of its checks that this run was asked for."""
        base = self.session.base
        if base is None:
            raise ConfigError("nothing is loosened without a base", remedy="run with --against REF")
        declared = base.declaration["checks"].items()
        return dict(base.declaration) | {
            "checks": {id_: digest for id_, digest in declared if self._asked_for_node(id_)}
        }

    def _asked_for_node(self, node: str) -> bool:
        file = self.config.rootpath / node.partition("::")[0]
        return self.is_asked_for_all() or asked_for(self.config, file)

    def part(self) -> list[str]:
        """Lines that say how this run is a part of the checks; none where it is all of them."""
        if not self.active:
            return []
        gone = self.tally.left_out
        how = ", ".join(narrowed(self.config, self.options.checks, left_out=bool(gone)))
        said = [f"only a part of the checks was gated: {plain(how)}"] if how else []
        of = f"{len(gone)} of {len(self.tally.offered)} checks were left out"
        return [*said, *([f"{of}, such as {plain(gone[0])}"] if gone else [])]

    def build(self, session: pytest.Session) -> None:
        """Build what the selected checks need, showing progress."""
        items = getattr(session, "items", [])
        found = cases_of(items)
        if not found or looks(session.config) or session.testsfailed:
            return
        try:
            with uncaptured(self.config), self.progress.shown(self.config):
                self.session.build(found)
                for role, side in self.session.counterparts.items():
                    side.build(cases_of([item for item in items if role in fixtures_of(item)]))
        except LitegateError as error:  # what prevents one artifact alone is told by its checks
            raise pytest.UsageError(str(error)) from error

    def keep(self) -> Path:
        """The folder for what failing checks leave behind."""
        folder = self.options.report / ("planted" if self.scene else "failing")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def tell(self, error: LitegateError) -> str:
        """An error in full where it is met first; after that, the line that names it."""
        whole = str(error)
        if self.scene:
            return whole
        if whole in self.told:
            return f"{error.what}\n  (in full above)"
        self.told.add(whole)
        return whole

    def collect(self, report: pytest.TestReport) -> None:
        """Take a report's rows into the run's record; on the controller alone."""
        rows = getattr(report, "litegate", None)
        failed_alone = report.failed and not (rows and (rows["verdicts"] or rows["errors"]))
        if failed_alone:
            self.tally.failures.append(f"{report.nodeid} failed")
        if rows is None or self.is_worker:
            return
        run = self.session.run
        self.ran = True
        self.tally.seen.add(report.nodeid)
        run.verdicts += rows["verdicts"]
        run.errors += rows["errors"]
        run.not_gated |= rows["not_gated"]
        run.not_measured |= rows["not_measured"]
        run.notes += [note for note in rows["notes"] if note not in run.notes]

    def hand_over(self) -> Mapping[str, Any]:
        """What a worker of pytest-xdist tells its controller."""
        if self.session.base:
            self.tally.digests = self.declaration()["checks"]
        return self.tally.handed_over()

    def excuse(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The waiver that covers a verdict's row, as it stands in the report; or None."""
        found = covering(self.waivers, row, today())
        return found.to_row() if found else None

    def blame(self, messages: Iterable[str]) -> None:
        """Take down errors that are no single check's: the run did not do what it should."""
        nowhere = Place(id="", model="", recipe="", check="", requirement="-", file="", line=0)
        self.session.run.errors += [error_row(nowhere, message) for message in messages]


KEY = pytest.StashKey[Gate]()
_SETTINGS = tuple(o.name for o in OPTIONS if not o.personal)
"""Settings that a checkout shares, and that a change may loosen."""


def today() -> date:
    """The day by which waivers expire, the same everywhere: in UTC."""
    return datetime.now(UTC).date()
