"""Read and write waivers in `litegate-waivers.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from litegate.core import units
from litegate.core.errors import ConfigError
from litegate.core.files import write_atomically
from litegate.measures.names import renamed
from litegate.regression.waivers import FILE, Waiver, read_ceiling

MAX_VALIDITY = timedelta(days=366)
"""Longest time until a waiver expires: a year to the day, also across a leap day. What is accepted
for longer is no exception and belongs in the model's limits."""
_HEADER = re.compile(r"[ \t]*\[\[[ \t]*\"?waiver\"?[ \t]*\]\]")
_KEYS = ("model", "recipe", "check", "reason", "expires", "accepts")
_ACCEPTS = ("measurement", "value", "ceiling", "offenders", "base")
_ONE_OF = ("value", "ceiling", "offenders")
_ABOUT = """\
# Exceptions to the gate's verdicts, reviewed like code. Each covers one verdict, up to the
# value that it names, until it expires. `litegate accept` adds one from the last report.
"""
_NOT_TEXT = "a non-empty string"


def load(project: Path, today: date) -> tuple[Waiver, ...]:
    """Read the waivers of a project; empty without the file.

    Raises ConfigError, with the line, for any deviation from the format: a misspelt key must not
    widen an exception.
    """
    try:
        text = (project / FILE).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{FILE} cannot be read", got=str(error)) from error
    return parse(text, today)


def parse(text: str, today: date) -> tuple[Waiver, ...]:
    """Parse waivers from TOML. Raises ConfigError as `load` does."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{FILE} is not valid TOML", got=str(error), remedy="correct the line"
        ) from error
    _check_keys(tables, ("waiver",), FILE)
    entries = tables.get("waiver", [])
    if not isinstance(entries, list):
        raise ConfigError(
            f"{FILE}: waiver is not a list", expected="[[waiver]], with double brackets"
        )
    lines = [n for n, line in enumerate(text.splitlines(), 1) if _HEADER.match(line)]
    # tomllib has no line numbers. Other spellings of the tables have none in messages.
    lines = lines if len(lines) == len(entries) else [0] * len(entries)
    return tuple(_waiver(entry, line, today) for entry, line in zip(entries, lines, strict=True))


def _waiver(entry: Any, line: int, today: date) -> Waiver:
    place = f"{FILE}:{line}" if line else FILE
    _check_keys(_table(entry, place, "a waiver"), _KEYS, place)
    accepts = _table(entry.get("accepts"), place, "accepts")
    _check_keys(accepts, _ACCEPTS, f"{place}: accepts")
    return Waiver(
        check=_text(entry, "check", place),
        measurement=_measurement(accepts, place),
        reason=_text(entry, "reason", place),
        expires=_expires(entry.get("expires"), place, today),
        model=_text(entry, "model", place) if "model" in entry else "",
        recipe=_text(entry, "recipe", place) if "recipe" in entry else "",
        line=line,
        **_accepted(accepts, place),
    )


def _table(value: Any, place: str, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(
            f"{place}: {name} is missing or not a table",
            expected='a table, such as accepts = { measurement = "...", value = "0.71 points" }',
            got=repr(value),
        )
    return value


def _check_keys(table: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    unknown = [key for key in table if key not in known]
    if unknown:
        raise ConfigError(
            f"{place}: unknown key {', '.join(map(repr, unknown))}",
            expected=", ".join(known),
            remedy="correct the spelling, or remove it",
        )


def _text(table: Mapping[str, Any], key: str, place: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(
            f"{place}: {key} is missing or empty",
            expected=_NOT_TEXT,
            got=repr(value),
            remedy="explain why this verdict is accepted" if key == "reason" else "",
        )
    return value


def _measurement(accepts: Mapping[str, Any], place: str) -> str:
    name = _text(accepts, "measurement", place)
    if new_name := renamed(name):
        raise ConfigError(
            f"{place}: the measurement was renamed",
            expected=repr(new_name),
            got=repr(name),
            remedy="use the new name",
        )
    return name


def _expires(value: Any, place: str, today: date) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ConfigError(
            f"{place}: expires is missing or not a date",
            expected="a date without quotes, such as 2026-12-31",
            got=repr(value),
        )
    return validated_expiry(value, place, today)


def validated_expiry(expires: date, place: str, today: date) -> date:
    """Return the date. Raises ConfigError if it is more than a year from `today`."""
    if expires - today > MAX_VALIDITY:
        raise ConfigError(
            f"{place}: expires is more than a year ahead",
            expected=f"{today + MAX_VALIDITY} at the latest",
            got=str(expires),
            remedy="choose an earlier date, or change the model's limit if the exception is "
            "permanent",
        )
    return expires


def _accepted(accepts: Mapping[str, Any], place: str) -> dict[str, Any]:
    if sum(key in accepts for key in _ONE_OF) != 1:
        raise ConfigError(
            f"{place}: accepts needs exactly one of value, ceiling and offenders",
            expected='value = "0.71 points", or ceiling = "size <= 8,736 B", or '
            'offenders = ["...", ...]',
        )
    if "ceiling" in accepts and "base" not in accepts:
        raise ConfigError(
            f"{place}: a ceiling needs the base that it compares with",
            expected='the build key of the base, such as base = "3f2a..."',
            remedy="`litegate accept` writes both",
        )
    base = {"base": _text(accepts, "base", place)} if "base" in accepts else {}
    if "offenders" in accepts:
        return base | _offenders(accepts["offenders"], place)
    return base | _number(accepts, place)


def _number(accepts: Mapping[str, Any], place: str) -> dict[str, str]:
    key, read, expected = (
        ("ceiling", read_ceiling, f'a measurement, "<=" or ">=", and {units.ALLOWED}')
        if "ceiling" in accepts
        else ("value", units.read, units.ALLOWED)
    )
    try:
        read(_text(accepts, key, place))
    except ValueError as error:
        raise ConfigError(
            f"{place}: the accepted {key} cannot be read",
            expected=expected,
            got=repr(accepts[key]),
        ) from error
    return {key: accepts[key]}


def _offenders(named: Any, place: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(named, list) or not named or not all(isinstance(n, str) and n for n in named):
        raise ConfigError(
            f"{place}: offenders is not a list of names",
            expected="the offenders exactly as the verdict lists them",
            got=repr(named),
        )
    return {"offenders": tuple(named)}


def add(project: Path, waivers: Sequence[Waiver], today: date) -> Path:
    """Append waivers to the file, keep its text unchanged, and return its path.

    The new text is parsed before it is written. Raises ConfigError if the file is invalid already,
    or if a waiver cannot be written; the file is unchanged then.
    """
    path = (project / FILE).resolve()
    before = load(project, today)
    existing = path.read_bytes().decode() if path.exists() else _ABOUT
    text = existing + ("" if existing.endswith("\n") else "\n") + "".join(map(to_toml, waivers))
    if [_without_line(waiver) for waiver in parse(text, today)] != [
        _without_line(waiver) for waiver in (*before, *waivers)
    ]:
        raise ConfigError(
            f"the waiver cannot be written so that it reads back the same; {FILE} is unchanged",
            remedy="write it by hand, as docs/how-to/waivers.md shows",
        )
    write_atomically(path, text.encode())
    return path


def _without_line(waiver: Waiver) -> tuple[object, ...]:
    fields = (f for f in Waiver.__dataclass_fields__ if f != "line")
    return tuple(getattr(waiver, name) for name in fields)


def to_toml(waiver: Waiver) -> str:
    """Return a waiver as TOML, after an empty line.

    Raises ConfigError for text that TOML cannot represent.
    """
    subject = {"model": waiver.model, "recipe": waiver.recipe, "check": waiver.check}
    lines = [f"{key} = {quoted(text)}" for key, text in subject.items() if text]
    lines += [f"reason = {quoted(waiver.reason)}", f"expires = {waiver.expires.isoformat()}", ""]
    lines += ["[waiver.accepts]", f"measurement = {quoted(waiver.measurement)}"]
    if waiver.offenders:
        lines += [
            "offenders = [",
            *(f"  {quoted(offender)}," for offender in waiver.offenders),
            "]",
        ]
    accepted = {"value": waiver.value, "ceiling": waiver.ceiling, "base": waiver.base}
    lines += [f"{key} = {quoted(text)}" for key, text in accepted.items() if text]
    return "\n".join(["", "[[waiver]]", *lines, ""])


_SHORT_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def quoted(text: str) -> str:
    """Return a TOML string on one line.

    Characters that do not print or change the direction of the text are escaped, so that a reviewer
    sees what the file says. Raises ConfigError for a lone surrogate.
    """
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ConfigError(
            "a waiver cannot contain half of a surrogate pair",
            got=ascii(text),
            remedy="use another name",
        )
    return '"' + "".join(_SHORT_ESCAPES.get(char) or _escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
