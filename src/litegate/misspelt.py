"""What was meant by an argument that one of litegate's own functions does not take."""

from __future__ import annotations

import re
from difflib import get_close_matches
from inspect import signature

_UNEXPECTED = re.compile(r"(\w+?)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")


def advice(error: BaseException) -> str:
    """What to write instead, and all that may be written; empty for any other error."""
    found = _UNEXPECTED.search(str(error)) if isinstance(error, TypeError) else None
    takes = _arguments(found[1]) if found else []
    if not found or not takes:
        return ""
    near = get_close_matches(found[2], takes, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{meant}{found[1]} takes {', '.join(takes)}"


def _arguments(name: str) -> list[str]:
    """The arguments of what a model file finds in `litegate` under a name."""
    import litegate
    from litegate import datasets, metrics, recipes

    for place in (litegate, recipes, metrics, datasets):
        called = getattr(place, name, None)
        if callable(called):
            return [each for each in signature(called).parameters if each != "self"]
    return []
