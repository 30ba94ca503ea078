"""What was meant by an argument or a name that litegate does not have, and what is missing."""

from __future__ import annotations

import re
import sys
import traceback
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from types import ModuleType

_MISSING = re.compile(r"(\w+?)(?:\.__init__)?\(\) missing \d+ required [^:]*: (.+)")
_UNEXPECTED = re.compile(r"(\w+?)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")


def advice(error: BaseException) -> str:
    """What to write instead, and all that may be written; empty for any other error."""
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        return _named(error.name or "", error.obj)
    if isinstance(error, TypeError) and (lacking := _MISSING.search(str(error))):
        listed = ", ".join(f"{name}=..." for name in re.findall(r"'(\w+)'", lacking[2]))
        return f"give {lacking[1]} {listed}"
    found = _UNEXPECTED.search(str(error)) if isinstance(error, TypeError) else None
    called = _called(found[1], error) if found else ""
    takes = _arguments(called) if found else []
    if not found or not takes:
        return ""
    near = get_close_matches(found[2], takes, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{meant}{called} takes {', '.join(takes)}"


def _called(name: str, error: BaseException) -> str:
    """The function that the user called: of a metric the one that made it."""
    frames = traceback.extract_tb(error.__traceback__) if name == "Metric" else []
    makers = [one.name for one in frames if Path(one.filename).name == "metrics.py"]
    return makers[0] if makers else name


def _named(name: str, module: ModuleType) -> str:
    """The names of one of litegate's modules that are near; empty for another's module."""
    if not module.__name__.startswith("litegate"):
        return ""
    near = get_close_matches(name, [each for each in dir(module) if each[0] != "_"], n=3)
    return f"did you mean {' or '.join(near)}?" if near else ""


def _arguments(name: str) -> list[str]:
    """The arguments of what a model file finds in `litegate` under a name."""
    # The package as the model file sees it. An import of it from here would point up, to `data`.
    litegate = sys.modules["litegate"]
    from litegate.spec.metric import Limits

    for place in (litegate, litegate.recipes, litegate.metrics, litegate.datasets):
        called = getattr(place, name, None)
        if callable(called):
            known = [each for each in signature(called).parameters if each != "self"]
            return [*known[:-1], *Limits.__annotations__] if "limits" in known else known
    return []
