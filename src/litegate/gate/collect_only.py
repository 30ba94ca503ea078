"""Collect the checks of a project with pytest, with the project's own settings; run nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar, final

import pytest

from litegate.core.errors import ConfigError
from litegate.gate.checks.pytest_items import case_of, fixtures_of, requires
from litegate.gate.state import GATE, Gate

T = TypeVar("T")
# Without a cache: a collection must not change what `--lf` remembers, nor write into a checkout.
_ARGUMENTS = ("--collect-only", "-q", "-p", "no:cacheprovider")
_ALREADY_IMPORTED = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
"""litegate is imported here before pytest; a project with warnings as errors must not stumble."""
_ENDS_WELL = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check, as it was collected."""

    id: str
    """pytest's node id, as in a report."""
    model: str
    recipe: str
    """Empty for a check of the whole model, and both for a check of the user's own fixtures."""
    fixtures: frozenset[str]

    def concerns(self, model: str, recipe: str) -> bool:
        """Return True if its verdict says something about this recipe of this model."""
        return self.model in ("", model) and self.recipe in ("", recipe)


@final
@dataclass(kw_only=True)
class Collected(Generic[T]):
    """The result of one collection by pytest."""

    gate: Gate | None = None
    """None if the run ended before its options were parsed, or has no folder of checks."""
    checks: tuple[Check, ...] = ()
    errors: list[str] = field(default_factory=list)
    """The files that could not be collected, each with the reason."""
    status: int = 0
    """pytest's exit status."""
    answer: T | None = None
    """What `ask` returned; None if the run ended before it was called."""

    @property
    def ended_well(self) -> bool:
        """Return True if every file was collected, whether or not it has checks."""
        return self.gate is not None and self.status in _ENDS_WELL


def collect(ask: Callable[[Gate], T], *arguments: str | Path) -> Collected[T]:
    """Collect the checks of the working directory; nothing is built, nothing is judged.

    `ask` is called with the gate at the end of the run, while the project's folders are still on
    the import path.
    """
    collector = _Collector(ask)
    command = [*_ARGUMENTS, "-W", _ALREADY_IMPORTED, *map(str, arguments)]
    collector.collected.status = pytest.main(command, plugins=[collector])
    return collector.collected


@final
@dataclass(frozen=True, eq=False)
class _Collector(Generic[T]):
    """A plugin that points pytest at the folder of checks, and keeps what it collects there."""

    ask: Callable[[Gate], T]
    collected: Collected[T] = field(default_factory=Collected)

    # Last: a conftest's hook of this name may add to the arguments, which are replaced here.
    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keep the gate: options are parsed, and no file is collected yet."""
        gate = session.config.stash.get(GATE, None)
        if gate is None:
            raise ConfigError("the checks folder is outside the project")
        self.collected.gate = gate
        session.config.args[:] = [str(gate.options.checks)]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep the error of a file that could not be collected."""
        if report.failed:
            self.collected.errors.append(f"{report.nodeid}: {report.longreprtext}")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep the checks, once every plugin has chosen."""
        gate = session.config.stash[GATE]
        items = [item for item in session.items if gate.is_check(item.path) and requires(item)]
        self.collected.checks = tuple(map(_check, items))

    # Last: if another plugin's end of the session fails, nothing must have been asked.
    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Ask the gate, once everything is collected."""
        if self.collected.gate:
            self.collected.answer = self.ask(self.collected.gate)


def _check(item: pytest.Item) -> Check:
    case = case_of(item)
    return Check(
        id=item.nodeid,
        model=case.model.name if case else "",
        recipe=case.recipe.name if case and case.recipe else "",
        fixtures=frozenset(fixtures_of(item)),
    )
