"""Between pytest and the session: which items are checks, and what their reports carry."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, final

import pytest

from litegate import waiverfile
from litegate.environment import header
from litegate.errors import ConfigError, LitegateError
from litegate.escaping import plain
from litegate.items import (
    CASE,
    cases_of,
    fixtures_of,
    functions_of,
    has_case,
    is_latency,
    requirement_of,
    requires,
)
from litegate.loosening import LOOSENED, Loosenings, of_model, of_project
from litegate.options import OPTIONS, GateOptions, parse
from litegate.progress import Progress
from litegate.reports.record import Place, error_row
from litegate.selection import Case, cases
from litegate.session import Session, conclude
from litegate.waivers import Waiver, covering, notes

_OF_RECIPES = frozenset({"candidate", "reference", "base", "anchor", "shipped"})
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
    unset: dict[str, tuple[str, ...]] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    """The cases that the base does not know."""
    functions: dict[str, Any] = field(default_factory=dict)
    """The function of every test below the folder of checks, by node id without brackets."""
    ran: bool = False
    """Whether a test below the folder of checks ran, in this process or one of its workers."""
    report: Mapping[str, Any] | None = None
    waivers: tuple[Waiver, ...] = ()
    """The exceptions that the project's reviewed file names."""
    seen: set[str] = field(default_factory=set)
    """The checks that reported, by node id."""
    skipped_files: list[str] = field(default_factory=list)
    """Files of checks that skipped themselves when they were loaded."""
    told: set[str] = field(default_factory=set)
    """The errors that were printed in full."""

    @classmethod
    def of(cls, config: pytest.Config) -> Gate:
        """Parse this run's options. ConfigError for a wrong value or a misspelt model."""
        options = parse(
            config.rootpath,
            {option.name: config.getoption(option.name) for option in OPTIONS},
            {option.name: _setting(config, option.name) for option in OPTIONS},
        )
        progress = Progress()
        session = Session(options, progress.on_event, progress.on_notice)
        gate = cls(config, options, _concerned(config, options.checks), session, progress)
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
        """Take the last run's report away: nobody must read yesterday's pass for today's."""
        if not self.active or self.is_worker or self.config.option.collectonly:
            return
        try:
            self.options.report.joinpath("report.json").unlink(missing_ok=True)
        except OSError as error:
            raise pytest.UsageError(f"the report cannot be written: {error}") from error

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

        project = self.config.rootpath
        settings = {name: _setting(self.config, name) for name in _SETTINGS}
        return self.session.declared | {
            "checks": declarations.declared_checks(self.functions),
            "settings": settings | {"addopts": shlex.join(self.config.getini("addopts"))},
            "conftests": declarations.declared_conftests(project, self.options.checks),
        }

    def is_check(self, path: Path) -> bool:
        """Whether a test file lies below the folder of checks."""
        return path.is_relative_to(self.options.checks)

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Give a check its cases."""
        if CASE not in metafunc.fixturenames or not self.is_check(metafunc.definition.path):
            return
        each = not _OF_RECIPES.isdisjoint(metafunc.fixturenames)
        only = self.options.only_recipes
        try:
            found = cases(self.session.models, only, metafunc.function, each=each)
        except LitegateError as error:
            raise pytest.Collector.CollectError(str(error)) from error
        if "shipped" in metafunc.fixturenames:
            found = [case for case in found if case.shipped is not None]
        for role in ROLES.intersection(metafunc.fixturenames):
            found = [case for case in found if self.session.knows(role, case)]
        if "loosenings" in metafunc.fixturenames:
            found = found if self.session.base else []
        metafunc.parametrize(CASE, found, ids=[case.id for case in found], indirect=True)

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
        found = cases_of(checks)
        self.unset = {case.id: case.budget.unset() for case in found if case.recipe}
        self.new = [case.id for case in self.session.new_cases()] if checks else []
        self._refuse_unguarded(items)
        items[:] = sorted(kept, key=is_latency)

    def _has_what_it_asks_for(self, item: pytest.Item) -> bool:
        """Whether an item has its case, and a base where it compares with one."""
        compares = self.is_check(item.path) and "loosenings" in fixtures_of(item)
        return has_case(item) and not (compares and self.session.base is None)

    def _refuse_unguarded(self, items: list[pytest.Item]) -> None:
        """A change held against a base must not take out the check that says what it loosens."""
        guards = [item for item in items if "loosenings" in fixtures_of(item)]
        base = self.session.base if self.active else None
        if base and base.models and self._asked_for(self.options.checks) and not guards:
            raise pytest.UsageError(
                "no check asks for the fixture `loosenings`: a change could loosen what it likes\n"
                "  what to do: add checks/test_loosening.py; `litegate init` writes it"
            )

    def _asked_for(self, path: Path) -> bool:
        """Whether the command line names this path, or a folder that holds it."""
        start = self.config.invocation_params.dir
        asked = ((start / Path(arg)).resolve() for arg in self.config.args if "::" not in arg)
        return any(path.resolve().is_relative_to(each) for each in asked)

    def loosenings(self, case: Case | None) -> Loosenings:
        """What this change loosens of one model, or of the project. ConfigError without a base."""
        base = self.session.base
        if base is None:
            raise ConfigError("nothing is loosened without a base", remedy="run with --against REF")
        mine = self.declaration()
        asked = (id_ for id_ in base.declaration["checks"] if self._asked_for_node(id_))
        theirs = dict(base.declaration) | {
            "checks": {id_: base.declaration["checks"][id_] for id_ in asked}
        }
        return of_model(theirs, mine, case.model.name) if case else of_project(theirs, mine)

    def _asked_for_node(self, node: str) -> bool:
        return self._asked_for(self.config.rootpath / node.partition("::")[0])

    def selection_lines(self) -> list[str]:
        """Lines that name the limits no check guards, and what the base does not know."""
        unset = ((name, limits) for name, limits in self.unset.items() if limits)
        lines = [f"no limit for {plain(name)}: {', '.join(limits)}" for name, limits in unset]
        new = (
            f"{plain(name)} is new: the base has none, its budget alone holds" for name in self.new
        )
        return [*lines, *new]

    def build(self, session: pytest.Session) -> None:
        """Build what the selected checks need, showing progress."""
        items = getattr(session, "items", [])
        found = cases_of(items)
        if not found or session.config.option.collectonly or session.testsfailed:
            return
        with _uncaptured(self.config), self.progress.shown(self.config):
            self.session.build(found)
            for role, side in self.session.counterparts.items():
                side.build(cases_of([item for item in items if role in fixtures_of(item)]))

    def keep(self) -> Path:
        """The folder for what failing checks leave behind."""
        folder = self.options.report / "failing"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def tell(self, error: LitegateError) -> str:
        """An error in full where it is met first; after that, the line that names it."""
        whole = str(error)
        if whole in self.told:
            return f"{error.what}\n  (in full above)"
        self.told.add(whole)
        return whole

    def collect(self, report: pytest.TestReport) -> None:
        """Take a report's rows into the run's record; on the controller alone."""
        rows = getattr(report, "litegate", None)
        if rows is None or self.is_worker:
            return
        run = self.session.run
        self.ran = True
        self.seen.add(report.nodeid)
        run.verdicts += rows["verdicts"]
        run.errors += rows["errors"]
        run.not_gated |= rows["not_gated"]
        run.not_measured |= rows["not_measured"]

    def finish(self, session: pytest.Session) -> None:
        """Write the report; a run of checks that gated nothing is no success."""
        if self.is_worker or not self.ran or session.config.option.collectonly:
            return
        from litegate.reports.json_report import write

        run = self.session.run
        self._close_holes(session)
        good = ("pass", "inconclusive")
        if run.verdict not in good and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        run.waivers = [waiver.to_row() for waiver in self.waivers]
        run.notes += notes(self.waivers, run.verdicts, today(), whole=self._is_whole())
        report = conclude(self.session) | {"exit_status": int(session.exitstatus)}
        path = write(report, self.options.report)
        self.report = report | {"path": str(path)}

    def excuse(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The waiver that covers a verdict's row, as it stands in the report; or None."""
        found = covering(self.waivers, row, today())
        return found.to_row() if found else None

    def _is_whole(self) -> bool:
        """Whether this run was asked for every check of every model."""
        ways = ("keyword", "markexpr", "lf", "deselect")
        narrowed = any(self.config.getoption(way, default=None) for way in ways)
        return not (narrowed or self.options.only_models or self.options.only_recipes)

    def _close_holes(self, session: pytest.Session) -> None:
        """What was selected and never reported, skipped as a whole file, or loosened unseen."""
        items = [item for item in getattr(session, "items", []) if self.is_check(item.path)]
        silent = [item.nodeid for item in items if item.nodeid not in self.seen]
        if session.exitstatus == pytest.ExitCode.OK:
            self._blame(f"{plain(one)} was selected and never reported" for one in silent)
        self._blame(f"{plain(one)} skipped itself as a whole" for one in self.skipped_files)
        base = self.session.base
        if base and base.models and self.functions and self._asked_for(self.options.checks):
            self._blame(self._unseen_loosenings())

    def _blame(self, messages: Iterable[str]) -> None:
        nowhere = Place(id="", model="", recipe="", check="", requirement="-", file="", line=0)
        self.session.run.errors += [error_row(nowhere, message) for message in messages]

    def _unseen_loosenings(self) -> Iterator[str]:
        """What this change loosens, where no check of this run said so."""
        subjects = [None, *(Case(model=m, recipe=None) for m in self.session.models.values())]
        for case in subjects:
            name = case.model.name if case else ""
            found = self.loosenings(case).found
            rows = [r for r in self.session.run.verdicts if r["model"] == name]
            said = [r for r in rows if r["measurement"] == LOOSENED and r["verdict"] == "fail"]
            if found and not said:
                yield f"loosened, and no check of this run said so: {plain(found[0].sentence)}"

    def summarize(self, reporter: pytest.TerminalReporter) -> None:
        """Print the closing table."""
        if self.report is None:
            return
        from litegate.reports.terminal import lines

        reporter.write_sep("=", "litegate")
        brief = self.config.get_verbosity() < 0
        for mark, line in lines(self.session.run, width=_width(reporter), brief=brief):
            reporter.write_line(line, **_MARKUP[mark])
        reporter.write_line(f"report: {self.report['path']}")


@final
@dataclass(frozen=True, eq=False)
class Collector:
    """Takes in every report; a plugin of its own, since this hook is not told the run it is of."""

    gate: Gate

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Called for each file; one of checks that skips itself gates nothing."""
        path = self.gate.config.rootpath / report.nodeid
        if report.skipped and report.nodeid and self.gate.is_check(path):
            self.gate.skipped_files.append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for each phase of each test, on the controller and on its workers."""
        self.gate.collect(report)


KEY = pytest.StashKey[Gate]()
_SETTINGS = tuple(o.name for o in OPTIONS if not o.personal)
"""Settings that a checkout shares, and that a change may loosen."""

_MARKUP: Mapping[str, Mapping[str, bool]] = {
    "fail": {"red": True},
    "error": {"red": True, "bold": True},
    "inconclusive": {"yellow": True},
    "waived": {"yellow": True},
    "pass": {"green": True},
    "head": {"bold": True},
    "plain": {},
}


def today() -> date:
    """The day by which waivers expire, the same everywhere: in UTC."""
    return datetime.now(UTC).date()


def _setting(config: pytest.Config, name: str) -> str:
    value = config.getini(name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


def _concerned(config: pytest.Config, checks: Path) -> bool:
    """Whether an argument of the command line lies in the folder of checks, or holds it."""
    given = [Path(arg.partition("::")[0]) for arg in config.args]
    paths = [(config.invocation_params.dir / path).resolve() for path in given]
    folder = checks.resolve()
    return any(p.is_relative_to(folder) or folder.is_relative_to(p) for p in paths)


def _uncaptured(config: pytest.Config) -> Any:
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    return capture.global_and_fixture_disabled() if capture else nullcontext()


def _width(reporter: pytest.TerminalReporter) -> int:
    return reporter._tw.fullwidth if reporter.isatty else 0  # noqa: SLF001 pytest offers no other way
