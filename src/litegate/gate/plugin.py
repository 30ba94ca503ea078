"""The pytest plugin: options, fixtures and hooks. Light at start, silent outside the checks."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from litegate.core.errors import ConfigError, LitegateError
from litegate.core.options import OPTIONS
from litegate.gate import collection, finish, refusals, state, verdicts
from litegate.gate.invocation import narrow_times, refuse_to_look
from litegate.gate.listener import Listener
from litegate.gate.summary import summarize

if TYPE_CHECKING:
    from pathlib import Path

    from litegate.gate.require import Require
    from litegate.regression.loosening import Loosenings
    from litegate.spec import Artifact, Budget, Metric, Model, Regression
    from litegate.spec.cases import Case
    from litegate.spec.targets import Target


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare each option's flag and setting out of the one table."""
    group = parser.getgroup("litegate", "quality gate for .tflite models")
    for option in OPTIONS:
        env = f" [environment: {option.env}]" if option.env else ""
        text = f"{option.help}{env} (default: {option.default or 'none'})"
        shape: dict[str, Any] = {"action": "append" if option.repeated else "store"}
        shape["metavar"] = option.metavar
        if option.is_switch:
            shape = {"action": "store_const", "const": "true"}
        group.addoption(option.flag, dest=option.name, default=None, help=text, **shape)
        parser.addini(option.name, text, type=option.ini_type, default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Parse the options once; a wrong value ends the run at once with the allowed ones."""
    config.addinivalue_line(
        "markers", "latency: measures time; runs last, alone and never under xdist"
    )
    try:
        config.stash[state.KEY] = found = state.Gate.of(config)
    except (LitegateError, ValueError, TypeError) as error:
        finish.forget(config)
        raise pytest.UsageError(str(error)) from error
    config.pluginmanager.register(Listener(found), "litegate-listener")
    if found.active:
        narrow_times(config)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Take the last run's report away where a conftest does not load."""
    try:
        return (yield)
    except BaseException:
        finish.forget(early_config)
        raise


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Refuse settings that end every run of the checks without a verdict."""
    try:
        refuse_to_look(config)
    except (LitegateError, ValueError, TypeError) as error:
        finish.forget(config)
        raise pytest.UsageError(str(error)) from error


def pytest_sessionstart(session: pytest.Session) -> None:
    """Take the last run's report away."""
    session.config.stash[state.KEY].start()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what the numbers of this run depend on."""
    return config.stash[state.KEY].header()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each check once for each model, or for each gated recipe of each model."""
    collection.parametrize(metafunc.config.stash[state.KEY], metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Drop checks without a limit, refuse those without a requirement, put latency last."""
    found = session.config.stash[state.KEY]
    try:
        collection.arrange(found, items)
    except pytest.UsageError as error:
        if not found.is_worker:
            raise
        items[:], session.shouldfail = [], str(error)  # the one way to end a run from a worker


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Name the limits that are not set, since no check guards them, and what is new."""
    return collection.selection_lines(config.stash[state.KEY])


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Refuse a file of checks in which one hides another."""
    report = yield
    return refusals.refuse_hidden(collector, report)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Build what the selected checks need, before the first one runs; in workers too."""
    found = session.config.stash[state.KEY]
    if not (found.options.prove and found.active):
        found.build(session)
        return (yield)
    from litegate.gate.prove import faults_of, prove

    faults = faults_of(found)
    found.build(session)
    ended = yield
    prove(found, session, faults)
    return ended


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Say of a latency check that cannot be measured here that it is not."""
    refusals.refuse_unmeasurable(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the verdicts to the report, and let no skip or xfail pass for one."""
    report = yield
    return verdicts.annotate(item, call, report)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report; a run of checks that gated nothing is no success."""
    found = session.config.stash[state.KEY]
    finish.finish(found, session)
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["litegate"] = found.hand_over()


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the closing table."""
    summarize(terminalreporter.config.stash[state.KEY], terminalreporter)


@pytest.fixture
def litegate_case(request: pytest.FixtureRequest) -> Case:
    """The model and recipe of this test; parametrized by the plugin."""
    if not hasattr(request, "param"):
        raise ConfigError(
            "this test asks for a model outside the folder of checks",
            remedy="move it there, or set litegate_checks",
        )
    return verdicts.played(request.node, request.param)


@pytest.fixture
def model(litegate_case: Case) -> Model:
    """The model under test."""
    return litegate_case.model


@pytest.fixture
def budget(litegate_case: Case) -> Budget:
    """The limits of the model, and of its recipe where that has its own."""
    return litegate_case.budget


@pytest.fixture
def candidate(request: pytest.FixtureRequest, litegate_case: Case) -> Artifact:
    """The quantized artifact under test."""
    return verdicts.artifact(request, litegate_case, "candidate")


@pytest.fixture
def reference(request: pytest.FixtureRequest, litegate_case: Case) -> Artifact:
    """The float artifact with the same start, epochs and batches as the candidate."""
    return verdicts.artifact(request, litegate_case, "reference")


@pytest.fixture
def baseline(request: pytest.FixtureRequest, litegate_case: Case) -> Artifact:
    """The model's plain `float32` artifact."""
    return verdicts.artifact(request, litegate_case, "baseline")


@pytest.fixture
def base(request: pytest.FixtureRequest, litegate_case: Case) -> Artifact:
    """The same candidate as the merge base has it; a check that asks for it needs --against."""
    return verdicts.artifact(request, litegate_case, "base")


@pytest.fixture
def anchor(request: pytest.FixtureRequest, litegate_case: Case) -> Artifact:
    """The same candidate as a pinned commit has it; a check that asks for it needs --anchor."""
    return verdicts.artifact(request, litegate_case, "anchor")


@pytest.fixture
def loosenings(request: pytest.FixtureRequest) -> Loosenings:
    """What this change promises less of than its base: of the model, or of the whole project."""
    of_model = "litegate_case" in request.fixturenames
    case = request.getfixturevalue("litegate_case") if of_model else None
    return request.config.stash[state.KEY].loosenings(case)


@pytest.fixture
def regression(litegate_case: Case) -> Regression:
    """How much worse than the base this change may make the model."""
    return litegate_case.regression


@pytest.fixture
def litegate_metric(request: pytest.FixtureRequest) -> str:
    """The name of the metric of this test; parametrized by the plugin."""
    return str(request.param.name)


@pytest.fixture
def metric(litegate_case: Case, litegate_metric: str) -> Metric:
    """Each metric that the budget promises something of, with its limits: one check for each."""
    return litegate_case.budget.metric(litegate_metric)


@pytest.fixture
def noise(request: pytest.FixtureRequest, litegate_case: Case) -> float | None:
    """The SD of the candidate's accuracy from seed to seed, where `litegate noise` measured it."""
    from litegate.measures.noise import known

    recipe = litegate_case.recipe.name if litegate_case.recipe else ""
    return known(request.config.rootpath, litegate_case.model, recipe)


@pytest.fixture
def shipped(request: pytest.FixtureRequest, litegate_case: Case) -> Path:
    """The file that ships; a check that asks for it runs where the recipe names one."""
    return verdicts.shipped(request, litegate_case)


@pytest.fixture
def target(request: pytest.FixtureRequest, litegate_case: Case) -> Target:
    """What must take every operator; a check that asks for it runs where the budget names one."""
    from litegate.spec.targets import load

    return load(str(litegate_case.target), request.config.rootpath)


@pytest.fixture
def gated(request: pytest.FixtureRequest) -> int:
    """How many candidates this run gates; comparisons in time share the chance of a false alarm."""
    return max(1, len(request.config.stash[state.KEY].promised.unset))


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Path:
    """A folder for what a failing check should leave behind; uploaded with the report."""
    return request.config.stash[state.KEY].keep()


@pytest.fixture
def require(request: pytest.FixtureRequest) -> Iterator[Require]:
    """Record a verdict: ``require(measurement <= limit)``. Asking and never calling is an error."""
    yield from verdicts.requirer(request)
