"""Legs' reports become one verdict; a leg that does not report is an error."""

import json
from importlib.resources import files

import jsonschema
import pytest
from made_reports import error, recipe, report, verdict

from litegate.core.errors import ConfigError
from litegate.report.badge import badge
from litegate.report.json_report import read
from litegate.report.merge import failure, merge
from litegate.report.outcomes import is_good
from litegate.report.row_text import counts
from litegate.report.schema import check

SCHEMA = json.loads((files("litegate.report") / "report.schema.json").read_text("utf-8"))
GOOD = {"leg-0": report(verdict(model="a")), "leg-1": report(verdict(model="b"))}


def _messages(merged):
    return [row["message"] for row in merged["errors"]]


def test_good_legs_are_a_good_whole():
    """All rows of all legs, one word, exit status 0, the same schema."""
    merged = merge(GOOD, ["a", "b"])
    assert (merged["verdict"], merged["exit_status"]) == ("pass", 0)
    assert [row["model"] for row in merged["verdicts"]] == ["a", "b"]
    jsonschema.validate(merged, SCHEMA)


@pytest.mark.parametrize(
    ("leg", "word"),
    [
        (report(verdict("fail", model="b")), "fail"),
        (report(errors=[error(model="b")]), "error"),
        (report(verdict("inconclusive", model="b"), strict=True), "inconclusive"),
    ],
)
def test_one_bad_leg_fails_the_whole(leg, word):
    """By its own word."""
    merged = merge(GOOD | {"leg-1": leg}, ["a", "b"])
    assert (merged["verdict"], merged["exit_status"]) == (word, 1)
    assert not is_good(merged)


def test_an_unproven_leg_passes_unless_strict():
    """As in a run of one leg."""
    merged = merge(GOOD | {"leg-1": report(verdict("inconclusive", model="b"))}, ["a", "b"])
    assert (merged["verdict"], merged["exit_status"]) == ("inconclusive", 0)


@pytest.mark.parametrize(
    ("reports", "expected", "said"),
    [
        ({"leg-0": GOOD["leg-0"]}, ["a", "b"], "no leg reported b"),
        (GOOD | {"leg-1": report(verdict(model="b"), exit_status=2)}, ["a", "b"], "interrupted"),
        (GOOD | {"leg-1": report(verdict(model="b"), exit_status=-9)}, ["a", "b"], "interrupted"),
        (GOOD | {"leg-1": report()}, ["a"], "leg leg-1 gated nothing"),
        (GOOD | {"leg-1": report(not_gated={"b": "no data"})}, ["a"], "gated nothing"),
        (GOOD | {"leg-1": report(verdict(model="b"), exit_status=1)}, ["a", "b"], "not explain"),
        (
            GOOD | {"leg-1": report(verdict("fail", model="b"), exit_status=0)},
            ["a", "b"],
            "not explain",
        ),
        (GOOD, [], "no model was expected"),
        ({}, ["a"], "no leg reported a"),
        ({}, [], "no model was expected"),
    ],
)
def test_what_did_not_report_fails_the_whole(reports, expected, said):
    """Absence is an error that says whose."""
    merged = merge(reports, expected)
    assert merged["exit_status"] == 1
    assert any(said in message for message in _messages(merged))
    jsonschema.validate(merged, SCHEMA)


def test_a_damaged_report_fails_the_whole():
    """Even where its model was reported by another leg."""
    merged = merge(GOOD, ["a", "b"], {"leg-2": "no JSON"})
    assert merged["exit_status"] == 1
    assert _messages(merged) == ["leg leg-2: no JSON"]


def test_legs_with_different_bases_fail_the_whole():
    """They do not speak of one change; the same base is carried over."""
    legs = {n: leg | {"base": {"commit": n, "ref": "r"}} for n, leg in GOOD.items()}
    assert any("different bases" in one for one in _messages(merge(legs, ["a", "b"])))
    same = {n: leg | {"base": {"commit": "c", "ref": "r"}} for n, leg in GOOD.items()}
    merged = merge(same, ["a", "b"])
    assert merged["base"] == {"commit": "c", "ref": "r"}
    assert merged["exit_status"] == 0


def test_legs_of_different_commits_fail_the_whole():
    """A leg that was not run again judged the change as it was before."""
    heads = {n: {"commit": n, "subject": "s", "changed": False} for n in GOOD}
    legs = {n: leg | {"head": heads[n]} for n, leg in GOOD.items()}
    assert any(
        "judged different commits: leg-0, leg-1" in one
        for one in _messages(merge(legs, ["a", "b"]))
    )
    same = {n: leg | {"head": heads["leg-0"]} for n, leg in GOOD.items()}
    assert not _messages(merge(same, ["a", "b"]))


def test_waivers_are_carried_over_once():
    """Each leg prints all of them."""
    waiver = {"model": "a", "reason": "r"}
    merged = merge({n: leg | {"waivers": [waiver]} for n, leg in GOOD.items()}, ["a", "b"])
    assert merged["waivers"] == [waiver]


def test_a_row_that_two_legs_have_counts_once():
    """Such as a verdict on the whole change."""
    loosened = verdict("fail", model="", recipe="")
    legs = {"x": report(verdict(model="a"), loosened), "y": report(verdict(model="b"), loosened)}
    assert [row["model"] for row in merge(legs, ["a", "b"])["verdicts"]] == ["a", "", "b"]


def test_recipes_without_a_limit_are_those_of_every_leg():
    legs = {name: report(verdict(model=name)) | {"unlimited": [f"{name}/r"]} for name in "ab"}
    merged = merge(legs, ["a", "b"])
    assert merged["unlimited"] == ["a/r", "b/r"]
    assert counts(merged) == "2 models: 2 pass, nothing of 2 recipes is limited"


def test_different_environments_are_noted():
    """Which part, which value, which legs."""
    other = report(verdict(model="b"), environment={"processor": "q"})
    notes = merge(GOOD | {"leg-1": other}, ["a", "b"])["notes"]
    assert notes == ['the legs differ in their processor: "p" (leg-0); "q" (leg-1)']


def test_a_model_that_nobody_expected_is_noted_and_judged():
    """It may not pass unseen, and it may not fail unseen."""
    merged = merge(GOOD | {"leg-2": report(verdict("fail", model="c"))}, ["a", "b"])
    assert merged["verdict"] == "fail"
    assert "c was reported by a leg but not expected" in merged["notes"]


PARTLY = "proven for a selection"


@pytest.mark.parametrize(
    ("made", "message", "color"),
    [
        (report(verdict()), "pass", "brightgreen"),
        (report(verdict()) | {"proofs": [{"selection": ""}]}, "pass", "brightgreen"),
        (report(verdict()) | {"proofs": [{"selection": "-k a"}]}, PARTLY, "yellow"),
        (report(verdict()) | {"proofs": [{"families": ["size"]}]}, PARTLY, "yellow"),
        (report(verdict("inconclusive")), "inconclusive", "yellow"),
        (report(verdict("inconclusive"), strict=True), "inconclusive", "red"),
        (report(verdict("fail")), "fail", "red"),
        (report(), "nothing gated", "red"),
        (report(verdict(), errors=[error(id="--prove")]), "gate not proven", "red"),
        (report(verdict(), errors=[error(id="--prove"), error()]), "error", "red"),
        (report(verdict(), exit_status=2), "error", "red"),
        (failure("no report"), "error", "red"),
    ],
)
def test_a_badge_is_green_for_nothing_but_a_pass(made, message, color):
    """In the words of shields' endpoint."""
    assert badge(made) == {
        "schemaVersion": 1,
        "label": "model gate",
        "message": message,
        "color": color,
    }


def test_what_a_run_writes_can_be_read(tmp_path):
    """Every kind of row."""
    made = report(
        verdict(), verdict("fail"), errors=[error()], recipes=[recipe()], not_gated={"n": "why"}
    )
    (tmp_path / "report.json").write_text(json.dumps(made))
    assert read(tmp_path / "report.json") == made


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda r: r.pop("verdicts"), "verdicts"),
        (lambda r: r.update(schema_version=1), "schema_version"),
        (lambda r: r.update(verdict="good"), "verdict"),
        (lambda r: r["verdicts"].append("text"), r"verdicts\[1\] is not a JSON object"),
        (lambda r: r["verdicts"][0].update(unit="<b>"), "unit"),
        (lambda r: r["verdicts"][0].update(value="<b>"), "value"),
        (lambda r: r["verdicts"][0].update(value=float("nan")), "value"),
        (lambda r: r["verdicts"][0].update(value=10**400), "value"),
        (lambda r: r["verdicts"][0].update(interval={}), "low, high"),
        (lambda r: r["verdicts"][0].update(sentence=None), "sentence"),
        (lambda r: r["errors"].append({}), "message"),
        (lambda r: r.update(notes=[1]), "notes"),
        (lambda r: r.update(exit_status=None), "exit_status"),
    ],
)
def test_a_report_of_another_shape_is_refused(damage, said):
    """Nothing of a stranger's file reaches a page before its shape is known."""
    made = report(verdict())
    damage(made)
    with pytest.raises(ConfigError, match=said):
        check(made, "report.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100000, '"text"', "\xff", "1" * 5000])
def test_a_file_that_is_no_report_is_refused(tmp_path, text):
    """With its path, and never with a traceback."""
    (tmp_path / "report.json").write_text(text, "latin-1")
    with pytest.raises(ConfigError, match=r"report\.json"):
        read(tmp_path / "report.json")


def test_a_missing_report_is_an_error(tmp_path):
    """It says what writes one."""
    with pytest.raises(ConfigError, match="pytest checks/"):
        read(tmp_path / "report.json")
