"""Describe in JSON types what the models of a checkout declare: limits, recipes, data, keys.

`regression.weakening` compares the declarations of the base and of the head.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import Field, asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from litegate.core.digests import digest_of, file_digest, short_digest
from litegate.core.errors import ConfigError
from litegate.core.units import Number, Quantity, Unit
from litegate.regression.source_digests import builder_digest, function_digest
from litegate.regression.toolchain_pins import pinned_requirements
from litegate.spec import ACCURACY_LIMITS, Budget, Command, Data, Model, Recipe, Regression, Vela
from litegate.spec.artifact_keys import (
    data_key,
    files_digest,
    program_digest,
    sequences_definition,
    toolchain_digest,
)
from litegate.spec.budget import limit_fields
from litegate.spec.relevant_source import module_digests
from litegate.spec.targets import load

Declaration = Mapping[str, Any]


def declared_model(
    model: Model,
    project: Path,
    keys: Callable[[str], str],
    stems: Callable[[str], str],
    start: str = "",
) -> dict[str, Any]:
    """Describe one model.

    `keys` and `stems` return the artifact key and the stem of a recipe by its name. `start` is the
    digest of the trained network that the model starts from, if it does.
    """
    return {
        "file": _relative(model.file, project.resolve()),
        "line": model.line,
        "files": _files(model, project),
        "renamed_from": model.renamed_from,
        "data": _data(model.data, project),
        "training": model.training.spec() | {"device": model.training.device},
        "budget": _limits(model, model.budget),
        "metrics": _metrics(model.budget, project),
        "recipes": {recipe.name: _recipe(model, recipe, project, keys) for recipe in model.recipes},
        "keys": {name: keys(name) for name in _recipe_names(model)},
        "stems": {name: stems(name) for name in _recipe_names(model)},
        "signature": model.signature,
        "prebuilt": {name: asdict(file) for name, file in model.prebuilt.items()},
        "builder": "" if model.external_files else builder_digest(model.build, project),
        "start": {"file": asdict(model.start), "digest": start} if model.start else None,
    }


def _files(model: Model, project: Path) -> dict[str, str]:
    """Return the files that this model is made of or judges, with the digests of modules.

    The bytes of the others are part of the model's keys.
    """
    root = project.resolve()
    declared = [file.path for file in model.external_files]
    declared += [*model.data.files, *(recipe.shipped or "" for recipe in model.recipes)]
    files = {_relative(root / name, root): "" for name in declared if name}
    modules = module_digests(model.file, project)
    return files | {_relative(file, root): digest for file, digest in modules.items()}


def _relative(file: Path, project: Path) -> str:
    """Return a path relative to the project, with ".." if it lies outside."""
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
            remedy="if it moved, add its folder in litegate.regression.declaration",
        )
    return digest_of(pinned_requirements(project))


def _recipe_names(model: Model) -> list[str]:
    """List the recipes that are built: the baseline, the references, the model's own."""
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
        "sequences": sequences_definition(data, data.sequences) if data.sequences else {},
    }


def _preprocessing(data: Data, project: Path) -> str:
    """Digest the preprocessing: its function with the source it uses, and the files it reads."""
    source = function_digest(data.preprocess, project)
    return digest_of([source, files_digest(data, project)]) if data.files else source


def _domain(data: Data) -> Any:
    """Return [least, greatest], or a mapping of input names to them."""
    if isinstance(data.domain, Mapping):
        return {name: list(bounds) for name, bounds in data.domain.items()}
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
        "interface": list((model.budget_of(recipe).regression or Regression()).lasting_changes),
        "shipped": recipe.shipped,
        "shipped_digest": file_digest(project / recipe.shipped) if recipe.shipped else "",
        "chosen_on_half": recipe.chosen_on_half,
        "target": _target(model.budget_of(recipe).target, project),
        "vela": _vela(model.budget_of(recipe).vela, project),
        "runtimes": list(model.budget_of(recipe).judged_runtimes),
        "commands": {
            command.name: _program(command, project) for command in model.budget_of(recipe).commands
        },
        "key": keys(recipe.name),
    }


def _program(command: Command, project: Path) -> str:
    """Return the program of a runtime of the project's own, with a digest of its files.

    A file that cannot be read is no part of it: the checks of that runtime raise the error.
    """
    try:
        files = short_digest(program_digest(command, project))
    except ConfigError:
        files = "unreadable"
    times = ", with times" if command.times else ""
    return f"`{command.command}`, files {files}{times}"


def _target(name: str | None, project: Path) -> str | None:
    """Return the name of a target, with its digest for a file of the project.

    A target that cannot be read stays its name: the check of the target raises the error.
    """
    try:
        return str(load(name, project)) if name else None
    except ConfigError:
        return name


def _vela(vela: Vela | None, project: Path) -> str | None:
    """Return the compiler's configuration, with a digest of its file.

    A file that cannot be read is left out: the checks raise the error.
    """
    try:
        return vela and vela.identified(project)
    except ConfigError:
        return vela and vela.described


def _limits(model: Model, budget: Budget) -> dict[str, Any]:
    """Describe every limit by its name, those against a base included; None if it is unset.

    Limits of accuracy are None for a model that has no accuracy: no check uses them, although
    `Regression` has a default for its own.
    """
    regression = budget.regression or Regression()
    own = {f.name: _limit(f, budget) for f in limit_fields(Budget)}
    against_base = {f"regression.{f.name}": _limit(f, regression) for f in limit_fields(Regression)}
    metrics = {
        f"metric.{metric.name}.{name}": _as_json(limit, metric.unit(name))
        for metric in budget.metrics
        for name, limit in metric.limits().items()
    }
    unused = dict.fromkeys(() if model.has_accuracy else ACCURACY_LIMITS)
    return own | against_base | metrics | unused


def _limit(field: Field[Any], owner: Budget | Regression) -> dict[str, str] | None:
    limit = getattr(owner, field.name)
    return None if limit is None else _as_json(limit, field.metadata["unit"])


def _as_json(limit: Quantity | Number, unit: Unit) -> dict[str, str]:
    value = limit.value if isinstance(limit, Quantity) else Fraction(str(limit))
    return {"value": str(Fraction(value)), "unit": unit.value}


def _metrics(budget: Budget, project: Path) -> dict[str, str]:
    """Digest the parameters of each metric, and the source of its function, by its name."""
    return {
        metric.name: digest_of(
            [metric.definition, metric.function and function_digest(metric.function, project)]
        )
        for metric in budget.metrics
    }
