"""`report.json` back into memory, refused unless it has the shape that every report relies on.

A report may come from anybody's pull request; nothing of it is believed but its shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from litegate.errors import ConfigError
from litegate.reports.record import SCHEMA_VERSION
from litegate.reports.view import Report
from litegate.spec import Kind
from litegate.units import Unit

MOST_BYTES = 64 * 2**20
"""A larger file is not read."""

Test = Callable[[Any], bool]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_VERDICTS = ("pass", "inconclusive", "fail")


def read(path: Path) -> Report:
    """The report in a file.

    Raises ConfigError for one that is missing, too large, no JSON, or of another shape.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path} is too large", expected=f"at most {MOST_BYTES:,} B")
        report = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"the report {path} cannot be read",
            got=str(error),
            remedy="run `pytest checks/`, which writes it, or name another with --report",
        ) from error
    check(report, str(path))
    return dict(report)


def check(report: Any, name: str) -> None:
    """Raise ConfigError where a document is not a report of this version; `name` says whose."""
    _check(report, _REPORT, name)
    for key, test in _OPTIONAL.items():
        if not test(report.get(key)):
            raise ConfigError(f"{name}: {key} is not what a report holds")
    for key, shape in _ROWS.items():
        for number, row in enumerate(report.get(key) or []):
            _check(row, shape, f"{name}: {key}[{number}]")
    for number, row in enumerate(report["verdicts"]):
        if not _series(row.get("series") or {}):
            raise ConfigError(
                f"{name}: verdicts[{number}].series holds something else than numbers"
            )
        if row["interval"] is not None:
            _check(row["interval"], _INTERVAL, f"{name}: verdicts[{number}].interval")
    for digest, split in (report.get("splits") or {}).items():
        _check(split, _SPLIT, f"{name}: splits[{digest}]")


def _check(value: Any, shape: Mapping[str, Test], where: str) -> None:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is no JSON object")
    wrong = [key for key, test in shape.items() if key not in value or not test(value[key])]
    if wrong:
        raise ConfigError(
            f"{where} is not what a report holds",
            expected="fields as report.schema.json describes them",
            got=f"missing or of another type: {', '.join(wrong)}",
        )


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and abs(value) < 2**63  # which NaN and infinity are not


def _whole(value: Any) -> bool:
    return _number(value) and isinstance(value, int)


def _number_or_none(value: Any) -> bool:
    return value is None or _number(value)


def _list(value: Any) -> bool:
    return isinstance(value, list)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _object_or_none(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _digest(value: Any) -> bool:
    return isinstance(value, str) and bool(_DIGEST.fullmatch(value))


def _digest_or_none(value: Any) -> bool:
    return value is None or _digest(value)


def _rows_or_none(value: Any) -> bool:
    return value is None or (_list(value) and all(map(_object, value)))


def _series(value: Any) -> bool:
    return _object(value) and all(_list(v) and all(map(_number, v)) for v in value.values())


def _two_numbers(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_number, value))


def _one_of(*allowed: Any) -> Test:
    return lambda value: value in allowed


_REPORT: Mapping[str, Test] = {
    "schema_version": _one_of(SCHEMA_VERSION),
    "verdict": _one_of(*_VERDICTS, "error", "nothing gated"),
    "strict": lambda value: isinstance(value, bool),
    "exit_status": _whole,
    "environment": _object,
    "artifacts": _object,
    "notes": _texts,
} | dict.fromkeys(("verdicts", "errors", "not_gated", "not_measured", "recipes"), _list)
_PLACE = dict.fromkeys(("id", "model", "recipe", "check", "requirement"), _text)
_ROWS: Mapping[str, Mapping[str, Test]] = {
    "verdicts": {
        **_PLACE,
        **dict.fromkeys(("value", "limit", "margin"), _number),
        "measurement": _text,
        "relation": _one_of("<=", ">="),
        "unit": _one_of(*(unit.value for unit in Unit)),
        "interval": _object_or_none,
        "n": lambda value: value is None or _whole(value),
        "verdict": _one_of(*_VERDICTS),
        "sentence": _text,
    },
    "errors": {**_PLACE, "message": _text},
    "not_gated": {"model": _text, "reason": _text},
    "not_measured": {"id": _text, "reason": _text},
    "recipes": {
        **dict.fromkeys(("model", "recipe", "role"), _text),
        "bytes": _number,
        **dict.fromkeys(("accuracy", "drop", "drop_from_baseline", "size_ratio"), _number_or_none),
    },
    "comparisons": {
        **dict.fromkeys(("model", "recipe"), _text),
        "kind": _one_of(*(kind.value for kind in Kind)),
        **dict.fromkeys(("candidate", "split"), _digest),
        **dict.fromkeys(("reference", "base"), _digest_or_none),
    },
}
_OPTIONAL: Mapping[str, Test] = {
    "base": _object_or_none,
    "waivers": _rows_or_none,
    "comparisons": _rows_or_none,
    "splits": _object_or_none,
}
_SPLIT: Mapping[str, Test] = {"classes": _texts, "domain": _two_numbers}
_INTERVAL = dict.fromkeys(("low", "high"), _number)
