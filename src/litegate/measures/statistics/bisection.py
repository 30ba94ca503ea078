"""Where something stops to hold: for limits that have no formula of their own."""

from __future__ import annotations

from collections.abc import Callable


def bisected(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Where `holds` ends, true below and false above, by bisection to the last bit."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high
