"""Keys: a digest of what makes an artifact, and of nothing else.

Source enters as its syntax tree written back to text: no comments, no docstrings, no layout, and no
arguments of `@model` or `trained`, so that a new limit or another recipe builds nothing again.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from litegate.core.errors import ConfigError
from litegate.core.import_paths import installed, own_folders
from litegate.spec.model import Data, Model
from litegate.spec.recipe import Recipe

Roots = tuple[Path, ...]
"""Folders in which imports are looked up, in their order."""
FORMAT = 1
"""Changes when what an entry of the store holds changes."""


def artifact_key(stem: str, toolchain: str) -> str:
    """The key of an artifact: what the user made it of, and the tool chain that built it."""
    return digest_of([stem, toolchain])


def artifact_stem(model: Model, recipe: Recipe, project: Path, *, start: str = "") -> str:
    """What the user makes an artifact of: model, training, recipe, data and the builder's files.

    `start` is the digest of the trained network that the model begins with, where it does.
    """
    made_of = {
        "format": FORMAT,
        "source": module_digest(model.file, project),
        "builder": model.build.__qualname__,
        "training": asdict(model.training),
        "recipe": recipe.spec(),
        "data": data_key(model.data, project),
    }
    files = {"files": _file_digests(model)} if model.files else {}
    return digest_of(made_of | files | ({"start": start} if start else {}))


def _file_digests(model: Model) -> list[str]:
    """SHA-256 of each file that the builder reads, in their order."""
    try:
        return [hashlib.sha256(file.read_bytes()).hexdigest() for file in model.files]
    except OSError as error:
        raise ConfigError(
            f"a file that the builder of {model.name} reads cannot be read",
            got=str(error),
            remedy=f"correct files=[...] in {model.file.name}: paths start at its folder",
        ) from error


def data_key(data: Data, project: Path) -> str:
    """The key of a data set: its raw arrays' digests, its preprocessing, classes and domain.

    And the bytes of the files that the preprocessing reads, below `project`.
    """
    domain = dict(data.domain) if isinstance(data.domain, Mapping) else data.domain
    made_of = [dict(data.digests), _function_digest(data), data.classes, domain]
    files = [files_digest(data, project)] if data.files else []
    return digest_of(made_of + ([data.output] if data.output else []) + files)


def files_digest(data: Data, project: Path) -> str:
    """A digest of the files that the preprocessing reads. ConfigError where one cannot be read."""
    try:
        found = {
            name: hashlib.sha256((project / name).read_bytes()).hexdigest() for name in data.files
        }
    except OSError as error:
        raise ConfigError(
            f"a file that the preprocessing of {data.name} reads cannot be read",
            got=str(error),
            remedy="correct lg.Data(files=(...)): paths start at the project's root",
        ) from error
    return digest_of(found)


def _function_digest(data: Data) -> str:
    try:
        return source_digest(_source(data.preprocess))
    except (OSError, TypeError, SyntaxError) as error:
        raise ConfigError(
            f"the source of the preprocessing of {data.name} cannot be read",
            expected="a named function at the top of a module",
            got=repr(data.preprocess),
            remedy="write it with def: its source is part of the artifact's key",
        ) from error


def _source(function: Callable[..., Any]) -> str:
    """The source of a function at the top of a module; TypeError for anything else."""
    if not getattr(function, "__qualname__", "").isidentifier():
        raise TypeError(function)
    return textwrap.dedent(inspect.getsource(function))


def toolchain_digest(folder: Path) -> str:
    """A digest of the tool chain's source files; its pinned versions stand in one of them."""
    files = {
        file.relative_to(folder).as_posix(): _text_digest(file) for file in folder.rglob("*.py")
    }
    return digest_of(files)


def _text_digest(file: Path) -> str:
    """SHA-256 of a file's text, whatever ends its lines.

    Unlike a model's source it is not parsed: that would take a warm run a tenth of its time, and
    litegate's own comments change with its version alone.
    """
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def digest_of(value: Any) -> str:
    """SHA-256 of a JSON value, written canonically."""
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()


def source_digest(source: str) -> str:
    """SHA-256 of Python source without comments, docstrings, layout and what declares models."""
    return tree_digest(ast.parse(source))


def tree_digest(tree: ast.AST) -> str:
    """As `source_digest`, of a syntax tree; takes out of the tree what does not count."""
    return hashlib.sha256(ast.unparse(_Bare().visit(tree)).encode()).hexdigest()


def module_digest(file: Path, project: Path, *paths: Path) -> str:
    """Digest of a module and of every local module that it imports, directly or not.

    Local is what lies in one of its `roots`.
    """
    return modules_digest([file.resolve()], roots(file, project, *paths))


def modules_digest(files: Iterable[Path], roots: Roots) -> str:
    """Digest of some modules, named by their paths, and of every local module that they import."""
    seen: dict[Path, str] = {}
    waiting = list(files)
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        digest, imported = _digest_and_imports(_source_of(each), str(each))
        waiting += _local_files(imported, each, roots)
        seen[each] = digest
    return digest_of({_relative(path, roots): digest for path, digest in seen.items()})


def roots(file: Path, project: Path, *paths: Path) -> Roots:
    """Where a module's imports are looked up.

    Its folder, those above it, the project, `paths`, and the project's folders on the import path.
    """
    folders, root = file.resolve().parents, project.resolve()
    above = (folder for folder in folders if folder.is_relative_to(root))
    found = (folders[0], *above, root, *(path.resolve() for path in paths), *own_folders(root))
    return tuple(dict.fromkeys(found))


def parsed(file: Path) -> ast.Module:
    """A module's syntax tree. ConfigError where it cannot be read as Python."""
    return _tree(_source_of(file), str(file))


def _source_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read as Python", got=str(error)) from error


def _tree(source: bytes, file: str) -> ast.Module:
    try:
        return ast.parse(source)  # bytes: in the encoding that they state
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read as Python", got=str(error)) from error


@lru_cache(maxsize=4096)
def _digest_and_imports(source: bytes, file: str) -> tuple[str, tuple[tuple[str, int], ...]]:
    """A module's digest and what it imports; each recipe's key asks for the same modules again."""
    tree = _tree(source, file)
    imported = tuple(_imported(tree))
    return tree_digest(tree), imported


def _relative(path: Path, roots: Roots) -> str:
    """The path as it reads from the first root that holds it: the same in every checkout."""
    for root in roots:
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name


def local_imports(tree: ast.AST, file: Path, roots: Roots) -> Iterator[Path]:
    """The files of the local modules that a part of a module imports, packages included."""
    yield from _local_files(_imported(tree), file, roots)


def _local_files(imported: Iterable[tuple[str, int]], file: Path, roots: Roots) -> Iterator[Path]:
    for name, level in imported:
        parts = name.split(".")
        for root in (file.parents[level - 1],) if level else roots:
            for length in range(1, len(parts) + 1):
                base = root.joinpath(*parts[:length])
                places = (base.with_suffix(".py"), base / "__init__.py")
                yield from (one for one in places if one.is_file() and not installed(one))


def _imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """What is imported, and for a relative import its number of dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = f"{node.module}." if node.module else ""
            yield from ((f"{start}{alias.name}", node.level) for alias in node.names)


class _Bare(ast.NodeTransformer):
    """Takes out docstrings and the arguments of `@model` and of `litegate.trained`."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        own = _names_of_trained(node)
        for each in node.body:
            declared = each.value if isinstance(each, ast.Assign | ast.AnnAssign) else None
            if isinstance(declared, ast.Call) and ast.unparse(declared.func) in own:
                declared.args, declared.keywords = [], []
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
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name == "model"


def _names_of_trained(module: ast.Module) -> set[str]:
    """How a module calls `litegate.trained`: by what it imports, for the name may be another's."""
    found: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.Import):
            own = (each for each in node.names if each.name == "litegate")
            found |= {f"{each.asname or each.name}.trained" for each in own}
        elif isinstance(node, ast.ImportFrom) and node.module == "litegate" and not node.level:
            found |= {each.asname or each.name for each in node.names if each.name == "trained"}
    return found
