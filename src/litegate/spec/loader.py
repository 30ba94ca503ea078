"""The files below `models/` to models by name: loaded by path, builders are not run."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from litegate.core.errors import ConfigError
from litegate.core.import_paths import installed
from litegate.spec.authoring import noted
from litegate.spec.model import Model
from litegate.spec.suggestions import advice
from litegate.spec.targets import KNOWN


def discover(models: Path, project: Path) -> dict[str, Model]:
    """Every model of the folder `models` and of those below, by name, in the order of the files.

    Files and folders that begin with an underscore or a dot are helpers; a model of theirs belongs
    to the file that imports it.

    Raises ConfigError for a missing folder, a file that does not load, or a name used twice.
    """
    if not models.is_dir():
        raise ConfigError(
            f"there is no folder {models}",
            expected="a folder with one file a model",
            remedy=_where(project)
            or "run `litegate init`, or name yours in the setting litegate_models",
        )
    found: dict[str, Model] = {}
    files = sorted(file.resolve() for file in models.rglob("*.py") if _declares(file, models))
    for file in files:
        for model in load_file(file, project).values():
            if model.file == file or model.file not in files:
                _add(found, model if model.file == file else replace(model, file=file, line=1))
    return found


def _where(folder: Path) -> str:
    """The project that a folder lies in, where that is one."""
    for above in folder.resolve().parents:
        if (above / "models").is_dir() and (above / "checks").is_dir():
            return f"this is a folder of the project {above}: go there"
    return ""


def _declares(file: Path, models: Path) -> bool:
    return not any(part.startswith(("_", ".")) for part in file.relative_to(models).parts)


def _add(found: dict[str, Model], model: Model) -> None:
    if model.name in found:
        raise ConfigError(
            f"two models are named {model.name}",
            got=f"{found[model.name].file}:{found[model.name].line} and {model.file}:{model.line}",
            remedy="rename one; the name is the test id and the report's row",
        )
    found[model.name] = model


def load_file(path: Path, project: Path) -> dict[str, Model]:
    """The models that one file declares, by name; and those that it imports, under other names.

    Modules beside the file and below the project may be imported by it.
    Raises ConfigError, with the file and line, for a file that raises, and for a model that no
    variable holds in the end: nobody would gate it.
    """
    path = path.resolve()
    with noted() as made:
        module = _load(path, project.resolve())
    _demand_held([one for one in made if one.file == path], module)
    held = _held(module)
    for one in held:
        _check_targets(one)
    found: dict[str, Model] = {}
    for model in (m for m in held if m.file == path):
        _add(found, model)
    return {m.name: m for m in held if m.file != path} | found


def _check_targets(model: Model) -> None:
    """ConfigError for the name of a target that is none; a file of one is read by its check."""
    budgets = (model.budget, *(each.budget for each in model.recipes if each.budget))
    for name in (each.target for each in budgets if each.target):
        if name not in KNOWN and not name.endswith(".toml"):
            near = get_close_matches(name, KNOWN, 1)
            raise ConfigError(
                f"{model.file.name}:{model.line}: there is no target {name!r}",
                expected=f"{', '.join(KNOWN)}, or the path of a .toml file",
                remedy=f"did you mean {near[0]!r}?" if near else "",
            )


def _demand_held(made: list[Model], module: ModuleType) -> None:
    there = {id(value) for value in vars(module).values()}
    for one in made:
        if id(one) not in there:
            raise ConfigError(
                f"the model that {one.file.name}:{one.line} declares is held by no variable of the"
                " file, so nobody would gate it",
                expected="a variable of its own for each model, at the top of the file",
                remedy="rename the one that takes its place, or unpack the list that holds it",
            )


def _held(module: ModuleType) -> list[Model]:
    """The models of a module; one without a name of its own is called as the variable is."""
    found: dict[int, Model] = {}
    for variable, value in vars(module).items():
        if isinstance(value, Model):
            found.setdefault(id(value), value if value.name else replace(value, name=variable))
    return list(found.values())


def _load(path: Path, project: Path) -> ModuleType:
    shown = path.relative_to(project) if path.is_relative_to(project) else Path(path.name)
    name = "_".join(("litegate", *shown.with_suffix("").parts))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _importable(path.parent, project):
        try:
            # Compiled anew: Python's cache of bytecode misses a change within a second.
            exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102 the user's own file
        except ConfigError as error:
            raise _placed(error, project) from error
        except (Exception, SystemExit) as error:
            place = _place(error, project) or str(path)
            raise ConfigError(
                f"{path.name} does not load: {type(error).__name__}: {error}",
                got=f"raised at {place}",
                remedy=advice(error)
                or f"run `python -P {shown}` in {project} to see the whole traceback",
            ) from error
    return module


@contextmanager
def _importable(*folders: Path) -> Iterator[None]:
    before = list(sys.path)
    sys.path[:0] = [str(folder) for folder in folders]
    try:
        yield
    finally:
        sys.path[:] = before


def _placed(error: ConfigError, project: Path) -> ConfigError:
    """The same error, which names the line of the project's that it came from."""
    place = _place(error, project)
    where = f"{Path(place).relative_to(project)}: " if place else ""
    return ConfigError(
        f"{where}{error.what}", expected=error.expected, got=error.got, remedy=error.remedy
    )


def _place(error: BaseException, project: Path) -> str:
    """The innermost line of the project's own code that an exception passed through."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if _is_own(Path(f.filename), project)]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""


def _is_own(file: Path, project: Path) -> bool:
    """Whether a file is the project's, and no package of an environment that lies below it."""
    return file.is_relative_to(project) and not installed(file)
