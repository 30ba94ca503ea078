"""Read targets: TOML lists of the operators that a runtime or an accelerator supports.

To be on the list is necessary, not sufficient: a compiler may reject more than it documents.
docs/reference/targets.md describes the format; `tflm.toml` in this folder is an example.
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

from litegate.core.digests import short_digest
from litegate.core.errors import ConfigError

_LISTS = Path(__file__).parent
KNOWN = tuple(sorted(path.stem for path in _LISTS.glob("*.toml")))
"""Names of the targets that litegate includes."""

Range = tuple[int, int]
"""Least and greatest allowed value."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Restrictions of a target on one kind of operator; an unset field allows everything."""

    types: tuple[str, ...] | None = None
    """Types of inputs, activations and outputs: "int8", "float32"."""
    results: tuple[str, ...] | None = None
    """Types of the outputs, if they are not those of `types`."""
    conversions: tuple[str, ...] | None = None
    """Pairs of the type of the first operand and that of the output: "float32 int8"."""
    alike: bool | None = None
    """True: all inputs, weights and outputs must have one type."""
    weights: tuple[str, ...] | None = None
    biases: tuple[str, ...] | None = None
    states: tuple[str, ...] | None = None
    """Types of the tensors whose values persist, such as the cell state of an LSTM."""
    indices: tuple[int, ...] | None = None
    """Operands that are shapes, axes, indices or conditions; all others are data, constants too.

    Unset, a constant without a scale is no data."""
    index_types: tuple[str, ...] | None = None
    """Types of the operands that `indices` names."""
    hybrid: bool | None = None
    """False: weights, biases and states must be float if, and only if, the activations are."""
    quantized: bool | None = None
    """True: integer activations and weights must have a scale."""
    unscaled: tuple[str, ...] = ()
    """Types that need no scale, although `quantized` is true."""
    per_channel: bool | None = None
    """False: a scale for each channel is not supported."""
    versions: Range | None = None
    """Versions of the operator, as in the file."""
    ranks: Range | None = None
    """Numbers of dimensions of the activations."""
    wide: int | None = None
    """Number of innermost dimensions of the activations that may be larger than 1."""
    sizes: Range | None = None
    """Size of each dimension of the activations."""
    batch: int | None = None
    """First dimension of the first operand, if that has four dimensions."""
    strides: Range | None = None
    """Stride in each spatial dimension."""
    activations: tuple[str, ...] | None = None
    """Supported fused activation functions; "NONE" always is."""
    constant: tuple[int, ...] = ()
    """Indices of operands that must be constants, if the operator has them."""
    last_axis: int | None = None
    """The index of an operand that must name the last axis of the first one, as a constant."""
    required: tuple[int, ...] = ()
    """Indices of operands that the operator must have."""
    inputs: Range | None = None
    """Number of operands."""
    outputs: Range | None = None
    """Number of outputs."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A list of supported operators, with a rule for each."""

    name: str
    source: str
    """Project, file and version that the list was taken from."""
    digest: str
    """SHA-256 of the file, in hexadecimal."""
    operators: Mapping[str, Rule]
    custom: tuple[str, ...] = ()
    """Codes of supported custom operators."""
    folds_shapes: bool = False
    """Its compiler folds operators that compute shapes alone, such as SHAPE of a free batch."""

    def __str__(self) -> str:
        own = "" if self.name in KNOWN else f" ({short_digest(self.digest)})"
        return f"{self.name}{own}"


def load(name: str, project: Path) -> Target:
    """Read an included target by its name, or a file by its path from the project's root.

    Raises ConfigError for an unknown name, or a file that is missing or no list of operators.
    """
    path = _LISTS / f"{name}.toml" if name in KNOWN else project / name
    if name not in KNOWN and path.suffix != ".toml":
        raise ConfigError(
            f"there is no target {name!r}",
            expected=f"{', '.join(KNOWN)}, or the path of a .toml file",
        )
    try:
        data = path.read_bytes()
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
        remedy=f"an example: {_LISTS / 'tflm.toml'}; docs/reference/targets.md describes it",
    )


def _target(name: str, digest: str, table: Mapping[str, Any]) -> Target:
    keys = {"source", "custom", "folds_shapes", "defaults", "operators"}
    if unknown := sorted(table.keys() - keys):
        raise _refusal(name, f"the key {unknown[0]!r}, not one of {', '.join(sorted(keys))}")
    source, operators = table.get("source"), table.get("operators")
    if not isinstance(source, str) or not source.strip():
        raise _refusal(name, "no source, which says where the list comes from")
    if not isinstance(operators, dict) or not operators:
        raise _refusal(name, "no operators")
    defaults = _fields(name, "defaults", table.get("defaults", {}))
    if unknown := sorted(operators.keys() - _operator_names()):
        near = get_close_matches(unknown[0], sorted(_operator_names()), 1)
        suggestion = f": did you mean {near[0]}?" if near else ""
        raise _refusal(name, f"operators.{unknown[0]}, which is not an operator{suggestion}")
    rules = {
        operator: Rule(**(defaults | _fields(name, f"operators.{operator}", rule)))
        for operator, rule in operators.items()
    }
    custom = _value(name, "custom", "tuple[str, ...]", table.get("custom", []))
    folds_shapes = _value(name, "folds_shapes", "bool", table.get("folds_shapes", False))
    return Target(
        name=name,
        source=source,
        digest=digest,
        operators=rules,
        custom=custom,
        folds_shapes=folds_shapes,
    )


@cache
def _operator_names() -> frozenset[str]:
    """Return the names of all builtin operators of the schema."""
    # Imported late: a model file is loaded without LiteRT.
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return frozenset(
        name for name, value in vars(BuiltinOperator).items() if isinstance(value, int)
    )


_TYPES = {field.name: str(field.type).removesuffix(" | None") for field in fields(Rule)}


def _fields(name: str, path: str, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise _refusal(name, f"{path} is not a table")
    for key in table:
        if key not in _TYPES:
            raise _refusal(name, f"{path}.{key}, which is not one of {', '.join(_TYPES)}")
    return {key: _value(name, f"{path}.{key}", _TYPES[key], v) for key, v in table.items()}


def _value(name: str, path: str, kind: str, value: Any) -> Any:
    """Convert a TOML value to the type of a rule's field; a range is a list of two numbers."""
    is_list = isinstance(value, list)
    is_valid = {
        "bool": isinstance(value, bool),
        "int": _is_integer(value),
        "Range": is_list and len(value) == 2 and all(map(_is_integer, value)),
        "tuple[int, ...]": is_list and all(map(_is_integer, value)),
        "tuple[str, ...]": is_list and all(isinstance(element, str) for element in value),
    }
    if not is_valid[kind]:
        expected = "[least, greatest]" if kind == "Range" else kind
        raise _refusal(name, f"{path} = {value!r}, expected {expected}")
    return tuple(value) if is_list else value


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
