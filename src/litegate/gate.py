"""Between pytest and the session: which items are checks, and what their reports carry."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, final

import pytest

from litegate.environment import header
from litegate.errors import ConfigError, LitegateError, MeasurementError
from litegate.measurement import Verdict
from litegate.options import OPTIONS, GateOptions, parse
from litegate.progress import Progress
from litegate.reports.record import Place, error_row, verdict_row
from litegate.requirement import PromiseBroken, Require
from litegate.selection import Case, cases
from litegate.session import BASELINE, NotGated, Session, conclude
from litegate.spec import Artifact
from litegate.units import text

CASE = "litegate_case"
_VERDICTS = pytest.StashKey[list[Verdict]]()
_OMITTED = pytest.StashKey[str]()
_NOT_GATED = pytest.StashKey[str]()
_ENDED = pytest.StashKey[bool]()


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
    ran: bool = False
    """Whether a test below the folder of checks ran, in this process or one of its workers."""
    report: Mapping[str, Any] | None = None

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
        return gate

    @property
    def is_worker(self) -> bool:
        """Whether this is a worker of pytest-xdist."""
        return hasattr(self.config, "workerinput")

    def header(self) -> list[str]:
        """Lines for pytest's header."""
        return header(self.session.run.environment) if self.active else []

    def is_check(self, path: Path) -> bool:
        """Whether a test file lies below the folder of checks."""
        return path.is_relative_to(self.options.checks)

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Give a check its cases."""
        if CASE not in metafunc.fixturenames or not self.is_check(metafunc.definition.path):
            return
        each = not {"candidate", "reference"}.isdisjoint(metafunc.fixturenames)
        only = self.options.only_recipes
        try:
            found = cases(self.session.models, only, metafunc.function, each=each)
        except LitegateError as error:
            raise pytest.Collector.CollectError(str(error)) from error
        metafunc.parametrize(CASE, found, ids=[case.id for case in found], indirect=True)

    def arrange(self, items: list[pytest.Item]) -> None:
        """Drop items that got no case, refuse checks without a requirement, put latency last."""
        kept = [item for item in items if _has_case(item)]
        if len(kept) < len(items):
            self.config.hook.pytest_deselected(items=[i for i in items if not _has_case(i)])
        checks = [item for item in kept if self.is_check(item.path) and _requires(item)]
        for item in checks:
            if not _requirement(item):
                raise pytest.UsageError(
                    f"{item.nodeid} has no docstring: its first line is the requirement"
                )
        self.unset = {case.id: case.budget.unset() for case in _cases_of(checks)}
        items[:] = sorted(kept, key=is_latency)

    def unset_limits(self) -> list[str]:
        """Lines that name the limits no check guards, for each model and recipe."""
        return [f"no limit for {n}: {', '.join(names)}" for n, names in self.unset.items() if names]

    def build(self, session: pytest.Session) -> None:
        """Build what the selected checks need, showing progress."""
        found = _cases_of(getattr(session, "items", []))
        if not found or session.config.option.collectonly or session.testsfailed:
            return
        self.options.report.joinpath("report.json").unlink(missing_ok=True)
        with _uncaptured(self.config), self.progress.shown(self.config):
            self.session.build(found)

    def keep(self) -> Path:
        """The folder for what failing checks leave behind."""
        folder = self.options.report / "failing"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def collect(self, report: pytest.TestReport) -> None:
        """Take a report's rows into the run's record; on the controller alone."""
        rows = getattr(report, "litegate", None)
        if rows is None or self.is_worker:
            return
        run = self.session.run
        self.ran = True
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
        if run.verdict == "nothing gated" and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        report = conclude(self.session) | {"exit_status": int(session.exitstatus)}
        path = write(report, self.options.report)
        self.report = report | {"path": str(path)}

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

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for each phase of each test, on the controller and on its workers."""
        self.gate.collect(report)


KEY = pytest.StashKey[Gate]()

_MARKUP: Mapping[str, Mapping[str, bool]] = {
    "fail": {"red": True},
    "error": {"red": True, "bold": True},
    "inconclusive": {"yellow": True},
    "pass": {"green": True},
    "head": {"bold": True},
    "plain": {},
}


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


def _has_case(item: pytest.Item) -> bool:
    params = item.callspec.params if isinstance(item, pytest.Function) and _called(item) else {}
    return CASE not in params or isinstance(params[CASE], Case)


def _called(item: pytest.Function) -> bool:
    return hasattr(item, "callspec")


def _case(item: pytest.Item) -> Case | None:
    params = item.callspec.params if isinstance(item, pytest.Function) and _called(item) else {}
    found = params.get(CASE)
    return found if isinstance(found, Case) else None


def _cases_of(items: list[pytest.Item]) -> list[Case]:
    found = [case for item in items if (case := _case(item))]
    return list({case.id: case for case in found}.values())


def _requires(item: pytest.Item) -> bool:
    return "require" in getattr(item, "fixturenames", ())


def _requirement(item: pytest.Item) -> str:
    doc = getattr(getattr(item, "function", None), "__doc__", None) or ""
    return str(doc).strip().partition("\n")[0]


def is_latency(item: pytest.Item) -> bool:
    """Whether an item measures time."""
    benchmarks = "benchmark" in getattr(item, "fixturenames", ())
    return benchmarks or item.get_closest_marker("latency") is not None


def refuse_unmeasurable(item: pytest.Item) -> None:
    """Omit a latency check where the person asked for it; raise where it cannot be measured."""
    if not (item.config.stash[KEY].is_check(item.path) and is_latency(item)):
        return
    from litegate.measures.fixture import omission

    omitted = omission(partial(item.config.getoption, default=None), os.environ)
    if omitted and omitted.asked:
        item.stash[_OMITTED] = str(omitted)
        pytest.skip(f"latency was not measured: {omitted}")
    if omitted:
        raise MeasurementError(
            f"latency was not measured: {omitted}",
            remedy="run it apart (`pytest checks/ -m latency`), and the rest with "
            '`-n ... -m "not latency"`, or leave it out with --benchmark-disable',
        )


def _given(item: pytest.Item, option: str) -> bool:
    return bool(item.config.getoption(option, default=False))


def artifact(request: pytest.FixtureRequest, case: Case, role: str) -> Artifact:
    """The artifact of one role, or a skip that says NOT GATED, or the error that prevented it."""
    __tracebackhide__ = True
    if case.recipe is None and role != "baseline":
        raise ConfigError(f"this check has no recipe, so it has no {role}")
    recipe = BASELINE
    if case.recipe and role != "baseline":
        recipe = case.recipe.name if role == "candidate" else case.recipe.reference.name
    try:
        return request.config.stash[KEY].session.artifact(case.model, recipe)
    except NotGated as reason:
        request.node.stash[_NOT_GATED] = str(reason)
        pytest.skip(f"{case.model.name} was NOT GATED: {reason}")


def requirer(request: pytest.FixtureRequest) -> Iterator[Require]:
    """Record this item's verdicts; an item that made none although nothing failed is an error."""
    item = request.node
    verdicts: list[Verdict] = []
    item.stash[_VERDICTS] = verdicts

    def record(verdict: Verdict) -> None:
        verdicts.append(verdict)
        found = verdict.measurement
        item.user_properties.append((found.name, text(found.value, found.unit)))

    yield Require(request.config.stash[KEY].options.strict, record)
    if not verdicts and not item.stash.get(_ENDED, False):
        raise ConfigError(
            "this check asked for require and never called it, so it promised nothing",
            remedy="call require(measurement <= limit), or drop the argument",
        )


def annotate(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> pytest.TestReport:
    """Attach a check's rows to its report; no skip and no xfail of a check counts for a pass."""
    if not item.config.stash[KEY].is_check(item.path):
        return report
    if not _requires(item):
        report.__dict__["litegate"] = _NO_ROWS
        return report
    _refuse_silence(item, report)
    error = call.excinfo.value if call.excinfo else None
    if call.excinfo and isinstance(error, LitegateError):
        report.longrepr = call.excinfo.getrepr(style="value")
    elif call.excinfo and isinstance(error, PromiseBroken):
        call.excinfo.traceback = call.excinfo.traceback.cut(path=item.path)
        report.longrepr = call.excinfo.getrepr(style="short")
    if call.when == "call" or report.outcome != "passed":
        item.stash[_ENDED] = report.outcome != "passed"
        report.__dict__["litegate"] = _rows(item, call, report)
    return report


_NO_ROWS: Mapping[str, Any] = {"verdicts": [], "errors": [], "not_gated": {}, "not_measured": {}}


def _rows(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> dict[str, Any]:
    place = _place(item)
    error = call.excinfo.value if call.excinfo else None
    verdicts = item.stash.get(_VERDICTS, []) if call.when == "call" else []
    failed = report.outcome == "failed" and not isinstance(error, PromiseBroken)
    message = str(error) if isinstance(error, LitegateError) else report.longreprtext
    omitted, not_gated = item.stash.get(_OMITTED, ""), item.stash.get(_NOT_GATED, "")
    return {
        "verdicts": [verdict_row(place, verdict) for verdict in verdicts],
        "errors": [error_row(place, message)] if failed else [],
        "not_gated": {place.model: not_gated} if not_gated else {},
        "not_measured": {place.id: omitted} if omitted else {},
    }


def _place(item: pytest.Item) -> Place:
    case = _case(item)
    return Place(
        id=item.nodeid,
        model=case.model.name if case else "",
        recipe=case.recipe.name if case and case.recipe else "",
        check=getattr(item, "originalname", item.name),
        requirement=_requirement(item),
    )


def _refuse_silence(item: pytest.Item, report: pytest.TestReport) -> None:
    """A check that skips itself, or is expected to fail, gates nothing: that is a failure."""
    said = _OMITTED in item.stash or _NOT_GATED in item.stash or _given(item, "benchmark_only")
    expected = hasattr(report, "wasxfail")
    if (report.outcome != "skipped" or said) and not expected:
        return
    report.outcome = "failed"
    how = "is marked xfail" if expected else "skipped itself"
    report.longrepr = f"{item.nodeid} {how}: a check that does not judge is no check"
    if expected:
        del report.wasxfail


def _uncaptured(config: pytest.Config) -> Any:
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    return capture.global_and_fixture_disabled() if capture else nullcontext()


def _width(reporter: pytest.TerminalReporter) -> int:
    return reporter._tw.fullwidth if reporter.isatty else 0  # noqa: SLF001 pytest offers no other way
