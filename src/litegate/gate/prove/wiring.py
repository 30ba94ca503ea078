"""Faults of the gate's own wiring, which no scene can show: an empty check, a missing report."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from litegate.gate.prove.replay import play_emptied
from litegate.mutation.faults import ONCE, Expect, Family, Fault, Scene
from litegate.mutation.grades import Climb
from litegate.mutation.result import Result, Said
from litegate.report.merge import merge
from litegate.report.view import is_good

MERGE = "litegate merge"


def wiring(scene: Scene, items: Mapping[str, pytest.Item]) -> list[Climb]:
    """Plant each of them once, and take down who noticed."""
    emptied = {id_: play_emptied(item, scene) for id_, item in list(items.items())[:1]}
    return [
        _planted("check_requires_nothing", "A check asks for require and never calls it.", emptied),
        _planted("report_missing", "A leg of the matrix leaves no report.", _merged(scene)),
    ]


def _merged(scene: Scene) -> Mapping[str, Result]:
    """What the merge says where the only leg is missing."""
    report = merge({}, [scene.model.name])
    messages = [str(row["message"]) for row in report["errors"]]
    said = Said.PASS if is_good(report) else Said.ERROR
    return {MERGE: Result(said=said, sentence="; ".join(messages))}


def _planted(name: str, summary: str, results: Mapping[str, Result]) -> Climb:
    fault = Fault(
        name=name,
        family=Family.PLUMBING,
        summary=summary,
        plant=_unchanged,
        ladder=ONCE,
        noticed_by=(),
        expect=Expect.FAIL,
    )
    return Climb(fault=fault, results={ONCE.top: results})


def _unchanged(scene: Scene, _grade: float) -> Scene:
    """The artifacts are sound: the fault lies in the wiring."""
    return scene
