"""What source a function or a check can use, as a digest: another digest is another behaviour.

A name that a statement mentions leads to the statements of the module that bind or alter it, and so
on; a local module that these import counts as a whole. What is reached in another way (a file that
is read, the environment, `getattr` by a computed name, an installed package) is not covered.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from litegate.core.options import GateOptions
from litegate.regression.waivers import FILE
from litegate.spec.digests import (
    digest_of,
    local_imports,
    modules_digest,
    parsed,
    roots,
    tree_digest,
)

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def function_digest(function: Callable[..., Any], project: Path) -> str:
    """Digest of a function at the top of a module and of all that it can use.

    TypeError or OSError where it is not written in a file.
    """
    inner = inspect.unwrap(function)
    file = Path(inspect.getsourcefile(inner) or "").resolve()
    module = _Unannotated().visit(parsed(file))
    reached = _reached(module.body, {inner.__name__})
    return _digest(reached, file, project)


def check_digest(file: Path, others: Collection[str], project: Path, *paths: Path) -> str:
    """Digest of a module of checks without the functions called `others`, and of what it imports.

    `paths` are folders besides the project's in which its imports are looked up.
    """
    body = parsed(file).body
    mine = [one for one in body if not (isinstance(one, _DEFINITIONS) and one.name in others)]
    return _digest(mine, file.resolve(), project, *paths)


def _digest(body: list[ast.stmt], file: Path, project: Path, *paths: Path) -> str:
    places = roots(file, project, *paths)
    tree = ast.Module(body=body, type_ignores=[])
    imported = modules_digest(local_imports(tree, file, places), places)
    return digest_of([tree_digest(tree), imported])


def _reached(body: list[ast.stmt], start: set[str]) -> list[ast.stmt]:
    """The statements that bind or alter one of the names, or a name that another of them mentions.

    A star import may bind any name.
    """
    names, found = {*start, "*"}, -1
    kept: list[ast.stmt] = []
    while len(kept) != found:
        found = len(kept)
        kept = [one for one in body if names & _altered(one)]
        names.update(*(_mentioned(one) for one in kept))
    return kept


def _altered(statement: ast.stmt) -> set[str]:
    """The names of the module that a statement binds, or may alter."""
    if isinstance(statement, _DEFINITIONS):
        declared = (node.names for node in ast.walk(statement) if isinstance(node, ast.Global))
        return {statement.name}.union(*declared)
    if isinstance(statement, ast.Assign):
        return {name for target in statement.targets for name in _mentioned(target)}
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        return _mentioned(statement.target)
    return _mentioned(statement)


def _mentioned(tree: ast.AST) -> set[str]:
    """Every name that a part of a module uses, binds, defines or imports."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, _DEFINITIONS):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
    return found


class _Unannotated(ast.NodeTransformer):
    """Takes out the types of parameters and results: what they mention is not used."""

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)


_SETTINGS = ("pyproject.toml", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg")


def sources_digest(options: GateOptions) -> str:
    """Another one after whatever could have changed a limit, a check, a waiver or a setting.

    Of the files in the folders of models and checks, the conftests and settings above them, and the
    waivers. After an edit that changes no promise it is another one, too: a run settles that.
    """
    files = sorted(set(_files(options)))
    return digest_of(
        {
            file.relative_to(options.project).as_posix()
            if file.is_relative_to(options.project)
            else str(file): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
        }
    )


def _files(options: GateOptions) -> Iterator[Path]:
    for folder in (options.models, options.checks):
        yield from (file for file in folder.rglob("*") if file.suffix in (".py", ".toml"))
    above = (one for one in options.checks.parents if one.is_relative_to(options.project))
    named = [folder / "conftest.py" for folder in above]
    named += [options.project / name for name in (FILE, *_SETTINGS)]
    yield from (file for file in named if file.is_file())
