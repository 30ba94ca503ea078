"""Read, parse and look up each module of a checkout once, statement by statement."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, final

from litegate.core.import_paths import installed
from litegate.regression.source_digests import altered, mentioned
from litegate.spec.relevant_source import Roots, imported, parsed, without_irrelevant


@final
@dataclass(frozen=True, eq=False)
class Statement:
    """One statement of a module, without docstrings."""

    node: ast.stmt
    imports: tuple[Path, ...]
    """The local modules that it imports, with their packages."""

    @cached_property
    def lines(self) -> list[str]:
        """Its source in a normalized layout, without comments."""
        return ast.unparse(self.node).splitlines()

    @cached_property
    def altered(self) -> set[str]:
        """The names of the module that it binds or may alter."""
        return altered(self.node)

    @cached_property
    def mentioned(self) -> set[str]:
        """The names that it uses, binds, defines or imports."""
        return mentioned(self.node)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class SourceFiles:
    """The modules of a checkout; each file is read and parsed, each folder listed once."""

    project: Path
    roots: Roots
    """Folders in which imports are looked up, besides the importing module's own."""
    _modules: dict[Path, list[Statement]] = field(default_factory=dict)
    _names: dict[Path, frozenset[str]] = field(default_factory=dict)
    _lookups: dict[tuple[Path, str], tuple[Path, ...]] = field(default_factory=dict)

    def module(self, file: Path) -> list[Statement]:
        """Return a module's statements. Raises ConfigError if it is not readable as Python."""
        if file not in self._modules:
            tree = without_irrelevant(parsed(file))
            nodes = (part for node in tree.body for part in _parts(node))
            self._modules[file] = [self.statement(node, file) for node in nodes]
        return self._modules[file]

    def statement(self, node: ast.stmt, file: Path) -> Statement:
        """Return a statement of a module with the local modules that it imports."""
        paths = (path for name, level in imported(node) for path in self._find(name, level, file))
        return Statement(node, tuple(dict.fromkeys(paths)))

    def code(self, statements: Iterable[Statement]) -> dict[str, Any]:
        """Describe statements in JSON types: their lines, and the local modules they import."""
        statements = list(statements)
        imports = {path for statement in statements for path in statement.imports}
        lines = [line for statement in statements for line in statement.lines]
        return {"lines": lines, "imports": sorted(map(self.name, imports))}

    def name(self, file: Path) -> str:
        """Return a file's path relative to the project or to a root: the same in any checkout."""
        for root in (self.project, *self.roots):
            if file.is_relative_to(root):
                return file.relative_to(root).as_posix()
        return file.name

    def imported_modules(self, statements: Iterable[Statement]) -> Mapping[str, Path]:
        """Return the local modules that statements import, directly or not, by their names."""
        files: dict[Path, None] = {}
        pending = [path for statement in statements for path in statement.imports]
        while pending:
            file = pending.pop()
            if file not in files:
                files[file] = None
                pending += [path for inner in self.module(file) for path in inner.imports]
        return {self.name(file): file for file in files}

    def _find(self, name: str, level: int, file: Path) -> Iterator[Path]:
        """Yield the local files that an import may load, from every root."""
        for root in (file.parents[level - 1],) if level else (file.parent, *self.roots):
            if (root, name) not in self._lookups:
                self._lookups[root, name] = tuple(self._below(root, name))
            yield from self._lookups[root, name]

    def _below(self, root: Path, name: str) -> Iterator[Path]:
        """Yield the module of a dotted name in a root, and the packages that it is in."""
        folder = root
        for part in name.split("."):
            names = self._listed(folder)
            if f"{part}.py" in names:
                yield from _local(folder / f"{part}.py")
            if part not in names:
                return
            folder /= part
            if "__init__.py" in self._listed(folder):
                yield from _local(folder / "__init__.py")

    def _listed(self, folder: Path) -> frozenset[str]:
        """Return the names of a folder's files and folders; none if it is no folder."""
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(path.name for path in folder.iterdir())
            except OSError:
                self._names[folder] = frozenset()
        return self._names[folder]


def _local(path: Path) -> Iterator[Path]:
    if not installed(path) and path.is_file():
        yield path


def _parts(node: ast.stmt) -> Iterator[ast.stmt]:
    """Yield a statement; an import of several names in parts, and nothing for `pass`."""
    if isinstance(node, ast.Import):
        yield from (ast.Import([name]) for name in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (ast.ImportFrom(node.module, [name], node.level) for name in node.names)
    elif not isinstance(node, ast.Pass):
        yield node
