"""Run a check again, on a scene in place of what the run has accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from litegate.core.units import Unit
from litegate.gate import verdicts
from litegate.gate.items import case_of, fixtures_of, is_latency
from litegate.gate.state import SCENE
from litegate.measures.measurement import Relation
from litegate.mutation.faults import Scene
from litegate.mutation.result import Check, Finding, Result, Said

_ORDER = (Said.OMITTED, Said.PASS, Said.INCONCLUSIVE, Said.FAIL, Said.ERROR, Said.CRASH)


def check_of(item: pytest.Item) -> Check:
    """An item as the prover sees it."""
    return Check(
        id=item.nodeid,
        name=_name(item),
        is_latency=is_latency(item),
        refers="reference" in fixtures_of(item),
        compares=bool({"base", "anchor"}.intersection(fixtures_of(item))),
    )


def _name(item: pytest.Item) -> str:
    """The name of an item's function, with its parameters other than the case."""
    case = case_of(item)
    name, _, parameters = item.name.rstrip("]").partition("[")
    others = parameters.replace(case.id, "").strip("-") if case else parameters
    return f"{name}[{others}]" if others else name


def play(items: Mapping[str, pytest.Item], scene: Scene, ids: Sequence[str]) -> dict[str, Result]:
    """Run the items of these ids on a scene, one after the other."""
    chosen = [items[id_] for id_ in ids]
    following = [*chosen, None][1:]
    return {
        item.nodeid: _result(_run(item, after, scene))
        for item, after in zip(chosen, following, strict=True)
    }


def play_emptied(item: pytest.Item, scene: Scene) -> Result:
    """Run an item as if its function had no body."""
    if not isinstance(item, pytest.Function):
        return _result(_run(item, None, scene))
    whole = item.obj
    item.obj = _nothing
    try:
        return _result(_run(item, None, scene))
    finally:
        item.obj = whole


def _nothing(**_fixtures: object) -> None:
    """Take what a check takes, and require nothing."""


def _run(item: pytest.Item, after: pytest.Item | None, scene: Scene) -> list[pytest.TestReport]:
    """Set up, call and tear down, with fixtures made anew; nothing is logged."""
    verdicts.forget(item)
    if isinstance(item, pytest.Function):
        item._initrequest()  # noqa: SLF001 what every plugin that runs an item again does
    item.config.stash[SCENE] = scene
    try:
        return runtestprotocol(item, log=False, nextitem=after)
    finally:
        item.config.stash[SCENE] = None


def _result(reports: Sequence[pytest.TestReport]) -> Result:
    measured: dict[str, Said] = {}
    findings: dict[str, Finding] = {}
    sentences: list[str] = []
    worst = Said.PASS
    for report in reports:
        rows: dict[str, Any] = getattr(report, "litegate", {})
        for row in rows.get("verdicts", ()):
            said = Said.PASS if row["waived"] else Said(row["verdict"])
            measured[row["measurement"]] = _worse(measured.get(row["measurement"]), said)
            findings.setdefault(row["measurement"], _finding(row))
            sentences += [row["sentence"]] if said is Said.FAIL else []
        sentences += [str(row["message"]) for row in rows.get("errors", ())]
        worst = _worse(worst, _said(report, rows))
    worst = max([worst, *measured.values()], key=_ORDER.index)
    told = " ".join(sentences[:1])
    return Result(said=worst, measured=measured, findings=findings, sentence=told)


def _finding(row: Mapping[str, Any]) -> Finding:
    between = row["interval"]
    return Finding(
        value=row["value"],
        relation=Relation(row["relation"]),
        limit=row["limit"],
        unit=Unit(row["unit"]),
        n=row["n"],
        interval=between and (between["low"], between["high"]),
    )


def _worse(one: Said | None, other: Said) -> Said:
    return other if one is None else max(one, other, key=_ORDER.index)


def _said(report: pytest.TestReport, rows: Mapping[str, Any]) -> Said:
    if report.outcome == "skipped":
        return Said.OMITTED
    if report.outcome == "passed":
        return Said.PASS
    if rows.get("crashed"):
        return Said.CRASH
    return Said.ERROR if rows.get("errors") else Said.FAIL
