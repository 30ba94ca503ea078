"""The first line about a row, its details and its steps."""

import pytest
from made_reports import error, verdict

from litegate.core.units import Unit
from litegate.measures.names import ALL_NAMES, is_plural, since_anchor_name
from litegate.report.row_text import details, figures, headline, step_lines

LONG = {"model": "m" * 10, "recipe": "r" * 9}
"""A subject of 20 characters."""


def row(name="accuracy", unit=Unit.PERCENT, **over):
    """A failed verdict's row."""
    values = {"relation": ">=", "value": 0.9778, "limit": 0.99, "margin": -0.0122, "interval": None}
    return verdict("fail", name=name) | {"unit": unit.value} | values | over


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (row(), "m/int8_qat  accuracy 97.78 %  (limit: >= 99.00 %, short by 1.22 points)"),
        (
            row("size", Unit.BYTES, relation="<=", value=7504, limit=5120, margin=-2384),
            "m/int8_qat  size 7,504 B  (limit: <= 5,120 B, over by 2,384 B)",
        ),
        (
            row("operator violations", Unit.COUNT, relation="<=", value=2, limit=0, margin=-2),
            "m/int8_qat  operator violations: 2  (limit: <= 0)",
        ),
        (
            row("determinism: counterexamples", Unit.COUNT, value=1, relation="<=", limit=0),
            "m/int8_qat  determinism: counterexamples: 1  (limit: <= 0)",
        ),
        (
            verdict("inconclusive"),
            "m/int8_qat  accuracy drop 0.40 points  (limit: <= 0.50 points, not proven)",
        ),
        (
            row(margin=0, value=0.99),
            "m/int8_qat  accuracy 99.00 %  (limit: >= 99.00 %, exactly at the limit)",
        ),
        (
            row(model="", recipe="", check="test_it"),
            "test_it  accuracy 97.78 %  (limit: >= 99.00 %, short by 1.22 points)",
        ),
        (error("the store is full\n  got: 0 B"), "m/int8_qat  the store is full"),
        (error("nothing", model="", recipe="", check=""), "nothing"),
    ],
)
def test_the_headline_has_subject_value_and_limit(made, line):
    assert headline(made) == line


@pytest.mark.parametrize("name", [*ALL_NAMES, *map(since_anchor_name, ALL_NAMES)])
def test_a_headline_has_at_most_110_characters(name):
    """For a subject of 20 characters, at values of the usual lengths."""
    units = [Unit.COUNT] if is_plural(name) else [Unit.POINTS, Unit.BYTES]
    for unit, value in ((unit, 0.9999 if unit is Unit.POINTS else 123456) for unit in units):
        broken = row(name, unit, value=value, limit=value / 2, margin=-value / 2, **LONG)
        assert len(headline(broken)) <= 110


def test_details_are_the_note_the_interval_the_evidence_and_the_offenders():
    made = verdict("fail", offenders=tuple(f"tensor {number}" for number in range(10)))
    lines = details(made | {"note": "a note", "evidence": ["a fact"]})
    assert lines[:3] == ["a note", "95 % interval 0.60 points to 0.80 points (a method)", "a fact"]
    assert lines[3] == "- tensor 0"
    assert lines[-2:] == ["- tensor 7", "- and 2 more"]
    assert details(error("what\n  got: it\n  what to do: mend it")) == [
        "got: it",
        "what to do: mend it",
    ]


def test_steps_are_listed_as_far_as_there_are_any():
    steps = {"reproduce": "pytest a", "change": "m.py:1", "intended": None}
    assert step_lines(row(steps=steps)) == ["Reproduce: pytest a", "Change:    m.py:1"]
    assert step_lines(row()) == []


def test_a_pass_beyond_its_limit_has_its_note_in_place_of_a_margin():
    over = {"relation": "<=", "value": 0.0572, "limit": 0.025, "margin": -0.0322}
    slower = row("latency growth", verdict="pass", note="slower, by less than 20 us", **over)
    assert figures(slower)[:3] == ("5.72 %", "<= 2.50 %", "excused")
    assert figures(slower)[3].endswith("excused: slower, by less than 20 us")
    assert figures(row("latency growth", note="slower", **over))[2] == "-3.22 points"
