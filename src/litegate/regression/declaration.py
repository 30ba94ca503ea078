"""What a checkout declares, in JSON's types: models, limits, recipes, checks, settings.

Two of them, of the base and of the head, show what a change loosens.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, asdict, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from litegate.core.errors import ConfigError
from litegate.core.units import Number, Quantity, Unit
from litegate.regression.source_digests import check_digest, function_digest
from litegate.regression.toolchain_pins import pinned
from litegate.spec import OF_LABELS, Budget, Data, Model, Recipe, Regression
from litegate.spec.digests import data_key, digest_of, files_digest, module_digest, toolchain_digest
from litegate.spec.targets import load

Declaration = Mapping[str, Any]


def declared_model(
    model: Model,
    project: Path,
    keys: Callable[[str], str],
    stems: Callable[[str], str],
    start: str = "",
) -> dict[str, Any]:
    """One model; `keys` and `stems` give the artifact key of a recipe, and its stem, by name.

    `start` is the digest of the trained network that it starts from.
    """
    return {
        "file": _relative(model.file, project.resolve()),
        "line": model.line,
        "renamed_from": model.renamed_from,
        "data": _data(model.data, project),
        "training": asdict(model.training),
        "budget": _limits(model, model.budget),
        "metrics": _metrics(model.budget, project),
        "recipes": {each.name: _recipe(model, each, project, keys) for each in model.recipes},
        "keys": {name: keys(name) for name in _built(model)},
        "stems": {name: stems(name) for name in _built(model)},
        "signature": model.signature,
        "prebuilt": {name: asdict(file) for name, file in model.prebuilt.items()},
        "start": {"file": asdict(model.start), "digest": start} if model.start else None,
    }


def _relative(file: Path, project: Path) -> str:
    """A path as it reads from the project, which may lie beside it."""
    return Path(os.path.relpath(file, project)).as_posix()


def declared_toolchain(project: Path) -> str:
    """Digest the tool chain that a checkout builds with: its source, or the versions it pins.

    Only litegate's own repository holds the source. Raises ConfigError if it is in neither of the
    two folders that it has been in: the pins alone would hide a change of the source.
    """
    package = project / "src" / "litegate"
    folders = (package / "build" / "toolchain", package / "toolchain")  # today's; before the move
    for folder in folders:
        if folder.is_dir():
            return toolchain_digest(folder)
    if (package / "__init__.py").is_file():
        raise ConfigError(
            f"the source of the tool chain is missing in {package}",
            expected=" or ".join(folder.relative_to(project).as_posix() for folder in folders),
            remedy="if it has moved, name its folder in litegate.regression.declaration",
        )
    return digest_of(pinned(project))


def _built(model: Model) -> list[str]:
    names = [
        "float32",
        *(r.reference.name for r in model.recipes),
        *(r.name for r in model.recipes),
    ]
    return list(dict.fromkeys(names))


def _data(data: Data, project: Path) -> dict[str, Any]:
    return {
        "key": data_key(data, project),
        "digests": dict(data.digests),
        "preprocessing": _preprocessing(data, project),
        "domain": _domain(data),
        "output": data.output,
        "classes": list(data.classes),
    }


def _preprocessing(data: Data, project: Path) -> str:
    """A digest of what preprocesses: the source that it can use, and the files that it reads."""
    source = function_digest(data.preprocess, project)
    return digest_of([source, files_digest(data, project)]) if data.files else source


def _domain(data: Data) -> Any:
    """A pair, or a pair of each input by name."""
    if isinstance(data.domain, Mapping):
        return {name: list(ends) for name, ends in data.domain.items()}
    return list(data.domain)


def _recipe(
    model: Model, recipe: Recipe, project: Path, keys: Callable[[str], str]
) -> dict[str, Any]:
    return {
        "gate": recipe.gate,
        "kind": recipe.kind.value,
        "spec": recipe.spec(),
        "budget": _limits(model, model.budget_of(recipe)),
        "metrics": _metrics(model.budget_of(recipe), project),
        "shipped": recipe.shipped,
        "target": _target(model.budget_of(recipe).target, project),
        "key": keys(recipe.name),
    }


def _target(name: str | None, project: Path) -> str | None:
    """A target by its name, a file of the project's with a digest; the check says what is amiss."""
    try:
        return str(load(name, project)) if name else None
    except ConfigError:
        return name


def _limits(model: Model, budget: Budget) -> dict[str, Any]:
    """Every limit by its name, those against a base included; none that no check could be held to.

    Accuracy is not where the model does not choose between classes, whatever `Regression` says.
    """
    against = budget.regression or Regression()
    own = {f.name: _limit(f, budget) for f in fields(budget) if "unit" in f.metadata}
    bases = {f"regression.{f.name}": _limit(f, against) for f in fields(against)}
    metrics = {
        f"metric.{metric.name}.{name}": _written(limit, metric.unit(name))
        for metric in budget.metrics
        for name, limit in metric.limits().items()
    }
    idle = dict.fromkeys(() if model.chooses else OF_LABELS)
    return own | bases | metrics | idle


def _limit(field: Field[Any], owner: Budget | Regression) -> dict[str, str] | None:
    limit = getattr(owner, field.name)
    return None if limit is None else _written(limit, field.metadata["unit"])


def _written(limit: Quantity | Number, unit: Unit) -> dict[str, str]:
    value = limit.value if isinstance(limit, Quantity) else Fraction(str(limit))
    return {"value": str(Fraction(value)), "unit": unit.value}


def _metrics(budget: Budget, project: Path) -> dict[str, str]:
    """A digest of what each metric computes, by its name: parameters, and the user's own source."""
    return {
        each.name: digest_of(
            [each.definition, each.function and function_digest(each.function, project)]
        )
        for each in budget.metrics
    }


def declared_checks(nodes: Iterable[str], project: Path, paths: Iterable[Path]) -> dict[str, str]:
    """A digest of each check by its node id: all of its module but the other checks, and imports.

    `paths` are folders besides the project's that pytest puts on the import path.
    """
    found = [(node, *node.split("::", 1)) for node in nodes]
    names: dict[str, set[str]] = {}
    for _, file, name in found:
        names.setdefault(file, set()).add(name)
    return {
        node: check_digest(project / file, names[file] - {name}, project, *paths)
        for node, file, name in found
    }


def declared_conftests(project: Path, checks: Path, paths: Iterable[Path]) -> dict[str, str]:
    """The digest of each conftest that pytest reads for the folder of checks, and its imports."""
    above = (folder for folder in checks.parents if folder.is_relative_to(project))
    places = (*(folder / "conftest.py" for folder in above), *sorted(checks.rglob("conftest.py")))
    return {
        _relative(place, project): module_digest(place, project, *paths)
        for place in dict.fromkeys((project / "conftest.py", *places))
        if place.is_file()
    }
