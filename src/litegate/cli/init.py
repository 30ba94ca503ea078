"""Implement `litegate init`: add a gate to a repository, without changing existing files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from litegate.cli.ci_files import (
    folder_in_repository,
    is_on_gitlab,
    put_workflow,
    repository_root,
)
from litegate.cli.new_files import (
    LEFT,
    TEMPLATES,
    TO_DO,
    WROTE,
    is_taken,
    left,
    template,
    to_do,
    write,
)
from litegate.cli.own_arrays import OwnArrays
from litegate.cli.own_pictures import OwnPictures
from litegate.cli.ready_made import ReadyMade
from litegate.core.errors import ConfigError
from litegate.core.options import OPTIONS, parse
from litegate.gate.project_settings import pytest_file, settings

Own = ReadyMade | OwnArrays | OwnPictures
"""What `init` declares in the place of the example."""
EXAMPLE = "my_model.py"
_DEFAULTS = {option.name: option.default for option in OPTIONS}
_IGNORED = ".litegate/"
_IMPORTS_LITEGATE = re.compile(r"^\s*(import|from)\s+litegate\b", re.MULTILINE)
_TENSORFLOW = (
    'for the training: `pip install "litegate[train]"` (TensorFlow); ready-made .tflite files do '
    "not need it: docs/how-to/prebuilt.md"
)
_INSTALL = (
    "correct the workflow's line `pip install` as its comment says, before the first commit: "
    "changed later, it is a weakened limit"
)
_READY_MADE = re.compile(r"\bprebuilt\(")
_TRAINS = re.compile(r"@[\w.]*\bmodel\(|\btrained\(")
_SHOWN_FILES = 3
"""Files of a folder that an error names: enough to recognize what the folder is for."""


def init(
    *,
    models: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="The folder of model files, if not models/."),
    ] = None,
    gitlab: Annotated[
        bool | None,
        typer.Option(
            "--gitlab/--github",
            help="The workflow to write; without either, GitLab's if there is .gitlab-ci.yml and "
            "no .github/, or neither and the remote's host is GitLab, else GitHub's.",
            show_default=False,
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A .tflite file in float32, to gate instead of the example."
        ),
    ] = None,
    candidate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its quantized file."),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An .npz file. Alone: x_train, y_train, x_test and y_test of a network in Keras. "
            "Of two .tflite files: x, as the reference takes them, and labels y.",
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="A folder with pictures in train/CLASS/ and test/CLASS/."
        ),
    ] = None,
) -> None:
    """Add an example, checks, a workflow and settings to the project in this folder.

    With --samples alone or --pictures, the model file of your own data takes the example's place,
    with a small network to replace; with --reference and --candidate that of two ready-made files.
    In a folder of a larger repository, the workflow is written at the repository's root. No
    existing file is changed; a line for each says what was written and what is left to do.
    """
    own = _own_files(reference, candidate, samples, pictures)
    for line in put(Path.cwd(), models=models, gitlab=gitlab, own=own):
        typer.echo(line)


def _own_files(
    reference: Path | None, candidate: Path | None, samples: Path | None, pictures: Path | None
) -> Own | None:
    """Return the files that were given. Raises ConfigError for a .tflite file without the rest."""
    if pictures and (reference or candidate or samples):
        raise ConfigError(
            "--pictures declares the data of a network, and so do the other options",
            remedy="give --pictures alone",
        )
    if pictures:
        return OwnPictures(pictures=pictures)
    if reference and candidate and samples:
        return ReadyMade(reference=reference, candidate=candidate, samples=samples)
    if reference or candidate:
        raise ConfigError(
            "two ready-made files need --reference, --candidate and --samples",
            remedy="give all three, --samples alone to train a network on them, or none for an "
            "example",
        )
    return OwnArrays(samples=samples) if samples else None


def put(
    project: Path,
    *,
    models: str | None = None,
    gitlab: bool | None = None,
    own: Own | None = None,
) -> Iterator[str]:
    """Write the files that `project` lacks; yield a line for each file, and the next steps.

    `models` is the folder of model files; by default the one that is set, or "models". Without
    `gitlab`, what is there already decides. `own` files are declared instead of the example.
    Raises ConfigError, before anything is written, if the folder of model files holds something
    else or a folder's name cannot stand in a workflow; and if a file cannot be written. Raises as
    `own.model_file`, before anything is written, too.
    """
    project = project.resolve()
    configured = dict(_DEFAULTS) | settings(project)
    folder = _models_folder(project, models, configured["litegate_models"])
    checks_folder = Path(configured["litegate_checks"]).as_posix()
    folder_in_repository(project, checks_folder)
    if gitlab is None:
        gitlab = is_on_gitlab(repository_root(project))
    lines = []
    for line in chain(
        _put_model(project, folder, own),
        _put_checks(project, checks_folder),
        _put_workflow(project, folder, checks_folder, gitlab=gitlab),
        _put_settings(project, folder, configured["litegate_models"]),
        _put_gitignore(project),
    ):
        lines.append(line)
        yield line
    if any(line.startswith((WROTE, TO_DO)) for line in lines):
        first = _first_steps(project, folder, checks_folder, own)
        yield from _next_steps(first, lines, gitlab=gitlab)
    else:
        yield f"nothing to do: all files are there; `pytest {checks_folder}/` gates the models"


def checks() -> Path:
    """Return the folder of checks: packaged in a wheel, beside `src` in a checkout of litegate."""
    packaged = TEMPLATES / "checks"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "checks"


def _models_folder(project: Path, name: str | None, configured: str) -> str:
    """Return the folder of model files, relative to the project.

    Raises ConfigError for a folder outside the project, and for one that holds something else
    unless it is named or set.
    """
    folder = Path(configured if name is None else name)
    if folder.is_absolute() or ".." in folder.parts or not folder.name:
        raise ConfigError("--models is not a folder of this project", got=str(folder))
    if name is None and configured == _DEFAULTS["litegate_models"]:
        _refuse_other_files(project / folder, folder)
    return folder.as_posix()


def _refuse_other_files(path: Path, folder: Path) -> None:
    """Raise ConfigError for Python files without a model file, such as Django's models.

    The gate would import them. Files of other kinds, such as weights, are not touched.
    """
    files = [path] if path.is_file() else _visible(path.rglob("*.py"))
    if not files or any(_imports_litegate(file) for file in files):
        return
    names = [str(file.relative_to(path.parent)) for file in files[:_SHOWN_FILES]]
    more = len(files) - len(names)
    raise ConfigError(
        f"{folder}/ contains other Python files and no model file of litegate; nothing was written",
        got=", ".join(names) + (f" and {more} more" if more else ""),
        remedy=f"add `--models gate_{folder}` for another folder, since the gate imports each .py "
        f"file of its own, or `--models {folder}` to put model files there nevertheless",
    )


def _visible(files: Iterable[Path]) -> list[Path]:
    return sorted(file for file in files if not file.name.startswith(("_", ".")))


def _imports_litegate(file: Path) -> bool:
    return file.suffix == ".py" and _matches(_IMPORTS_LITEGATE, file)


def _put_model(project: Path, folder: str, own: Own | None) -> Iterator[str]:
    if own:
        target = project / folder / f"{own.name}.py"
        data = parse(project, {}, settings(project)).data
        yield write(project, target, own.model_file(project, data))
        return
    there = sorted(file for file in (project / folder).rglob("*.py") if _imports_litegate(file))
    target = project / folder / EXAMPLE
    if there and target not in there:
        yield left(project, target, f"an example is not needed, {there[0].name} is there")
    else:
        yield write(project, target, template(EXAMPLE))


def _put_workflow(project: Path, folder: str, checks: str, *, gitlab: bool) -> Iterator[str]:
    """Write the workflow, for which the model files must be there."""
    yield from put_workflow(project, checks, gitlab=gitlab, trains=_trains(project / folder))


def _trains(folder: Path) -> bool:
    """Return False if the model files declare ready-made files alone."""
    own = [file for file in folder.rglob("*.py") if _imports_litegate(file)]
    return not own or not all(_matches(_READY_MADE, it) and not _matches(_TRAINS, it) for it in own)


def _put_checks(project: Path, folder: str) -> Iterator[str]:
    """Write the checks; one line for all of one kind, but one for each that differs."""
    sources = sorted(checks().glob("*.py"))
    lines = [write(project, project / folder / it.name, it.read_text("utf-8")) for it in sources]
    for word, end in ((WROTE, ".py"), (LEFT, "already")):
        count = sum(line.startswith(word) and line.endswith(end) for line in lines)
        if count:
            is_there = "" if word == WROTE else " are there already"
            yield f"{word}{folder}/: {count} files of checks{is_there}"
    yield from (line for line in lines if line.endswith("differs"))


def _put_settings(project: Path, folder: str, configured: str) -> Iterator[str]:
    """Write pytest's settings, which also mark the project's root for pytest.

    pytest takes the first file with settings from the checks upwards. A pyproject.toml without them
    is no such file if there is one above.
    """
    file = pytest_file(project)
    section = template("settings.toml").replace(
        f'litegate_models = "{_DEFAULTS["litegate_models"]}"', f'litegate_models = "{folder}"'
    )
    if file is None or file.parent != project:
        new = project / "pyproject.toml"
        if is_taken(new):
            new, section = (
                project / "pytest.toml",
                section.replace("tool.pytest.ini_options", "pytest"),
            )
        yield write(project, new, section)
    elif folder == configured:
        yield left(project, file, "pytest's settings are there; the gate needs none")
    else:
        value = f'"{folder}"' if file.suffix == ".toml" else folder
        yield to_do(
            project, file, f"add `litegate_models = {value}` to pytest's settings, {_section(file)}"
        )


def _section(file: Path) -> str:
    """Return the heading of pytest's settings in one of its files."""
    is_native = _matches(re.compile(r"^\[tool\.pytest\]", re.MULTILINE), file)
    pyproject = "[tool.pytest]" if is_native else "[tool.pytest.ini_options]"
    return {"pyproject.toml": pyproject, "setup.cfg": "[tool:pytest]"}.get(file.name, "[pytest]")


def _names(file: Path, line: str) -> bool:
    """Return True if a .gitignore has a line, with or without the slashes around it."""
    return _matches(re.compile(rf"^/?{re.escape(line.strip('/'))}/?\s*$", re.MULTILINE), file)


def _put_gitignore(project: Path) -> Iterator[str]:
    own, root = project / ".gitignore", repository_root(project)
    above = [it / ".gitignore" for it in project.parents if it.is_relative_to(root)]
    anywhere = rf"{re.escape(_IGNORED)}?\s*$"
    for file, pattern in ((own, f"^/?{anywhere}"), *((it, f"^{anywhere}") for it in above)):
        if _matches(re.compile(pattern, re.MULTILINE), file):
            yield left(project, file, f"it names {_IGNORED}")
            return
    if is_taken(own):
        lines = [line for line in template("gitignore").split() if not _names(own, line)]
        yield to_do(project, own, f"add the lines {', '.join(lines)}")
    else:
        yield write(project, own, template("gitignore"))


def _first_steps(project: Path, folder: str, checks: str, own: Own | None) -> list[str]:
    """Return the steps to the first verdict."""
    gates = f"`pytest {checks}/` gates the models of {folder}/"
    steps = [] if find_spec("tensorflow") else [_TENSORFLOW]
    if own:
        classes = "" if isinstance(own, OwnPictures) else "name the classes and "
        limits = f"{classes}choose the limits in {folder}/{own.name}.py"
        if isinstance(own, ReadyMade):
            return [gates, limits, _INSTALL]
        if isinstance(own, OwnPictures):
            steps.append(f"`litegate digests {own.name} --write` reads the pictures and pins them")
        trains = f"`pytest {checks}/` trains the network of {folder}/{own.name}.py and gates it"
        return [*steps, trains, f"put your own network in its place, {limits}", _INSTALL]
    if not (project / folder / EXAMPLE).exists():
        return [gates, _INSTALL]
    return [
        *steps,
        f"`pytest {checks}/` trains the example {folder}/{EXAMPLE} and gates it (a minute)",
        "put your own model in its place, as its comments say, and run the command again",
        _INSTALL,
    ]


def _next_steps(first: Iterable[str], lines: Iterable[str], *, gitlab: bool) -> Iterator[str]:
    steps = [*first]
    if any(line.startswith(TO_DO) for line in lines):
        steps.insert(0, "change by hand what is marked `to do` above")
    host, other, flag = ("GitLab", "GitHub", "github") if gitlab else ("GitHub", "GitLab", "gitlab")
    steps.append(
        f"commit the files: {host}'s workflow compares each change with its merge base "
        f"(for {other}: `litegate init --{flag}`)"
    )
    for number, step in enumerate(steps, 1):
        yield f"{'next:  ' if number == 1 else '       '}{number}. {step}"


def _matches(pattern: re.Pattern[str], file: Path) -> bool:
    return file.is_file() and bool(pattern.search(file.read_text("utf-8", "replace")))
