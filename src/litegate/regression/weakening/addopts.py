"""Find the options of pytest's `addopts` with which a run of the gate judges less.

An option is neutral, narrows the run, or makes the gate stricter. Any other option, such as one of
an unknown plugin, counts as a weakening both when it is added and when it is removed.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator

from litegate.core.pytest_options import ENDS_WITHOUT_VERDICT, HIDES, SELECTS

STRICT = "--litegate-strict"
_ENDS = tuple(flag for flags in ENDS_WITHOUT_VERDICT.values() for flag in flags)


def _flags(*flags: str) -> str:
    """Return a pattern for any of some flags, the longest first."""
    return "|".join(re.escape(flag) for flag in sorted(flags, key=len, reverse=True))


_NEUTRAL = re.compile(
    r"-[qvxsl]+|-r ?[A-Za-z]+|-n ?(auto|logical|\d+)|-p ?no:(cacheprovider|randomly|doctest)"
    r"|--(verbose|quiet|exitfirst|showlocals|no-header|no-summary|full-trace)"
    r"|--(cov|no-cov|cov-branch|benchmark-(autosave|verbose))"
    r"|--(tb|color|code-highlight|durations|durations-min|maxfail|verbosity|capture|basetemp"
    r"|junitxml|junit-xml|junit-prefix|html|dist|numprocesses|cov|cov-report"
    r"|litegate-data|litegate-report|litegate-build-timeout|litegate-lock-timeout"
    r"|benchmark-(json|save|storage|histogram|columns|sort|group-by|name)) \S+"
)
"""Options about output, speed and places: they may be added and removed."""
_NARROWS = re.compile(
    rf"({_flags(*SELECTS.values(), *HIDES.values())}|--litegate-(model|recipe))\b.*"
    rf"|-[km].+|({_flags(*_ENDS)}|--last-failed|--stepwise|--noconftest)( .*)?"
    r"|--benchmark-(disable|skip|only)|-p ?no:\S+",
    re.DOTALL,
)
"""Options that leave out checks: they may be removed, not added."""
_STRICTER = re.compile(
    r"--(litegate-strict|strict|strict-markers|strict-config|runxfail)"
    r"|--against auto|--anchor \S+"
)
"""Options that make the gate stricter: they may be added, not removed."""
_EXPRESSION = re.compile(r"-[km]")
"""Options that pytest takes once: a later -k or -m replaces an earlier one."""


def weakened_options(base: str, head: str) -> tuple[tuple[str, str], ...]:
    """Return the weakening options as pairs of before and after, one of which is empty."""
    before, after = Counter(_options(base)), Counter(_options(head))
    removed = [(option, "") for option in before - after if not _may_be_removed(option)]
    added = [("", option) for option in after - before if not _may_be_added(option)]
    return (*removed, *added)


def has_option(addopts: str, option: str) -> bool:
    """Return True if `addopts` contains an option."""
    return option in _options(addopts)


def _may_be_added(option: str) -> bool:
    return bool(_NEUTRAL.fullmatch(option) or _STRICTER.fullmatch(option))


def _may_be_removed(option: str) -> bool:
    return bool(_NEUTRAL.fullmatch(option) or _NARROWS.fullmatch(option))


def _options(addopts: str) -> list[str]:
    """Split `addopts` into options with their values, such as "-m not slow".

    Text that the shell's rules cannot split is one option. Of several -k or -m only the last is
    returned.
    """
    try:
        options = list(_grouped(shlex.split(addopts)))
    except ValueError:
        return [addopts]
    last = {option[:2]: option for option in options if _EXPRESSION.match(option)}
    return [option for option in options if last.get(option[:2], option) == option]


def _grouped(words: list[str]) -> Iterator[str]:
    """Join each option with the values that follow it; "--name=value" becomes "--name value"."""
    group: list[str] = []
    for word in words:
        if word.startswith("-") and group:
            yield " ".join(group)
            group = []
        name, equals, value = word.partition("=")
        group += [name, value] if equals and word.startswith("--") else [word]
    if group:
        yield " ".join(group)
