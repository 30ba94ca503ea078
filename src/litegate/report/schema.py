"""Check documents against `report.schema.json`, the one description of a report's shape.

A report may come from anybody's pull request, so every program that reads one checks its shape
first. Only the keywords of JSON Schema that the file uses are implemented here; the package
`jsonschema`, which knows all of them, is no dependency of litegate's users.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from litegate.core.errors import ConfigError
from litegate.core.escaping import excerpt

Schema = Mapping[str, Any]

SCHEMA: Schema = json.loads(Path(__file__).with_name("report.schema.json").read_text("utf-8"))
SCHEMA_VERSION: int = SCHEMA["properties"]["schema_version"]["const"]
HISTORY_FIELDS = (
    *("model", "recipe", "check", "measurement", "unit"),
    *("relation", "value", "limit", "verdict"),
)
"""The fields of a verdict that the history stores."""


class OldReportError(ConfigError):
    """A report that an earlier version of litegate wrote, with other names of measurements."""


def check(report: Any, name: str) -> None:
    """Raise ConfigError if a document is not a report of this version; `name` is its file."""
    _check_object(report, SCHEMA, name, ": ")


def check_repair(repair: Any, name: str) -> None:
    """Raise ConfigError if a document is not a row of a report's `repairs`."""
    _check_object(repair, SCHEMA["$defs"]["repair"], name, ": ")


def check_history(report: Any, name: str) -> None:
    """Raise ConfigError if a document lacks what the history needs of a report.

    Raises OldReportError for a report of an earlier `schema_version`.
    """
    version = report.get("schema_version") if isinstance(report, dict) else None
    if isinstance(version, int) and version < SCHEMA_VERSION:
        raise OldReportError(f"{name} was written by an earlier version of litegate")
    _check_object(report, _HISTORY_SCHEMA, name, ": ")


def _is_number(value: Any) -> bool:
    """Return True for a number that every report can format: no NaN, infinity or huge integer.

    From 2^63 on an integer fits into no reader's int64; no measurement comes near.
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and isinstance(value, int),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_KEYWORDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "type": lambda value, types: any(_TYPES[name](value) for name in _listed(types)),
    "const": lambda value, constant: type(value) is type(constant) and value == constant,
    "enum": lambda value, allowed: value in allowed,
    # fullmatch, as `$` alone would let a line break through; all patterns here are anchored
    "pattern": lambda value, pattern: (
        not isinstance(value, str) or bool(re.fullmatch(pattern, value))
    ),
    "minLength": lambda value, least: not isinstance(value, str) or len(value) >= least,
    "minimum": lambda value, least: not _is_number(value) or value >= least,
    "minItems": lambda value, least: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda value, most: not isinstance(value, list) or len(value) <= most,
    "items": lambda value, schema: (
        not isinstance(value, list)
        or _has_objects(schema)
        or all(_fits(item, schema) for item in value)
    ),
}
"""Tests of a value by keyword; the fields of objects are checked by `_check_object`."""


def _check_object(value: Any, schema: Schema, name: str, separator: str = ".") -> None:
    """Check an object's own fields first, so that an error names the outermost wrong ones."""
    if not isinstance(value, dict):
        raise ConfigError(f"{name} is not a JSON object")
    schema = _expanded(schema)
    fields = dict(_fields(value, schema))
    wrong = [key for key in schema.get("required", ()) if key not in value]
    wrong += [key for key, field in fields.items() if not _fits(value[key], field)]
    if "propertyNames" in schema:
        wrong += [key for key in value if not _fits(key, schema["propertyNames"])]
    if wrong:
        raise ConfigError(
            f"{name} does not match the schema of a report",
            expected="fields as report.schema.json describes them",
            got=f"missing or of another type: {excerpt(', '.join(wrong))}",
        )
    for key, field in fields.items():
        items = _expanded(field).get("items", {})
        if isinstance(value[key], dict):
            _check_object(value[key], field, f"{name}{separator}{key}")
        elif isinstance(value[key], list) and _has_objects(items):
            for index, item in enumerate(value[key]):
                _check_object(item, items, f"{name}{separator}{key}[{index}]")


def _fields(value: Mapping[str, Any], schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the keys of an object that the schema describes, each with its schema."""
    described = schema.get("properties", {})
    for key in value:
        if key in described:
            yield key, described[key]
        elif "additionalProperties" in schema:
            yield key, schema["additionalProperties"]


def _fits(value: Any, schema: Schema) -> bool:
    """Return True if a value satisfies every keyword that is not about an object's fields."""
    expanded = _expanded(schema)
    return all(test(value, expanded[key]) for key, test in _KEYWORDS.items() if key in expanded)


def _has_objects(schema: Schema) -> bool:
    return "object" in _listed(_expanded(schema).get("type", ()))


def _listed(types: str | Iterable[str]) -> Iterable[str]:
    return (types,) if isinstance(types, str) else types


def _expanded(schema: Schema) -> Schema:
    """Merge `$ref` and `allOf` into the schema that contains them."""
    parts = [*schema.get("allOf", ())]
    if "$ref" in schema:
        parts.append(SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")])
    merged: dict[str, Any] = {}
    for part in (*map(_expanded, parts), schema):
        required = [*merged.get("required", ()), *part.get("required", ())]
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        merged |= {**part, "required": required, "properties": properties}
    return merged if parts else schema


def _subset(schema: Schema, keys: Iterable[str]) -> dict[str, Any]:
    """Return the schema of an object that needs these fields only."""
    required, described = list(keys), _expanded(schema)["properties"]
    properties = {key: described[key] for key in required}
    return {"type": "object", "required": required, "properties": properties}


def _history_schema() -> Schema:
    """Return the schema of a history file, which may be a whole report."""
    schema = _subset(SCHEMA, ("schema_version", "verdict", "head", "verdicts"))
    verdict = _subset(SCHEMA["$defs"]["verdict"], HISTORY_FIELDS)
    head = {**SCHEMA["properties"]["head"], "type": "object"}
    schema["properties"] |= {"head": head, "verdicts": {"type": "array", "items": verdict}}
    return schema


_HISTORY_SCHEMA = _history_schema()
