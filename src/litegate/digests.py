"""Keys: a digest of what makes an artifact, and of nothing else.

Source enters as its syntax tree written back to text: no comments, no docstrings, no layout, and no
arguments of `@model`, so that a new limit or another recipe builds nothing again.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from litegate.errors import ConfigError
from litegate.spec import Data, Model, Recipe

FORMAT = 1
"""Changes when what an entry of the store holds changes."""


def artifact_key(stem: str, toolchain: str) -> str:
    """The key of an artifact: what the user made it of, and the tool chain that built it."""
    return digest_of([stem, toolchain])


def artifact_stem(model: Model, recipe: Recipe, project: Path) -> str:
    """What the user makes an artifact of: model, training, recipe and data."""
    made_of = {
        "format": FORMAT,
        "source": module_digest(model.file, project),
        "builder": model.build.__qualname__,
        "training": asdict(model.training),
        "recipe": recipe.spec(),
        "data": data_key(model.data),
    }
    return digest_of(made_of)


def data_key(data: Data) -> str:
    """The key of a data set: its raw arrays' digests, its preprocessing, classes and domain."""
    preprocessing = _function_digest(data)
    return digest_of([dict(data.digests), preprocessing, data.classes, data.domain])


def _function_digest(data: Data) -> str:
    try:
        return source_digest(textwrap.dedent(inspect.getsource(data.preprocess)))
    except (OSError, TypeError, SyntaxError) as error:
        raise ConfigError(
            f"the source of the preprocessing of {data.name} cannot be read",
            expected="a named function at the top of a module",
            got=repr(data.preprocess),
            remedy="write it with def: its source is part of the artifact's key",
        ) from error


def toolchain_digest(folder: Path) -> str:
    """A digest of the tool chain's source files; its pinned versions stand in one of them."""
    files = {file.name: source_digest(file.read_text("utf-8")) for file in folder.glob("*.py")}
    return digest_of(files)


def digest_of(value: Any) -> str:
    """SHA-256 of a JSON value, written canonically."""
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()


def source_digest(source: str) -> str:
    """SHA-256 of Python source without comments, docstrings, layout and `@model` arguments."""
    tree = _Bare().visit(ast.parse(source))
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


def module_digest(file: Path, project: Path) -> str:
    """Digest of a module and of every local module that it imports, directly or not."""
    roots = (file.parent.resolve(), project.resolve())
    seen: dict[Path, str] = {}
    waiting = [file.resolve()]
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        source = _read(each)
        seen[each] = source_digest(source)
        waiting += _local_imports(ast.parse(source), roots)
    return digest_of({_relative(path, roots): digest for path, digest in seen.items()})


def _read(file: Path) -> str:
    try:
        source = file.read_text("utf-8")
        ast.parse(source)
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read as Python", got=str(error)) from error
    return source


def _relative(path: Path, roots: tuple[Path, ...]) -> str:
    """The path as it reads from the first root that holds it: the same in every checkout."""
    for root in roots:
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name


def _local_imports(tree: ast.AST, roots: tuple[Path, ...]) -> Iterator[Path]:
    for name in _imported(tree):
        parts = name.split(".")
        for root in roots:
            for length in range(1, len(parts) + 1):
                base = root.joinpath(*parts[:length])
                yield from (
                    p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()
                )


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


class _Bare(ast.NodeTransformer):
    """Takes out docstrings and the arguments of `@model`."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
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
