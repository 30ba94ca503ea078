"""What a checkout declares, in JSON's types: models, limits, recipes, checks, settings.

Two of them, of the base and of the head, show what a change loosens.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from litegate.digests import data_key, digest_of, source_digest, toolchain_digest
from litegate.spec import Budget, Data, Model, Recipe, Regression
from litegate.units import Quantity

Declaration = Mapping[str, Any]


_PINNED_IN = ("pyproject.toml", "*requirements*.txt", "*constraints*.txt", "uv.lock")
_PINS = re.compile(r"\b(tensorflow|tf[-_]keras|litegate)\b", re.IGNORECASE)


def declared_model(
    model: Model, project: Path, keys: Callable[[str], str], stems: Callable[[str], str]
) -> dict[str, Any]:
    """One model; `keys` and `stems` give the artifact key of a recipe, and its stem, by name."""
    return {
        "file": model.file.relative_to(project.resolve()).as_posix(),
        "line": model.line,
        "renamed_from": model.renamed_from,
        "data": _data(model.data),
        "training": asdict(model.training),
        "budget": _limits(model.budget),
        "regression": _limits(model.budget.regression or Regression()),
        "recipes": {each.name: _recipe(model, each, keys) for each in model.recipes},
        "keys": {name: keys(name) for name in _built(model)},
        "stems": {name: stems(name) for name in _built(model)},
    }


def declared_toolchain(project: Path) -> str:
    """A digest of a checkout's tool chain: of its source, or of the versions that it pins."""
    source = project / "src" / "litegate" / "toolchain"
    if source.is_dir():
        return toolchain_digest(source)
    files = sorted(path for pattern in _PINNED_IN for path in project.glob(pattern))
    lines = (line.strip() for path in files for line in path.read_text("utf-8").splitlines())
    return digest_of([line for line in lines if _PINS.search(line)])


def _built(model: Model) -> list[str]:
    names = [
        "float32",
        *(r.reference.name for r in model.recipes),
        *(r.name for r in model.recipes),
    ]
    return list(dict.fromkeys(names))


def _data(data: Data) -> dict[str, Any]:
    source = textwrap.dedent(inspect.getsource(data.preprocess))
    return {
        "key": data_key(data),
        "digests": dict(data.digests),
        "preprocessing": source_digest(source),
        "domain": list(data.domain),
        "classes": list(data.classes),
    }


def _recipe(model: Model, recipe: Recipe, keys: Callable[[str], str]) -> dict[str, Any]:
    return {
        "gate": recipe.gate,
        "kind": recipe.kind.value,
        "spec": recipe.spec(),
        "budget": _limits(model.budget_of(recipe)),
        "shipped": recipe.shipped,
        "key": keys(recipe.name),
    }


def _limits(owner: Budget | Regression) -> dict[str, Any]:
    kept = (f.name for f in fields(owner) if f.name not in ("regression", "lost_types"))
    lost = {"lost_types": owner.lost_types} if isinstance(owner, Regression) else {}
    return {name: _limit(getattr(owner, name)) for name in kept} | lost


def _limit(limit: Any) -> Any:
    if limit is None:
        return None
    if isinstance(limit, Quantity):
        return {"value": str(Fraction(limit.value)), "unit": limit.unit.value}
    return {"value": str(Fraction(str(limit))), "unit": "ratio"}


def declared_checks(functions: Mapping[str, Callable[..., Any]]) -> dict[str, str]:
    """The digest of each check's source, by its node id without the part in brackets."""
    return {name: _source(function) for name, function in functions.items()}


def _source(function: Callable[..., Any]) -> str:
    """A digest of a check and of what its module holds besides other tests."""
    tree = ast.parse(inspect.getsource(inspect.getmodule(function) or function))
    name = function.__name__
    tree.body = [node for node in tree.body if not _is_other_test(node, name)]
    return source_digest(ast.unparse(tree))


def _is_other_test(node: ast.stmt, name: str) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return node.name.startswith("test") and node.name != name


def declared_conftests(project: Path, checks: Path) -> dict[str, str]:
    """The digest of each conftest that pytest reads for the folder of checks."""
    places = [project / "conftest.py", *sorted(checks.rglob("conftest.py"))]
    return {
        place.relative_to(project).as_posix(): hashlib.sha256(place.read_bytes()).hexdigest()
        for place in dict.fromkeys(places)
        if place.is_file()
    }
