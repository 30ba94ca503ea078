"""Which options of pytest's `addopts` make a run of the gate promise less than another's.

An option is neutral, narrows what runs, or makes the gate stricter. One that is none of these, as
far as is known here, counts as a weakening both when it comes and when it goes.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator

STRICT = "--litegate-strict"

_NEUTRAL = re.compile(
    r"-[qvxsl]+|-r ?[A-Za-z]+|-n ?(auto|logical|\d+)|-p ?no:(cacheprovider|randomly|doctest)"
    r"|--(verbose|quiet|exitfirst|showlocals|no-header|no-summary|full-trace)"
    r"|--(cov|no-cov|cov-branch|benchmark-(autosave|verbose))"
    r"|--(tb|color|code-highlight|durations|durations-min|maxfail|verbosity|capture|basetemp"
    r"|junitxml|junit-xml|junit-prefix|html|dist|numprocesses|cov|cov-report"
    r"|litegate-data|litegate-report|litegate-build-timeout"
    r"|benchmark-(json|save|storage|histogram|columns|sort|group-by|name)) \S+"
)
_NARROWS = re.compile(
    r"(-k|-m|--deselect|--ignore|--ignore-glob|--litegate-model|--litegate-recipe)\b.*"
    r"|-[km].+|--(lf|last-failed|sw|stepwise|noconftest|collect-only|co)( .*)?"
    r"|--benchmark-(disable|skip|only)|-p ?no:\S+",
    re.DOTALL,
)
_STRICTER = re.compile(
    r"--(litegate-strict|strict|strict-markers|strict-config|runxfail)"
    r"|--against auto|--anchor \S+"
)


_EXPRESSION = re.compile(r"-[km]")


def weakened_options(base: str, head: str) -> tuple[tuple[str, str], ...]:
    """What `head` loosens: pairs of before and after, one of them empty; in their order."""
    before, after = Counter(_options(base)), Counter(_options(head))
    gone = [(one, "") for one in before - after if not _may_go(one)]
    come = [("", one) for one in after - before if not _may_come(one)]
    return (*gone, *come)


def asks(options: str, flag: str) -> bool:
    """Whether an option stands among `options`."""
    return flag in _options(options)


def _may_come(option: str) -> bool:
    return bool(_NEUTRAL.fullmatch(option) or _STRICTER.fullmatch(option))


def _may_go(option: str) -> bool:
    return bool(_NEUTRAL.fullmatch(option) or _NARROWS.fullmatch(option))


def _options(text: str) -> list[str]:
    """Each option with its values, "-m not slow" or "--deselect a.py"; unreadable text is one.

    Of several -k or -m the last one counts, as in pytest.
    """
    try:
        found = list(_grouped(shlex.split(text)))
    except ValueError:
        return [text]
    last = {one[:2]: one for one in found if _EXPRESSION.match(one)}
    return [one for one in found if last.get(one[:2], one) == one]


def _grouped(words: list[str]) -> Iterator[str]:
    held: list[str] = []
    for word in words:
        if word.startswith("-") and held:
            yield " ".join(held)
            held = []
        name, equals, value = word.partition("=")
        held += [name, value] if equals and word.startswith("--") else [word]
    if held:
        yield " ".join(held)
