"""What a proof found, in words: from the rows of a report, for every kind of report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from litegate.mutation.faults.fault import format_grade
from litegate.report.formatting import not_proven

Row = Mapping[str, Any]


def title(row: Row) -> str:
    """Whether the proof of a candidate holds, and what the gate would notice."""
    return f"{headline(row)}; {would_notice(row)}"


def headline(row: Row) -> str:
    """Whether the proof of a candidate holds: "digits_cnn/int8_qat: the gate is proven"."""
    whose = f"{row['model']}/{row['recipe']}"
    if row["holds"]:
        return f"{whose}: the gate is proven"
    return f"{whose}: {not_proven([row])}"


def would_notice(row: Row) -> str:
    """The line for a summary: what the gate would notice, family by family, and how calm it is."""
    first: dict[str, Row] = {}
    for fault in row["faults"]:
        if fault["smallest"] is not None:
            first.setdefault(fault["family"], fault)
    seen = [_seen(one) for one in first.values()]
    return f"would notice {', '.join(seen) or 'nothing'}; {calm(row)}"


def _seen(fault: Row) -> str:
    said = format_grade(fault["smallest"], fault["unit"])
    return f"{said} ({fault['name']})" if said else str(fault["name"])


def calm(row: Row) -> str:
    """The false alarms: "0 of 50 false alarms (rate below 5.8 %)"."""
    below = row["alarm_rate_below"]
    bound = "" if below is None else f" (rate below {100 * below:.1f} % with 95 % confidence)"
    return f"{len(row['alarms'])} of {row['comparisons']} false alarms{bound}"


def grade(fault: Row, value: float) -> str:
    """A grade with its unit: "5 points"; "yes" for a fault without grades."""
    return format_grade(value, fault["unit"]) or "yes"


def smallest(fault: Row) -> str:
    """The smallest grade noticed, as a cell of a table."""
    if fault["unplantable"]:
        return "not in this model"
    if fault["smallest"] is None:
        return "nobody noticed" if fault["played"] else "not tried"
    return grade(fault, fault["smallest"])


def noticed_by(fault: Row) -> str:
    """The checks that noticed, each with its smallest grade; or why nothing was planted."""
    if fault["unplantable"]:
        return str(fault["unplantable"])
    by = sorted(fault["noticed_by"].items(), key=lambda item: item[1])
    return ", ".join(f"{name} {value:g}" if fault["unit"] else name for name, value in by)


def troubles(row: Row) -> Iterator[str]:
    """What keeps the proof from holding, each with what to do."""
    for one in row["survivors"]:
        yield f"SURVIVED: {one['sentence']}; what would catch it: {one['remedy']}"
    yield from failings(row)


def failings(row: Row) -> Iterator[str]:
    """What keeps the proof from holding besides survivors."""
    yield from (f"FALSE ALARM: {one}" for one in row["alarms"])
    yield from (f"NOT PLANTED: {one}" for one in row["errors"])
    if row["unproven"]:
        listed = ", ".join(row["unproven"])
        yield f"NO TIME LEFT for {listed}; what to do: a larger --prove-budget"


def asides(row: Row) -> Iterator[str]:
    """What a person should know besides."""
    if row["idle"]:
        yield f"noticed none of the planted faults: {', '.join(row['idle'])}"
    if row["noise"]:
        yield row["noise"]


def matrix(row: Row) -> tuple[list[str], list[list[str]]]:
    """The kill matrix: its head, and a row for each planted fault; cells are smallest grades."""
    planted = [fault for fault in row["faults"] if fault["played"]]
    used = {name for fault in planted for name in fault["noticed_by"]}
    checks = [name for name in row["checks"] if name in used]
    return ["fault", "must be noticed", *checks], [_cells(fault, checks) for fault in planted]


def _cells(fault: Row, checks: Sequence[str]) -> list[str]:
    by = fault["noticed_by"]
    seen = [(f"{by[name]:g}" if fault["unit"] else "x") if name in by else "" for name in checks]
    return [fault["name"], grade(fault, fault["must"]), *seen]
