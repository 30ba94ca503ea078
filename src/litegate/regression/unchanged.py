"""Find the models that a change leaves as they are in the base, for `--litegate-changed`.

The functions are pure; both declarations are plain JSON types, as in `regression.weakening`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from litegate.regression.workflow_files import runs_gate

Declaration = Mapping[str, Any]
"""Everything that a checkout declares, or one model of it."""
_PLACES = ("line",)
"""What a model's declaration says of its place in the file alone."""


def unchanged_models(base: Declaration, head: Declaration) -> frozenset[str]:
    """Return the names of the models whose verdicts cannot differ because of this change.

    Their declarations are equal: limits, recipes, data, and the keys of all that makes their bytes.
    So is what judges every model: checks, conftests, settings, waivers, the tool chain, the
    workflows that run the gate. If any of that differs, no model is unchanged.
    """
    if _as_text(_common(base)) != _as_text(_common(head)):
        return frozenset()
    before = base["models"]
    return frozenset(
        name
        for name, model in head["models"].items()
        if name in before
        and all(model["keys"].values())
        and _as_text(_without_place(before[name])) == _as_text(_without_place(model))
    )


def _common(declaration: Declaration) -> dict[str, Any]:
    """Return what concerns every model."""
    common = {name: section for name, section in declaration.items() if name != "models"}
    workflows = declaration["workflows"]
    gates = {path: code for path, code in workflows.items() if runs_gate(code["lines"])}
    return common | {"workflows": gates}


def _without_place(model: Declaration) -> dict[str, Any]:
    return {name: value for name, value in model.items() if name not in _PLACES}


def _as_text(declaration: Declaration) -> str:
    """Return a declaration as JSON, which knows no tuples, and in which a NaN equals itself."""
    return json.dumps(declaration, sort_keys=True)
