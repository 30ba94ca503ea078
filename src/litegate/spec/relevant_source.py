"""Digest the source that decides what a module does, with the local modules that it imports.

It is digested as its unparsed syntax tree, without comments, docstrings, layout and the arguments
of `@model`, `trained`, `prebuilt`, `Command` and `Vela`, so that a new limit, recipe, runtime or
compiler rebuilds nothing.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from litegate.core.digests import digest_of
from litegate.core.errors import ConfigError
from litegate.core.import_paths import installed, own_folders

Tree = TypeVar("Tree", bound=ast.AST)
Roots = tuple[Path, ...]
"""Folders in which imports are looked up, in this order."""


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


def module_digests(file: Path, project: Path) -> dict[Path, str]:
    """Return the digests of a module, and of all local modules that it imports, by their files."""
    return _module_digests([file.resolve()], roots(file, project))


def modules_digest(files: Iterable[Path], roots: Roots) -> str:
    """Digest modules, given by their paths, and all local modules that they import."""
    by_name: dict[str, list[str]] = {}
    for file, digest in _module_digests(files, roots).items():
        by_name.setdefault(_relative(file, roots), []).append(digest)
    # Two roots may have a module of one name each.
    return digest_of({name: it[0] if len(it) == 1 else it for name, it in by_name.items()})


def _module_digests(files: Iterable[Path], roots: Roots) -> dict[Path, str]:
    digests: dict[Path, str] = {}
    pending = list(files)
    while pending:
        file = pending.pop()
        if file in digests:
            continue
        digest, imports = _digest_and_imports(read(file), str(file))
        pending += local_files(imports, file, roots)
        digests[file] = digest
    return digests


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
    return parse(read(file), str(file))


def read(file: Path) -> bytes:
    """Return the source of a module. Raises ConfigError if the file cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} is not valid Python", got=str(error)) from error


def parse(source: bytes, file: str) -> ast.Module:
    """Return the syntax tree of a source. Raises ConfigError if it is not Python."""
    try:
        return ast.parse(source)  # bytes: the file may declare its encoding
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{file} is not valid Python", got=str(error)) from error


@lru_cache(maxsize=4096)  # more modules than a project has; an entry is a digest and some names
def _digest_and_imports(source: bytes, file: str) -> tuple[str, tuple[tuple[str, int], ...]]:
    """Return a module's digest and its imports; cached, since all recipes need the same modules."""
    tree = parse(source, file)
    imports = tuple(imported(tree))  # before tree_digest, which modifies the tree
    return tree_digest(tree), imports


def _relative(path: Path, roots: Roots) -> str:
    """Return the path relative to the first root above it, which is the same in every checkout."""
    for root in roots:
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name


def local_files(imports: Iterable[tuple[str, int]], file: Path, roots: Roots) -> Iterator[Path]:
    """Yield the files of the local modules among a module's imports, with their packages."""
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
    """Removes docstrings, decorators `@model`, and the arguments of declarations."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        names = _imported_names(node, {"trained", "prebuilt", "Command", "Vela"})
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
