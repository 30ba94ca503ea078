"""The checks that `pytest checks/` runs here: collected by pytest, with the project's settings."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import final

import pytest

from litegate.core.errors import ConfigError
from litegate.gate.items import CASE
from litegate.gate.state import KEY, Gate
from litegate.spec.cases import Case

_ALREADY_IMPORTED = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
_ARGUMENTS = [".", "--collect-only", "-q", "-p", "no:cacheprovider", "-W", _ALREADY_IMPORTED]
_TAIL = 15
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
        """Whether its verdict says something about this recipe of this model."""
        return self.model in ("", model) and self.recipe in ("", recipe)


def collect() -> tuple[Gate, tuple[Check, ...]]:
    """The gate of the working directory and its checks; nothing is built, nothing is judged.

    Raises ConfigError, with what pytest said, where they cannot be collected.
    """
    taker, said = _Taker(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status = pytest.main(_ARGUMENTS, plugins=[taker])
    if taker.gate is None or status not in _ENDS_WELL:
        if taker.gate:
            _ = taker.gate.session.models  # where this is what fails, it says so best
        told = said.getvalue().strip().splitlines()[-_TAIL:]
        raise ConfigError(
            "pytest could not collect the checks of this project",
            got="\n    ".join(["it said last:", *told]),
            remedy="run `pytest checks/ --collect-only` until it succeeds",
        )
    return taker.gate, tuple(taker.checks)


@final
class _Taker:
    """Points pytest at the folder of checks; keeps the gate, and what is collected there."""

    def __init__(self) -> None:
        self.gate: Gate | None = None
        self.checks: list[Check] = []

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Once every option is parsed, and before the first file is collected."""
        self.gate = session.config.stash[KEY]
        session.config.args[:] = [str(self.gate.options.checks)]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep the checks, deselection done."""
        self.checks += _checks(session.config.stash[KEY], session.items)


def _checks(gate: Gate, items: list[pytest.Item]) -> Iterator[Check]:
    for item in items:
        fixtures = frozenset(getattr(item, "fixturenames", ()))
        if not (gate.is_check(item.path) and "require" in fixtures):
            continue
        case = _case(item)
        recipe = case.recipe.name if case and case.recipe else ""
        model = case.model.name if case else ""
        yield Check(id=item.nodeid, model=model, recipe=recipe, fixtures=fixtures)


def _case(item: pytest.Item) -> Case | None:
    call = getattr(item, "callspec", None)
    case = call.params.get(CASE) if call else None
    return case if isinstance(case, Case) else None
