"""`::error` lines as GitHub's runner reads them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_reports import HOSTILE, error, full, report, verdict

from litegate.report.annotations import annotations
from litegate.report.row_text import details, headline


def _parsed(line):
    """What the runner makes of a line of a log."""
    found = re.fullmatch(r"::error ([^:]*)::([^\r\n]*)", line)
    assert found, line
    pairs = dict(pair.split("=", 1) for pair in found[1].split(","))
    escapes = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ","}
    parts = {**pairs, "message": found[2]}
    for code, char in escapes.items():
        parts = {key: value.replace(code, char) for key, value in parts.items()}
    return {key: value.replace("%25", "%") for key, value in parts.items()}


def test_a_broken_promise_points_at_its_model():
    """File, line, a title, and the headline, then what to do, then the details."""
    steps = {"reproduce": "pytest a", "change": "models/m.py:6", "intended": None}
    row = verdict("fail") | {"steps": steps}
    message = [headline(row), "Reproduce: pytest a", "Change:    models/m.py:6", *details(row)]
    assert [_parsed(line) for line in annotations(report(row))] == [
        {
            "file": "models/m.py",
            "line": "6",
            "title": "accuracy drop: m/int8_qat",
            "message": "\n".join(message),
        }
    ]


def test_a_project_in_a_folder_is_pointed_at_from_the_repositorys_top():
    """Where GitHub looks for the file; a row without one stays without."""
    rows = [verdict("fail"), verdict("fail", file="")]
    first, second = map(_parsed, annotations(report(*rows) | {"folder": "ml/"}))
    assert first["file"] == "ml/models/m.py"
    assert "file" not in second


def test_reserved_characters_are_escaped_as_github_asks():
    """In a message % and line ends, in a property the colon and the comma, too."""
    line = annotations(report(errors=[error("50 %\nof it: a, b", file="a,b:c.py")]))[0]
    assert "file=a%2Cb%3Ac.py,line=6" in line
    assert line.endswith("::m/int8_qat  50 %25%0Aof it: a, b")


def test_what_passed_gets_none():
    """And what is unproven only under strict, where it fails."""
    assert annotations(report(verdict(), verdict("inconclusive"))) == []
    assert len(annotations(report(verdict("inconclusive"), strict=True))) == 1


def test_a_proof_that_does_not_hold_is_named_as_that():
    """It is no check without a verdict."""
    (line,) = annotations(report(verdict(), errors=[error("1 survivor", id="--prove")]))
    assert _parsed(line)["title"] == "gate not proven: m/int8_qat"


@pytest.mark.parametrize(
    "made", [report(), report(verdict(), exit_status=1), report(verdict(), exit_status=2)]
)
def test_no_pass_is_never_silent(made):
    """A run that gated nothing, or ended badly for what no row tells."""
    assert [_parsed(line)["message"][:9] for line in annotations(made)] == ["no pass: "]


@pytest.mark.parametrize(("failures", "lines", "more"), [(9, 9, 0), (10, 10, 0), (11, 10, 2)])
def test_github_shows_ten_errors_of_a_step(failures, lines, more):
    """The last one says how many it hides."""
    made = annotations(report(*[verdict("fail")] * failures))
    assert len(made) == lines
    said = [_parsed(line)["message"] for line in made]
    assert ("more: the step summary" in said[-1]) == bool(more)
    assert not more or said[-1].startswith(f"and {more} more")


def test_the_worst_comes_first_and_errors_after():
    """Ten are shown, so the order counts."""
    rows = [verdict("fail", value=value) for value in (0.006, 0.5, 0.02)]
    said = [_parsed(line)["message"] for line in annotations(report(*rows, errors=[error()]))]
    values = [re.search(r"drop ([\d.]+) points", message)[1] for message in said[:3]]
    assert values == ["50.00", "2.00", "0.60"]
    assert said[3] == "m/int8_qat  the store is full"


def test_one_cause_is_one_annotation():
    """GitHub shows ten, and one missing file stops every check."""
    (line,) = annotations(report(errors=[error(check=f"test_{n}") for n in range(30)]))
    assert "stopped 30 checks: test_0, test_1 and 28 more" in _parsed(line)["message"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_report_gives_no_other_command(name):
    """One line for each row, with the properties of a plain one and nothing that is not text."""
    made, plain = annotations(full(name)), annotations(full("name"))
    assert [_parsed(line).keys() for line in made] == [_parsed(line).keys() for line in plain]
    assert all("".join(made).isprintable() for line in made)
    assert not any("##[" in line for line in made)


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=1))
def test_any_text_gives_no_other_command(name):
    """As above, for whatever hypothesis finds."""
    assert all(_parsed(line)["line"] == "6" for line in annotations(full(name)))
    assert len(annotations(full(name))) == 2
