"""Find limits that no check guards, and models that the base does not know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from litegate.core.escaping import plain
from litegate.gate.session import GateSession
from litegate.spec.cases import Case, limits_used


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LimitCoverage:
    """Limits by the gated recipe that they are of, and models that the base does not know."""

    unset: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The limits that could be set and are not."""
    unnamed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The limits that are set and that no check names."""
    new: tuple[str, ...] = ()
    """The cases that the base does not know."""

    def lines(self, *, verbosity: int) -> list[str]:
        """Return the lines of a run's header; a `verbosity` above 0 names the unset limits."""
        unset = {name: limits for name, limits in self.unset.items() if limits}
        count = sum(map(len, unset.values()))
        counted = f"{count} optional limit{'s' * (count > 1)} unset (-v lists them)"
        named = [f"no limit for {plain(name)}: {', '.join(unset[name])}" for name in unset]
        unnamed = ((name, limits) for name, limits in self.unnamed.items() if limits)
        return [
            *(named if verbosity > 0 else [counted] if count else []),
            *(
                f"no check uses these limits of {plain(name)}: {', '.join(limits)}"
                for name, limits in unnamed
            ),
            *(
                (
                    f"{plain(name)} is new: only its budget applies, since the base does not have "
                    "the model"
                )
                for name in self.new
            ),
        ]


def limit_coverage(
    session: GateSession, cases: Sequence[Case], functions: Iterable[Any], *, is_whole: bool
) -> LimitCoverage:
    """Of the cases of checks; `functions` are those checks', `is_whole` if they are all checks."""
    gated = [case for case in cases if case.recipe]
    named = frozenset[str]().union(*map(limits_used, functions))
    compared = {case.id: session.knows("base", case) for case in gated}
    return LimitCoverage(
        unset={case.id: case.unset_limits(compared=compared[case.id]) for case in gated},
        unnamed={
            case.id: case.unchecked_limits(named, compared=compared[case.id]) for case in gated
        }
        if is_whole
        else {},
        new=tuple(case.id for case in session.new_cases()) if cases else (),
    )
