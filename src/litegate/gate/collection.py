"""Give each check its models and recipes, and drop those that cannot be judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from litegate.core.errors import LitegateError
from litegate.core.escaping import plain
from litegate.gate.checks.coverage import limit_coverage
from litegate.gate.checks.pytest_items import (
    CASE,
    METRIC,
    RUNTIME,
    case_of,
    cases_of,
    fixtures_of,
    functions_of,
    has_case,
    is_latency,
    requirement_of,
    requires,
)
from litegate.gate.fail_closed import shown_models
from litegate.gate.invocation import looks
from litegate.gate.state import PLAN, ROLES, Gate, Plan
from litegate.runtimes.runtime import missing
from litegate.spec import Metric
from litegate.spec.cases import Case, cases, cases_by_metric, runtimes_of
from litegate.spec.runtimes import TFLM, XNNPACK

_OF_RECIPES = frozenset({"candidate", "reference", "base", "anchor", "shipped", "target"})
"""Fixtures that make a check run once for each gated recipe."""


def parametrize(gate: Gate, metafunc: pytest.Metafunc) -> None:
    """Parametrize a check with its cases."""
    if CASE not in metafunc.fixturenames or not gate.is_check(metafunc.definition.path):
        return
    per_recipe = not _OF_RECIPES.isdisjoint(metafunc.fixturenames)
    only = gate.options.only_recipes
    try:
        offered = cases(gate.session.models, only, metafunc.function, per_recipe=per_recipe)
        matching = [case for case in offered if _gives(gate, case, metafunc.fixturenames)]
    except LitegateError as error:
        if not gate.is_worker:  # which would count as crashed
            metafunc.definition.session.shouldstop = "the models cannot be loaded"
        gate.recorder.refuse(str(error))
        raise pytest.Collector.CollectError(str(error)) from error
    names: tuple[str, ...] = (CASE,)
    rows: list[tuple[Any, ...]] = [(case,) for case in matching]
    if METRIC in metafunc.fixturenames:
        names, rows = (CASE, METRIC), [*cases_by_metric(matching, metafunc.function)]
    if RUNTIME in metafunc.fixturenames:
        names = (*names, RUNTIME)
        rows = [(*row, runtime) for row in rows for runtime in _runtimes(gate, metafunc, row[0])]
    # Without a case there is one item, dropped later: what pytest makes of none is a setting.
    ids = [_id(*row) for row in rows] or ["none"]
    metafunc.parametrize(names, rows or [(None,) * len(names)], ids=ids, indirect=True)


def _runtimes(gate: Gate, metafunc: pytest.Metafunc, case: Case) -> tuple[str, ...]:
    """Return the runtimes that a check runs on, of those that this run judges."""
    return runtimes_of(
        case,
        metafunc.function,
        gate.options.only_runtimes,
        asks_for_runtime="runtime" in metafunc.fixturenames,
        has_tflm=not missing(TFLM),
    )


def _id(case: Case, *parameters: Metric | str) -> str:
    """Return the part of a test's id in brackets; the default runtime is left out."""
    named = (it.name if isinstance(it, Metric) else it for it in parameters)
    return "-".join([case.id, *(name for name in named if name != XNNPACK)])


def _gives(gate: Gate, case: Case, fixtures: list[str]) -> bool:
    """Return True if this case has all that a check with these fixtures asks for."""
    return (
        ("shipped" not in fixtures or case.shipped is not None)
        and ("target" not in fixtures or case.target is not None)
        and all(_compares(gate, role, case) for role in ROLES.intersection(fixtures))
        and ("weakened_limits" not in fixtures or bool(gate.base or gate.options.prove))
    )


def arrange(gate: Gate, items: list[pytest.Item]) -> None:
    """Drop items that got no case, refuse checks without a requirement, put latency last.

    Latency runs last so that no build and no other check of the run loads the machine beside it.
    """
    functions = functions_of(item for item in items if gate.is_check(item.path))
    selected = [item for item in items if _has_what_it_asks_for(gate, item)]
    if dropped := [item for item in items if item not in selected]:
        gate.config.hook.pytest_deselected(items=dropped)
    checks = [item for item in selected if gate.is_check(item.path) and requires(item)]
    _demand_requirements(checks)
    with_case = functions_of(item for item in checks if case_of(item)).values()
    is_whole = gate.is_asked_for_all()
    coverage = limit_coverage(gate.session, cases_of(checks), with_case, is_whole=is_whole)
    _refuse_unguarded(gate, items)
    proof_only = tuple(item for item in selected if _lacks_base(gate, item))
    needs_models = any(CASE in fixtures_of(item) for item in items)
    gate.config.stash[PLAN] = Plan(
        functions=functions,
        coverage=coverage,
        shown=shown_models(gate.session.models.values()) if needs_models else {},
        checks=tuple(checks),
        proof_only=proof_only,
    )
    items[:] = sorted(selected, key=_model_and_latency if gate.is_worker else is_latency)
    offered = [item for item in items if item in checks and item not in proof_only]
    gate.recorder.offered = [item.nodeid for item in offered]
    gate.recorder.run.unset_limits = {
        name: list(limits) for name, limits in coverage.unset.items() if limits
    }


def _model_and_latency(item: pytest.Item) -> tuple[bool, bool, str]:
    """Sort by model: workers of pytest-xdist get rows of checks, so most files run in one alone."""
    case = case_of(item)
    return is_latency(item), case is None, case.model.name if case else ""


def _demand_requirements(checks: list[pytest.Item]) -> None:
    for item in checks:
        if not requirement_of(item):
            raise pytest.UsageError(
                f"{item.nodeid} has no docstring: its first line is the requirement"
            )


def select(gate: Gate, items: list[pytest.Item]) -> None:
    """Record which checks are selected, now that every plugin has chosen.

    Checks that only a proof runs leave `items`, whichever plugin put them there.
    """
    proof_only = tuple(item for item in items if item in gate.plan.proof_only)
    gate.config.stash[PLAN] = replace(gate.plan, proof_only=proof_only)
    items[:] = [item for item in items if item not in proof_only]
    selected = {item.nodeid for item in items}
    recorder = gate.recorder
    recorder.selected = [node_id for node_id in recorder.offered if node_id in selected]


def selection_lines(gate: Gate) -> list[str]:
    """Return lines about limits without a check and new models; of a run that only looks, all.

    The closing section names the models and checks that were left out.
    """
    lines = gate.plan.coverage.lines(verbosity=gate.config.get_verbosity())
    if not looks(gate.config):
        return lines
    shown = gate.plan.shown.items()
    not_gated = (f"{plain(name)} is NOT GATED: {why}" for name, why in shown)
    return [*lines, *not_gated, *gate.subset_notes()]


def _compares(gate: Gate, role: str, case: Case) -> bool:
    """Return True if a check of this case has an artifact to compare with.

    In a proof it always has a base, and an anchor where the run has one.
    """
    is_planted = role == "base" or gate.anchor is not None
    return gate.session.knows(role, case) or (gate.options.prove and is_planted)


def _lacks_base(gate: Gate, item: pytest.Item) -> bool:
    """Return True if a check asks for a commit that this run does not have."""
    if not (gate.options.prove and gate.is_check(item.path)):
        return False
    fixtures, case = set(fixtures_of(item)), case_of(item)
    if "weakened_limits" in fixtures:
        return gate.base is None
    return case is not None and not all(gate.session.knows(r, case) for r in ROLES & fixtures)


def _has_what_it_asks_for(gate: Gate, item: pytest.Item) -> bool:
    """Return True if an item has its case, and a base if it compares with one."""
    compares = gate.is_check(item.path) and "weakened_limits" in fixtures_of(item)
    alone = compares and gate.base is None and not gate.options.prove
    return has_case(item) and not alone


def _refuse_unguarded(gate: Gate, items: list[pytest.Item]) -> None:
    """Raise UsageError if a change against a base removes the check for weakened limits."""
    guards = [item for item in items if "weakened_limits" in fixtures_of(item)]
    base = gate.base
    if base and base.models and gate.is_asked_for_all() and not guards:
        raise pytest.UsageError(
            "no check requests the fixture `weakened_limits`, so a change could weaken any "
            "limit\n  what to do: add checks/test_weakened_limits.py; `litegate init` writes "
            "it"
        )
