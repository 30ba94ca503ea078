"""Between pytest and the session: which items are checks, and what their reports carry."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import pytest

from litegate import holes, waiverfile
from litegate.configured import options_of, setting
from litegate.environment import header
from litegate.errors import ConfigError, LitegateError
from litegate.escaping import plain
from litegate.items import (
    CASE,
    METRIC,
    case_of,
    cases_of,
    fixtures_of,
    functions_of,
    has_case,
    is_latency,
    requirement_of,
    requires,
)
from litegate.loosening import Loosenings, of_model, of_project
from litegate.options import OPTIONS, GateOptions
from litegate.progress import Progress, uncaptured
from litegate.promised import Promised, promised
from litegate.reports.record import Place, error_row
from litegate.scope import asked_for, concerned, looks, narrowed, whole_folder
from litegate.selection import Case, by_metric, cases
from litegate.session import Session, conclude
from litegate.waivers import Waiver, covering, notes

if TYPE_CHECKING:
    from litegate.faults import Scene
    from litegate.reports.html.gathering import Comparison

_OF_RECIPES = frozenset({"candidate", "reference", "base", "anchor", "shipped", "target"})
"""Fixtures that make a check run once for each gated recipe."""
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
    tally: holes.Tally = field(default_factory=holes.Tally)
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
            gate.waivers = waiverfile.load(config.rootpath, today())
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
        from litegate.reports.json_report import make_room

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
        from litegate import declarations

        project, paths = self.config.rootpath, self.config.getini("pythonpath")
        settings = {name: setting(self.config, name) for name in _SETTINGS}
        checks = self.options.checks
        return self.session.declared | {
            "checks": self.tally.digests
            or declarations.declared_checks(self.functions, project, paths),
            "settings": settings | {"addopts": shlex.join(self.config.getini("addopts"))},
            "conftests": declarations.declared_conftests(project, checks, paths),
        }

    def is_check(self, path: Path) -> bool:
        """Whether a test file lies below the folder of checks."""
        return path.resolve().is_relative_to(self.options.checks.resolve())

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Give a check its cases."""
        if CASE not in metafunc.fixturenames or not self.is_check(metafunc.definition.path):
            return
        each = not _OF_RECIPES.isdisjoint(metafunc.fixturenames)
        only = self.options.only_recipes
        try:
            self.shown = holes.shown_models(self.session.models.values())
            found = cases(self.session.models, only, metafunc.function, each=each)
        except LitegateError as error:
            if not self.is_worker:  # which would count as crashed
                metafunc.definition.session.shouldstop = "no check can be given its models"
            raise pytest.Collector.CollectError(str(error)) from error
        if "shipped" in metafunc.fixturenames:
            found = [case for case in found if case.shipped is not None]
        if "target" in metafunc.fixturenames:
            found = [case for case in found if case.target is not None]
        for role in ROLES.intersection(metafunc.fixturenames):
            found = [case for case in found if self._compares(role, case)]
        if "loosenings" in metafunc.fixturenames:
            found = found if self.session.base or self.options.prove else []
        # Without a case there is one item, dropped later: what pytest makes of none is a setting.
        if METRIC in metafunc.fixturenames:
            pairs = by_metric(found, metafunc.function)
            ids = [f"{case.id}-{metric.name}" for case, metric in pairs] or ["none"]
            metafunc.parametrize((CASE, METRIC), pairs or [(None, None)], ids=ids, indirect=True)
            return
        ids = [case.id for case in found] or ["none"]
        metafunc.parametrize(CASE, found or [None], ids=ids, indirect=True)

    def arrange(self, items: list[pytest.Item]) -> None:
        """Drop items that got no case, refuse checks without a requirement, put latency last."""
        self.functions |= functions_of(item for item in items if self.is_check(item.path))
        kept = [item for item in items if self._has_what_it_asks_for(item)]
        if dropped := [item for item in items if item not in kept]:
            self.config.hook.pytest_deselected(items=dropped)
        checks = [item for item in kept if self.is_check(item.path) and requires(item)]
        for item in checks:
            if not requirement_of(item):
                raise pytest.UsageError(
                    f"{item.nodeid} has no docstring: its first line is the requirement"
                )
        functions = functions_of(item for item in checks if case_of(item)).values()
        whole = self._is_asked_for_all()
        self.promised = promised(self.session, cases_of(checks), functions, whole=whole)
        self._refuse_unguarded(items)
        self.aside = [item for item in kept if self._lacks_base(item)]
        items[:] = sorted(kept, key=is_latency)
        offered = [item for item in items if item in checks and item not in self.aside]
        self.tally.offered = [item.nodeid for item in offered]

    def _compares(self, role: str, case: Case) -> bool:
        """Whether a check of this case has something to compare with.

        In a proof it always has a base, and an anchor where the run has one.
        """
        held = role == "base" or self.session.anchor is not None
        return self.session.knows(role, case) or (self.options.prove and held)

    def _lacks_base(self, item: pytest.Item) -> bool:
        """Whether a check asks for another commit than this run has."""
        if not (self.options.prove and self.is_check(item.path)):
            return False
        asked, case = set(fixtures_of(item)), case_of(item)
        if "loosenings" in asked:
            return self.session.base is None
        return case is not None and not all(self.session.knows(r, case) for r in ROLES & asked)

    def _has_what_it_asks_for(self, item: pytest.Item) -> bool:
        """Whether an item has its case, and a base where it compares with one."""
        compares = self.is_check(item.path) and "loosenings" in fixtures_of(item)
        alone = compares and self.session.base is None and not self.options.prove
        return has_case(item) and not alone

    def _refuse_unguarded(self, items: list[pytest.Item]) -> None:
        """A change held against a base must not take out the check that says what it loosens."""
        guards = [item for item in items if "loosenings" in fixtures_of(item)]
        base = self.session.base if self.active else None
        if base and base.models and self._is_asked_for_all() and not guards:
            raise pytest.UsageError(
                "no check asks for the fixture `loosenings`: a change could loosen what it likes\n"
                "  what to do: add checks/test_loosening.py; `litegate init` writes it"
            )

    def _is_asked_for_all(self) -> bool:
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
        return self._is_asked_for_all() or asked_for(self.config, file)

    def selection_lines(self) -> list[str]:
        """Lines that name the limits no check guards, and what the base does not know."""
        shown = (f"{plain(name)} is NOT GATED: {why}" for name, why in self.shown.items())
        return [*self.promised.lines(), *shown, *self._part()]

    def select(self, items: list[pytest.Item]) -> None:
        """Take down which checks are left, now that every plugin has chosen.

        Those that are for the proof alone go out of `items`, whoever chose among them.
        """
        self.aside = [item for item in items if item in self.aside]
        items[:] = [item for item in items if item not in self.aside]
        chosen = {item.nodeid for item in items}
        self.tally.chosen = [one for one in self.tally.offered if one in chosen]

    def _part(self) -> list[str]:
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
        with uncaptured(self.config), self.progress.shown(self.config):
            self.session.build(found)
            for role, side in self.session.counterparts.items():
                side.build(cases_of([item for item in items if role in fixtures_of(item)]))

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

    def finish(self, session: pytest.Session) -> None:
        """Write the report; a run of checks that gated nothing is no success."""
        if self.is_worker or not self.ran or looks(session.config):
            return
        from litegate.reports.json_report import write
        from litegate.showing import compared, rows

        run = self.session.run
        self._settle(session)
        run.waivers = [waiver.to_row() for waiver in self.waivers]
        run.notes += notes(self.waivers, run.verdicts, today(), whole=self._is_whole())
        comparisons = compared(self.session)
        found = conclude(self.session) | rows(comparisons)
        report = found | {"exit_status": int(session.exitstatus)}
        try:
            path = str(write(report, self.options.report))
        except LitegateError as error:
            session.exitstatus, path = pytest.ExitCode.TESTS_FAILED, f"none; {error}"
        self.report = report | {"path": path, "page": self._page(report, comparisons)}

    def _page(self, report: Mapping[str, Any], comparisons: list[Comparison]) -> str:
        """Write report.html and keep the verdicts; what prevents it is said, and judges nothing."""
        from litegate.reports.kept import keep
        from litegate.showing import show_run

        path = "none"
        try:
            path = str(show_run(report, comparisons, self.options))
            keep(report, self.options.history)
        except LitegateError as error:
            return f"{path}; {error}"
        return path

    def excuse(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The waiver that covers a verdict's row, as it stands in the report; or None."""
        found = covering(self.waivers, row, today())
        return found.to_row() if found else None

    def _is_whole(self) -> bool:
        """Whether this run was asked for every check of every model."""
        return not (self._part() or self.options.only_models or self.options.only_recipes)

    def _settle(self, session: pytest.Session) -> None:
        """Close the holes; the exit status and the run's one word are both good, or neither."""
        run, base = self.session.run, self.session.base
        ended_well = session.exitstatus == pytest.ExitCode.OK
        self.blame(holes.silences(self.tally, ended_well=ended_well))
        self.blame(holes.nothing_gated(self.session))
        if base and base.models and self.tally.offered and self._is_asked_for_all():
            self.blame(holes.unseen_loosenings(self.session, self.loosenings))
        run.notes += self._part()
        if not ended_well and self.tally.silent:
            run.notes.append(f"selected checks that never ran: {len(self.tally.silent)}")
        good = run.verdict in (("pass",) if run.strict else ("pass", "inconclusive"))
        if good and not ended_well:
            why = str(session.shouldfail or session.shouldstop or "")
            self.blame([holes.bad_end(self.tally, int(session.exitstatus), why)])
        elif ended_well and not good:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

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
