"""Reports are pure functions of what a run found, and keep to their schema."""

import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest

from litegate.core.units import Quantity, Unit, points
from litegate.measures.measurement import Interval, Measurement
from litegate.measures.names import Name
from litegate.report.json_report import document, write
from litegate.report.loose_limits import LOOSE
from litegate.report.row_text import evidence, recipe_head
from litegate.report.run_record import Place, Run, error_row, verdict_row
from litegate.report.terminal import lines

PLACE = Place(
    id="checks/test_a.py::test_drop[m-int8_qat]",
    model="m",
    recipe="int8_qat",
    check="test_drop",
    requirement="Quantizing costs little.",
    file="models/m.py",
    line=6,
)
SCHEMA = json.loads((files("litegate.report") / "report.schema.json").read_text("utf-8"))
ENVIRONMENT = {
    "litegate": "0",
    "litert": "0",
    "python": "3",
    "toolchain": {"tensorflow": "0"},
    "kernels": "XNNPACK",
    "threads": 1,
    "processor": "p",
    "cores": 2,
    "store": "s",
    "data": None,
}


def _drop(value, limit, high=None):
    found = Measurement(
        name="accuracy drop",
        subject="m/int8_qat",
        value=value,
        unit=Unit.POINTS,
        n=1000,
        high=high,
        interval=Interval(low=value - 0.001, high=value + 0.001, method="Tango's score, paired"),
        artifacts=("a" * 64,),
    )
    return verdict_row(PLACE, found <= points(limit))


@pytest.fixture
def run():
    """A run with a verdict of each outcome, an error and an omission."""
    return Run(
        environment=ENVIRONMENT,
        strict=False,
        verdicts=[_drop(0.001, 0.5), _drop(0.007, 0.5), _drop(0.004, 0.5, high=0.006)],
        errors=[error_row(PLACE, "the store is full")],
        not_gated={"mnist_cnn": "MNIST is not on this machine"},
        not_measured={"checks/test_l.py::test_l": "--benchmark-disable was given"},
        artifacts={"a" * 64: {"seed": 7}},
        notes=["a lint"],
    )


def _text(run, **kwargs):
    return "\n".join(line for _, line in lines(run, **({"width": 0} | kwargs)))


def test_the_document_keeps_to_its_schema(run):
    """Every field is described; later versions only add."""
    jsonschema.validate(document(run) | {"exit_status": 1}, SCHEMA)


def test_the_schema_refuses_a_missing_field(run):
    """The validation can fail."""
    broken = document(run) | {"exit_status": 1}
    del broken["verdicts"][0]["sentence"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, SCHEMA)


def test_the_report_is_written_whole(run, tmp_path):
    """Under a temporary name, then moved; read back it is the same."""
    path = write(document(run), tmp_path / "report")
    assert json.loads(path.read_text("utf-8")) == document(run)
    assert [p.name for p in path.parent.iterdir()] == ["report.json"]


def test_a_number_that_is_none_is_never_written(run, tmp_path):
    """JSON knows no NaN, and neither does a verdict."""
    run.verdicts[0]["value"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        write(document(run), tmp_path)


def test_what_did_not_pass_comes_last(run):
    """Next to the reader's prompt: passed, inconclusive, without a verdict, failed."""
    words = [row.split()[0] for row in _text(run).splitlines() if row.strip()]
    known = [word for word in words if word in ("PASS", "INCONCLUSIVE", "ERROR", "FAIL")]
    assert known == ["PASS", "INCONCLUSIVE", "ERROR", "FAIL"]


def test_the_worst_is_the_last_of_its_kind(run):
    run.verdicts = [_drop(value, 0.5) for value in (0.007, 0.02, 0.006)]
    heads = [line for mark, line in lines(run, width=0) if mark == "fail"][:-1]
    assert [head.split()[4] for head in heads] == ["0.60", "0.70", "2.00"]


def test_a_failed_verdict_is_a_headline_details_and_steps(run):
    """All that a person needs without opening the report, once."""
    steps = {"reproduce": "pytest a", "change": "models/m.py:6", "intended": "litegate accept a"}
    run.verdicts[1] |= {"steps": steps, "evidence": ["a fact"]}
    block = [
        "FAIL  m/int8_qat  accuracy drop 0.70 points  (limit: <= 0.50 points, over by 0.20 points)",
        "      95 % interval 0.60 points to 0.80 points (Tango's score, paired)",
        "      a fact",
        "      Reproduce: pytest a",
        "      Change:    models/m.py:6",
        "      Intended:  litegate accept a",
    ]
    assert "\n".join(["", *block, ""]) in _text(run)
    assert _text(run).count("0.70 points") == 1


def test_a_fact_shortens_paths_of_tensors_and_an_offender_does_not(run):
    """A waiver names an offender as the report does."""
    path = "sequential/quant_dense/MatMul;sequential/quant_dense/LastValueQuant"
    run.verdicts[1] |= {"evidence": [f"tensor '{path}' +720 B"], "offenders": [f"'{path}'"]}
    printed = _text(run)
    assert "      tensor '…/quant_dense/MatMul' +720 B\n" in printed
    assert f"      - '{path}'\n" in printed


def test_a_row_of_the_table_has_value_limit_margin_and_evidence(run):
    row = next(line for line in _text(run).splitlines() if line.startswith("PASS"))
    for part in ("m/int8_qat", "0.10 points", "<= 0.50 points", "+0.40 points", "n = 1,000"):
        assert part in row


@pytest.mark.parametrize(
    ("checks", "stopped"),
    [
        (["a"], ""),
        (["a", "a"], "stopped 2 cases of 1 check: a"),
        (["a", "b"], "stopped 2 checks: a, b"),
        (["a", "b", "c"], "stopped 3 checks: a, b and 1 more"),
        (["a"] * 3 + ["b"] * 30, "stopped 33 cases of 2 checks: a, b"),
        (["a"] * 3 + ["b", "c"], "stopped 5 cases of 3 checks: a, b and 1 more"),
    ],
)
def test_a_cause_is_printed_once_and_counts_what_it_stopped(run, checks, stopped):
    steps = {"reproduce": "pytest first", "change": None, "intended": None}
    other = error_row(PLACE, "another cause")
    run.errors = [
        error_row(replace(PLACE, check=check, id=f"{check}-{number}"), "no data\n  got: none")
        | {"steps": steps | {"reproduce": f"pytest {check}-{number}"}}
        for number, check in enumerate(checks)
    ]
    run.errors.append(other)
    said = _text(run)
    assert said.count("no data") == said.count("got: none") == said.count("another cause") == 1
    assert said.count("Reproduce: ") == said.count("Reproduce: pytest a-0") == 1
    assert ("stopped" in said) is bool(stopped)
    assert not stopped or f"      {stopped}\n" in said


@pytest.mark.parametrize(
    ("subjects", "head"),
    [
        ((("m", "a"), ("m", "a")), "ERROR  m/a  no data"),
        ((("m", "a"), ("m", "b")), "ERROR  m  no data"),
        ((("m", "a"), ("n", "a")), "ERROR  no data"),
        ((("", ""),), "ERROR  test_drop  no data"),
    ],
)
def test_a_cause_names_what_its_errors_have_in_common(run, subjects, head):
    run.errors = [
        error_row(replace(PLACE, model=model, recipe=recipe), "no data")
        for model, recipe in subjects
    ]
    assert head in _text(run).splitlines()


def test_a_traceback_stays_where_pytest_prints_it(run):
    """Two of them are two causes, even of one text: each has its own traceback."""
    crash = {"traceback": "Traceback\nline 1"}
    places = [replace(PLACE, id=name) for name in ("a", "b")]
    run.errors = [error_row(place, "KeyError: 1") | crash for place in places]
    said = _text(run)
    assert said.count("ERROR  m/int8_qat  KeyError: 1\n      pytest prints its traceback") == 2
    assert "line 1" not in said


@pytest.mark.parametrize("width", [40, 100])
def test_only_headlines_and_steps_are_wider_than_the_terminal(run, width):
    """A command or a declaration is copied as a whole, and a word has no place to break."""
    command = "pytest " + "checks/" * 20
    run.verdicts[1] |= {
        "evidence": ["many words " * 30, "x" * 120],
        "steps": {"reproduce": command, "change": f"m.py:1 {command}", "intended": command},
    }
    run.notes = ["note " * 50]
    wide = [line for _, line in lines(run, width=width) if len(line) > width]
    assert [line for line in wide if command in line] == [
        f"      Reproduce: {command}",
        f"      Change:    m.py:1 {command}",
        f"      Intended:  {command}",
    ]
    others = [line for line in wide if command not in line]
    starts = ("FAIL", "INCONCLUSIVE", "ERROR", "      xxx", "litegate: ")
    assert all(line.startswith(starts) for line in others)


def test_wrapping_makes_no_workflow_command(run):
    """A command in a sentence is none until it starts a line."""
    hostile = "a " * 20 + "::error file=a::b"
    run.errors = [error_row(PLACE, f"{hostile}\n{hostile}\n::error::c")]
    run.notes = [hostile]
    run.not_gated = {"m": hostile}
    run.verdicts[1] |= {"evidence": [hostile], "note": hostile, "offenders": [hostile]}
    for width in range(30, 60):
        assert not any(line.lstrip().startswith("::") for _, line in lines(run, width=width))


def test_what_was_not_gated_is_said_loudly(run):
    """One line, with the reason."""
    assert "mnist_cnn was NOT GATED: MNIST is not on this machine" in _text(run)
    assert "NOT MEASURED checks/test_l.py::test_l" in _text(run)


def test_brief_leaves_out_what_passed(run):
    """`-q`: what needs eyes stays."""
    said = _text(run, verbosity=-1)
    assert "PASS" not in said
    assert "FAIL" in said


@pytest.mark.parametrize(("verbosity", "rows", "told"), [(0, 12, True), (1, 35, False)])
def test_many_that_passed_are_those_nearest_their_limits(run, verbosity, rows, told):
    """All is well: a screen says it. -v says all of it."""
    run.verdicts = [_drop(number / 10_000, 0.5) for number in range(35)]
    said = _text(run, verbosity=verbosity)
    assert said.count("PASS") == rows
    assert ("23 more checks passed, further from their limits (-v lists them)" in said) is told
    assert "0.34 points" in said
    assert ("  0.04 points" in said) is not told


def test_promises_of_which_nothing_was_found_are_counted(run):
    """They have no distance from their limits; where one is broken its row is there."""
    clean = {"value": 0.0, "limit": 0.0, "margin": 0.0, "interval": None}
    passed = _drop(0.001, 0.5)
    run.verdicts = [passed, *(passed | clean for _ in range(11))]
    assert _text(run).count("PASS") == 12, "they fit"
    run.verdicts.append(passed | clean)
    said = _text(run)
    assert said.count("PASS") == 1
    assert "12 more checks passed; they found no violation (-v lists them)" in said
    assert _text(run, verbosity=1).count("PASS") == 13
    run.verdicts = [_drop(number / 10_000, 0.5) for number in range(13)] + [passed | clean]
    mixed = "2 more checks passed, further from their limits; 1 of them found no violation (-v"
    assert mixed in _text(run)
    run.verdicts = [passed | clean | {"verdict": "fail", "value": 1.0}]
    assert "FAIL" in _text(run)


def test_what_is_not_proven_says_why(run):
    """The value alone does not: it keeps its limit."""
    row = next(row for row in run.verdicts if row["verdict"] == "inconclusive")
    said = _text(run)
    assert said.count("INCONCLUSIVE") == said.count(f"      {row['note']}\n") == 1
    assert "INCONCLUSIVE  m/int8_qat  accuracy drop 0.40 points  (limit: " in said


@pytest.mark.parametrize(("high", "said"), [(0.0051, True), (0.005, False), (0.0049, False)])
def test_a_pass_whose_interval_reaches_beyond_its_limit_says_what_proved_it(run, high, said):
    row = next(row for row in run.verdicts if row["verdict"] == "pass")
    assert row["limit"] == 0.005
    run.verdicts = [row | {"interval": row["interval"] | {"high": high}}]
    assert ("proven one-sided" in _text(run)) is said


def test_advice_on_limits_is_one_line(run):
    """Until -v asks for it; other notes stay."""
    loose = [f"m: size is {n} B, its limit 9 B: it {LOOSE} size=kib(1)" for n in (1, 2)]
    run.notes = ["another", *loose]
    said = _text(run)
    assert "note: another" in said
    assert "note: 2 limits are far from what was measured" in said
    assert LOOSE not in said
    assert _text(run, verbosity=1).count(LOOSE) == 2
    assert _text(run, verbosity=1).count("litegate noise MODEL") == 1
    run.notes = loose[:1]
    assert _text(run).count(LOOSE) == 1


def _evidence(name, unit, n, interval=None):
    found = Measurement(name=name, subject="m", value=3, unit=unit, n=n, interval=interval)
    return evidence(verdict_row(PLACE, found <= Quantity(9, unit)))


@pytest.mark.parametrize(
    ("name", "unit", "n", "expected"),
    [
        (Name.ARENA, Unit.BYTES, 22, "exact"),
        (Name.NPU_SHARE, Unit.PERCENT, 16, "exact"),
        (Name.TENSOR_VIOLATIONS, Unit.COUNT, 16, "exact"),
        (Name.SPARSITY, Unit.PERCENT, 4000, "exact"),
        (Name.SIZE_RATIO, Unit.RATIO, None, "exact"),
        (Name.KERAS_DIFFERENCE, Unit.QUANTA, 1000, "n = 1,000"),
        (Name.OUTPUT_ERROR, Unit.PERCENT, 1000, "n = 1,000"),
        (Name.OUTPUT_RANGE, Unit.COUNT, 110, "n = 110"),
    ],
)
def test_what_is_counted_in_files_is_exact(name, unit, n, expected):
    """A search for counterexamples is no count: more inputs may find one."""
    assert _evidence(name, unit, n) == expected


def test_a_count_with_an_interval_is_not_exact():
    interval = Interval(low=2, high=4, method="a method")
    assert _evidence("a project's own count", Unit.COUNT, 16, interval) == "n = 16, 2 to 4"


@pytest.mark.parametrize(
    ("rows", "heading"),
    [
        ([(0.9, ())], "top-1"),
        ([(None, ("f1",))], "f1"),
        ([(None, ("f1",)), (0.9, ("f1", "auc"))], "top-1, f1, auc"),
        ([(0.9, ("f1", "auc", "mse"))], "top-1, metrics"),
        ([(None, ())], "quality"),
    ],
)
def test_the_table_of_recipes_names_what_is_compared(rows, heading):
    figures = [
        {"accuracy": top, "metrics": {name: {} for name in metrics}} for top, metrics in rows
    ]
    assert recipe_head(figures) == (
        *("recipe", "", heading, "vs. reference", "vs. float32"),
        *("bytes", "ratio", "compressed", "arena", "interleaved time"),
    )


def test_exactly_a_screen_of_passes_is_shown_whole(run):
    run.verdicts = [_drop(number / 10_000, 0.5) for number in range(12)]
    assert _text(run).count("PASS") == 12
    assert "more passed" not in _text(run)


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_shows_every_value_and_limit(run, width):
    """Evidence goes first; a number is never cut."""
    rows = [line for mark, line in lines(run, width=width) if mark in ("pass", "head")]
    assert all(len(line) <= width for line in rows)
    assert "0.10 points" in " ".join(rows)
    assert " ".join(rows).count("<= 0.50 points") == 1


@pytest.mark.parametrize(
    ("keep", "errors", "word"),
    [
        ([0], [], "pass"),
        ([0, 2], [], "inconclusive"),
        ([0, 1, 2], [], "fail"),
        ([0], [1], "error"),
        ([], [], "nothing gated"),
        ([], [1], "error"),
    ],
)
def test_the_runs_one_word(run, keep, errors, word):
    """Nothing measured is never a pass."""
    run.verdicts = [run.verdicts[i] for i in keep]
    run.errors = run.errors if errors else []
    assert run.verdict == word


def test_the_closing_line_says_when_nothing_was_gated():
    """A run without a verdict says so in the last line."""
    assert "nothing was gated" in _text(Run(environment=ENVIRONMENT, strict=False))
