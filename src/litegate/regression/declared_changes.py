"""List what a model declares differently from another commit, as far as its file depends on it.

A failed comparison names these changes: whoever lowered the epochs by accident sees it there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Declaration = Mapping[str, Any]
"""A model, as `regression.declaration` describes it."""


def declared_changes(before: Declaration, after: Declaration, recipe: str) -> list[str]:
    """List the changes of a model that decide the bytes of one recipe's file, each as a phrase.

    The rest of a model's file counts only where nothing else changed: any edit of a declaration is
    one of the file, too. Empty if the file depends on nothing that changed, and for ready-made
    files, whose bytes are all that there is to compare.
    """
    if before["prebuilt"] or after["prebuilt"] or before["stems"].get(recipe) is None:
        return []
    if before["stems"][recipe] == after["stems"][recipe]:
        return []
    return [*_declared(before, after, recipe)] or [
        f"code of {after['file']}, of its imports, or a file that it reads"
    ]


def _declared(before: Declaration, after: Declaration, recipe: str) -> Iterator[str]:
    for name, old, new in _differences(before["training"], after["training"]):
        yield f"Training({name}={_shown(new)}), was {_shown(old)}"
    specs = [side["recipes"][recipe]["spec"] for side in (before, after)]
    for name, old, new in _differences(*specs):
        yield f"{recipe}: {name}={_shown(new)}, was {_shown(old)}"
    for name, old, new in _differences(before["data"]["digests"], after["data"]["digests"]):
        state = "was added" if old is None else "is gone" if new is None else "is another"
        yield f"the data: {name} {state}"
    if before["data"]["preprocessing"] != after["data"]["preprocessing"]:
        yield "`preprocess`"
    if before["start"] != _as_json(after["start"]):
        yield "the trained network"
    if before["builder"] != after["builder"]:
        changed = [file for file, *_ in _differences(before["files"], after["files"])]
        yield f"the code that builds the network in {', '.join(changed) or after['file']}"


def _differences(before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the name and both values of each field that differs; None for one that is not there."""
    after = _as_json(after)
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)


def _as_json(value: Any) -> Any:
    """Return a value as it is after a round trip through JSON, as the other commit's are."""
    return json.loads(json.dumps(value))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)
