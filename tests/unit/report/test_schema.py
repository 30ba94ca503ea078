"""`report.schema.json` is the one description of a report, and `check` enforces all of it."""

import copy
import json
from importlib.resources import files

import jsonschema
import made_reports
import pytest

from litegate.core.errors import ConfigError
from litegate.core.units import Unit
from litegate.measures.measurement import Outcome, Relation
from litegate.report.schema import _KEYWORDS, SCHEMA, SCHEMA_VERSION, check, check_history
from litegate.spec import Kind

VALIDATOR = jsonschema.Draft202012Validator(
    json.loads((files("litegate.report") / "report.schema.json").read_text("utf-8"))
)
DIGEST = "0" * 64
HEAD = {"commit": "0" * 40, "subject": "s", "time": 1, "changed": False}
NOT_TESTS = {
    *("$schema", "$defs", "$ref", "allOf", "title", "description"),
    *("required", "properties", "additionalProperties", "propertyNames"),
}
WRONG = (None, True, -1, 0.5, "", "wrong", [], ["wrong"], [1, 2, 3], {}, {"wrong": "wrong"})


def whole():
    """A report with every kind of row and every optional field, once."""
    fault = made_reports.fault(by={"test_size": 1.0})
    survivors = [("size", "no check measures it", "require(...)")]
    comparison = {
        "model": "m",
        "recipe": "r",
        "kind": "int8_qat",
        "signature": "s",
        "candidate": DIGEST,
        "split": DIGEST,
        "reference": DIGEST,
        "base": None,
    }
    split = {"classes": ["a"], "domain": [0, 1], "domains": {"x": [0, 1]}, "output": "o"}
    metric = {"value": 0.5, "unit": "score", "better": "lower"}
    waiver = dict.fromkeys(("check", "measurement", "accepts", "reason", "expires"), "w")
    report = made_reports.report(
        made_reports.verdict() | {"waived": waiver, "series": {"candidate": [1.0]}},
        errors=[made_reports.error()],
        recipes=[
            made_reports.recipe()
            | {"metrics": {"f1": metric}, "compressed_bytes": 9, "arena": 9, "latency": 0.1}
        ],
        not_gated={"n": "why"},
        not_measured={"i": "why"},
        notes=["a note"],
        head=HEAD,
        base={"commit": "0" * 40, "ref": "main"},
        anchor=None,
        artifacts={DIGEST: {"seed": 7}},
        comparisons=[comparison],
        splits={DIGEST: split},
        waivers=[waiver],
        sources=DIGEST,
        proofs=[made_reports.proof(fault, survivors=survivors) | {"seed": 7}],
    )
    return copy.deepcopy(report)


def paths(value, path=()):
    """The path of every value inside a document."""
    if path:
        yield path
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        yield from paths(value[key], (*path, key))


def damaged(path):
    """A whole report without the value at a path, then with each wrong value in its place."""
    for value in (..., *WRONG):
        report = whole()
        parent = report
        for key in path[:-1]:
            parent = parent[key]
        if value is ...:
            del parent[path[-1]]
        else:
            parent[path[-1]] = copy.deepcopy(value)
        yield report


def is_accepted(report):
    """Whether `check` takes a report for one."""
    try:
        check(report, "r")
    except ConfigError:
        return False
    return True


def keywords(schema):
    """Every keyword of a schema and of those inside it."""
    for keyword, value in schema.items():
        yield keyword
        if keyword in ("properties", "$defs"):
            for inner in value.values():
                yield from keywords(inner)
        elif keyword in ("items", "additionalProperties", "propertyNames"):
            yield from keywords(value)
        elif keyword == "allOf":
            for inner in value:
                yield from keywords(inner)


def test_a_whole_report_is_accepted():
    VALIDATOR.validate(whole())
    check(whole(), "r")
    check_history(whole(), "r")


@pytest.mark.parametrize("path", list(paths(whole())), ids=lambda path: ".".join(map(str, path)))
def test_what_the_schema_refuses_is_refused_and_nothing_else(path):
    for report in damaged(path):
        assert is_accepted(report) == VALIDATOR.is_valid(report), report


def test_every_keyword_of_the_schema_is_enforced():
    assert set(keywords(SCHEMA)) - NOT_TESTS == set(_KEYWORDS)


def test_the_schema_names_what_the_code_names():
    defs, verdict = SCHEMA["$defs"], SCHEMA["$defs"]["verdict"]["allOf"][1]["properties"]
    assert SCHEMA_VERSION == 2
    assert set(defs["unit"]["enum"]) == {unit.value for unit in Unit}
    assert set(defs["kind"]["enum"]) == {kind.value for kind in Kind}
    assert set(verdict["verdict"]["enum"]) == {outcome.value for outcome in Outcome}
    assert set(verdict["relation"]["enum"]) == {relation.value for relation in Relation}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**63, -(2**63), 10**400])
@pytest.mark.parametrize("key", ["value", "limit", "margin", "n"])
def test_a_number_that_no_report_can_show_is_refused(key, value):
    report = whole()
    report["verdicts"][0][key] = value
    assert not is_accepted(report)


@pytest.mark.parametrize("key", ["candidate", "split", "reference", "base"])
def test_a_digest_ends_with_its_last_digit(key):
    report = whole()
    report["comparisons"][0][key] = DIGEST + "\n"
    assert not is_accepted(report)


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (lambda r: r.pop("head"), "head"),
        (lambda r: r.update(head=None), "head"),
        (lambda r: r["head"].pop("time"), r"head does not match the schema .* time"),
        (lambda r: r["head"].update(commit="../x"), "commit"),
        (lambda r: r["verdicts"].append(1), r"verdicts\[1\] is not a JSON object"),
        (
            lambda r: r["verdicts"][0].pop("unit"),
            r"verdicts\[0\] does not match the schema .* unit",
        ),
        (lambda r: r["verdicts"][0].update(value=float("nan")), "value"),
    ],
)
def test_a_history_file_of_another_shape_is_refused(damage, name):
    report = whole()
    damage(report)
    with pytest.raises(ConfigError, match=f"(?s){name}"):
        check_history(report, "r")


def test_an_error_shows_no_control_characters_of_a_strangers_keys():
    report = whole()
    report["verdicts"][0]["series"] = {"\x1b[31mred": "wrong"}
    with pytest.raises(ConfigError, match="series") as caught:
        check(report, "r")
    assert "\x1b" not in str(caught.value)
