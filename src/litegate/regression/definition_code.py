"""Find the code of a module that runs when it is imported, besides imports and definitions."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import TypeGuard

_BUILTINS = frozenset(
    (
        *("dict", "enumerate", "float", "frozenset", "int", "len", "list", "max", "min"),
        *("range", "round", "set", "sorted", "str", "sum", "tuple", "zip"),
    )
)
"""Builtins that change nothing but their result."""
_PURE = frozenset(
    (
        *("param", "approx", "Fraction", "Decimal", "Path", "date", "timedelta", "field"),
        *("byte", "kib", "ms", "per_thousand", "percent", "points", "quanta", "us"),  # litegate's
    )
)
"""Functions of installed packages that change nothing but their result."""
_DECORATORS = frozenset(
    (
        *("cache", "cached_property", "contextmanager", "dataclass", "final", "lru_cache"),
        *("classmethod", "property", "staticmethod", "wraps"),
        *("fixture", "given", "settings", "example"),  # of pytest and Hypothesis
    )
)
"""Decorators that change nothing but what they decorate."""
_MARK = "pytest.mark."
_STRATEGIES = ("st.", "strategies.")
"""Beginnings of the names of Hypothesis's strategies, as its documentation imports them."""
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def is_definition(node: ast.stmt) -> TypeGuard[Definition]:
    """Return True for a function or a class."""
    return isinstance(node, Definition)


def binds_constants(node: ast.stmt) -> bool:
    """Return True for an assignment to plain names."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    names = (it for target in targets for it in _elements(target))
    return bool(targets) and all(isinstance(it, ast.Name) for it in names)


def loose_code(node: ast.stmt, foreign: Collection[str]) -> Iterator[ast.stmt]:
    """Yield what a statement runs, other than imports, constants and definitions.

    Of a definition these are the calls in its decorators and defaults, and in the body of a class.
    `foreign` are the names that the file does not import from installed packages: calls of them
    are not known to be pure.
    """
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass):
        return
    if not is_definition(node):
        if not (binds_constants(node) and _is_pure(node, foreign)):
            yield node
        return
    decorators = (it for it in node.decorator_list if not _only_decorates(it, foreign))
    values = (it for it in _defaults(node) if not _is_pure(it, foreign))
    yield from map(ast.Expr, (*decorators, *values))
    for inner in node.body if isinstance(node, ast.ClassDef) else ():
        yield from loose_code(inner, foreign)


def _elements(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _elements(element)
    else:
        yield target


def _defaults(node: Definition) -> Iterator[ast.expr]:
    if isinstance(node, ast.ClassDef):
        yield from (*node.bases, *(it.value for it in node.keywords))
    else:
        yield from (it for it in (*node.args.defaults, *node.args.kw_defaults) if it)


def _only_decorates(decorator: ast.expr, foreign: Collection[str]) -> bool:
    """Return True for a decorator that changes nothing but what it decorates."""
    function, values = decorator, list[ast.expr]()
    if isinstance(decorator, ast.Call):
        function = decorator.func
        values = [*decorator.args, *(keyword.value for keyword in decorator.keywords)]
    first, _, _ = (name := ast.unparse(function)).partition(".")
    known = name.startswith(_MARK) or name.rpartition(".")[2] in _DECORATORS
    return known and first not in foreign and all(_is_pure(it, foreign) for it in values)


def _is_pure(tree: ast.AST, foreign: Collection[str]) -> bool:
    """Return True if a tree calls nothing that may change anything but its result."""
    impure = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)
    return all(
        not isinstance(node, impure)
        and (not isinstance(node, ast.Call) or _is_pure_call(node, foreign))
        for node in ast.walk(tree)
    )


def _is_pure_call(call: ast.Call, foreign: Collection[str]) -> bool:
    function = ast.unparse(call.func)
    first, _, rest = function.partition(".")
    if first in foreign:
        return False
    if function.startswith(_MARK):  # with a function as its only argument, a mark decorates it
        return len(call.args) != 1 or isinstance(call.args[0], ast.Constant)
    return (
        (first in _BUILTINS and not rest)
        or function.rpartition(".")[2] in _PURE
        or function.startswith(_STRATEGIES)
    )
