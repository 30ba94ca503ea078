"""Split the source of checks: what one check uses, what its file shares, what runs beside it.

A check's own code is its function with the constants and helpers that it names, directly or not.
The other statements of its file count once, for all its checks: imports of the project's modules,
fixtures, hooks, setup functions, `pytestmark`. Other checks, and imports of installed packages that
nothing names, are left out. Each module that a check imports counts once, too.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.regression.definition_code import binds_constants, is_definition, loose_code
from litegate.regression.source_files import SourceFiles, Statement
from litegate.spec.relevant_source import roots

_CALLED_BY_NAME = re.compile(
    r"pytest.*|__\w+__|(setup|teardown)(_\w+)?|(setUp|tearDown)(Module|Class)?"
)
"""Names at the top of a file of checks that pytest or Python looks up itself."""
_REACHES_ANY_NAME = frozenset({"eval", "exec", "globals", "locals", "vars", "__import__", "sys"})
"""A function that mentions one of these may use names that its text does not mention."""

Name = tuple[str, ...]
"""A check in its file: the classes around it, and its function."""


def declared_sources(
    nodes: Iterable[str], project: Path, checks: Path, paths: Iterable[Path]
) -> dict[str, Any]:
    """Describe the code of checks, given by their node ids without brackets, and beside them.

    `paths` are folders besides the project's that are on the import path. Each entry has the lines
    of the code, and the names of the modules of the project that it imports:

        checks      each check's own code, by node id
        shared      by file of checks: what belongs to no check alone
        statements  by file of checks: what runs when it is imported, besides definitions
        conftests   the conftests of the checks, and the other modules in their folder, by path
        modules     the other modules that any of these imports, by path
    """
    names: dict[str, set[Name]] = {}
    for node in nodes:
        file, _, function = node.partition("::")
        names.setdefault(file, set()).add(tuple(function.split("::")))
    sources = _open(project, [project / file for file in names] or [checks / "-"], paths)
    files = {
        file: _CheckFile(sources, (project / file).resolve(), frozenset(checks_of_file))
        for file, checks_of_file in sorted(names.items())
    }
    beside = _modules_beside(sources, checks, {it.file for it in files.values()})
    imported = sources.imported_modules(
        [
            statement
            for module in (*(it.file for it in files.values()), *beside.values())
            for statement in _module(sources, module)
        ]
    )
    modules = {name: file for name, file in imported.items() if name not in beside}
    return {
        "checks": {
            "::".join((file, *name)): sources.code(it.own(name))
            for file, it in files.items()
            for name in sorted(it.checks)
        },
        "shared": {file: sources.code(it.shared) for file, it in files.items()},
        "statements": _filled({file: sources.code(it.loose) for file, it in files.items()}),
        "conftests": _filled(_codes(sources, beside)),
        "modules": _codes(sources, modules),
    }


def _open(project: Path, files: Iterable[Path], paths: Iterable[Path]) -> SourceFiles:
    folders = [folder for file in files for folder in roots(file, project, *paths)]
    return SourceFiles(project=project.resolve(), roots=tuple(dict.fromkeys(folders)))


def _modules_beside(sources: SourceFiles, checks: Path, files: set[Path]) -> dict[str, Path]:
    """Return the conftests of the checks, and the modules in their folder that have no check."""
    folder = checks.resolve()
    parents = (it for it in folder.parents if it.is_relative_to(sources.project))
    conftests = (it / "conftest.py" for it in (sources.project, *parents))
    modules = (it.resolve() for it in (*conftests, *sorted(folder.rglob("*.py"))) if it.is_file())
    return {sources.name(file): file for file in modules if file not in files}


def _module(sources: SourceFiles, file: Path) -> list[Statement]:
    """Return a module's statements; none of a file beside the checks that is no Python."""
    try:
        return sources.module(file)
    except ConfigError:
        return []


def _codes(sources: SourceFiles, files: Mapping[str, Path]) -> dict[str, Any]:
    return {name: _code(sources, file) for name, file in sorted(files.items())}


def _code(sources: SourceFiles, file: Path) -> dict[str, Any]:
    try:
        return sources.code(sources.module(file))
    except ConfigError:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        return {"lines": [f"no Python: {digest}"], "imports": []}


def _filled(codes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries with code: an empty `__init__.py` runs nothing."""
    return {name: code for name, code in codes.items() if code["lines"]}


@final
@dataclass(frozen=True, eq=False)
class _CheckFile:
    """A file of checks, split by what its statements are for."""

    sources: SourceFiles
    file: Path
    checks: frozenset[Name]

    @cached_property
    def statements(self) -> list[Statement]:
        return self.sources.module(self.file)

    @cached_property
    def loose(self) -> list[Statement]:
        """Statements that an import runs, besides imports, constants and definitions."""
        foreign = {
            name for it in self.statements if not _is_installed_import(it) for name in it.altered
        }
        nodes = (node for it in self.statements for node in loose_code(it.node, foreign))
        code = [self.sources.statement(node, self.file) for node in nodes]
        return code + self._used_by(code)

    @cached_property
    def shared(self) -> list[Statement]:
        """The statements that belong to no check alone, and what they use."""
        statements = [it for it in self.statements if self._is_shared(it)]
        used = self._used_by(statements)
        return [it for it in self.statements if it in statements or it in used]

    def own(self, name: Name) -> list[Statement]:
        """Return a check and what it uses, without what its file shares."""
        check = [self._trimmed(it, name) for it in self.statements if name[0] in it.altered]
        used = self._used_by(check)
        elsewhere = {it.node for it in (*self.shared, *self.loose)}
        return check + [it for it in used if it.node not in elsewhere and name[0] not in it.altered]

    def _is_shared(self, statement: Statement) -> bool:
        node = statement.node
        if isinstance(node, ast.Import | ast.ImportFrom):
            return bool(statement.imports)
        if is_definition(node):
            if any(check[0] == node.name for check in self.checks):
                return False
            return bool(node.decorator_list or _CALLED_BY_NAME.fullmatch(node.name))
        return binds_constants(node) and any(map(_CALLED_BY_NAME.fullmatch, statement.altered))

    def _used_by(self, statements: list[Statement]) -> list[Statement]:
        """Return the statements that bind or alter names that these mention, directly or not."""
        names = {"*"}.union(*(it.mentioned for it in statements))  # "*": may bind any name
        used: list[Statement] = []
        count = -1
        while len(used) != count:
            count = len(used)
            anything = not names.isdisjoint(_REACHES_ANY_NAME)
            used = [it for it in self.statements if anything or not names.isdisjoint(it.altered)]
            names.update(*(it.mentioned for it in used))
        return [it for it in used if it not in statements]

    def _trimmed(self, statement: Statement, name: Name) -> Statement:
        """Remove the other checks from the class of a check."""
        if not isinstance(statement.node, ast.ClassDef):
            return statement
        return self.sources.statement(_without(statement.node, name, (), self.checks), self.file)


def _is_installed_import(statement: Statement) -> bool:
    return isinstance(statement.node, ast.Import | ast.ImportFrom) and not statement.imports


def _without(node: ast.stmt, check: Name, around: Name, checks: Iterable[Name]) -> ast.stmt:
    """Return a class without the checks, and classes of checks, that `check` does not lead to."""
    if not isinstance(node, ast.ClassDef):
        return node
    trimmed, inside = copy(node), (*around, node.name)
    trimmed.body = list(_kept(node.body, check, inside, checks)) or [ast.Pass()]
    return trimmed


def _kept(
    body: list[ast.stmt], check: Name, inside: Name, checks: Iterable[Name]
) -> Iterator[ast.stmt]:
    for child in body:
        path = (*inside, child.name) if is_definition(child) else ()
        if not path or not any(check[: len(path)] == path for check in checks):
            yield child
        elif check[: len(path)] == path:
            yield _without(child, check, inside, checks)
