"""The file of waivers: TOML, read strictly and written so that a person can review it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from litegate.core import units
from litegate.core.errors import ConfigError
from litegate.core.files import write_whole
from litegate.regression.waivers import FILE, Waiver

LONGEST = timedelta(days=366)
"""How far ahead a waiver may expire: a year to the day, leap years included."""
_HEADER = re.compile(r"[ \t]*\[\[[ \t]*\"?waiver\"?[ \t]*\]\]")
_KEYS = ("model", "recipe", "check", "reason", "expires", "accepts")
_ACCEPTS = ("measurement", "value", "offenders")
_ABOUT = """\
# Exceptions to the gate's verdicts, reviewed like code. Each covers one verdict, up to what it
# names, and no longer than it says. `litegate accept` adds one from the last report.
"""
_NOT_TEXT = "a text that is not empty"


def load(project: Path, today: date) -> tuple[Waiver, ...]:
    """The waivers of a project; none where it has no such file.

    Raises ConfigError, with the line, for a file that is not exactly as it should be.
    """
    try:
        text = (project / FILE).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{FILE} cannot be read", got=str(error)) from error
    return parse(text, today)


def parse(text: str, today: date) -> tuple[Waiver, ...]:
    """The waivers of a file's text. ConfigError as `load`."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{FILE} is not TOML", got=str(error), remedy="correct it at that line"
        ) from error
    _known(tables, ("waiver",), FILE)
    entries = tables.get("waiver", [])
    if not isinstance(entries, list):
        raise ConfigError(f"{FILE}: waiver is no list", expected="[[waiver]], in double brackets")
    lines = [n for n, line in enumerate(text.splitlines(), 1) if _HEADER.match(line)]
    places = lines if len(lines) == len(entries) else [0] * len(entries)
    return tuple(_waiver(*pair, today) for pair in zip(entries, places, strict=True))


def _waiver(entry: Any, line: int, today: date) -> Waiver:
    where = f"{FILE}:{line}" if line else FILE
    _known(_table(entry, where, "a waiver"), _KEYS, where)
    accepts = _table(entry.get("accepts"), where, "accepts")
    _known(accepts, _ACCEPTS, f"{where}: accepts")
    return Waiver(
        check=_text(entry, "check", where),
        measurement=_text(accepts, "measurement", where),
        reason=_text(entry, "reason", where),
        expires=_expires(entry.get("expires"), where, today),
        model=_text(entry, "model", where) if "model" in entry else "",
        recipe=_text(entry, "recipe", where) if "recipe" in entry else "",
        line=line,
        **_accepted(accepts, where),
    )


def _table(value: Any, where: str, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(
            f"{where}: {name} is missing or no table",
            expected='a table, as in accepts = { measurement = "...", value = "0.71 points" }',
            got=repr(value),
        )
    return value


def _known(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    unknown = [key for key in table if key not in known]
    if unknown:
        raise ConfigError(
            f"{where}: there is no {', '.join(map(repr, unknown))} here",
            expected=", ".join(known),
            remedy="correct the spelling, or remove it",
        )


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(
            f"{where}: {key} is missing or empty",
            expected=_NOT_TEXT,
            got=repr(value),
            remedy="say why this verdict is accepted" if key == "reason" else "",
        )
    return value


def _expires(value: Any, where: str, today: date) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ConfigError(
            f"{where}: expires is missing or no date",
            expected="a date without quotes, such as 2026-12-31",
            got=repr(value),
        )
    return within_a_year(value, where, today)


def within_a_year(expires: date, where: str, today: date) -> date:
    """The date itself. ConfigError where it is more than a year from `today`."""
    if expires - today > LONGEST:
        raise ConfigError(
            f"{where}: expires is more than a year ahead",
            expected=f"{today + LONGEST} at the latest",
            got=str(expires),
            remedy="choose an earlier date: what is accepted for longer is a limit of the model",
        )
    return expires


def _accepted(accepts: Mapping[str, Any], where: str) -> dict[str, Any]:
    if ("value" in accepts) == ("offenders" in accepts):
        raise ConfigError(
            f"{where}: accepts says nothing, or two things",
            expected='either value = "0.71 points" or offenders = ["...", ...]',
        )
    return _value(accepts, where) if "value" in accepts else _offenders(accepts["offenders"], where)


def _value(accepts: Mapping[str, Any], where: str) -> dict[str, str]:
    try:
        units.read(_text(accepts, "value", where))
    except ValueError as error:
        raise ConfigError(
            f"{where}: the accepted value cannot be read",
            expected=units.ALLOWED,
            got=repr(accepts["value"]),
        ) from error
    return {"value": accepts["value"]}


def _offenders(named: Any, where: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(named, list) or not named or not all(isinstance(n, str) and n for n in named):
        raise ConfigError(
            f"{where}: offenders is no list of names",
            expected="the lines that the verdict gives, each as it stands there",
            got=repr(named),
        )
    return {"offenders": tuple(named)}


def add(project: Path, waivers: Sequence[Waiver], today: date) -> Path:
    """Append waivers to the file; what stands there stays as it is. The file's path.

    Written under a temporary name, read back, and moved into place. ConfigError where the file is
    faulty already, or the waiver cannot be written; nothing is changed then.
    """
    path = (project / FILE).resolve()
    before = load(project, today)
    kept = path.read_bytes().decode() if path.exists() else _ABOUT
    text = kept + ("" if kept.endswith("\n") else "\n") + "".join(map(written, waivers))
    if [_unplaced(one) for one in parse(text, today)] != [
        _unplaced(o) for o in (*before, *waivers)
    ]:
        raise ConfigError(
            f"the waiver would not read back as it was written; {FILE} is unchanged",
            remedy="write it by hand, as docs/waivers.md shows",
        )
    write_whole(path, text.encode())
    return path


def _unplaced(waiver: Waiver) -> tuple[object, ...]:
    fields = (f for f in Waiver.__dataclass_fields__ if f != "line")
    return tuple(getattr(waiver, name) for name in fields)


def written(waiver: Waiver) -> str:
    """A waiver as TOML, after an empty line. ConfigError for a text that TOML cannot hold."""
    named = {"model": waiver.model, "recipe": waiver.recipe, "check": waiver.check}
    lines = [f"{key} = {quoted(text)}" for key, text in named.items() if text]
    lines += [f"reason = {quoted(waiver.reason)}", f"expires = {waiver.expires.isoformat()}", ""]
    lines += ["[waiver.accepts]", f"measurement = {quoted(waiver.measurement)}"]
    if waiver.offenders:
        lines += ["offenders = [", *(f"  {quoted(one)}," for one in waiver.offenders), "]"]
    else:
        lines += [f"value = {quoted(waiver.value)}"]
    return "\n".join(["", "[[waiver]]", *lines, ""])


_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def quoted(text: str) -> str:
    """A TOML string on one line; what does not print, or reverses the text, is escaped."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ConfigError(
            "a waiver cannot hold half of a character", got=ascii(text), remedy="name it otherwise"
        )
    return '"' + "".join(_SHORT.get(char) or _escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
