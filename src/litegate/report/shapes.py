"""The shape of a report: what its fields are, as tests of JSON values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from litegate.core.units import Unit
from litegate.report.run_record import SCHEMA_VERSION
from litegate.spec import Kind

Test = Callable[[Any], bool]
Shape = Mapping[str, Test]
"""What a JSON object must hold: a test for each field."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_VERDICTS = ("pass", "inconclusive", "fail")


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


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_number, value))


def is_series(value: Any) -> bool:
    """Whether a value is lists of numbers by name."""
    return _object(value) and all(map(_numbers, value.values()))


def _metrics_or_none(value: Any) -> bool:
    """Whether a value is numbers with their units, by the names of metrics."""
    return value is None or (
        _object(value)
        and all(
            _object(one)
            and _number(one.get("value"))
            and one.get("unit") in tuple(unit.value for unit in Unit)
            and one.get("better", "higher") in ("higher", "lower")
            for one in value.values()
        )
    )


def _two_numbers(value: Any) -> bool:
    return _numbers(value) and len(value) == 2


def _one_of(*allowed: Any) -> Test:
    return lambda value: value in allowed


REPORT: Shape = {
    "schema_version": _one_of(SCHEMA_VERSION),
    "verdict": _one_of(*_VERDICTS, "error", "nothing gated"),
    "strict": lambda value: isinstance(value, bool),
    "exit_status": _whole,
    "environment": _object,
    "artifacts": _object,
    "notes": _texts,
} | dict.fromkeys(("verdicts", "errors", "not_gated", "not_measured", "recipes"), _list)
_PLACE = dict.fromkeys(("id", "model", "recipe", "check", "requirement"), _text)
ROWS: Mapping[str, Shape] = {
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
    "proofs": {
        **dict.fromkeys(("model", "recipe", "noise"), _text),
        **dict.fromkeys(("checks", "alarms", "errors", "unproven", "idle"), _texts),
        **dict.fromkeys(("faults", "survivors"), _list),
        "holds": lambda value: isinstance(value, bool),
        "comparisons": _whole,
        "alarm_rate_below": _number_or_none,
    },
}
PROOF_ROWS: Mapping[str, Shape] = {
    "faults": {
        **dict.fromkeys(("name", "family", "unit", "unplantable"), _text),
        "must": _number,
        "smallest": _number_or_none,
        "played": _numbers,
        "noticed_by": lambda value: _object(value) and _numbers(list(value.values())),
    },
    "survivors": dict.fromkeys(("what", "sentence", "remedy"), _text),
}
"""The rows inside a proof."""
FIGURES = dict.fromkeys(("compressed_bytes", "arena", "latency"), _number_or_none) | {
    "metrics": _metrics_or_none
}
FIGURES_OF_NONE = dict.fromkeys(FIGURES)
"""What the rows of recipes in older reports do not hold."""
_COMMIT = re.compile(r"[0-9a-f]{40,64}")


def _commit(value: Any) -> bool:
    return _text(value) and bool(_COMMIT.fullmatch(value))


HEAD: Shape = {
    "commit": _commit,
    "subject": _text,
    "time": _whole,
    "changed": lambda value: isinstance(value, bool),
}
KEPT: Shape = {key: REPORT[key] for key in ("schema_version", "verdict", "verdicts")} | {
    "head": _object
}
"""What the history needs of a report."""
KEPT_ROW: Shape = {
    key: ROWS["verdicts"][key]
    for key in (
        *("model", "recipe", "check", "measurement", "unit"),
        *("relation", "value", "limit", "verdict"),
    )
}
OPTIONAL: Shape = {
    "head": _object_or_none,
    "base": _object_or_none,
    "waivers": _rows_or_none,
    "comparisons": _rows_or_none,
    "splits": _object_or_none,
    "proofs": _rows_or_none,
    "sources": lambda value: value is None or _text(value),
}
SPLIT: Shape = {"classes": _texts, "domain": _two_numbers}
INTERVAL = dict.fromkeys(("low", "high"), _number)
