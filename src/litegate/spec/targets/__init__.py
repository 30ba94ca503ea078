"""Targets: what a runtime or an accelerator takes of a graph; each a TOML list with its source.

A list is necessary, not sufficient: a compiler for the target may refuse more than it publishes.
docs/inspect.md says what stands in such a file; `tflm.toml` beside this one is an example.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, final

from litegate.core.errors import ConfigError

_LISTS = Path(__file__).parent
KNOWN = tuple(sorted(path.stem for path in _LISTS.glob("*.toml")))
"""The targets that come along, by name."""
_DIGITS = 12

Range = tuple[int, int]
"""The least and the greatest that is allowed."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a target takes of one kind of operator; what is left out allows everything."""

    types: tuple[str, ...] | None = None
    """Of inputs, activations and outputs: "int8", "float32"."""
    weights: tuple[str, ...] | None = None
    biases: tuple[str, ...] | None = None
    hybrid: bool | None = None
    """False: no quantized weights beside float activations."""
    quantized: bool | None = None
    """True: integer activations and weights have a scale."""
    per_channel: bool | None = None
    """False: no tensor has a scale for each channel."""
    versions: Range | None = None
    """Of the operator, as the file has it."""
    ranks: Range | None = None
    """Dimensions of the activations."""
    wide: int | None = None
    """So many innermost dimensions of the activations may be larger than 1."""
    sizes: Range | None = None
    """Of each dimension of the activations."""
    batch: int | None = None
    """The first dimension of the first operand, where it has four dimensions."""
    strides: Range | None = None
    """Of each spatial dimension."""
    activations: tuple[str, ...] | None = None
    """Fused activation functions; "NONE" is always allowed."""
    constant: tuple[int, ...] = ()
    """Operands, by number, that must be constants where they are given."""
    required: tuple[int, ...] = ()
    """Operands, by number, that must be given."""
    inputs: Range | None = None
    """How many operands."""
    outputs: Range | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A list of operators, and what each may be."""

    name: str
    source: str
    """The project, file and version that the list was taken from."""
    digest: str
    """SHA-256 of the file, in hexadecimal."""
    operators: Mapping[str, Rule]
    custom: tuple[str, ...] = ()
    """Custom operators that it brings along, by their code."""

    def __str__(self) -> str:
        own = "" if self.name in KNOWN else f" ({self.digest[:_DIGITS]})"
        return f"{self.name}{own}"


def load(name: str, project: Path) -> Target:
    """The target of that name, or a file of the project by its path from the root.

    ConfigError for an unknown name, and for a file that is missing or is no list of operators.
    """
    place = _LISTS / f"{name}.toml" if name in KNOWN else project / name
    if name not in KNOWN and place.suffix != ".toml":
        raise ConfigError(
            f"there is no target {name!r}",
            expected=f"{', '.join(KNOWN)}, or the path of a .toml file",
        )
    try:
        data = place.read_bytes()
        table = tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise _refusal(name, str(error.strerror or error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _refusal(name, str(error)) from error
    return _target(name, hashlib.sha256(data).hexdigest(), table)


def _refusal(name: str, got: str) -> ConfigError:
    return ConfigError(
        f"the target {name} cannot be read",
        expected="a TOML file with source, [defaults] and [operators]",
        got=got,
        remedy=f"an example: {_LISTS / 'tflm.toml'}; docs/inspect.md says what stands in it",
    )


def _target(name: str, digest: str, table: Mapping[str, Any]) -> Target:
    known = {"source", "custom", "defaults", "operators"}
    if strange := sorted(table.keys() - known):
        raise _refusal(name, f"the key {strange[0]!r}, not one of {', '.join(sorted(known))}")
    source, operators = table.get("source"), table.get("operators")
    if not isinstance(source, str) or not source.strip():
        raise _refusal(name, "no source: say where the list comes from")
    if not isinstance(operators, dict) or not operators:
        raise _refusal(name, "no operators")
    defaults = _fields(name, "defaults", table.get("defaults", {}))
    if strange := sorted(operators.keys() - _kinds()):
        near = get_close_matches(strange[0], sorted(_kinds()), 1)
        meant = f": did you mean {near[0]}?" if near else ""
        raise _refusal(name, f"operators.{strange[0]}, which no operator is called{meant}")
    rules = {
        kind: Rule(**(defaults | _fields(name, f"operators.{kind}", own)))
        for kind, own in operators.items()
    }
    custom = _value(name, "custom", "tuple[str, ...]", table.get("custom", []))
    return Target(name=name, source=source, digest=digest, operators=rules, custom=custom)


@cache
def _kinds() -> frozenset[str]:
    """Every operator that the schema knows."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return frozenset(
        name for name, value in vars(BuiltinOperator).items() if isinstance(value, int)
    )


_TYPES = {field.name: str(field.type).removesuffix(" | None") for field in fields(Rule)}


def _fields(name: str, where: str, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise _refusal(name, f"{where} is no table")
    for key in table:
        if key not in _TYPES:
            raise _refusal(name, f"{where}.{key}, which is none of {', '.join(_TYPES)}")
    return {key: _value(name, f"{where}.{key}", _TYPES[key], one) for key, one in table.items()}


def _value(name: str, where: str, kind: str, value: Any) -> Any:
    """A value of TOML as the field of a rule takes it; a range is a list of two numbers."""
    listed = isinstance(value, list)
    kept = {
        "bool": isinstance(value, bool),
        "int": _is_number(value),
        "Range": listed and len(value) == 2 and all(map(_is_number, value)),
        "tuple[int, ...]": listed and all(map(_is_number, value)),
        "tuple[str, ...]": listed and all(isinstance(one, str) for one in value),
    }
    if not kept[kind]:
        wanted = "[least, greatest]" if kind == "Range" else kind
        raise _refusal(name, f"{where} = {value!r}, expected {wanted}")
    return tuple(value) if listed else value


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
