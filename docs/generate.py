"""Write the generated parts of the reference: `python docs/generate.py`.

A page has such a part between `<!-- generated: NAME -->` and `<!-- end of generated part -->`. The
rest of the page is written by hand. tests/unit/docs/test_docs_generated.py fails if a part is out
of date.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import MISSING, Field, fields
from functools import cache, partial
from importlib import import_module
from itertools import groupby, pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

import litegate
import litegate.gate.checks
import litegate.mutation.faults
import litegate.testing
from litegate.cli import app
from litegate.cli.github import COMMANDS
from litegate.core.option_table import Option
from litegate.core.options import OPTIONS
from litegate.mutation.faults import Expect, Fault
from litegate.mutation.faults.catalogue import shipped_faults
from litegate.report.schema import SCHEMA
from litegate.spec import (
    Budget,
    Clustering,
    Command,
    Data,
    File,
    Pruning,
    Regression,
    Resources,
    Splits,
    Stream,
    Training,
    Vela,
)
from litegate.spec.budget import MAKERS
from litegate.spec.metric import LIMITS, Metric
from litegate.spec.recipe import Recipe

DOCS = Path(__file__).resolve().parent
CHECKS = DOCS.parent / "checks"
FIXTURES = Path(litegate.gate.checks.__file__).with_name("fixtures.py")
_END = "<!-- end of generated part -->"
_PART = re.compile(rf"(<!-- generated: ([^\n]+) -->\n).*?({_END})", re.DOTALL)
_PLAIN_UNITS = {"count": "whole number", "ratio": "number", "score": "number"}
"""Units of limits that are plain numbers."""


def pages() -> list[Path]:
    """Return the pages that have a generated part."""
    return [page for page in sorted(DOCS.rglob("*.md")) if _PART.search(page.read_text("utf-8"))]


def part_names(text: str) -> list[str]:
    """Return the names of a page's generated parts. Raises KeyError for an unknown name."""
    return [match[2] for match in _PART.finditer(text) if PARTS[match[2]]]


def generated(text: str) -> str:
    """Return a page with its parts as the code says."""
    return _PART.sub(lambda match: f"{match[1]}\n{PARTS[match[2]]().strip()}\n\n{match[3]}", text)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(head)
    lines = (columns, ["---"] * len(columns), *rows)
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    """Return one line with escaped pipes, which Markdown reads as borders, in code too."""
    return " ".join(text.split()).replace("``", "`").replace("|", r"\|")


_BARE_FLAG = re.compile(r"(`[^`]*`)|(?<![\w-])(--[a-z][a-z-]*)")


def _prose(text: str) -> str:
    """Return a help text with its flags as code; some are written between backticks already."""
    return _BARE_FLAG.sub(lambda match: match[1] or f"`{match[2]}`", text)


def _code(text: object) -> str:
    return f"`{text}`" if str(text) else ""


# Options and commands


def _options() -> str:
    head = ("flag, setting, environment variable", "default", "effect")
    return _table(head, map(_option_row, OPTIONS))


def _option_row(option: Option) -> tuple[str, ...]:
    flag = option.flag if option.is_switch else f"{option.flag} {option.metavar}"
    names = "<br>".join(_code(name) for name in (flag, option.name, option.env) if name)
    return (names, _code(option.default) or "none", _prose(option.help))


def _commands(*, of_ci: bool) -> str:
    ci_names = {command.__name__ for command in COMMANDS}
    commands = typer.main.get_command(app).commands.items()
    chosen = ((name, command) for name, command in commands if (name in ci_names) is of_ci)
    return "\n".join("\n".join(_command(f"litegate {name}", c)) for name, c in chosen)


def _command(name: str, command: Any) -> Iterator[str]:
    """Yield the sections of a command, or of the commands below it."""
    if nested := getattr(command, "commands", {}):
        for key, below in nested.items():
            yield from _command(f"{name} {key}", below)
        return
    context = command.make_context(name, [], resilient_parsing=True)
    yield f"## {name}\n\n{_paragraphs(command.help)}\n"
    if rows := [_parameter_row(parameter, context) for parameter in command.params]:
        yield _table(("argument or option", "effect"), rows)


def _parameter_row(parameter: Any, context: Any) -> tuple[str, str]:
    """Return the name and the help text; brackets mean optional, dots several."""
    name, text = parameter.get_help_record(context)
    usage = "".join(parameter.get_usage_pieces(context)).replace("{", "").replace("}", "")
    return _code(usage or name), _prose(text)


def _paragraphs(text: str) -> str:
    parts = inspect.cleandoc(text).split("\n\n")
    return _prose("\n\n".join(" ".join(part.split()) for part in parts))


# Declarations


@cache
def _field_docs(owner: type) -> dict[str, str]:
    """Return the string after each field of a class, by the field's name."""
    (definition,) = ast.parse(inspect.cleandoc(inspect.getsource(owner))).body
    return _assigned_docs(definition.body)


def _assigned_docs(body: list[ast.stmt]) -> dict[str, str]:
    docs = {}
    for assigned, text in pairwise(body):
        if isinstance(assigned, ast.AnnAssign | ast.Assign) and isinstance(text, ast.Expr):
            target = getattr(assigned, "target", None) or assigned.targets[0]
            docs[target.id] = inspect.cleandoc(text.value.value)
    return docs


def _default(field: Field[Any], unset: str = "") -> str:
    if field.default_factory is not MISSING:
        return _code(field.default_factory())
    if field.default is MISSING:
        return "required"
    if field.default is None:
        return unset or "`None`"
    if "unit" in field.metadata:
        return str(field.default)
    return _code(repr(field.default))


def _fields(owner: type, names: Iterable[str] = ()) -> str:
    docs, chosen = _field_docs(owner), set(names)
    return _table(
        ("field", "type", "default", "meaning"),
        (
            (_code(f.name), _code(f.type), _default(f), docs.get(f.name, ""))
            for f in fields(owner)
            if not chosen or f.name in chosen
        ),
    )


def _limits(owner: type[Budget | Regression]) -> str:
    head = ("limit", "written as", "default", "meaning and check")
    return _table(head, (_limit_row(owner, field) for field in fields(owner)))


def _limit_row(owner: type, field: Field[Any]) -> tuple[str, ...]:
    checks = _checks_of(f"{owner.__name__.lower()}.{field.name}")
    named = ", ".join(_code(check.name) for check in checks)
    meaning = f"{_field_docs(owner)[field.name]}{f'<br>{named}' if named else ''}"
    return (_code(field.name), _written_as(field), _default(field, "unset"), meaning)


def _written_as(field: Field[Any]) -> str:
    unit = field.metadata.get("unit")
    if unit is None:
        return _code(field.type)
    if unit.value in _PLAIN_UNITS:
        return _PLAIN_UNITS[unit.value]
    return " or ".join(f"`{maker}(...)`" for maker in MAKERS[unit])


# Checks


@cache
def _checks() -> tuple[ast.FunctionDef, ...]:
    nodes = (node for file in sorted(CHECKS.glob("test_*.py")) for node in _tree(file).body)
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef))
    return tuple(function for function in functions if function.name.startswith("test_"))


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def _checks_of(limit: str) -> list[ast.FunctionDef]:
    return [check for check in _checks() if limit in _limits_of(check)]


def _limits_of(check: ast.FunctionDef) -> set[str]:
    """Return the limits that a check reads, such as "budget.size", or gets as a fixture."""
    fixtures = {
        "metric": "budget.metrics",
        "runtime": "budget.runtimes",
        "target": "budget.target",
        "vela": "budget.vela",
    }
    read = {ast.unparse(node) for node in ast.walk(check) if isinstance(node, ast.Attribute)}
    return read | {fixtures[arg.arg] for arg in check.args.args if arg.arg in fixtures}


def _check_table() -> str:
    rows = ((_code(c.name), f"{_summary(c)}<br>{_code(_comparison(c))}") for c in _checks())
    return _table(("check", "requirement and comparison"), rows)


class _Shortened(ast.NodeTransformer):
    """Replace names that a check assigns by their values, and drop arguments that are names."""

    def __init__(self, assigned: dict[str, ast.expr]) -> None:
        self.assigned = assigned

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.assigned.get(node.id, node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        inner = [self.visit(a) for a in node.args if isinstance(a, ast.Call | ast.Constant)]
        return ast.Call(func=node.func, args=inner, keywords=[]) if inner else node.func


def _comparison(check: ast.FunctionDef) -> str:
    """Return what the check requires, such as "size <= budget.size"."""
    assigned = {n.targets[0].id: n.value for n in check.body if isinstance(n, ast.Assign)}
    (required,) = (
        node.args[0]
        for node in ast.walk(check)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require"
    )
    copied = deepcopy(required)  # the cached tree serves other parts
    return ast.unparse(_Shortened(assigned).visit(copied))


def _fixtures() -> str:
    functions = [node for node in _tree(FIXTURES).body if isinstance(node, ast.FunctionDef)]
    public = (f for f in functions if not f.name.startswith(("_", "litegate_")))
    return _table(("fixture", "value"), ((_code(f.name), _prose(_summary(f))) for f in public))


def _summary(function: ast.FunctionDef) -> str:
    return (ast.get_docstring(function) or "").partition("\n\n")[0]


# The API

_MODULES = (
    litegate,
    litegate.datasets,
    litegate.metrics,
    litegate.recipes,
    litegate.testing,
    litegate.mutation.faults,
)
_MEASURES = "For checks"


def public_names() -> dict[str, list[str]]:
    """Return the full public names by the module that users import, and those that checks use."""
    public = {_path(module): _names_of(module) for module in _MODULES}
    trees = (_tree(file) for file in sorted(CHECKS.glob("test_*.py")))
    imports = (node for tree in trees for node in tree.body if isinstance(node, ast.ImportFrom))
    measures = [
        f"{node.module}.{alias.name}"
        for node in imports
        for alias in node.names
        if str(node.module).startswith("litegate.")
    ]
    return public | {_MEASURES: list(dict.fromkeys(measures))}


def _path(module: ModuleType) -> str:
    """Return the path by which users import a module."""
    path = module.__name__.replace("litegate.spec.", "litegate.")
    return "litegate.datasets" if path == "litegate.data" else path


def _names_of(module: ModuleType) -> list[str]:
    """Return the names in `__all__`, else the functions that the module itself defines."""
    functions = inspect.getmembers(module, inspect.isfunction)
    own = [name for name, function in functions if function.__module__ == module.__name__]
    names = getattr(module, "__all__", [name for name in own if not name.startswith("_")])
    return [f"{_path(module)}.{name}" for name in names]


def _api() -> str:
    return "\n".join(
        f"## {title}\n\n{_table(('name', 'summary'), map(_api_row, names))}"
        for title, names in public_names().items()
    )


def _api_row(path: str) -> tuple[str, str]:
    owner_path, _, name = path.rpartition(".")
    known = {_path(module): module for module in _MODULES}
    owner = known.get(owner_path) or import_module(owner_path)
    member = getattr(owner, name)
    is_data = not callable(member) and not inspect.ismodule(member)
    text = _data_doc(owner, name) if is_data else inspect.getdoc(member)
    return _code(path), (text or "").partition("\n\n")[0]


def _data_doc(module: ModuleType, name: str) -> str:
    """Return the string after an assignment, in the module that the name was imported from."""
    body = _tree(Path(str(module.__file__))).body
    for node in body:
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            return _data_doc(import_module(str(node.module)), name)
    return _assigned_docs(body)[name]


# Faults


def _faults() -> str:
    families = groupby(shipped_faults(), key=lambda fault: fault.family)
    head = ("fault", "defect", "grades", "from", "must be noticed by")
    return "\n".join(
        f"## {family.value.capitalize()}\n\n{_table(head, map(_fault_row, faults))}"
        for family, faults in families
    )


def _fault_row(fault: Fault) -> tuple[str, ...]:
    ladder = fault.ladder
    grades = ", ".join(f"{grade:g}" for grade in ladder.grades) if ladder.unit else ""
    kind = "" if fault.expect is Expect.FAIL else f" ({fault.expect.value})"
    return (
        _code(fault.name),
        fault.summary,
        f"{grades} {ladder.unit}",
        (ladder.text(ladder.must) or "always") + kind,
        ", ".join((*fault.noticed_by, *fault.metrics)),
    )


# report.json


def _schema() -> str:
    document = SCHEMA
    parts = [_table(_SCHEMA_HEAD, _properties(document))]
    for name, definition in document["$defs"].items():
        if rows := list(_properties(definition)):
            parts.append(f"## {name}\n\n{_table(_SCHEMA_HEAD, rows)}")
        else:
            parts.append(f"## {name}\n\n{_type(definition)}. {definition.get('description', '')}\n")
    return "\n".join(parts)


_SCHEMA_HEAD = ("field", "type", "meaning")


def _properties(schema: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield a row for each field of an object, and for those of the objects in it."""
    for part in schema.get("allOf", [schema]):
        if "$ref" in part and part is not schema:
            yield _code(f"{prefix}*"), f"as {_reference(part)}", ""
        named = {key: {} for key in part.get("required", ())} | part.get("properties", {})
        for name, value in named.items():
            optional = "" if name in part.get("required", ()) else ", optional"
            path = f"{prefix}{name}"
            yield _code(path), _type(value) + optional, value.get("description", "")
            yield from _properties(value, f"{path}.")
            yield from _properties(value.get("items", {}), f"{path}[].")
            yield from _properties(_values(value), f"{path}.NAME.")


def _values(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the values of an object with free names, or nothing."""
    values = schema.get("additionalProperties", {})
    return values if isinstance(values, dict) else {}


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _reference(schema)
    if "const" in schema:
        return f"always {_code(json.dumps(schema['const']))}"
    if "enum" in schema:
        return ", ".join(_code(json.dumps(value)) for value in schema["enum"])
    if "allOf" in schema:
        return "object"
    kind = schema.get("type", "any")
    kinds = " or ".join(kind) if isinstance(kind, list) else kind
    inner = schema.get("items") or _values(schema)
    return f"{kinds} of {_type(inner)}" if inner else kinds


def _reference(schema: dict[str, Any]) -> str:
    name = schema["$ref"].removeprefix("#/$defs/")
    return f"[{name}](#{name})"


PARTS: dict[str, Callable[[], str]] = {
    "options": _options,
    "commands": partial(_commands, of_ci=False),
    "commands of CI": partial(_commands, of_ci=True),
    "Budget": partial(_limits, Budget),
    "Regression": partial(_limits, Regression),
    "limits of a metric": partial(_fields, Metric, LIMITS),
    "Recipe": partial(_fields, Recipe),
    "Pruning": partial(_fields, Pruning),
    "Clustering": partial(_fields, Clustering),
    "Training": partial(_fields, Training),
    "Resources": partial(_fields, Resources),
    "Data": partial(_fields, Data),
    "Splits": partial(_fields, Splits),
    "Stream": partial(_fields, Stream),
    "File": partial(_fields, File),
    "Command": partial(_fields, Command),
    "Vela": partial(_fields, Vela),
    "checks": _check_table,
    "fixtures": _fixtures,
    "API": _api,
    "faults": _faults,
    "report.json": _schema,
}
"""The functions that generate parts, by the name in a page."""


def main() -> None:
    """Write each page whose parts differ, and print its name."""
    for page in pages():
        text = page.read_text("utf-8")
        if (new := generated(text)) != text:
            page.write_text(new, "utf-8")
            sys.stdout.write(f"{page.relative_to(DOCS.parent)}\n")


if __name__ == "__main__":
    main()
