"""Compute the keys of artifacts: digests of all inputs of a build, and of nothing else.

Source code is digested as its unparsed syntax tree, without comments, docstrings, layout and the
arguments of `@model`, `trained` and `Command`, so that a new limit, recipe or runtime does not
rebuild anything.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from litegate.core.errors import ConfigError
from litegate.core.import_paths import installed, own_folders
from litegate.spec.model import Data, Model
from litegate.spec.recipe import Recipe
from litegate.spec.runtimes import Command
from litegate.spec.sequences import Detector, Frames

Tree = TypeVar("Tree", bound=ast.AST)
Roots = tuple[Path, ...]
"""Folders in which imports are looked up, in this order."""
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
        "training": asdict(model.training),
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
    sequences = [_sequences(data, data.sequences)] if data.sequences else []
    return digest_of(inputs + ([data.output] if data.output else []) + files + sequences)


def _sequences(data: Data, frames: Frames) -> dict[str, Any]:
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

    Of Python files in the command, the local modules that they import belong to it. Raises
    ConfigError for a file that cannot be read.
    """
    words = [word for word in command.arguments if _is_own_file(word, project)]
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


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form: sorted keys, no spaces, ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def source_digest(source: str) -> str:
    """Digest Python source without comments, docstrings, layout and declarations of models."""
    return tree_digest(ast.parse(source))


def tree_digest(tree: ast.AST) -> str:
    """Digest a syntax tree as `source_digest` does; modifies the tree."""
    return hashlib.sha256(ast.unparse(without_irrelevant(tree)).encode()).hexdigest()


def without_irrelevant(tree: Tree) -> Tree:
    """Remove docstrings and declarations of models from a syntax tree; modifies the tree."""
    cleaned: Tree = _RemoveIrrelevant().visit(tree)
    return cleaned


def module_digest(file: Path, project: Path) -> str:
    """Digest a module and all local modules that it imports, directly or indirectly.

    A local module lies in one of its `roots`.
    """
    return modules_digest([file.resolve()], roots(file, project))


def modules_digest(files: Iterable[Path], roots: Roots) -> str:
    """Digest modules, given by their paths, and all local modules that they import."""
    digests: dict[Path, str] = {}
    pending = list(files)
    while pending:
        file = pending.pop()
        if file in digests:
            continue
        digest, imports = _digest_and_imports(_read(file), str(file))
        pending += _local_files(imports, file, roots)
        digests[file] = digest
    return digest_of({_relative(file, roots): digest for file, digest in digests.items()})


def roots(file: Path, project: Path, *paths: Path) -> Roots:
    """Return the folders in which a module's imports are looked up.

    These are its folder, the project's folders above it, `paths`, and the project's folders on the
    import path.
    """
    parents, root = file.resolve().parents, project.resolve()
    above = (folder for folder in parents if folder.is_relative_to(root))
    folders = (parents[0], *above, root, *(path.resolve() for path in paths), *own_folders(root))
    return tuple(dict.fromkeys(folders))


def parsed(file: Path) -> ast.Module:
    """Return the syntax tree of a module. Raises ConfigError if it is not readable as Python."""
    return _parse(_read(file), str(file))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} is not valid Python", got=str(error)) from error


def _parse(source: bytes, file: str) -> ast.Module:
    try:
        return ast.parse(source)  # bytes: the file may declare its encoding
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{file} is not valid Python", got=str(error)) from error


@lru_cache(maxsize=4096)  # more modules than a project has; an entry is a digest and some names
def _digest_and_imports(source: bytes, file: str) -> tuple[str, tuple[tuple[str, int], ...]]:
    """Return a module's digest and its imports; cached, since all recipes need the same modules."""
    tree = _parse(source, file)
    imports = tuple(imported(tree))  # before tree_digest, which modifies the tree
    return tree_digest(tree), imports


def _relative(path: Path, roots: Roots) -> str:
    """Return the path relative to the first root above it, which is the same in every checkout."""
    for root in roots:
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name


def local_imports(tree: ast.AST, file: Path, roots: Roots) -> Iterator[Path]:
    """Yield the files of the local modules that a syntax tree imports, with their packages."""
    yield from _local_files(imported(tree), file, roots)


def _local_files(imports: Iterable[tuple[str, int]], file: Path, roots: Roots) -> Iterator[Path]:
    for name, level in imports:
        parts = name.split(".")
        for root in (file.parents[level - 1],) if level else roots:
            for length in range(1, len(parts) + 1):
                base = root.joinpath(*parts[:length])
                files = (base.with_suffix(".py"), base / "__init__.py")
                yield from (path for path in files if path.is_file() and not installed(path))


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the name of each import, and the number of its leading dots if it is relative."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = f"{node.module}." if node.module else ""
            yield from ((f"{package}{alias.name}", node.level) for alias in node.names)


class _RemoveIrrelevant(ast.NodeTransformer):
    """Removes docstrings, decorators `@model`, and the arguments of `trained` and `Command`."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        names = _imported_names(node, {"trained", "Command"})
        for statement in node.body:
            call = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
            if isinstance(call, ast.Call) and ast.unparse(call.func) in names:
                call.args, call.keywords = [], []
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list = [d for d in node.decorator_list if not _declares_model(d)]
        return self._without_docstring(node)

    def _without_docstring(
        self, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    ) -> ast.AST:
        self.generic_visit(node)
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node


def _declares_model(decorator: ast.expr) -> bool:
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name == "model"


def _imported_names(module: ast.Module, wanted: Collection[str]) -> set[str]:
    """Return the names by which a module's imports make names of `litegate` available."""
    names: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.Import):
            aliases = [it.asname or it.name for it in node.names if it.name == "litegate"]
            names |= {f"{alias}.{name}" for alias in aliases for name in wanted}
        elif isinstance(node, ast.ImportFrom) and node.module == "litegate" and not node.level:
            names |= {alias.asname or alias.name for alias in node.names if alias.name in wanted}
    return names
