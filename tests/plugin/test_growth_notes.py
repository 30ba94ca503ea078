"""Growth against the base is a note where an absolute budget of the model holds, and only there."""

import json
import shutil

import pytest
from test_regression import CHECKS, GOOD

from litegate.mutation.faults.latency_edits import repeat
from litegate.report.row_text import evidence
from litegate.spec import Kind
from litegate.testing import pad, tiny
from litegate.tflite.editing.draft import Draft, edit

BUDGETS = {
    "proven": "latency=lg.ms(50), regression=lg.Regression(size=None), size=lg.kib(900)",
    "broken": "latency=lg.us(0.001), size=lg.kib(900)",
    "unset": "size=lg.kib(900)",
    "alone": "latency=lg.ms(50), size=lg.kib(900)",
    "floored": "size=lg.kib(900), regression=lg.Regression(latency_floor=lg.ms(50))",
}


@pytest.fixture
def grown(project, short_recordings):
    """Five models whose files became nine times slower, and larger."""
    for name in ("test_regression.py", "test_latency.py", "test_weakened_limits.py"):
        shutil.copy(CHECKS / name, project.path / "checks")
    for name, budget in BUDGETS.items():
        project.model(budget, name=name)
    project.as_base()
    slow = edit(pad(GOOD, 44), lambda model: repeat(Draft(model), 8))
    for name, budget in BUDGETS.items():
        files = {"float32": tiny(Kind.FLOAT32), "int8_qat": slow}
        project.model(budget, name=name, files=files, network="another")
    only = ("-k", "(stays_within_budget and not alone) or not_grow")
    project.run("checks/", "--against", "main", "--benchmark-enable", *only)
    return json.loads((project.path / ".litegate" / "report" / "report.json").read_text("utf-8"))


def test_growth_is_a_note_beside_a_budget_that_is_kept(grown):
    report = grown
    rows = {(row["model"], row["measurement"]): row for row in report["verdicts"]}
    latency = {name: rows[name, "latency growth"]["verdict"] for name in BUDGETS}
    assert latency == dict.fromkeys(BUDGETS, "fail") | {"proven": "pass", "floored": "pass"}
    size = {name: rows.get((name, "size growth"), {}).get("verdict") for name in BUDGETS}
    assert size == dict.fromkeys(BUDGETS, "fail") | {"proven": None}
    floored = [note for note in report["notes"] if "that latency_floor allows" in note]
    assert [note.startswith("latency growth of floored/int8_qat is") for note in floored] == [True]
    excused = {name for name in BUDGETS if "excused" in evidence(rows[name, "latency growth"])}
    assert excused == {"proven", "floored"}
    unset, alone = (rows[name, "latency growth"]["evidence"] for name in ("unset", "alone"))
    assert any(" %, the 1.0 us that latency_floor allows" in fact for fact in unset)
    unjudged = "Budget(latency=50.00 ms) was not judged in this run; if it passes in the same run, "
    assert f"{unjudged}this growth is a note" in alone
    assert "not judged in this run" not in " ".join(rows["broken", "latency growth"]["evidence"])
    notes = [note for note in report["notes"] if "a note" in note]
    assert any("proven to be within Budget(latency=50.00 ms)" in note for note in notes)
    assert any(note.startswith("proven/int8_qat: the file grew by") for note in notes)
    assert all("proven/" in note for note in notes)
