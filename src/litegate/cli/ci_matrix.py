"""What CI fans out over: the models to gate, each with the key that its artifacts are cached by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from litegate.build.store import BUILDS
from litegate.core.errors import LitegateError
from litegate.gate.session import GateSession
from litegate.spec import Model
from litegate.spec.digests import digest_of


def described(session: GateSession) -> list[dict[str, Any]]:
    """A row for each model of the project, in JSON's types.

    `key` changes exactly when something of the model must be built again; `base_key` is that of the
    merge base, empty where there is none.
    """
    declared = session.declared["models"]
    base = _base_models(session)
    return [
        _row(session, model, declared[name], base.get(model.renamed_from or name))
        for name, model in session.models.items()
    ]


def _row(
    session: GateSession, model: Model, declared: Mapping[str, Any], base: Mapping[str, Any] | None
) -> dict[str, Any]:
    has = session.pipeline.store.has
    recipes = [
        {"name": r.name, "gate": r.gate, "stored": has(BUILDS, declared["keys"][r.name])}
        for r in model.recipes
    ]
    return {
        "model": model.name,
        "summary": model.summary,
        "file": declared["file"],
        "line": declared["line"],
        "key": _content(declared),
        "base_key": _content(base) if base else "",
        "recipes": recipes,
    }


def _content(declared: Mapping[str, Any]) -> str:
    return digest_of(sorted(set(declared["keys"].values())))


def _base_models(session: GateSession) -> Mapping[str, Any]:
    """The base's models; none where there is no base to be had.

    That is no error here, on purpose: a list judges nothing, and of the base it needs a key to a
    cache alone. `pytest --against` stops at the same fault and fails the run, where the list's
    failure would leave every leg skipped.
    """
    try:
        return session.base.models if session.base else {}
    except LitegateError as error:
        session.on_notice(f"the models are listed without their base's keys: {error}")
        session.on_notice(f"`pytest checks/ --against {session.options.against}` stops at this")
        return {}


def outputs(rows: Iterable[Mapping[str, Any]]) -> str:
    """What later jobs of a workflow read, as lines for `$GITHUB_OUTPUT`.

    `matrix` is a leg for each model that has a gated recipe, `models` their names; `key` and
    `base_key` stand for all of them, where one job gates them.
    """
    gated = [row for row in rows if any(recipe["gate"] for recipe in row["recipes"])]
    legs = [{name: row[name] for name in ("model", "key", "base_key")} for row in gated]
    bases = [leg["base_key"] for leg in legs if leg["base_key"]]
    values = {
        "matrix": json.dumps(legs),
        "models": json.dumps([leg["model"] for leg in legs]),
        "key": digest_of([leg["key"] for leg in legs]),
        "base_key": digest_of(bases) if bases else "",
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())
