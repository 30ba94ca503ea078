"""`require`: record a verdict, and raise if it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from litegate.core.errors import ConfigError
from litegate.measures.measurement import Outcome, Verdict
from litegate.measures.verdict_text import lines


class RequirementFailed(AssertionError):
    """A verdict that fails its check; its text is the verdict's sentence."""


@final
@dataclass(slots=True)
class Require:
    """Handed to a check: ``require(measurement <= limit)``."""

    strict: bool
    record: Callable[[Verdict], Verdict | None]
    """Takes the verdict down; what is left of it to hold against the check."""

    def __call__(self, verdict: Verdict) -> None:
        """Record the verdict; raise RequirementFailed if it fails, or is unproven under strict.

        Raises ConfigError for anything that is not the comparison of a measurement with a limit.
        """
        __tracebackhide__ = True
        if not (isinstance(verdict, Verdict) and verdict.is_sound):
            raise ConfigError(
                "require needs the comparison of a measurement with a limit",
                expected="a comparison such as require(accuracy_drop(...) <= budget.accuracy_drop)",
                got=repr(verdict),
            )
        unwaived = self.record(verdict)
        refused = (Outcome.FAIL, Outcome.INCONCLUSIVE) if self.strict else (Outcome.FAIL,)
        if unwaived is not None and unwaived.outcome in refused:
            raise RequirementFailed(lines(unwaived))
