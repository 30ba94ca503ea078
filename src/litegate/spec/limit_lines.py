"""Find the line of a model's file that sets a limit, without running the file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import final

from litegate.spec.model import Model
from litegate.spec.recipe import Recipe

_STEPS = 10
"""Names that are followed from a model to a limit. Real files need one or two; a name that refers
to itself would never end."""


def limit_line(model: Model, recipe: Recipe | None, owner: str, field: str) -> int | None:
    """Return the line on which the model's file sets a limit for a recipe.

    `owner` is "budget", "regression" or the name of a metric. None for a default that no line
    writes, and for a limit that the file computes or imports.
    """
    try:
        tree = ast.parse(model.file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    source = _Source(tree)
    declaration = source.declaration(model.line)
    keyword = declaration and source.limit(declaration, recipe, owner, field)
    return keyword.lineno if keyword else None


@final
class _Source:
    """The calls of a file, and what its module-level names are bound to."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._bindings = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def declaration(self, line: int) -> ast.Call | None:
        """Return the call that declares the model at a line, as `Model.line` has it."""
        calls: list[ast.expr] = []
        for node in ast.walk(self._tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                decorators = node.decorator_list
                calls += decorators if decorators and decorators[0].lineno == line else []
            elif isinstance(node, ast.Call) and node.lineno == line:
                calls.append(node)
        declaring = (call for call in calls if self._value(call, "data"))
        return next((call for call in declaring if isinstance(call, ast.Call)), None)

    def limit(
        self, declaration: ast.Call, recipe: Recipe | None, owner: str, field: str
    ) -> ast.keyword | None:
        """Return the argument of a limit: the recipe's own, or the model's."""
        budgets = [self._value(declaration, "budget")]
        if recipe is not None and recipe.budget is not None:
            budgets.insert(0, self._value(self._recipe(declaration, recipe.name), "budget"))
        if owner == "regression":  # a recipe's replaces the model's as a whole
            owners = [self._value(budget, "regression") for budget in budgets]
            return _keyword(next(filter(None, owners), None), field)
        if owner != "budget":
            budgets = [self._metric(budget, owner, field) for budget in budgets]
        return next(filter(None, (_keyword(budget, field) for budget in budgets)), None)

    def _recipe(self, declaration: ast.Call, name: str) -> ast.expr | None:
        recipes = self._elements(self._value(declaration, "recipes"))
        return _named([call for call in recipes if _keyword(call, "budget")], name)

    def _metric(self, budget: ast.expr | None, name: str, field: str) -> ast.expr | None:
        metrics = self._elements(self._value(budget, "metrics"))
        return _named([call for call in metrics if _keyword(call, field)], name)

    def _elements(self, node: ast.expr | None) -> Iterator[ast.expr]:
        for element in node.elts if isinstance(node, ast.List | ast.Tuple) else ():
            yield self._followed(element)

    def _value(self, call: ast.expr | None, name: str) -> ast.expr | None:
        """Return the value of a call's keyword argument, or None."""
        keyword = _keyword(call, name)
        return self._followed(keyword.value) if keyword else None

    def _followed(self, node: ast.expr) -> ast.expr:
        """Return what a name of the module is bound to; any other expression as it is."""
        for _ in range(_STEPS):
            if not (isinstance(node, ast.Name) and node.id in self._bindings):
                break
            node = self._bindings[node.id]
        return node


def _keyword(call: ast.expr | None, name: str) -> ast.keyword | None:
    """Return a call's keyword argument, unless it is a literal None, which sets nothing."""
    keywords = call.keywords if isinstance(call, ast.Call) else []
    set_ = (kw for kw in keywords if not _is_none(kw.value))
    return next((keyword for keyword in set_ if keyword.arg == name), None)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _named(calls: list[ast.expr], name: str) -> ast.expr | None:
    """Return the call that makes the thing of this name, or the only call."""
    named = (call for call in calls if name in _names(call))
    return next(named, calls[0] if len(calls) == 1 else None)


def _names(call: ast.expr) -> set[str]:
    """Return the names that a recipe or metric may have: its own, else that of its function."""
    keyword = _keyword(call, "name")
    if keyword and isinstance(keyword.value, ast.Constant):
        return {str(keyword.value.value)}
    return {ast.unparse(call.func).rpartition(".")[2]} if isinstance(call, ast.Call) else set()
