"""What pytest's items say of themselves: their case, their requirement, whether they time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from litegate.selection import Case

CASE = "litegate_case"
"""The parameter that holds an item's case."""


def has_case(item: pytest.Item) -> bool:
    """Whether an item got a case, or asks for none."""
    params = item.callspec.params if isinstance(item, pytest.Function) and _called(item) else {}
    return CASE not in params or isinstance(params[CASE], Case)


def _called(item: pytest.Function) -> bool:
    return hasattr(item, "callspec")


def case_of(item: pytest.Item) -> Case | None:
    """The model and recipe of an item, or None."""
    params = item.callspec.params if isinstance(item, pytest.Function) and _called(item) else {}
    found = params.get(CASE)
    return found if isinstance(found, Case) else None


def cases_of(items: list[pytest.Item]) -> list[Case]:
    """The distinct cases of some items, in their order."""
    found = [case for item in items if (case := case_of(item))]
    return list({case.id: case for case in found}.values())


def fixtures_of(item: pytest.Item) -> tuple[str, ...]:
    """The fixtures that an item asks for."""
    return tuple(getattr(item, "fixturenames", ()))


def requires(item: pytest.Item) -> bool:
    """Whether an item is a check: a test that asks for require."""
    return "require" in fixtures_of(item)


def functions_of(items: Iterable[pytest.Item]) -> dict[str, Any]:
    """The functions of some items by node id, without the part in brackets."""
    found = (item for item in items if isinstance(item, pytest.Function))
    return {item.nodeid.partition("[")[0]: item.function for item in found}


def requirement_of(item: pytest.Item) -> str:
    """The first line of an item's docstring."""
    doc = getattr(getattr(item, "function", None), "__doc__", None) or ""
    return str(doc).strip().partition("\n")[0]


def is_latency(item: pytest.Item) -> bool:
    """Whether an item measures time."""
    benchmarks = "benchmark" in getattr(item, "fixturenames", ())
    return benchmarks or item.get_closest_marker("latency") is not None
