"""Read pytest's items: their case, their fixtures, their requirement."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from litegate.spec.cases import Case
from litegate.spec.metric import Metric
from litegate.spec.runtimes import XNNPACK

CASE = "litegate_case"
"""The parameter that holds an item's case."""
METRIC = "litegate_metric"
"""The one that holds the metric of a check that asks for one."""
RUNTIME = "litegate_runtime"
"""The one that holds the runtime that a check's artifacts are run on."""
FIXTURES = frozenset(
    (
        *(CASE, "model", "candidate", "reference", "baseline", "base", "anchor"),
        *("budget", "regression", "weakened_limits", "noise"),
        *("gated", "stopping_checks", "shipped", "target", "vela", "metric", "runtime"),
    )
)
"""What the gate hands to checks; `require` apart, which nobody may bring along."""
_OURS = "litegate.gate.checks.fixtures"
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def has_case(item: pytest.Item) -> bool:
    """Return True if an item got a case, or needs none."""
    params = item.callspec.params if isinstance(item, pytest.Function) and _called(item) else {}
    return CASE not in params or isinstance(params[CASE], Case)


def _called(item: pytest.Function) -> bool:
    return hasattr(item, "callspec")


def case_of(item: pytest.Item) -> Case | None:
    """The model and recipe of an item, or None."""
    params = item.callspec.params if isinstance(item, pytest.Function) and _called(item) else {}
    case = params.get(CASE)
    return case if isinstance(case, Case) else None


def runtime_of(item: pytest.Item) -> str:
    """Return the runtime that an item's artifacts are run on."""
    params = item.callspec.params if isinstance(item, pytest.Function) and _called(item) else {}
    return str(params.get(RUNTIME) or XNNPACK)


def cases_of(items: list[pytest.Item]) -> list[Case]:
    """Return the distinct cases of some items, in their order."""
    cases = [case for item in items if (case := case_of(item))]
    return list({case.id: case for case in cases}.values())


def fixtures_of(item: pytest.Item) -> tuple[str, ...]:
    """The fixtures that an item asks for."""
    return tuple(getattr(item, "fixturenames", ()))


def overridden(item: pytest.Item) -> dict[str, str]:
    """The gate's fixtures that a check asks for and another stands in for: name to place.

    A parameter of the check's own stands in for one, too.
    """
    info = getattr(item, "_fixtureinfo", None)  # pytest offers no other way
    definitions = info.name2fixturedefs.items() if info else ()
    stands_in = {name: defs[-1].func for name, defs in definitions if name in FIXTURES}
    return {
        name: _place(item, function)
        for name, function in stands_in.items()
        if function.__module__ != _OURS
    }


def _place(item: pytest.Item, function: Callable[..., Any]) -> str:
    code = inspect.unwrap(function).__code__
    file = Path(code.co_filename)
    if not file.is_relative_to(item.config.rootpath):
        return item.nodeid
    return f"{file.relative_to(item.config.rootpath).as_posix()}:{code.co_firstlineno}"


def hidden(module: pytest.Module) -> Iterator[str]:
    """A sentence for each test or class of tests that a later one of its name hides."""
    tree = ast.parse(module.path.read_bytes())
    bodies = [tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    for body in bodies:
        lines: dict[str, int] = {}
        for node in body:
            if not isinstance(node, _NAMED) or not _is_collected(module, node):
                continue
            if node.name in lines:
                yield (
                    f"{module.nodeid} defines {node.name} on lines {lines[node.name]} and"
                    f" {node.lineno}: the second hides the first\n  what to do: rename one"
                )
            lines[node.name] = node.lineno


def _is_collected(
    module: pytest.Module, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
) -> bool:
    if isinstance(node, ast.ClassDef):
        return module.classnamefilter(node.name)
    return module.funcnamefilter(node.name)


def requires(item: pytest.Item) -> bool:
    """Return True if an item is a check: a test that asks for `require`."""
    return "require" in fixtures_of(item)


def asks_gate(item: pytest.Item) -> bool:
    """Return True if a test asks for the gate's `require` and for what it hands to checks."""
    if not requires(item) or FIXTURES.isdisjoint(fixtures_of(item)):
        return False
    info = getattr(item, "_fixtureinfo", None)  # pytest offers no other way
    definitions = info.name2fixturedefs.get("require") if info else None
    return not definitions or definitions[-1].func.__module__ == _OURS


def functions_of(items: Iterable[pytest.Item]) -> dict[str, Any]:
    """The functions of some items by node id, without the part in brackets."""
    functions = (item for item in items if isinstance(item, pytest.Function))
    return {item.nodeid.partition("[")[0]: item.function for item in functions}


def requirement_of(item: pytest.Item) -> str:
    """The first line of an item's docstring."""
    doc = getattr(getattr(item, "function", None), "__doc__", None) or ""
    return str(doc).strip().partition("\n")[0]


def calls_of(item: pytest.Item) -> frozenset[str]:
    """The functions that the source of a check calls, and the metric that the item is of."""
    if not isinstance(item, pytest.Function):
        return frozenset()
    nodes = ast.walk(ast.parse(textwrap.dedent(inspect.getsource(item.function))))
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    names = {function.id for function in called if isinstance(function, ast.Name)}
    names |= {function.attr for function in called if isinstance(function, ast.Attribute)}
    metric = item.callspec.params.get(METRIC) if _called(item) else None
    return frozenset(names | ({metric.name} if isinstance(metric, Metric) else set()))


def is_latency(item: pytest.Item) -> bool:
    """Return True if an item measures time."""
    benchmarks = "benchmark" in getattr(item, "fixturenames", ())
    return benchmarks or item.get_closest_marker("latency") is not None
