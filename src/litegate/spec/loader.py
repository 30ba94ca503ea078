"""Load the models that the files below `models/` declare; builders are not run."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from litegate.core.errors import ConfigError
from litegate.core.file_reads import record_reads
from litegate.core.files import shown_path
from litegate.core.import_paths import own_line
from litegate.spec.authoring import record_models
from litegate.spec.budget import NPU_LIMITS
from litegate.spec.model import Model
from litegate.spec.runtimes import declare
from litegate.spec.suggestions import advice
from litegate.spec.targets import KNOWN


def discover(models: Path, project: Path) -> dict[str, Model]:
    """Load all models in the folder `models` and below, by name, in the order of their files.

    Files and folders whose names start with an underscore or a dot are helpers; a model that they
    declare belongs to the file that imports it. The runtimes of their own that models name are
    known by their names from then on.

    Raises ConfigError for a missing folder, a file that does not load, or a duplicate name.
    """
    if not models.is_dir():
        raise ConfigError(
            f"there is no folder {models}",
            expected="a folder with one file for each model",
            remedy=_other_project(project)
            or "run `litegate init`, or name yours in the setting litegate_models",
        )
    models_by_name: dict[str, Model] = {}
    paths = models.rglob("*.py")
    files = sorted(path.resolve() for path in paths if not _is_helper(path, models))
    for file in files:
        for model in load_file(file, project).values():
            if model.file == file:
                _add(models_by_name, model)
            elif model.file not in files:  # imported from a helper
                _add(models_by_name, replace(model, file=file, line=1))
    declare((command for it in models_by_name.values() for command in it.commands), project)
    return models_by_name


def _other_project(folder: Path) -> str:
    """Return a hint at the project that a folder lies in, or else at those in it; else empty."""
    above = [it for it in folder.resolve().parents if _is_project(it)]
    # Two levels, as in `ml/keywords`: more would walk through data sets and environments.
    below = [it.parent for pattern in ("*/checks", "*/*/checks") for it in folder.glob(pattern)]
    projects = above[:1] or sorted(it for it in below if _is_project(it))
    if not projects:
        return ""
    names = " or ".join(map(str, projects))
    return f"run the command in the project's folder {names}"


def _is_project(folder: Path) -> bool:
    return (folder / "models").is_dir() and (folder / "checks").is_dir()


def _is_helper(file: Path, models: Path) -> bool:
    return any(part.startswith(("_", ".")) for part in file.relative_to(models).parts)


def _add(models_by_name: dict[str, Model], model: Model) -> None:
    if other := models_by_name.get(model.name):
        raise ConfigError(
            f"two models are named {model.name}",
            got=f"{other.file}:{other.line} and {model.file}:{model.line}",
            remedy="rename one: test ids and the report use the name",
        )
    models_by_name[model.name] = model


def load_file(path: Path, project: Path) -> dict[str, Model]:
    """Load the models of one file by name: those that it declares, and those that it imports.

    The file may import modules in its folder and in the project.

    Raises ConfigError, with file and line, for a file that raises, and for a model that no variable
    of the file refers to at the end: it would not be gated.
    """
    path, root = path.resolve(), project.resolve()
    with record_models() as declared, record_reads(project) as reads:
        module = _load(path, root)
    shown = shown_path(path, root)
    _check_assigned([model for model in declared if model.file == path], module, shown)
    models = [replace(model, reads=reads.files()) for model in _models_of(module)]
    for model in models:
        _check_targets(model, shown_path(model.file, root))
        _check_compilers(model, shown_path(model.file, root))
    own: dict[str, Model] = {}
    for model in models:
        if model.file == path:
            _add(own, model)
    return {model.name: model for model in models if model.file != path} | own


def _check_targets(model: Model, file: str) -> None:
    """Raise ConfigError for an unknown target; a target's file is read by its check."""
    budgets = (model.budget, *(recipe.budget for recipe in model.recipes if recipe.budget))
    for name in (budget.target for budget in budgets if budget.target):
        if name not in KNOWN and not name.endswith(".toml"):
            near = get_close_matches(name, KNOWN, 1)
            raise ConfigError(
                f"{file}:{model.line}: there is no target {name!r}",
                expected=f"{', '.join(KNOWN)}, or the path of a .toml file",
                remedy=f"did you mean {near[0]!r}?" if near else "",
            )


def _check_compilers(model: Model, file: str) -> None:
    """Raise ConfigError for limits of an NPU without the configuration of its compiler."""
    for recipe in model.recipes:
        budget = model.budget_of(recipe)
        limits = sorted(name for name in NPU_LIMITS if getattr(budget, name) is not None)
        if limits and budget.vela is None:
            raise ConfigError(
                f"{file}:{model.line}: {recipe.name} limits {', '.join(limits)}, but names no NPU",
                expected="the configuration of Vela, which measures them",
                remedy='add Budget(vela=litegate.Vela(accelerator="ethos-u55-128", ...))',
            )


def _check_assigned(declared: list[Model], module: ModuleType, file: str) -> None:
    """Raise ConfigError for a declared model that is not the value of a variable."""
    values = {id(value) for value in vars(module).values()}
    for model in declared:
        if id(model) not in values:
            raise ConfigError(
                f"{file}:{model.line} declares a model that no variable refers to, so nothing "
                "gates it",
                expected="a variable for each model, at the top level of the file",
                remedy="rename the variable that replaces it, or unpack the list that contains it",
            )


def _models_of(module: ModuleType) -> list[Model]:
    """Return the models of a module; a model without a name gets that of its first variable."""
    models: dict[int, Model] = {}
    for variable, value in vars(module).items():
        if isinstance(value, Model):
            models.setdefault(id(value), value if value.name else replace(value, name=variable))
    return list(models.values())


def _load(path: Path, project: Path) -> ModuleType:
    shown = shown_path(path, project)
    name = "_".join(("litegate", *Path(shown).with_suffix("").parts))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _importable(path.parent, project):
        try:
            # Compiled here: Python's bytecode cache misses a change within the same second.
            exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102 the user's own file
        except ConfigError as error:
            raise _with_line(error, project) from error
        except (Exception, SystemExit) as error:
            place = own_line(error, project) or str(path)
            raise ConfigError(
                f"{shown} does not load: {type(error).__name__}: {error}",
                got=f"raised at {place}",
                remedy=advice(error)
                or f"run `python -P {shown}` in {project} to see the whole traceback",
            ) from error
    return module


@contextmanager
def _importable(*folders: Path) -> Iterator[None]:
    original = list(sys.path)
    # First: a model's file means its neighbours by a name that an installed package may have, too.
    sys.path[:0] = [str(folder) for folder in folders]
    try:
        yield
    finally:
        sys.path[:] = original


def _with_line(error: ConfigError, project: Path) -> ConfigError:
    """Return the error with the line of the project's own code that raised it."""
    place = own_line(error, project)
    prefix = f"{Path(place).relative_to(project)}: " if place else ""
    return ConfigError(
        f"{prefix}{error.what}", expected=error.expected, got=error.got, remedy=error.remedy
    )
