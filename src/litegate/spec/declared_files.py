"""Demand that the files which a model's functions read are declared, and so part of its keys."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from litegate.core.errors import ConfigError
from litegate.core.file_reads import record_reads
from litegate.spec.model import Data, Model
from litegate.spec.recipe import Recipe


def watched(model: Model, project: Path) -> Model:
    """Return the model with functions that raise ConfigError if they read an undeclared file.

    These are the builder, the preprocessing, and `annotate` and `custom_objects` of its recipes.
    """

    def watch(function: Callable[..., Any], subject: str) -> Callable[..., Any]:
        def demand(files: tuple[Path, ...]) -> None:
            demand_declared(model, files, project, subject)

        return _watched_function(function, project, demand)

    def watch_recipe(recipe: Recipe) -> Recipe:
        hooks = {name: getattr(recipe, name) for name in ("annotate", "custom_objects")}
        changes: dict[str, Any] = {n: watch(hook, n) for n, hook in hooks.items() if hook}
        return replace(recipe, **changes)

    return replace(
        model,
        build=watch(model.build, "the builder"),
        data=watched_data(model.data, project),
        recipes=tuple(watch_recipe(recipe) for recipe in model.recipes),
    )


def watched_data(data: Data, project: Path) -> Data:
    """Return the data set with a preprocessing that raises as the functions of `watched`.

    What `load` reads is the data themselves, which the digests declare.
    """

    def demand(files: tuple[Path, ...]) -> None:
        if missing := _missing(files, (project / name for name in data.files)):
            subject, line = f"the preprocessing of {data.name}", _data_line(data, missing, project)
            raise _error(subject, missing, project, line)

    return replace(data, preprocess=_watched_function(data.preprocess, project, demand))


def demand_declared(
    model: Model, files: Iterable[Path], project: Path, subject: str = "the file"
) -> None:
    """Raise ConfigError unless the model, or its data set, declares all `files` in ``files=...``.

    `subject` names what read them.
    """
    declared = (*model.files, *(project / name for name in model.data.files))
    if missing := _missing(files, declared):
        if model.external_files:  # its declaration takes no files
            line = _data_line(model.data, missing, project)
        else:
            line = _model_line(model, missing)
        raise _error(f"{subject} of {model.name}", missing, project, line)


def _watched_function(
    function: Callable[..., Any], project: Path, demand: Callable[[tuple[Path, ...]], None]
) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        with record_reads(project) as reads:
            result = function(*arguments, **options)
        demand(reads.files())
        return result

    return call


def _missing(files: Iterable[Path], declared: Iterable[Path]) -> list[Path]:
    known = {file.resolve() for file in declared}
    return [file for file in files if file.resolve() not in known]


def _model_line(model: Model, missing: list[Path]) -> str:
    folder = model.file.parent
    paths = [Path(os.path.relpath(file, folder)).as_posix() for file in (*model.files, *missing)]
    return f"@litegate.model(..., files={_code(paths, '[]')})"


def _data_line(data: Data, missing: list[Path], project: Path) -> str:
    paths = [*data.files, *(_relative(file, project) for file in missing)]
    return f"litegate.Data(..., files={_code(paths, ('(', ',)') if len(paths) == 1 else '()')})"


def _code(paths: Iterable[str], brackets: Sequence[str]) -> str:
    quoted = ", ".join(f'"{path}"' for path in paths)
    return f"{brackets[0]}{quoted}{brackets[1]}"


def _relative(file: Path, project: Path) -> str:
    return Path(os.path.relpath(file.resolve(), project.resolve())).as_posix()


def _error(subject: str, missing: list[Path], project: Path, line: str) -> ConfigError:
    names = ", ".join(_relative(file, project) for file in missing)
    return ConfigError(
        f"{subject} reads {names}, which no files=... names",
        expected="every file that an artifact depends on, so that changes to it are built and "
        "judged",
        remedy=f"write {line}",
    )
