"""Find the digests that a model file declares, without running it.

Needs libcst, which the extra "edit" installs: `litegate digests --write` alone imports this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

import libcst as cst
from libcst import matchers as m
from libcst.helpers import get_full_name_for_node
from libcst.metadata import MetadataWrapper, PositionProvider

ARGUMENT = "digests"
_STEPS = 20
"""Names, calls and modules that are followed from a model to its digests. Real declarations need
three or four; a name that refers to itself would never end."""


class NotFound(Exception):
    """No digests that can be edited; the text says which line of the source is too hard to follow.

    It continues the sentence "they cannot be written:".
    """


@final
@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """The place of a data set's digests."""

    source: ModelSource
    node: cst.Dict | cst.Call
    """The dictionary, or the call of `lg.Data`, `npz` or the like that has no digests yet."""

    @property
    def place(self) -> str:
        """The file and the line: "models/kws.py:12"."""
        return self.source.place(self.node)


@final
class ModelSource:
    """The syntax tree of a Python file. Raises NotFound if libcst cannot parse it.

    `roots` are the folders in which its imports are looked up; the last one is the project.
    """

    def __init__(self, path: Path, roots: Sequence[Path]) -> None:
        self.path = path
        self._roots = roots
        *_, project = roots
        self._shown = path.relative_to(project) if path.is_relative_to(project) else path
        try:
            wrapper = MetadataWrapper(cst.parse_module(path.read_bytes()))
        except (OSError, UnicodeError, SyntaxError, cst.ParserSyntaxError) as error:
            raise NotFound(f"libcst cannot parse {self._shown}: {error}") from error
        self.module = wrapper.module
        self._positions = wrapper.resolve(PositionProvider)

    def line(self, node: cst.CSTNode) -> int:
        """Return the line on which a node starts, from 1."""
        return int(self._positions[node].start.line)

    def place(self, node: cst.CSTNode) -> str:
        """Return the file and the line of a node."""
        return f"{self._shown}:{self.line(node)}"

    def find(self, line: int) -> Declared:
        """Return the digests of the model that is declared at `line`.

        Raises NotFound if the source does not tell them.
        """
        calls = [call for call in self._calls_at(line) if argument(call, "data")]
        if len(calls) != 1:
            raise NotFound(f"{self._shown}:{line} has no single call with data=...")
        return self._follow(argument(calls[0], "data"), calls[0], _STEPS)

    def _calls_at(self, line: int) -> Iterator[cst.BaseExpression]:
        """Yield the calls at a line, or all decorators of a function whose first one is there."""
        for function in m.findall(self.module, m.FunctionDef(decorators=[m.AtLeastN(n=1)])):
            decorators = cst.ensure_type(function, cst.FunctionDef).decorators
            if self.line(decorators[0]) == line:
                yield from (decorator.decorator for decorator in decorators)
                return
        for call in m.findall(self.module, m.Call()):
            if self.line(call) == line:
                yield cst.ensure_type(call, cst.Call)

    @cached_property
    def _bindings(self) -> dict[str, list[cst.CSTNode]]:
        """The expressions, functions and imports that statements of the module bind names to."""
        bindings: dict[str, list[cst.CSTNode]] = {}
        for statement in self.module.body:
            parts: list[cst.CSTNode] = [statement]
            if isinstance(statement, cst.SimpleStatementLine):
                parts = [*statement.body]
            for name, node in (pair for part in parts for pair in _bound(part)):
                bindings.setdefault(name, []).append(node)
        return bindings

    def _follow(self, node: cst.CSTNode | None, use: cst.CSTNode, steps: int) -> Declared:
        """Follow an expression, which `use` contains, to the digests."""
        if steps and isinstance(node, cst.Dict):
            return self._dictionary(node)
        if steps and isinstance(node, cst.Call):
            return self._follow_call(node, steps - 1)
        if steps and isinstance(node, cst.Name):
            return self._follow_name(node.value, node, steps - 1)
        if steps and isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name):
            return self._imported(node.value.value, node.attr.value, node, steps - 1)
        raise NotFound(f"{self.place(use)} computes them")

    def _dictionary(self, node: cst.Dict) -> Declared:
        if not all(key_of(element) for element in node.elements):
            raise NotFound(f"{self.place(node)} computes their names")
        return Declared(self, node)

    def _follow_call(self, call: cst.Call, steps: int) -> Declared:
        if digests := argument(call, ARGUMENT):
            return self._follow(digests, call, steps)
        name = get_full_name_for_node(call.func) or ""
        match self._bindings.get(name):
            case [cst.FunctionDef() as function]:
                values = [cst.ensure_type(r, cst.Return) for r in m.findall(function, m.Return())]
                only = values[0].value if len(values) == 1 else None
                return self._follow(only, function, steps)
        if not self._is_of_litegate(name) or not keywords(call) or any(a.star for a in call.args):
            raise NotFound(f"{self.place(call)} passes no digests=...")
        return Declared(self, call)

    def _is_of_litegate(self, name: str) -> bool:
        match self._bindings.get(name.partition(".")[0]):
            case [cst.Import() | cst.ImportFrom() as statement]:
                return any(module.split(".")[0] == "litegate" for module in _modules(statement))
        return False

    def _follow_name(self, name: str, use: cst.CSTNode, steps: int) -> Declared:
        match self._bindings.get(name, []):
            case [cst.ImportFrom() as statement]:
                (module,) = _modules(statement)
                return self._in_module(module, _original_name(statement, name), use, steps)
            case [cst.BaseExpression() as value]:
                return self._follow(value, use, steps)
            case nodes:
                lines = " and ".join(f"line {self.line(node)}" for node in nodes)
                where = f"set in {lines}" if lines else "which no plain assignment sets"
                raise NotFound(f"{self.place(use)} uses {name}, {where}")

    def _imported(self, module: str, name: str, use: cst.CSTNode, steps: int) -> Declared:
        """Follow "module.name", where the first is imported."""
        match self._bindings.get(module):
            case [cst.Import() as statement] if module in _modules(statement):
                return self._in_module(module, name, use, steps)
        raise NotFound(f"{self.place(use)} computes them")

    def _in_module(self, module: str, name: str, use: cst.CSTNode, steps: int) -> Declared:
        relative = Path(*module.split(".")).with_suffix(".py")
        files = [root / relative for root in self._roots if (root / relative).is_file()]
        if not files:
            raise NotFound(f"{self.place(use)} uses {name}, imported from {module}")
        other = ModelSource(files[0], self._roots)
        return other._follow_name(name, other.module, steps)


def argument(call: cst.BaseExpression, name: str) -> cst.BaseExpression | None:
    """Return the value of a call's keyword argument, or None."""
    values = (arg.value for arg in keywords(call) if arg.keyword and arg.keyword.value == name)
    return next(values, None)


def keywords(call: cst.BaseExpression) -> list[cst.Arg]:
    """Return the keyword arguments of a call; none of another expression."""
    return [arg for arg in call.args if arg.keyword] if isinstance(call, cst.Call) else []


def key_of(element: cst.BaseDictElement) -> str:
    """Return the key of a dictionary's element if it is a literal string, else ""."""
    key = element.key if isinstance(element, cst.DictElement) else None
    text = key.evaluated_value if isinstance(key, cst.SimpleString) else ""
    return text if isinstance(text, str) else ""


def _bound(part: cst.CSTNode) -> Iterator[tuple[str, cst.CSTNode]]:
    """Yield the names that a statement binds, each with what it is bound to."""
    match part:
        case cst.FunctionDef(name=name) | cst.ClassDef(name=name):
            yield str(name.value), part
        case cst.Assign(targets=targets, value=value):
            for target in targets:
                for target_name in m.findall(target.target, m.Name()):
                    # An unpacked tuple hides which of its values this is.
                    node = value if target.target is target_name else part
                    yield cst.ensure_type(target_name, cst.Name).value, node
        case cst.AnnAssign(target=cst.Name(value=variable), value=value) if value:
            yield str(variable), value
        case cst.Import(names=aliases) | cst.ImportFrom(names=[*aliases]):
            for alias in aliases:
                asname = alias.asname and alias.asname.name
                bound = get_full_name_for_node(asname or alias.name) or ""
                yield bound.partition(".")[0], part


def _modules(statement: cst.Import | cst.ImportFrom) -> list[str]:
    """Return the full names of the modules that a statement imports, or imports from."""
    if isinstance(statement, cst.ImportFrom):
        return [get_full_name_for_node(statement.module) or "" if statement.module else ""]
    return [get_full_name_for_node(alias.name) or "" for alias in statement.names]


def _original_name(statement: cst.ImportFrom, name: str) -> str:
    """Return what the other module calls a name that "from ... import ... as NAME" binds."""
    aliases = () if isinstance(statement.names, cst.ImportStar) else statement.names
    names = (alias.evaluated_name for alias in aliases if alias.evaluated_alias == name)
    return next(names, name)
