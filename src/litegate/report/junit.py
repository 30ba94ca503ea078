"""Write a verdict as a property of a test case in pytest's JUnit XML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litegate.core.units import Unit, text


def junit_property(row: Mapping[str, Any], earlier: Mapping[str, object]) -> tuple[str, str]:
    """Return a verdict as a property of a JUnit test case: the measurement's name, and the rest.

    A name that `earlier` properties of the test case have gets a number.
    """
    name, unit = str(row["measurement"]), Unit(row["unit"])
    names = (name, *(f"{name} ({number})" for number in range(2, len(earlier) + 2)))
    outcome = "waived" if row["waived"] else row["verdict"]
    value, limit = text(row["value"], unit), text(row["limit"], unit)
    unique = next(name for name in names if name not in earlier)
    return unique, f"{value}, limit {row['relation']} {limit}, {outcome}"
