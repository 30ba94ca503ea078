"""Name runtimes of the project's own on which limits of latency are not judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from litegate.core.escaping import listed
from litegate.spec import Model


def untimed_runtime_notes(models: Iterable[Model]) -> Iterator[str]:
    """Yield one note about the devices that report no times, if a limit of latency is set there."""
    budgets = (model.budget_of(it) for model in models for it in model.recipes if it.gate)
    untimed = {
        command.name
        for budget in budgets
        if any(
            limit is not None
            for limit in (budget.latency, budget.latency_ratio, budget.real_time_factor)
        )
        for command in budget.commands
        if not command.times
    }
    if untimed:
        yield (
            f"latency is NOT JUDGED ON {listed(sorted(untimed))}, which reports no times:"
            " Command(times=True)"
        )
