"""Format a report's rows as short texts and table cells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from litegate.core.escaping import LISTED, plain
from litegate.core.units import Unit, difference_text, text
from litegate.measures.names import COUNTEREXAMPLES, Name, is_plural
from litegate.measures.verdict_text import margin_text
from litegate.report.outcomes import OUTCOMES, PROOF, Report, Row, outcome_of, without_verdict

_SHORT_HASH = 12
"""Characters of a commit's hash: git's own seven become ambiguous in large repositories."""
_MOST_METRICS = 2
"""Metrics that a column head names; more would make the column wider than its cells."""
_OPTIONAL_FIGURES = {"compressed_bytes": Unit.BYTES, "arena": Unit.BYTES, "latency": Unit.SECONDS}
"""Figures of a recipe that older reports lack."""


_LONGEST_HEADLINE = 110
"""Characters of a headline, as wide as a log in a browser; a longer one omits the margin."""


def headline(row: Row) -> str:
    """Return the first line about a verdict or an error, with subject, value and limit.

    Like all lines of `details` and `step_lines`, it has no line break or control character.

    "digits_cnn/int8_qat  accuracy 97.78 %  (limit: >= 99.00 %, short by 1.22 points)"
    """
    subject = subject_of(row) or row["check"]
    if "message" in row:
        return first_line(row, subject)
    start = plain(f"{subject}  {_statement(row)}  (limit: ")
    line = f"{start}{limit_and_margin(row)})"
    return line if len(line) <= _LONGEST_HEADLINE else f"{start}{_limit(row)})"


def limit_and_margin(row: Row) -> str:
    """Return the limit of a verdict and how far it is broken: "<= 3 B, over by 1 B".

    The margin to a limit of 0 is the value again, and left out.
    """
    return f"{_limit(row)}, {_margin(row)}" if row["limit"] else _limit(row)


def _limit(row: Row) -> str:
    return f"{row['relation']} {text(row['limit'], Unit(row['unit']))}"


def first_line(row: Row, subject: str) -> str:
    """Return the first line of an error's message, after its subject if there is one."""
    return plain("  ".join(filter(None, (subject, str(row["message"]).partition("\n")[0]))))


def _statement(row: Row) -> str:
    """Return measurement and value: "accuracy 97.78 %", "leaked samples: 2"."""
    name, value = row["measurement"], text(row["value"], Unit(row["unit"]))
    return f"{name}: {value}" if is_plural(name) else f"{name} {value}"


def _margin(row: Row) -> str:
    if outcome_of(row) == "inconclusive":
        return "not proven"
    return margin_text(row["margin"], row["relation"], Unit(row["unit"]))


def details(row: Row) -> list[str]:
    """Return the lines below the headline: note, interval, evidence and offenders of a verdict.

    Of an error, the other lines of its message.
    """
    if "message" in row:
        return [plain(line.strip()) for line in str(row["message"]).split("\n")[1:]]
    offenders = [f"- {offender}" for offender in row["offenders"]]
    if len(offenders) > LISTED:
        offenders[LISTED:] = [f"- and {len(offenders) - LISTED} more"]
    notes = [row["note"]] if row["note"] else []
    return [*map(plain, (*notes, *_interval(row), *row["evidence"], *offenders))]


def _interval(row: Row) -> list[str]:
    interval = row["interval"]
    if not interval:
        return []
    low, high = (text(interval[end], Unit(row["unit"])) for end in ("low", "high"))
    return [f"{interval['level'] * 100:g} % interval {low} to {high} ({interval['method']})"]


def step_lines(row: Row) -> list[str]:
    """Return what to do about a row: "Reproduce: ...", "Change: ...", "Intended: ..."."""
    steps = row.get("steps") or {}
    names = ("reproduce", "change", "intended")
    return [
        plain(f"{name.capitalize() + ':':<10} {steps[name]}") for name in names if steps.get(name)
    ]


QUOTED = re.compile("'([^']*)'")
_LONGEST_NAME = 40
"""Characters of a quoted name in a line of evidence: a converter's path takes two lines."""


def short_name(name: str) -> str:
    """Return the last two parts of a tensor's name: a converter's names are long paths."""
    return "/".join(name.partition(";")[0].split("/")[-2:])


def short_fact(line: str) -> str:
    """Shorten long paths of tensors in a line of evidence to their last two parts."""
    return QUOTED.sub(
        lambda match: f"'…/{short_name(match[1])}'" if len(match[1]) > _LONGEST_NAME else match[0],
        line,
    )


def error_text(row: Row) -> str:
    """Return an error in one line: the check without a verdict, or the failed proof."""
    message = str(row["message"])
    return message if row["id"] == PROOF else f"{row['id']} came to no verdict: {message}"


def judged_commit(report: Report) -> list[str]:
    """Return the judged commit's short hash and its subject; empty outside of git.

    A plus after the hash means that files differed from the commit's.
    """
    head = report.get("head")
    if not isinstance(head, Mapping):
        return []
    changed = "+" if head["changed"] else ""
    return [f"{head['commit'][:_SHORT_HASH]}{changed}", head["subject"]]


def compared_with(report: Report) -> list[str]:
    """Return the base's short hash, ref and note, as far as there are any."""
    base = report.get("base")
    if not isinstance(base, Mapping):
        return []
    commit, ref, note = (str(base.get(key) or "") for key in ("commit", "ref", "note"))
    # GitHub's event names the base by its hash, which says nothing besides the commit.
    named = "" if commit and ref.endswith(commit) else ref
    return [part for part in (commit[:_SHORT_HASH], named, note) if part]


def counts(report: Report) -> str:
    """Count models, verdicts by outcome, and errors: "2 models: 1 fail, 7 pass"."""
    models = len({row["model"] for row in report["verdicts"] if row["model"]})
    outcomes = [outcome_of(row) for row in report["verdicts"]]
    phrases = [
        f"{outcomes.count(outcome)} {outcome}" for outcome in OUTCOMES if outcome in outcomes
    ]
    errors, undecided = report["errors"], without_verdict(report["errors"])
    phrases += [f"{len(undecided)} without a verdict"] if undecided else []
    phrases += [not_proven(report.get("proofs") or ())] if len(errors) > len(undecided) else []
    not_gated = {row["model"] for row in report["not_gated"]}
    noun = "model" if len(not_gated) == 1 else "models"
    phrases += [f"{len(not_gated)} {noun} not gated"] if not_gated and phrases else []
    unlimited = report.get("unlimited") or ()
    recipes = f"{len(unlimited)} recipe{'' if len(unlimited) == 1 else 's'}"
    phrases += [f"nothing of {recipes} is limited"] if unlimited and phrases else []
    listed = ", ".join(phrases) or "nothing was gated, which is not a pass"
    if phrases and not models:
        return f"no model was judged: {listed}"
    return f"{models} model{'' if models == 1 else 's'}: {listed}"


def not_proven(proofs: Sequence[Row]) -> str:
    """Count what makes proofs fail: "the gate is NOT proven: 1 survivor"."""
    nouns = (
        ("survivors", "survivor", "survivors"),
        ("alarms", "false alarm", "false alarms"),
        ("misdirected", "check of another artifact", "checks of other artifacts"),
        ("errors", "fault that could not be planted", "faults that could not be planted"),
        ("unproven", "fault without enough time", "faults without enough time"),
    )
    totals = [
        (sum(len(row.get(key, ())) for row in proofs), singular, plural)
        for key, singular, plural in nouns
    ]
    listed = ", ".join(
        f"{total} {singular if total == 1 else plural}"
        for total, singular, plural in totals
        if total
    )
    return ": ".join(filter(None, ("the gate is NOT proven", listed)))


def subject_of(row: Row) -> str:
    """Return the row's subject: "mnist_cnn/int8_qat"."""
    return f"{row['model']}/{row['recipe']}" if row["recipe"] else row["model"]


def figures(row: Row) -> tuple[str, str, str, str]:
    """Return a verdict's value, limit, margin and evidence as cells of a table."""
    unit = Unit(row["unit"])
    is_excused = _is_excused(row)
    margin = "excused" if is_excused else difference_text(row["margin"], unit, signed=True)
    return text(row["value"], unit), _limit(row), margin, evidence(row)


def evidence(row: Row) -> str:
    """Return the sample count and the interval; "exact" if nothing was sampled.

    A pass whose interval reaches beyond the limit was proven by a one-sided limit, and says so. A
    pass beyond its limit is excused by its note.
    """
    if _is_exact(row):
        return "exact"
    unit = Unit(row["unit"])
    parts = [f"n = {row['n']:,}"] if row["n"] else []
    if row["interval"]:
        low, high = (text(row["interval"][end], unit) for end in ("low", "high"))
        parts.append(f"{low} to {high}")
        parts += ["proven one-sided"] if _is_proven_one_sided(row) else []
    parts += [f"excused: {row['note']}"] if _is_excused(row) else []
    return ", ".join(parts)


def _is_excused(row: Row) -> bool:
    return bool(row["verdict"] == "pass" and row["margin"] < 0)


_COUNTED_SHARES = (Name.SPARSITY, Name.NPU_SHARE)
"""Measurements in per cent of what a file contains."""


def _is_exact(row: Row) -> bool:
    """Return True for a number that was read from files rather than sampled."""
    if row["interval"]:
        return False
    is_counted = row["unit"] in (Unit.COUNT, Unit.BYTES) or row["measurement"] in _COUNTED_SHARES
    return not row["n"] or (is_counted and row["measurement"] not in COUNTEREXAMPLES)


def _is_proven_one_sided(row: Row) -> bool:
    low, high = row["interval"]["low"], row["interval"]["high"]
    is_beyond = high > row["limit"] if row["relation"] == "<=" else low < row["limit"]
    return bool(row["verdict"] == "pass" and row["margin"] >= 0 and is_beyond)


def recipe_head(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the column heads of a table of recipes: name, role, then `recipe_figures`."""
    names = ["top-1"] if any(row["accuracy"] is not None for row in rows) else []
    metrics = list(dict.fromkeys(name for row in rows for name in row.get("metrics") or {}))
    names += metrics if len(metrics) <= _MOST_METRICS else ["metrics"]
    return (
        *("recipe", "", ", ".join(names) or "quality", "vs. reference", "vs. float32"),
        *("bytes", "ratio", "compressed", "arena", "interleaved time"),
    )


def recipe_figures(row: Row) -> tuple[str, ...]:
    """Return quality, both drops, bytes, ratio, compressed bytes, arena and latency as cells."""
    drops = (row["drop"], row["drop_from_baseline"])
    return (
        _quality(row),
        *("" if drop is None else text(-drop, Unit.POINTS, signed=True) for drop in drops),
        text(row["bytes"], Unit.BYTES),
        _cell(row["size_ratio"], Unit.RATIO),
        *(_cell(row.get(name), unit) for name, unit in _OPTIONAL_FIGURES.items()),
    )


def _quality(row: Row) -> str:
    """Return top-1 accuracy, if there is one, and each metric: "97.06 %, f1 0.8800"."""
    parts = [] if row["accuracy"] is None else [text(row["accuracy"], Unit.PERCENT)]
    for name, metric in (row.get("metrics") or {}).items():
        parts.append(f"{name} {text(metric['value'], Unit(metric['unit']))}")
    return ", ".join(parts)


def _cell(value: float | None, unit: Unit) -> str:
    return "" if value is None else text(value, unit)
