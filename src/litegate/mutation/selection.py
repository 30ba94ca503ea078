"""Describe what the selection of a run left out of a proof."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from litegate.mutation.expected_checks import expected_checks
from litegate.mutation.faults import Scene

_ANCHORED = "since_anchor"
"""The function that makes a comparison with the base one with the anchor."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The options that narrowed a run, and what they left out of the proof of a candidate."""

    how: str = ""
    """The options and paths, such as "-k digits"; empty for a run of every check."""
    left_out: tuple[frozenset[str], ...] = ()
    """For each check that was left out, the functions that it calls and its metric."""
    families: tuple[str, ...] = ()
    """The only families of faults that were planted; empty for all."""
    has_unread_files: bool = False
    """True if files of checks were not collected, so that their measurements are unknown."""

    def may_measure(self, scene: Scene, names: Iterable[str]) -> bool:
        """Return True if a check that was left out may take one of these measurements.

        The source of a check shows which function it calls, but not what a user's own measurement
        is named: any check may take a measurement that litegate does not know.
        """
        if self.has_unread_files:
            return True
        expected = expected_checks(scene)
        calls = [expected[name].calls if name in expected else frozenset() for name in names]
        return any(_is_call_of(used, called) for called in calls for used in self.left_out)


def _is_call_of(used: frozenset[str], called: frozenset[str]) -> bool:
    """Return True if a check calls these functions; of the base or the anchor as they do."""
    return called <= used and (not called or (_ANCHORED in called) is (_ANCHORED in used))
