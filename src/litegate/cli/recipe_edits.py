"""Edit the call that declares a recipe in a model file, and keep all else of the file.

Needs libcst, which the extra "edit" installs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import libcst as cst
from libcst import matchers as m
from libcst.helpers import get_full_name_for_node

from litegate.cli.model_source import ModelSource, NotFound, argument
from litegate.spec import Recipe


def with_layers(source: ModelSource, recipe: Recipe, field: str) -> bytes:
    """Return the source with the layers of `field` in the call that makes a recipe.

    And with `chosen_on_half`, if the recipe has it.

    Raises NotFound unless exactly one call of the file makes a recipe of that kind and name.
    """
    calls = list(_calls(source, recipe))
    if len(calls) != 1:
        lines = ", ".join(str(source.line(call)) for call in calls)
        where = f"{len(calls)} calls do, on lines {lines}" if calls else "no call does"
        raise NotFound(f"one call of {recipe.kind} must declare {recipe.name}: {where}")
    edited = _edited(calls[0], field, _tuple(getattr(recipe, field)))
    if recipe.chosen_on_half:
        edited = _edited(edited, "chosen_on_half", "True")
    return cst.ensure_type(source.module.deep_replace(calls[0], edited), cst.Module).bytes


def _calls(source: ModelSource, recipe: Recipe) -> Iterator[cst.Call]:
    """Yield the calls that make a recipe: by the kind's name, with the recipe's own name if set."""
    for call in m.findall(source.module, m.Call()):
        assert isinstance(call, cst.Call)  # noqa: S101 the matcher finds nothing else
        function = (get_full_name_for_node(call.func) or "").rpartition(".")[2]
        if function != recipe.kind.value:
            continue
        name = argument(call, "name")
        declared = name.evaluated_value if isinstance(name, cst.SimpleString) else None
        if declared == recipe.name or (name is None and recipe.name == recipe.kind.value):
            yield call


def _tuple(layers: tuple[str, ...]) -> str:
    names = ", ".join(f'"{_escaped(name)}"' for name in layers)
    return f"({names},)" if len(layers) == 1 else f"({names})"


def _edited(call: cst.Call, field: str, text: str) -> cst.Call:
    value = cst.parse_expression(text)
    if (old := argument(call, field)) is not None:
        arguments = [it.with_changes(value=value) if it.value is old else it for it in call.args]
        return call.with_changes(args=arguments)
    new = cst.Arg(
        value,
        keyword=cst.Name(field),
        equal=cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace("")),
    )
    if not call.args:
        return call.with_changes(args=[new])
    *others, last = call.args
    gap: cst.BaseParenthesizableWhitespace = cst.SimpleWhitespace(" ")
    if isinstance(last.comma, cst.Comma):  # a trailing comma: each argument has a line of its own
        gap = call.whitespace_before_args
    new = new.with_changes(comma=last.comma, whitespace_after_arg=last.whitespace_after_arg)
    before = last.with_changes(
        comma=cst.Comma(whitespace_after=gap), whitespace_after_arg=cst.SimpleWhitespace("")
    )
    return call.with_changes(args=[*others, before, new])


def _escaped(text: str) -> str:
    return repr(text)[1:-1].replace('"', '\\"')


def declaration(recipe: Recipe, field: str) -> str:
    """Return the argument that declares the layers, to paste."""
    half = ", chosen_on_half=True" if recipe.chosen_on_half else ""
    return f"{field}={getattr(recipe, field)!r}{half}"


def diff(old: bytes, new: bytes, file: Path) -> str:
    """Return the unified diff of two versions of a file in the project."""
    before, after = (it.decode("utf-8", "replace").splitlines(keepends=True) for it in (old, new))
    name = file.as_posix()
    lines = difflib.unified_diff(before, after, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
