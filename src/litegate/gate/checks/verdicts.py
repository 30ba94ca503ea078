"""Give a check its artifacts, record its verdicts, and attach them to its report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from litegate.core.errors import ConfigError, LitegateError
from litegate.core.files import shown_path
from litegate.gate.checks.next_steps import error_steps, verdict_steps
from litegate.gate.checks.pytest_items import (
    case_of,
    fixtures_of,
    overridden,
    requirement_of,
    requires,
    runtime_of,
)
from litegate.gate.checks.require import Require, RequirementFailed
from litegate.gate.checks.suppressed_checks import (
    CANDIDATE,
    NOT_GATED,
    OMITTED,
    ROWS,
    refuse_silence,
    refuse_swallowed,
    refuse_unloadable,
)
from litegate.gate.checks.verdict_context import (
    as_note,
    as_separated,
    judged_part,
    with_declared_changes,
    with_reference,
)
from litegate.gate.session import NotGated
from litegate.gate.state import GATE, ROLES, Gate
from litegate.measures.measurement import Measurement, Outcome, Verdict
from litegate.measures.runtimes import on_runtime
from litegate.measures.subjects import wrong_subject
from litegate.report.junit import junit_property
from litegate.report.outcomes import NOT_JUDGED_ON
from litegate.report.run_record import Place, error_row, verdict_row
from litegate.runtimes.runtime import demand, missing
from litegate.runtimes.vela import demand_vela, missing_vela
from litegate.spec import Artifact, Evaluation, Vela
from litegate.spec.cases import Case, judges_samples
from litegate.spec.recipe import BASELINE
from litegate.spec.runtimes import XNNPACK

if TYPE_CHECKING:
    from litegate.mutation.faults import Scene

_PASSED = pytest.StashKey[bool]()
"""True once an item's call was reported as passed: an interrupted one is not reported."""
_MISDIRECTED = pytest.StashKey[list[str]]()
"""Sentences about an item's verdicts on other artifacts than its case's."""
_PLANTED_ROLES = ("candidate", "reference", "base", "baseline")
_RUNTIME_NOTES = pytest.StashKey[list[str]]()
"""Sentences about artifacts that the item's runtime refuses."""
_SPLIT = pytest.StashKey[Evaluation]()
"""The samples that an item judges on a runtime besides the default."""
_REPORTED = pytest.StashKey[int]()
"""How many of an item's rows its earlier reports carry."""


def runtime(request: pytest.FixtureRequest, name: str) -> str:
    """Return a runtime that this machine has; else skip with NOT JUDGED, or raise in CI."""
    __tracebackhide__ = True
    if reason := missing(name):
        if request.config.stash[GATE].options.in_ci:
            demand(name)
        _omit(request, f"{NOT_JUDGED_ON} {name}: {reason}")
    return name


def vela(request: pytest.FixtureRequest, case: Case) -> Vela | None:
    """Return the configuration of a compiler that this machine has; None if the budget names none.

    If it is missing, skips with NOT MEASURED, or raises in CI.
    """
    __tracebackhide__ = True
    declared = case.budget.vela
    if declared and (reason := missing_vela()) and _compiles(request):
        if request.config.stash[GATE].options.in_ci:
            demand_vela()
        _omit(request, f"NOT MEASURED with Vela: {reason}")
    return declared and declared.located(request.config.rootpath)


def _compiles(request: pytest.FixtureRequest) -> bool:
    """Return False for a check of a shipped file that is not compiled, which compares bytes."""
    if "shipped" not in request.fixturenames:
        return True
    from litegate.measures.shipped import is_compiled_file  # late: few checks need it

    return is_compiled_file(request.getfixturevalue("shipped"))


def _omit(request: pytest.FixtureRequest, reason: str) -> NoReturn:
    """Skip a check that this machine cannot judge."""
    __tracebackhide__ = True
    request.node.stash[OMITTED] = reason
    pytest.skip(reason)


def count_stopping(checks: Iterable[pytest.Item]) -> int:
    """Count the checks that may stop early, on runtimes besides the default; at least 1."""
    stopping = (item for item in checks if "stopping_checks" in fixtures_of(item))
    return max(1, sum(runtime_of(item) != XNNPACK for item in stopping))


def artifact(
    request: pytest.FixtureRequest, case: Case, role: str, runtime: str = XNNPACK
) -> Artifact:
    """Return the artifact of one role, to be run on a runtime.

    Skips with NOT GATED, or raises what prevented it. An artifact that the candidate is compared
    with is run on the default runtime if it is refused there, and the verdicts say so.
    """
    __tracebackhide__ = True
    default = judged_part(case, _artifact(request, case, role))
    if runtime == XNNPACK:
        return default
    # Late: they load NumPy.
    from litegate.measures.accuracy.agreement import spread_samples
    from litegate.runtimes.inference import refusal

    most = request.config.stash[GATE].options.runtime_samples
    default = replace(default, evaluation=spread_samples(default.evaluation, most))
    elsewhere = replace(default, runtime=runtime)
    if role == "candidate":
        request.node.stash[_SPLIT] = elsewhere.evaluation
    if role == "candidate" or not (words := refusal(elsewhere)):
        return elsewhere
    notes = request.node.stash.setdefault(_RUNTIME_NOTES, [])
    notes.append(f"the {role} ran on {XNNPACK}, since {runtime} refuses it: {words}")
    return default


def _artifact(request: pytest.FixtureRequest, case: Case, role: str) -> Artifact:
    __tracebackhide__ = True
    if scene := request.config.stash[GATE].scene:
        return _planted(scene, role)
    if role in ROLES:
        session = request.config.stash[GATE].session
        return session.with_stored_answers(session.counterparts[role].artifact(case))
    if case.recipe is None and role != "baseline":
        raise ConfigError(f"this check has no recipe, so it has no {role}")
    recipe = BASELINE
    if case.recipe and role != "baseline":
        recipe = case.recipe.name if role == "candidate" else case.recipe.reference.name
    try:
        built = request.config.stash[GATE].session.artifact(case.model, recipe)
    except NotGated as reason:
        request.node.stash[NOT_GATED] = str(reason)
        pytest.skip(f"{case.model.name} was NOT GATED, see below")
    if role == "candidate":
        request.node.stash[CANDIDATE] = built
    return built


def _planted(scene: Scene, role: str) -> Artifact:
    """Return the artifact that a proof plants, or raise the error that it plants."""
    planted: Artifact | LitegateError = scene.base if role in ROLES else getattr(scene, role)
    if isinstance(planted, LitegateError):
        raise planted
    return planted


def case_in_scene(item: pytest.Item, case: Case) -> Case:
    """Return a check's case; in a proof, that of the scene."""
    if (scene := item.config.stash[GATE].scene) is None:
        return case
    return Case(model=scene.model, recipe=case.recipe and scene.recipe)


def shipped(request: pytest.FixtureRequest, case: Case) -> Path:
    """Return the path of the shipped file; in a proof, of a file with the scene's bytes."""
    gate = request.config.stash[GATE]
    if gate.scene is None:
        return request.config.rootpath / str(case.shipped)
    path = gate.failing_folder() / "shipped.tflite"
    path.write_bytes(gate.scene.shipped)
    return path


def forget(item: pytest.Item) -> None:
    """Reset a check that has run, so that it can run again.

    The whole stash, because pytest and its plugins keep facts of the last run there as well, such
    as its log records and whether it may fail.
    """
    item.stash = pytest.Stash()
    item.user_properties.clear()


def requirer(request: pytest.FixtureRequest) -> Iterator[Require]:
    """Give an item its `require`. Raises ConfigError if it passed without calling it."""
    item, gate = request.node, request.config.stash[GATE]
    rows: list[dict[str, Any]] = []
    item.stash[ROWS] = rows
    item.stash[_MISDIRECTED] = []

    def record(verdict: Verdict) -> Verdict | None:
        verdict = _on_runtime(item, as_separated(item, verdict))
        if gate.scene is None:
            verdict = with_declared_changes(item, as_note(item, verdict))
            verdict = with_reference(item, verdict).explained()
        measurement = verdict.measurement
        if problem := _wrong_subject(item, measurement):
            item.stash[_MISDIRECTED].append(problem)
        row = verdict_row(_place(item), verdict, base=_base_key(item))
        row |= {"waived": gate.waiver_row(row)}
        if gate.scene is None and verdict.outcome is not Outcome.PASS:
            row["steps"] = verdict_steps(gate, item, row)
        rows.append(row)
        item.user_properties.append(junit_property(row, dict(item.user_properties)))
        return None if row["waived"] else verdict

    yield Require(gate.options.strict, record)
    if not rows and item.stash.get(_PASSED, False):
        raise ConfigError(
            "this check uses the fixture `require` but never called it, so it judged nothing",
            remedy="call require(measurement <= limit), or remove the argument",
        )


def _wrong_subject(item: pytest.Item, measurement: Measurement) -> str:
    """Say how a measurement of a gated case is of other artifacts than the case's; or empty."""
    case, gate = case_of(item), item.config.stash[GATE]
    if case is None or case.recipe is None:
        return ""
    if gate.scene:
        case = case_in_scene(item, case)
        planted = {role: getattr(gate.scene, role) for role in _PLANTED_ROLES}
        digests = {role: it.sha256 for role, it in planted.items() if isinstance(it, Artifact)}
    else:
        roles = ROLES.intersection(fixtures_of(item), gate.session.counterparts)
        digests = gate.session.digests(case, roles)
    return wrong_subject(measurement, digests, case.budget.metrics)


def _base_key(item: pytest.Item) -> str:
    """Return the key of the other commit's artifact that a check asks for; else empty.

    A check of two other commits has both keys, so that a waiver lapses with either.
    """
    case = case_of(item)
    sides = item.config.stash[GATE].session.counterparts
    asked = (side for role, side in sides.items() if role in fixtures_of(item))
    return "+".join(side.declared_key(case) for side in asked) if case else ""


def _on_runtime(item: pytest.Item, verdict: Verdict) -> Verdict:
    """Name the item's runtime in the verdict, unless it is the default."""
    judged = _judged_samples(item, verdict.measurement.evidence)
    notes = (*judged, *item.stash.get(_RUNTIME_NOTES, []))
    measurement = on_runtime(verdict.measurement, runtime_of(item), *notes)
    return replace(verdict, measurement=measurement)


def _judged_samples(item: pytest.Item, evidence: Iterable[str]) -> tuple[str, ...]:
    """Return the number of samples that an item judges on its runtime, as a line of evidence.

    Empty if it judges no samples of the split, or if the evidence names their number.
    """
    split, function = item.stash.get(_SPLIT, None), getattr(item, "function", None)
    if split is None or function is None or not judges_samples(function):
        return ()
    every = f"{len((split.whole or split).x):,} samples"
    if any(every in line for line in evidence):
        return ()
    if split.whole is None:
        return (f"all {every}",)
    return (f"{len(split.x):,} of {every}, as --litegate-runtime-samples asks",)


def annotate(
    gate: Gate, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> pytest.TestReport:
    """Attach a check's rows to its report; a skipped or xfailed check fails."""
    if gate.is_check(item.path) and requires(item):
        _annotate_check(gate, item, call, report)
    elif gate.is_check(item.path):
        report.__dict__["litegate"] = _NO_ROWS
    if report.when == "call":
        item.stash[_PASSED] = report.outcome == "passed"
    return report


def _annotate_check(
    gate: Gate, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> None:
    fresh = item.stash.get(ROWS, [])[item.stash.get(_REPORTED, 0) :]
    refuse_silence(item, report)
    refuse_swallowed(gate, item, report, fresh)
    refuse_unloadable(item, report)
    error = call.excinfo.value if call.excinfo else None
    if call.excinfo and isinstance(error, LitegateError):
        report.longrepr = str(error)
    elif call.excinfo and isinstance(error, RequirementFailed):
        call.excinfo.traceback = call.excinfo.traceback.cut(path=item.path)
        report.longrepr = call.excinfo.getrepr(style="short")
    if call.when != "setup" or report.outcome != "passed":
        item.stash[_REPORTED] = item.stash.get(_REPORTED, 0) + len(fresh)
        report.__dict__["litegate"] = _rows(gate, item, error, report, fresh)


_NO_ROWS: Mapping[str, Any] = {
    "misdirected": [],
    "verdicts": [],
    "errors": [],
    "not_gated": {},
    "not_measured": {},
    "notes": [],
}


def _rows(
    gate: Gate,
    item: pytest.Item,
    error: BaseException | None,
    report: pytest.TestReport,
    verdicts: list[dict[str, Any]],
) -> dict[str, Any]:
    place = _place(item)
    failed = report.outcome == "failed" and not isinstance(error, RequirementFailed)
    stored: list[str] = item.stash.get(_MISDIRECTED, [])
    misdirected = list(dict.fromkeys(stored))
    omitted, not_gated = item.stash.get(OMITTED, ""), item.stash.get(NOT_GATED, "")
    return {
        "verdicts": verdicts,
        "misdirected": misdirected,
        "errors": [_error_row(gate, item, error, report)] if failed else [],
        "is_own": report.failed
        and (isinstance(error, RequirementFailed) or isinstance(report.longrepr, str)),
        "crashed": failed and not isinstance(error, LitegateError | AssertionError),
        "not_gated": {place.model: not_gated} if not_gated else {},
        "not_measured": {place.id: omitted} if omitted else {},
        "notes": [
            f"the fixture `{name}` is overridden in {where}: the checks judged its value"
            for name, where in overridden(item).items()
        ]
        + [f"{place.id}: {problem}" for problem in misdirected],
    }


def _error_row(
    gate: Gate, item: pytest.Item, error: BaseException | None, report: pytest.TestReport
) -> dict[str, Any]:
    """Make the row of a check that failed without a verdict.

    The message is litegate's own text, or the type and the first line of another exception, whose
    traceback stands beside it.
    """
    message = str(error) if isinstance(error, LitegateError) else report.longreprtext
    row = error_row(_place(item), message)
    if error is not None and not isinstance(report.longrepr, str):
        row |= {"message": _summary(error), "traceback": message}
    return row if gate.scene else row | {"steps": error_steps(gate, item, error)}


def _summary(error: BaseException) -> str:
    """Return the type of an exception and the first line of its text."""
    first_line = str(error).strip().partition("\n")[0]
    return ": ".join(filter(None, (type(error).__name__, first_line)))


def _place(item: pytest.Item) -> Place:
    case = case_of(item)
    return Place(
        id=item.nodeid,
        model=case.model.name if case else "",
        recipe=case.recipe.name if case and case.recipe else "",
        check=getattr(item, "originalname", item.name),
        requirement=requirement_of(item),
        **_pointed_at(item, case),
    )


def _pointed_at(item: pytest.Item, case: Case | None) -> dict[str, Any]:
    """Return the file and line to point at: the model's, or the check's if it has no model."""
    file, line = (case.model.file, case.model.line) if case else (item.path, item.location[1] or 0)
    shown = shown_path(file, item.config.rootpath.resolve())
    return {"file": shown, "line": line if case else line + 1}
