"""Format the proof rows of a report as text, for every kind of report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from litegate.mutation.faults.fault import format_grade
from litegate.report.outcomes import UNPROVEN
from litegate.report.row_text import not_proven

Row = Mapping[str, Any]
"""The proof of one candidate, or one of its faults, as in `report.json`."""


def title(row: Row) -> str:
    """Say if the proof of a candidate holds, and what the gate would notice."""
    return f"{headline(row)}; {would_notice(row)}"


def headline(row: Row) -> str:
    """Say if the proof of a candidate holds: "digits_cnn/int8_qat: the gate is proven".

    A proof by a selection says "proven for the selection (-k digits)" and counts what the checks
    that were left out might have noticed.
    """
    candidate = f"{row['model']}/{row['recipe']}"
    if not row["holds"]:
        return f"{candidate}: {not_proven([row])}"
    if not (how := narrowed_by(row)):
        return f"{candidate}: the gate is proven"
    untried = f": {_untried(row)}" if selection(row) else ""
    return f"{candidate}: the gate is proven for the selection ({how}){untried}"


def narrowed_by(row: Row) -> str:
    """Return the options that left out checks or faults; empty for a proof of the whole gate."""
    families = (f"--prove-family {family}" for family in row.get("families") or ())
    return ", ".join(filter(None, (selection(row), *families)))


def selection(row: Row) -> str:
    """Return the options that left checks out, such as "-k digits"; empty if none did."""
    return str(row.get("selection") or "")


def mark(row: Row) -> str:
    """Return the mark of a proof: it is a pass only with every check and every family of faults."""
    if not row["holds"]:
        return UNPROVEN
    return "inconclusive" if narrowed_by(row) else "pass"


def _untried(row: Row) -> str:
    """Count what was not tried: "3 faults and 1 measurement not tried"."""
    are_faults = [untried["is_fault"] for untried in row["not_tried"]]
    faults, measurements = sum(are_faults), len(are_faults) - sum(are_faults)
    counted = [f"{faults} fault{'' if faults == 1 else 's'}"]
    counted += [f"{measurements} measurement{'s' * (measurements > 1)}"] if measurements else []
    return f"{' and '.join(counted)} not tried"


def would_notice(row: Row) -> str:
    """List the smallest fault noticed of each family, and count the false alarms."""
    noticed: dict[str, Row] = {}
    for fault in row["faults"]:
        if fault["smallest"] is not None:
            noticed.setdefault(fault["family"], fault)
    listed = ", ".join(_noticed(fault) for fault in noticed.values())
    return f"would notice {listed or 'nothing'}; {false_alarms(row)}"


def _noticed(fault: Row) -> str:
    smallest = format_grade(fault["smallest"], fault["unit"])
    return f"{smallest} ({fault['name']})" if smallest else str(fault["name"])


def false_alarms(row: Row) -> str:
    """Count the false alarms: "0 of 50 false alarms (rate below 5.8 %)"."""
    below = row["alarm_rate_below"]
    bound = "" if below is None else f" (rate below {100 * below:.1f} % with 95 % confidence)"
    return f"{len(row['alarms'])} of {row['comparisons']} false alarms{bound}"


def grade(fault: Row, value: float) -> str:
    """Format a grade with its unit: "5 points"; "yes" for a fault without grades."""
    return format_grade(value, fault["unit"]) or "yes"


def smallest_noticed(fault: Row) -> str:
    """Format the smallest grade noticed as a cell of a table."""
    if fault["unplantable"]:
        return "not in this model"
    if fault["smallest"] is None:
        return "nobody noticed" if fault["played"] else "not tried"
    return grade(fault, fault["smallest"])


def noticed_by(fault: Row) -> str:
    """List the checks that noticed with their smallest grades, or why nothing was planted."""
    if fault["unplantable"]:
        return str(fault["unplantable"])
    by_grade = sorted(fault["noticed_by"].items(), key=lambda item: item[1])
    return ", ".join(f"{check} {value:g}" if fault["unit"] else check for check, value in by_grade)


def problems(row: Row) -> Iterator[str]:
    """List why the proof does not hold, each line with what to do."""
    for survivor in row["survivors"]:
        yield f"SURVIVED: {survivor['sentence']}; what would catch it: {survivor['remedy']}"
    yield from other_failures(row)


def other_failures(row: Row) -> Iterator[str]:
    """List why the proof does not hold, without the survivors."""
    yield from (f"FALSE ALARM: {sentence}" for sentence in row["alarms"])
    yield from (f"OTHER ARTIFACT: {sentence}" for sentence in row.get("misdirected", ()))
    yield from (f"NOT PLANTED: {error}" for error in row["errors"])
    if row["unproven"]:
        listed = ", ".join(row["unproven"])
        yield f"NO TIME LEFT for {listed}; what to do: a larger --prove-budget"


def remarks(row: Row) -> Iterator[str]:
    """List what a reader should know although the proof may hold."""
    for untried in row.get("not_tried") or ():
        yield f"not tried (left out by {selection(row)}): {untried['sentence']}"
    if row["idle"]:
        yield f"noticed none of the planted faults: {', '.join(row['idle'])}"
    if row["noise"]:
        yield row["noise"]


def kill_matrix(row: Row) -> tuple[list[str], list[list[str]]]:
    """Return the kill matrix's head and a row for each planted fault; cells are grades."""
    planted = [fault for fault in row["faults"] if fault["played"]]
    noticing = {check for fault in planted for check in fault["noticed_by"]}
    checks = [check for check in row["checks"] if check in noticing]
    return ["fault", "must be noticed", *checks], [_matrix_row(fault, checks) for fault in planted]


def _matrix_row(fault: Row, checks: Sequence[str]) -> list[str]:
    grades = fault["noticed_by"]
    cells = [
        (f"{grades[check]:g}" if fault["unit"] else "x") if check in grades else ""
        for check in checks
    ]
    return [fault["name"], grade(fault, fault["must"]), *cells]
