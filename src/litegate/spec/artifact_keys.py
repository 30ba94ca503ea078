"""Compute the keys of artifacts: digests of all inputs of a build, and of nothing else.

Of source code they cover what `relevant_source` leaves.
"""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from litegate.core.digests import digest_of
from litegate.core.errors import ConfigError
from litegate.spec.detector import Detector
from litegate.spec.frames import Frames
from litegate.spec.model import Data, Model
from litegate.spec.recipe import Recipe
from litegate.spec.relevant_source import module_digest, source_digest
from litegate.spec.runtimes import Command

FORMAT = 2
"""Version of the store's entries and of declared digests; to be increased if either changes: old
entries then have other keys and are built again, at the cost of a training each."""


def artifact_key(stem: str, toolchain: str) -> str:
    """Return the key of an artifact from the digests of the user's inputs and of the tool chain."""
    return digest_of([stem, toolchain])


def artifact_stem(model: Model, recipe: Recipe, project: Path, *, start: str = "") -> str:
    """Digest the user's inputs of an artifact: model, training, recipe, data, builder's files.

    `start` is the digest of the trained network that the model starts from, if it does.
    """
    inputs = {
        "source": module_digest(model.file, project),
        "builder": model.build.__qualname__,
        "training": model.training.spec(),
        "recipe": recipe.spec(),
        "data": data_key(model.data, project),
    }
    files = {"files": file_digests(model)} if model.files else {}
    return digest_of(inputs | files | ({"start": start} if start else {}))


def file_digests(model: Model) -> list[str]:
    """Return the SHA-256 of each file that the builder reads, in the declared order."""
    try:
        return [hashlib.sha256(file.read_bytes()).hexdigest() for file in model.files]
    except OSError as error:
        raise ConfigError(
            f"a file that the builder of {model.name} reads cannot be read",
            got=str(error),
            remedy=f"correct files=[...] in {model.file.name}: paths start at its folder",
        ) from error


def data_key(data: Data, project: Path) -> str:
    """Return the key of a data set.

    It covers the digests of the raw arrays, the source of the preprocessing and the files in
    `project` that it reads, the classes, the domain, the output that is judged, and the answer of
    a sequence.
    """
    domain = dict(data.domain) if isinstance(data.domain, Mapping) else data.domain
    inputs = [FORMAT, dict(data.digests), _function_digest(data), data.classes, domain]
    files = [files_digest(data, project)] if data.files else []
    sequences = [sequences_definition(data, data.sequences)] if data.sequences else []
    return digest_of(inputs + ([data.output] if data.output else []) + files + sequences)


def evaluation_key(model: Model, project: Path) -> str:
    """Return the key of an evaluation split: of data and the model file's imported source."""
    inputs = [data_key(model.data, project), module_digest(model.file, project)]
    # Files of the model, too: what its module reads, its preprocessing may use.
    return digest_of([*inputs, *([file_digests(model)] if model.files else [])])


def sequences_definition(data: Data, frames: Frames) -> dict[str, Any]:
    """Return the period in seconds and the answer of sequences, a function by its digest."""
    answer = frames.answer
    if isinstance(answer, Detector):
        return {"period": frames.seconds, "detector": answer.definition}
    name = answer if isinstance(answer, str) else _function_digest(data, answer)
    return {"period": frames.seconds, "answer": name}


def files_digest(data: Data, project: Path) -> str:
    """Digest the files that the preprocessing reads. Raises ConfigError for an unreadable file."""
    try:
        digests = {
            name: hashlib.sha256((project / name).read_bytes()).hexdigest() for name in data.files
        }
    except OSError as error:
        raise ConfigError(
            f"a file that the preprocessing of {data.name} reads cannot be read",
            got=str(error),
            remedy="correct lg.Data(files=(...)): paths start at the project's root",
        ) from error
    return digest_of(digests)


def program_digest(command: Command, project: Path) -> str:
    """Digest the files of a project's own runtime: those it declares, and those of its command.

    A file of the command is a word of it, or what follows the "=" in one; the module after "-m"; or
    the `__main__.py` of a folder. Of Python files, the local modules that they import belong to it.
    Raises ConfigError for a file that cannot be read.
    """
    named = dict.fromkeys(_named_files(command.arguments))
    words = [name for name in named if _is_own_file(name, project)]
    sources = [project / word for word in words if word.endswith(".py")]
    try:
        digests = {
            name: hashlib.sha256((project / name).read_bytes()).hexdigest()
            for name in (*words, *command.files)
        }
    except OSError as error:
        raise ConfigError(
            f"a file of the runtime {command.name} cannot be read",
            got=str(error),
            remedy="correct lg.Command(files=(...)): paths start at the project's root",
        ) from error
    return digest_of([digests, [module_digest(source, project) for source in sources]])


def _named_files(arguments: Sequence[str]) -> Iterator[str]:
    """Yield what the words of a command line may name: files, and what `python` runs."""
    for option, word in pairwise(("", *arguments)):
        yield word
        yield f"{word}/__main__.py"
        if "=" in word:
            yield word.rpartition("=")[2]
        if option == "-m":
            module = word.replace(".", "/")
            yield f"{module}.py"
            yield f"{module}/__init__.py"
            yield f"{module}/__main__.py"


def _is_own_file(word: str, project: Path) -> bool:
    """Return True if a word of a command line is the path of a file in the project."""
    try:
        path = (project / word).resolve()
        return path.is_file() and path.is_relative_to(project.resolve())
    except (OSError, ValueError):  # no path: too long, or with a null character
        return False


def _function_digest(data: Data, function: Callable[..., Any] | None = None) -> str:
    what = "answer of a sequence" if function else "preprocessing"
    function = function or data.preprocess
    try:
        return source_digest(_source(function))
    except (OSError, TypeError, SyntaxError) as error:
        raise ConfigError(
            f"the source of the {what} of {data.name} cannot be read",
            expected="a named function at the top of a module",
            got=repr(function),
            remedy="write it with def: its source is part of the artifact's key",
        ) from error


def _source(function: Callable[..., Any]) -> str:
    """Return the source of a function at the top of a module. Raises TypeError for others."""
    if not getattr(function, "__qualname__", "").isidentifier():
        raise TypeError(function)
    return textwrap.dedent(inspect.getsource(function))


def toolchain_digest(folder: Path) -> str:
    """Digest the source files of the tool chain; one of them has its pinned versions."""
    files = {
        file.relative_to(folder).as_posix(): _text_digest(file) for file in folder.rglob("*.py")
    }
    return digest_of(files)


def _text_digest(file: Path) -> str:
    """Return the SHA-256 of a file's text with normalized line ends.

    Unlike a model's source the file is not parsed: that would take a tenth of a warm run's time,
    and litegate's own comments change with its version alone.
    """
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
