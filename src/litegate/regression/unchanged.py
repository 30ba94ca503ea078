"""Find the models that a change leaves as they are in the base, for `--litegate-changed`.

A file that differs concerns the models that are made of it, and all models if none is: a check, a
setting or a preprocessing may read any file. The functions are pure; the declared models are plain
JSON types, as `regression.declaration` makes them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

Models = Mapping[str, Mapping[str, Any]]
"""The models that a checkout declares, by name."""
_DOCUMENTATION = (".md", ".rst")
"""Endings of files for people alone."""
_PLACES = ("line",)
"""What a model's declaration says of its place in the file alone."""


def unchanged_models(base: Models, head: Models, changed: Collection[str]) -> frozenset[str]:
    """Return the names of the models whose verdicts cannot differ because of this change.

    `changed` are the files that differ, relative to the project. None of a model's own differs, and
    its declarations are equal: limits, recipes, data, and the keys of all that makes its bytes.
    There are no such models if there is a `shared_change`.
    """
    if shared_change(base, head, changed):
        return frozenset()
    return frozenset(
        name
        for name, model in head.items()
        if name in base
        and all(model["keys"].values())
        and not {*base[name]["files"], *model["files"]} & {*changed}
        and _as_text(base[name]) == _as_text(model)
    )


def shared_change(base: Models, head: Models, changed: Collection[str]) -> str:
    """Return a file that differs and concerns every model, or "" if there is none."""
    own = {file for models in (base, head) for model in models.values() for file in model["files"]}
    shared = (file for file in sorted(changed) if file not in own)
    return next((file for file in shared if not file.endswith(_DOCUMENTATION)), "")


def _as_text(model: Mapping[str, Any]) -> str:
    """Return a model as JSON, which knows no tuples, and in which a NaN equals itself."""
    declared = {name: value for name, value in model.items() if name not in _PLACES}
    return json.dumps(declared, sort_keys=True)
