"""Make the matrix of CI jobs: the models to gate and the keys of their cached artifacts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from litegate.build.store import BUILDS
from litegate.core.digests import digest_of
from litegate.core.errors import LitegateError
from litegate.gate.session import GateSession
from litegate.spec import Model


def model_rows(session: GateSession) -> list[dict[str, Any]]:
    """Return a row for each model of the project, in JSON's types.

    `key` changes exactly when an artifact of the model must be rebuilt; `base_key` is the merge
    base's key, empty if there is no base.
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
        {
            "name": recipe.name,
            "gate": recipe.gate,
            "stored": has(BUILDS, declared["keys"][recipe.name]),
        }
        for recipe in model.recipes
    ]
    return {
        "model": model.name,
        "summary": model.summary,
        "file": declared["file"],
        "line": declared["line"],
        "key": _artifacts_key(declared),
        "base_key": _artifacts_key(base) if base else "",
        "recipes": recipes,
    }


def _artifacts_key(declared: Mapping[str, Any]) -> str:
    return digest_of(sorted(set(declared["keys"].values())))


def _base_models(session: GateSession) -> Mapping[str, Any]:
    """Return the base's models; empty if the base cannot be read.

    That is a notice and not an error, on purpose: a list judges nothing, and needs only cache keys
    of the base. `pytest --against` stops at the same error and fails the run, whereas a failing
    list would leave every leg skipped.
    """
    try:
        return session.base.models if session.base else {}
    except LitegateError as error:
        session.on_notice(f"models are listed without the keys of their base: {error}")
        session.on_notice(
            f"`pytest checks/ --against {session.options.against}` fails for the same reason"
        )
        return {}


def outputs(rows: Iterable[Mapping[str, Any]]) -> str:
    """Format the outputs for later jobs of a workflow, as lines for `$GITHUB_OUTPUT`.

    `matrix` has a leg for each model with a gated recipe, `models` their names; `key` and
    `base_key` are for a single job that gates all of them.
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
