"""Write the command that repeats a run, or runs a check of it alone."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

from litegate.core.options import OPTIONS
from litegate.gate.checks.pytest_items import fixtures_of
from litegate.regression.base_commit import AUTO, NONE

if TYPE_CHECKING:
    from litegate.gate.state import Gate

_PASSED_ON = (
    *("litegate_strict", "litegate_store", "litegate_data"),
    *("litegate_checks", "litegate_models"),
)
"""Options that may change what a check measures, apart from those that select checks."""
_ANY_BASE = frozenset({"base", "weakened_limits"})
"""Fixtures of checks that compare with the base."""


def run_command(gate: Gate, *flags: str) -> str:
    """Return the command that runs all checks, from the project's root."""
    folder = f"{os.path.relpath(gate.options.checks, gate.options.project)}/"
    expression = gate.config.getoption("keyword")
    selected = ("-k", expression) if expression else ()
    return _command(gate, [folder, *selected, *flags], _ANY_BASE | {"anchor"})


def prove_flags(gate: Gate) -> Iterator[str]:
    """Yield the options of a proof that decide what is planted."""
    seed = gate.options.prove_seed
    yield from (f"--prove-family={family}" for family in gate.options.prove_families)
    yield from ["--prove-full"] if gate.options.prove_full else []
    yield from [f"--prove-seed={seed}"] if seed else []


def check_command(gate: Gate, item: pytest.Item) -> str:
    """Return the command that runs a check alone, from the project's root."""
    return _command(gate, [item.nodeid], fixtures_of(item))


def _command(gate: Gate, words: Iterable[str], fixtures: Iterable[str]) -> str:
    compared = [*_compared_with(gate, frozenset(fixtures))]
    return shlex.join(["pytest", *words, *compared, *_flags(gate.config)])


def _compared_with(gate: Gate, fixtures: frozenset[str]) -> Iterator[str]:
    """Yield the options that name the other commits which checks with these fixtures need."""
    if gate.base and fixtures & _ANY_BASE:
        # What `auto` found in a CI event or a branch, since another clone may find another ref.
        yield from ("--against", gate.base.commit.ref.removeprefix(f"{AUTO}: "))
    if gate.options.anchor != NONE and "anchor" in fixtures:
        yield from ("--anchor", gate.options.anchor)


def _flags(config: pytest.Config) -> Iterator[str]:
    """Yield the options of the command line that the check depends on."""
    if config.getoption("inifilename") and config.inipath:
        yield from ("-c", os.path.relpath(config.inipath, config.rootpath))
    expression = config.getoption("markexpr")
    if expression and expression not in config.getini("addopts"):
        yield from ("-m", expression)  # the setting's own expression may leave this check out
    for option in OPTIONS:
        value = config.getoption(option.name) if option.name in _PASSED_ON else None
        if value:
            yield option.flag if option.is_switch else f"{option.flag}={value}"
