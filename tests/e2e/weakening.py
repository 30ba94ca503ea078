"""Edits that weaken a gate: each takes a module's syntax tree and changes one thing in it.

A tree without what is to be changed raises KeyError: a mutant that changes nothing shows nothing.
"""

import ast
from collections.abc import Callable, Iterator

from litegate.spec.cases import LIMITS as ALL_LIMITS
from litegate.spec.metric import LIMITS

Weaken = Callable[[ast.Module], None]

ARTIFACTS = ("candidate", "reference", "base", "anchor")
OWNERS = {"Budget": "", "Regression": "regression."} | dict.fromkeys(("f1", "mean"), "metric.")
"""What stands before the name of a limit, by the function whose keyword it is."""
OTHER_SIGN = {ast.LtE: ast.GtE, ast.GtE: ast.LtE}


def deleted(check: str) -> Weaken:
    """The check is gone."""

    def weaken(tree):
        tree.body.remove(_function(tree, check))

    return weaken


def forgotten(check: str) -> Weaken:
    """The comparison is made, and `require` is neither called nor asked for."""

    def weaken(tree):
        function = _function(tree, check)
        _uncall(function)
        function.args.args = [one for one in function.args.args if one.arg != "require"]

    return weaken


def never_called(check: str) -> Weaken:
    """The comparison is made, and `require` is asked for and not called."""

    def weaken(tree):
        _uncall(_function(tree, check))

    return weaken


def wrong_sign(check: str) -> Weaken:
    """<= stands where >= should, or the other way round."""

    def weaken(tree):
        comparison = _first(_function(tree, check), ast.Compare)
        comparison.ops = [OTHER_SIGN[type(comparison.ops[0])]()]

    return weaken


def swapped(check: str) -> Weaken:
    """The two artifacts that a measure compares are handed over in the wrong order."""

    def weaken(tree):
        call = pair_of(_function(tree, check))
        if call is None:
            raise KeyError(check)
        call.args[:2] = reversed(call.args[:2])

    return weaken


def pair_of(function: ast.FunctionDef) -> ast.Call | None:
    """The call whose first two arguments are artifacts, or None."""
    for call in _all(function, ast.Call):
        names = [one.id for one in call.args[:2] if isinstance(one, ast.Name)]
        if len(names) == 2 and set(names) <= set(ARTIFACTS):
            return call
    return None


def scaled(limit: str, factor: float) -> Weaken:
    """A limit is so many times what it was; one of 0 becomes the factor itself.

    `limit` is a keyword of `Budget`, "regression." and one of `Regression`, or "metric." and one of
    a metric's.
    """

    def weaken(tree):
        number = limits_of(tree)[limit]
        scaled_up = number.value * factor or factor
        number.value = int(scaled_up) if isinstance(number.value, int) and factor > 1 else scaled_up

    return weaken


def limits_of(tree: ast.Module) -> dict[str, ast.Constant]:
    """The number of each limit that a model's file sets; what is no number is left out."""
    found = {}
    for call in _all(tree, ast.Call):
        owner = OWNERS.get(getattr(call.func, "attr", ""))
        named = [] if owner is None else call.keywords
        for keyword in [one for one in named if owner != "metric." or one.arg in LIMITS]:
            value = keyword.value
            value = value.args[0] if isinstance(value, ast.Call) and value.args else value
            if isinstance(value, ast.Constant) and not isinstance(value.value, str):
                found[f"{owner}{keyword.arg}"] = value
    return found


def checks_of(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """The checks of a file, by name."""
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return {node.name: node for node in functions if node.name.startswith("test_")}


def limit_named(function: ast.FunctionDef) -> str:
    """The limit that a check names, such as "size" or "regression.size"; empty for none."""
    for node in _all(function, ast.Attribute):
        owner = getattr(node.value, "id", "")
        name = node.attr if owner == "budget" else f"{owner}.{node.attr}"
        if owner in ("budget", "regression", "metric") and name in ALL_LIMITS:
            return name
    return ""


def _function(tree: ast.Module, name: str) -> ast.FunctionDef:
    return checks_of(tree)[name]


def _uncall(function: ast.FunctionDef) -> None:
    """Leave of ``require(comparison)`` the comparison."""
    for node in _all(function, ast.Expr):
        if isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "require":
            node.value = node.value.args[0]
            return
    raise KeyError(function.name)


def _first(tree: ast.AST, kind: type) -> ast.AST:
    for node in _all(tree, kind):
        return node
    raise KeyError(kind.__name__)


def _all(tree: ast.AST, kind: type) -> Iterator:
    return (node for node in ast.walk(tree) if isinstance(node, kind))
