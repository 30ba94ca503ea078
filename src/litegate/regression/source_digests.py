"""Digest the source that a function uses, to notice changes of its behaviour.

A name that a statement mentions leads to the statements of the module that bind or alter it, and so
on. A local module that these import counts as a whole. Not covered: files that the source reads,
the environment, `getattr` with a computed name, installed packages.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from litegate.core.digests import digest_of
from litegate.core.options import GateOptions
from litegate.regression.waivers import FILE
from litegate.spec.relevant_source import (
    imported,
    local_files,
    modules_digest,
    parse,
    parsed,
    read,
    roots,
    tree_digest,
)

Imports = tuple[tuple[str, int], ...]
"""Names of imported modules, each with the number of its leading dots."""
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def function_digest(function: Callable[..., Any], project: Path) -> str:
    """Digest a function at the top of a module, with all source that it uses.

    Raises TypeError or OSError if the function has no source file.
    """
    unwrapped = inspect.unwrap(function)
    file = Path(inspect.getsourcefile(unwrapped) or "").resolve()
    digest, imports = _used_of_module(read(file), str(file), unwrapped.__name__)
    return _with_imports(digest, imports, file, project)


@lru_cache(maxsize=4096)  # many models use the same functions, those of a data set
def _used_of_module(source: bytes, file: str, name: str) -> tuple[str, Imports]:
    """Return the digest of the statements that a function uses, and their imports."""
    module = _RemoveAnnotations().visit(parse(source, file))
    return _digest_and_imports(_used_statements(module.body, {name}))


def builder_digest(builder: Callable[..., Any], project: Path) -> str:
    """Digest a model's builder with all source that it uses, but not what its decorators declare.

    Raises as `function_digest` does.
    """
    unwrapped = inspect.unwrap(builder)
    file = Path(inspect.getsourcefile(unwrapped) or "").resolve()
    body = parsed(file).body
    for statement in body:
        if isinstance(statement, ast.FunctionDef) and statement.name == unwrapped.__name__:
            statement.decorator_list = []
    digest, imports = _digest_and_imports(_used_statements(body, {unwrapped.__name__}))
    return _with_imports(digest, imports, file, project)


def _digest_and_imports(body: list[ast.stmt]) -> tuple[str, Imports]:
    tree = ast.Module(body=body, type_ignores=[])
    imports = tuple(imported(tree))  # before tree_digest, which modifies the tree
    return tree_digest(tree), imports


def _with_imports(digest: str, imports: Imports, file: Path, project: Path) -> str:
    folders = roots(file, project)
    return digest_of([digest, modules_digest(local_files(imports, file, folders), folders)])


def _used_statements(body: list[ast.stmt], start: set[str]) -> list[ast.stmt]:
    """Return the statements that bind or alter names of `start` or names that these mention.

    This is repeated until no statement is added.
    """
    names, count = {*start, "*"}, -1  # "*": a star import may bind any name
    used: list[ast.stmt] = []
    while len(used) != count:
        count = len(used)
        used = [statement for statement in body if names & altered(statement)]
        names.update(*(mentioned(statement) for statement in used))
    return used


def altered(statement: ast.stmt) -> set[str]:
    """Return the names of the module that a statement binds or may alter."""
    if isinstance(statement, _DEFINITIONS):
        names = (node.names for node in ast.walk(statement) if isinstance(node, ast.Global))
        return {statement.name}.union(*names)
    if isinstance(statement, ast.Assign):
        return {name for target in statement.targets for name in mentioned(target)}
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        return mentioned(statement.target)
    return mentioned(statement)


def mentioned(tree: ast.AST) -> set[str]:
    """Return every name that a syntax tree uses, binds, defines or imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, _DEFINITIONS):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
    return names


class _RemoveAnnotations(ast.NodeTransformer):
    """Removes the types of parameters and results: the function does not run what they mention."""

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)


_SETTINGS = ("pyproject.toml", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg")


def sources_digest(options: GateOptions) -> str:
    """Digest every file that can change a limit, a check, a waiver or a setting.

    These are the files in the folders of models and checks, the conftests and settings above them,
    and the waivers. Comments count too, so a new digest only means that a new run is needed.
    """
    files = sorted(set(_source_files(options)))
    return digest_of(
        {
            file.relative_to(options.project).as_posix()
            if file.is_relative_to(options.project)
            else str(file): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
        }
    )


def _source_files(options: GateOptions) -> Iterator[Path]:
    for folder in (options.models, options.checks):
        yield from (file for file in folder.rglob("*") if file.suffix in (".py", ".toml"))
    parents = options.checks.parents
    folders = (folder for folder in parents if folder.is_relative_to(options.project))
    files = [folder / "conftest.py" for folder in folders]
    files += [options.project / name for name in (FILE, *_SETTINGS)]
    yield from (file for file in files if file.is_file())
