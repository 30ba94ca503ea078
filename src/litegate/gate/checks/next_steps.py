"""Tell what to do about a verdict or an error: reproduce it, change a line, or accept it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from litegate.core.errors import LitegateError
from litegate.gate.checks.pytest_items import METRIC, case_of, fixtures_of
from litegate.gate.checks.reproduce import check_command, prove_flags, run_command
from litegate.gate.checks.suppressed_checks import CANDIDATE
from litegate.gate.checks.verdict_context import NETWORK_MISSES
from litegate.gate.repair import KINDS
from litegate.measures.names import RULES, Name
from litegate.measures.shipped import export_command, is_compiled_file
from litegate.measures.structure.prebuilt_arguments import arguments, fitting_recipe
from litegate.report.outcomes import PROOF, Row
from litegate.report.run_record import Steps
from litegate.spec import Kind
from litegate.spec.budget import ANSWER_LIMITS
from litegate.spec.cases import Case, limits_used
from litegate.spec.limit_lines import limit_line
from litegate.spec.metric import Metric
from litegate.spec.recipe import BASELINE

if TYPE_CHECKING:
    from litegate.gate.state import Gate

_TYPE_RULES = frozenset({Name.TENSOR_VIOLATIONS, Name.OPERATOR_VIOLATIONS, Name.OUTPUT_RANGE})
"""Measurements that count a file's types which differ from the declared ones."""
_FIELDS: Mapping[str, tuple[str, str]] = {
    Name.UNSUPPORTED_OPERATORS: ("budget", "target"),
    Name.INTERFACE_CHANGES: ("regression", "interface"),
}
"""Owner and name of the field that a check with a fixed limit depends on."""


def verdict_steps(gate: Gate, item: pytest.Item, row: Row) -> Steps:
    """Return the steps of a check's verdict that did not pass."""
    return {
        "reproduce": check_command(gate, item),
        "change": _change(gate, item, row),
        "intended": _intended(gate, item, row),
    }


def error_steps(gate: Gate, item: pytest.Item, error: BaseException | None) -> Steps:
    """Return the steps of a check without a verdict.

    litegate's own errors say themselves what to do.
    """
    place = None if isinstance(error, LitegateError) else _place_of_check(gate, item)
    return {"reproduce": check_command(gate, item), "change": place, "intended": None}


def run_steps(gate: Gate, row: Row) -> Steps:
    """Return the steps of an error of the run as a whole, or of a failed proof."""
    flags: tuple[str, ...] = ()
    if row["id"] == PROOF:
        flags = ("--prove", f"--litegate-model={row['model']}", *prove_flags(gate))
    return {"reproduce": run_command(gate, *flags), "change": None, "intended": None}


def _change(gate: Gate, item: pytest.Item, row: Row) -> str:
    """Return the line that sets the broken limit, or the model's, and what to change there."""
    case = case_of(item)
    if row["measurement"] == Name.WEAKENED_LIMITS:
        return f"restore what is listed{f' ({_place(row)})' if case else ''}"
    if case is None:
        return _place(row)
    if field := _field(item, case, row):
        # The next run would fail by a check that no step here has named.
        judged = _JUDGED if gate.base is not None and not _is_compared(item) else ""
        return _change_of_field(item, case, row, *field) + judged
    if row["measurement"] in RULES:
        return _change_of_file(item, case, row) or _change_of_rule(case, row, gate.config.rootpath)
    place = _subject(case) if _is_ready_made(case) else _place(row)
    return f"{place}, or the limit in {_place_of_check(gate, item)}"


_JUDGED = "; a looser limit is judged too (weakened limits)"


def _change_of_field(item: pytest.Item, case: Case, row: Row, owner: str, name: str) -> str:
    line = limit_line(case.model, case.recipe, owner, name)
    value = _declaration(case, row) if row["measurement"] == Name.INTERFACE_CHANGES else "..."
    limit = f"{owner.capitalize() if owner in _OWNERS else owner}({name}={value})"
    if line is None and owner == "regression":
        limit = f"Budget(regression={limit})"
    network_misses = item.stash.get(NETWORK_MISSES, False)
    is_trained = network_misses or row["measurement"] == Name.ACCURACY_REGRESSION
    may_help = row["verdict"] == "fail" and not network_misses
    repair = _repair(case, owner, name) if may_help else ""
    if line is None and _is_ready_made(case):
        return f"{_subject(case)}, or set {limit} in {_place(row)}"
    if line is None:
        return f"{repair}{_place(row)}, or its limit {limit}"
    declared = f"{row['file']}:{line} {limit}"
    # A file that the project brings is the likelier cause than a limit that it has kept so far.
    places = (_subject(case), declared) if _is_ready_made(case) else (declared, _subject(case))
    training = " and its training" if is_trained and not case.model.prebuilt else ""
    return repair + ", or ".join(places) + training


def _repair(case: Case, owner: str, name: str) -> str:
    """Return the command that looks for layers to leave out, with ", or "; empty if none may help.

    They may help a recipe to keep a limit of its answers, or one of a metric.
    """
    recipe = case.recipe
    is_of_budget = owner == "budget" and name in ANSWER_LIMITS
    is_of_metric = owner not in _OWNERS and name != "regression"
    if recipe is None or not (is_of_budget or is_of_metric) or _is_ready_made(case):
        return ""
    if recipe.kind not in KINDS or recipe.strip or recipe.annotate:
        return ""
    return f"{shlex.join(['litegate', 'repair', case.model.name, recipe.name])}, or "


def _declaration(case: Case, row: Row) -> str:
    """Return the tuple that declares the changes of an interface, and those already declared."""
    return repr((*case.regression.interface, *row["offenders"]))


def _change_of_file(item: pytest.Item, case: Case, row: Row) -> str:
    """Return the arguments of `prebuilt` that fit a ready-made file; empty if none do."""
    candidate = item.stash.get(CANDIDATE, None)
    if not _is_ready_made(case) or candidate is None or row["measurement"] not in _TYPE_RULES:
        return ""
    fitting = fitting_recipe(candidate.tflite, candidate.recipe)
    if fitting is None:
        return ""
    if fitting.kind is Kind.FLOAT32:
        return f"{_place(row)} candidate=...: a float32 file, as reference=... must be"
    changed = arguments(fitting, candidate.recipe)
    return f"{_place(row)} {changed}, as the file has, or {_subject(case)}" if changed else ""


def _change_of_rule(case: Case, row: Row, project: Path) -> str:
    if row["measurement"] != Name.SHIPPED_DIFFERENCES or case.recipe is None:
        recipe = "" if _is_ready_made(case) else " or its recipe"
        return f"{_place(row)}, {_subject(case)}{recipe}{_strip_hint(case, row)}"
    shown = str(case.shipped)
    compiled = is_compiled_file(project / shown)
    command = export_command(case.model.name, case.recipe.name, shown, compiled=compiled)
    return f"write the file again: {command}"


def _strip_hint(case: Case, row: Row) -> str:
    """Say how to remove the bytes that outweigh what int8 saves in a small network."""
    if row["measurement"] != Name.SIZE_SAVING or case.recipe is None or case.recipe.strip:
        return ""
    if _is_ready_made(case):
        return ", such as by `litegate strip FILE --to FILE`"
    return ", such as by strip=True"


def _place(row: Row) -> str:
    return f"{row['file']}:{row['line']}"


def _is_ready_made(case: Case) -> bool:
    """Return True if the candidate is a ready-made file, not one that a recipe makes."""
    return bool(case.model.prebuilt) and (
        case.recipe is None or case.recipe.name in case.model.prebuilt
    )


def _subject(case: Case) -> str:
    """Return the path or the address of a ready-made file that is judged or quantized.

    Without one it is "the network".
    """
    files = case.model.prebuilt
    file = files.get(case.recipe.name, files.get(BASELINE)) if case.recipe else None
    return str(file or "the network")


_OWNERS = ("budget", "regression")


def _field(item: pytest.Item, case: Case, row: Row) -> tuple[str, str] | None:
    """Return the owner and the name of the field with the limit of a verdict; None if unknown."""
    if fixed := _FIELDS.get(row["measurement"]):
        return fixed
    used = sorted(limits_used(item.function)) if isinstance(item, pytest.Function) else []
    equal = [name for name in used if _is_limit(_value(item, case, name), row)]
    names = equal or used
    if len(names) != 1:
        return None
    owner, _, field = names[0].rpartition(".")
    return (_metric_name(item) if owner == "metric" else owner or "budget"), field


def _value(item: pytest.Item, case: Case, name: str) -> Any:
    """Return the value of a limit, one of `LIMITS`, for an item."""
    owner, _, field = name.rpartition(".")
    if owner == "metric":
        return getattr(case.budget.metric(_metric_name(item)), field)
    return case.limit(name)


def _metric_name(item: pytest.Item) -> str:
    metric = item.callspec.params[METRIC] if isinstance(item, pytest.Function) else None
    return metric.name if isinstance(metric, Metric) else ""


def _is_limit(limit: Any, row: Row) -> bool:
    unit = getattr(limit, "unit", row["unit"])
    return bool(limit is not None and unit == row["unit"]) and (
        float(getattr(limit, "value", limit)) == row["limit"]
    )


def _place_of_check(gate: Gate, item: pytest.Item) -> str:
    """Return the file and line of a check: "checks/test_size.py:12"."""
    root = gate.config.rootpath
    file = item.path.relative_to(root) if item.path.is_relative_to(root) else item.path
    return f"{file.as_posix()}:{(item.location[1] or 0) + 1}"


def _is_compared(item: pytest.Item) -> bool:
    """Return True if a check compares with another commit."""
    return not {"base", "anchor", "weakened_limits"}.isdisjoint(fixtures_of(item))


def _intended(gate: Gate, item: pytest.Item, row: Row) -> str | None:
    """Return the command that accepts a verdict against another commit; None for all others.

    A budget is the application's own limit: whoever needs more of it changes the line.
    """
    refused = ("fail", "inconclusive") if gate.options.strict else ("fail",)
    if row["waived"] or row["verdict"] not in refused or not _is_compared(item):
        return None
    report = gate.config.getoption("litegate_report")
    words = ["litegate", "accept", row["id"], *([f"--report={report}"] if report else [])]
    return f'{shlex.join(words)} --reason "..."'
