"""`litegate accept` through the command line: what it writes, asks and refuses."""

import json
import tomllib
from datetime import date, timedelta
from importlib import import_module

import pytest
from typer.testing import CliRunner

from litegate.cli import app
from litegate.core.errors import ConfigError
from litegate.core.units import Unit, ms, percent, points
from litegate.measures.measurement import Measurement, violations
from litegate.regression.waiver_file import FILE, MAX_VALIDITY, load
from litegate.regression.waivers import covers
from litegate.report.run_record import Place, error_row, verdict_row

TODAY = date(2026, 6, 1)
REASON = ("--reason", "agreed in #12")


def _place(check, model="digits", recipe="int8_qat", param=""):
    case = "-".join(part for part in (model, recipe, param) if part)
    return Place(
        id=f"checks/test_a.py::{check}[{case}]",
        model=model,
        recipe=recipe,
        check=check,
        requirement="It holds.",
        file=f"models/{model}.py",
        line=1,
    )


def _drop(value, place=None, **changed):
    found = Measurement(name="accuracy drop", subject="s", value=value, unit=Unit.POINTS)
    return verdict_row(place or _place("test_drop"), found <= points(0.5)) | changed


def _tensors(*names, model="digits"):
    found = violations("tensor type violations", "s", names, n=9)
    return verdict_row(_place("test_tensors", model), found <= 0)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose last run is as the test says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    # The tests may run across midnight.
    command = import_module("litegate.cli.accept")  # by name: the package has the function
    monkeypatch.setattr(command, "today", lambda: TODAY)
    return Project(tmp_path)


class Project:
    """Writes the report, runs the command, reads the waivers."""

    def __init__(self, path):
        self.path = path

    def ran(self, *verdicts, errors=(), strict=False, **changed):
        """The last run's report."""
        folder = self.path / ".litegate" / "report"
        folder.mkdir(parents=True)
        report = {"schema_version": 2, "verdicts": verdicts, "errors": errors, "strict": strict}
        (folder / "report.json").write_text(json.dumps(report | changed))
        return self

    def accept(self, *args, says=""):
        """What the command did; a foreseen fault is in `exception`."""
        return CliRunner().invoke(app, ["accept", *args], input=says)

    def refused(self, *args, says=""):
        """The text of the fault that it ended with; nothing was written."""
        before = self.text
        done = self.accept(*args, says=says)
        assert isinstance(done.exception, ConfigError), done.output
        assert self.text == before
        return str(done.exception)

    @property
    def text(self):
        file = self.path / FILE
        return file.read_text("utf-8") if file.exists() else None

    @property
    def waivers(self):
        return load(self.path, TODAY)


def test_a_named_verdict_becomes_a_waiver_that_covers_it(project):
    """It covers exactly what failed, for ninety days, and nothing worse."""
    rows = _drop(1 / 140), _tensors("t", model="mnist")
    done = project.ran(*rows).accept("digits", *REASON)
    assert done.exit_code == 0, done.output
    (waiver,) = project.waivers
    assert (waiver.reason, waiver.expires) == ("agreed in #12", TODAY + timedelta(days=90))
    assert waiver.value == "0.714286 points"
    assert covers(waiver, rows[0], TODAY)
    assert not covers(waiver, _drop(0.0072), TODAY)
    assert not covers(waiver, rows[1], TODAY)
    assert FILE in done.output
    assert "accuracy drop 0.71 points  (limit: <= " in done.output


def test_runtimes_that_were_not_judged_are_named(project):
    """CI judges them: this waiver does not cover their verdicts."""
    note = "NOT JUDGED ON tflm, as --litegate-runtime asks"
    done = project.ran(_drop(1 / 140), notes=["another", note]).accept("digits", *REASON)
    assert f"{note}: a verdict there needs a waiver of its own" in done.output
    assert "another" not in done.output


def test_offenders_are_accepted_by_name(project):
    """A count alone would cover any others."""
    project.ran(_tensors("tensor 1 'a'", "tensor 2 'b'")).accept("test_tensors", *REASON)
    (waiver,) = project.waivers
    assert waiver.offenders == ("tensor 1 'a'", "tensor 2 'b'")
    assert not waiver.value


@pytest.mark.parametrize(
    ("word", "models"),
    [
        ("test_drop", ["digits", "mnist"]),
        ("checks/test_a.py::test_drop", ["digits", "mnist"]),
        ("checks/test_a.py::test_drop[mnist-int8_qat]", ["mnist"]),
        ("mnist", ["mnist"]),
        ("digits/int8_qat", ["digits"]),
    ],
)
def test_a_verdict_is_named_as_the_report_names_it(project, word, models):
    """By check, node id, model, or model/recipe."""
    project.ran(_drop(0.007), _drop(0.008, _place("test_drop", "mnist")))
    assert project.accept(word, *REASON).exit_code == 0
    assert [one.model for one in project.waivers] == models


def test_one_of_several_cases_of_a_check_is_told_from_the_others(project):
    """A user's own parameters: the accepted value of one must not cover another."""
    rows = [_drop(v, _place("test_drop", param=p)) for v, p in ((0.02, "a"), (0.007, "b"))]
    project.ran(*rows).accept(rows[0]["id"], *REASON)
    (waiver,) = project.waivers
    assert [covers(waiver, row, TODAY) for row in rows] == [True, False]


def test_without_a_name_it_shows_and_asks(project):
    """Which, then why."""
    project.ran(_drop(0.007), _drop(0.008, _place("test_drop", "mnist")), _drop(0.001))
    done = project.accept(says="2\nagreed\n")
    assert done.exit_code == 0, done.output
    assert "1  checks/test_a.py::test_drop[digits-int8_qat]" in done.output
    assert [(one.model, one.reason) for one in project.waivers] == [("mnist", "agreed")]


@pytest.mark.parametrize(("said", "count"), [("all", 2), ("1, 2", 2), ("1 1", 1)])
def test_several_may_be_chosen(project, said, count):
    """By numbers, or all of them."""
    project.ran(_drop(0.007), _tensors("t"))
    project.accept(*REASON, says=f"{said}\n")
    assert len(project.waivers) == count


@pytest.mark.parametrize("said", ["0", "3", "x", "1 3", "-1", "²"])
def test_a_choice_that_is_none_accepts_nothing(project, said):
    """A slip of the finger is no decision."""
    project.ran(_drop(0.007), _tensors("t"))
    assert "numbers from 1 to 2" in project.refused(*REASON, says=f"{said}\n")


@pytest.mark.parametrize("args", [(), ("digits",)])
def test_an_end_of_input_accepts_nothing(project, args):
    """Nobody is there to answer."""
    done = project.ran(_drop(0.007)).accept(*args)
    assert done.exit_code != 0
    assert project.text is None


@pytest.mark.parametrize(
    ("reason", "says"), [(("--reason", ""), ""), (("--reason", " \t"), ""), ((), " \n")]
)
def test_an_empty_reason_is_refused(project, reason, says):
    """Given or typed."""
    assert "the reason is empty" in project.ran(_drop(0.007)).refused("digits", *reason, says=says)


@pytest.mark.parametrize("reason", ["...", " ... "])
def test_the_placeholder_of_a_pasted_command_is_refused(project, reason):
    """The step *Intended* of a report has it."""
    refused = project.ran(_drop(0.007)).refused("digits", "--reason", reason)
    assert "the reason is only the placeholder ..." in refused
    assert project.accept("digits", "--reason", "...and slower").exit_code == 0


def test_a_report_of_another_branch_is_named_by_its_commit(project):
    """Also the run that must come first."""
    head = {"commit": "ad476fb0123456789", "subject": "Add a class", "changed": False}
    refused = project.ran(_drop(0.001), head=head).refused("digits", *REASON)
    assert "every verdict passed or is waived at ad476fb01234 Add a class" in refused
    assert "run `pytest checks/ --against main` first" in refused


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_it_is_refused_in_ci(project, monkeypatch, value):
    """Accepting is a person's decision."""
    monkeypatch.setenv("CI", value)
    assert "does not run if CI is set" in project.ran(_drop(0.007)).refused("digits", *REASON)


def test_an_error_cannot_be_accepted(project):
    """There is no value to hold it to."""
    error = error_row(_place("test_size"), "the store is full")
    project.ran(_drop(0.007), errors=[error])
    assert "errors cannot be accepted" in project.refused("test_size", *REASON)
    assert "the store is full" in project.refused("digits", *REASON)


@pytest.mark.parametrize(
    ("row", "strict", "accepted"),
    [
        (_drop(0.004), True, False),
        (_drop(0.004, verdict="inconclusive"), False, False),
        (_drop(0.004, verdict="inconclusive"), True, True),
        (_drop(0.007, waived={"reason": "r"}), False, False),
        (_drop(0.007, waived=None), False, True),
    ],
)
def test_only_what_failed_the_run_is_accepted(project, row, strict, accepted):
    """Not what is kept, nor what is waived already; what is unproven, where the run was strict."""
    project.ran(row, strict=strict)
    if accepted:
        assert project.accept("digits", *REASON).exit_code == 0
        assert covers(project.waivers[0], row, TODAY)
    else:
        assert "no failing verdict" in project.refused("digits", *REASON)


def test_a_misspelt_name_lists_the_failing_ones(project):
    """Even beside one that is right: all or nothing."""
    said = project.ran(_drop(0.007)).refused("digits", "digist", *REASON)
    assert "digist" in said
    assert "checks/test_a.py::test_drop[digits-int8_qat]" in said


def test_an_empty_name_names_nothing(project):
    """A project's own verdict has no model; an unset variable of a script is not its name."""
    project.ran(_drop(0.007, _place("test_weakened_limits", "", "")))
    assert "no failing verdict is named" in project.refused("", *REASON)
    assert project.accept("test_weakened_limits", *REASON).exit_code == 0
    assert project.waivers[0].model == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("tomorrow", "is not a date"),
        ("2026-02-30", "is not a date"),
        ((TODAY - timedelta(days=1)).isoformat(), "is in the past"),
        ((TODAY + MAX_VALIDITY + timedelta(days=1)).isoformat(), "more than a year ahead"),
    ],
)
def test_a_day_that_cannot_be_is_refused(project, given, said):
    """Past, too far, or none."""
    assert said in project.ran(_drop(0.007)).refused("digits", *REASON, "--expires", given)


@pytest.mark.parametrize("day", [TODAY, TODAY + MAX_VALIDITY])
def test_the_first_and_the_last_possible_day(project, day):
    """Both count."""
    project.ran(_drop(0.007)).accept("digits", *REASON, "--expires", day.isoformat())
    assert project.waivers[0].expires == day


@pytest.mark.parametrize(
    "content", [None, "{", "[]", '{"schema_version": 1}', '{"schema_version": 99}']
)
def test_no_usable_report_is_an_error(project, content):
    """Nothing is accepted that was not measured."""
    if content is not None:
        project.ran()
        (project.path / ".litegate/report/report.json").write_text(content)
    assert "pytest checks/" in project.refused("digits", *REASON)


@pytest.mark.parametrize("name", ["out", "out/report.json"])
def test_another_report(project, name):
    """Where the run wrote it elsewhere: its folder or its file is named."""
    project.ran(_drop(0.007))
    (project.path / ".litegate/report").rename(project.path / "out")
    assert project.accept("digits", *REASON, "--report", name).exit_code == 0


def test_a_faulty_file_is_not_added_to(project):
    """It is mended first."""
    (project.path / FILE).write_text("[[waiver]]\nreason = 1\n")
    assert f"{FILE}:1" in project.ran(_drop(0.007)).refused("digits", *REASON)


def test_hostile_text_is_text(project):
    """In names, offenders and reasons; in the file and on the terminal."""
    evil = 'x"]\n[[waiver]]\nmodel = "y" # \x1b[31m\u202e::error::'
    row = _tensors(evil)
    done = project.ran(row).accept("digits", "--reason", evil)
    assert done.exit_code == 0, done.output
    assert all(line.isprintable() for line in done.output.splitlines())
    (waiver,) = project.waivers
    assert waiver.offenders == (evil,)
    assert waiver.reason == evil
    assert len(tomllib.loads(project.text)["waiver"]) == 1


def test_it_is_read_back_on_the_day_it_ends(project):
    """The date in the file is a date, readable by any TOML reader."""
    project.ran(_drop(0.007)).accept("digits", *REASON)
    (entry,) = tomllib.loads(project.text)["waiver"]
    assert isinstance(entry["expires"], date)


BASE = "a" * 64
OWN = {"measurement": "size", "relation": "<=", "value": 8736.0, "unit": "B"}


def _growth(**changed):
    measured = Measurement(name="size growth", subject="s", value=0.18, unit=Unit.PERCENT)
    row = verdict_row(_place("test_growth"), measured <= percent(1), base=BASE)
    return row | {"absolute": OWN} | changed


def _latency(**changed):
    measured = Measurement(name="latency", subject="s", value=0.0012, unit=Unit.SECONDS)
    row = verdict_row(_place("test_latency"), measured <= ms(1))
    return row | {"repeats": {"low": 0.0011, "high": 0.00154}} | changed


def test_a_comparison_with_the_base_is_accepted_up_to_a_ceiling(project):
    """In the unit of the file, for this base alone."""
    done = project.ran(_growth()).accept("digits", *REASON)
    (waiver,) = project.waivers
    assert (waiver.ceiling, waiver.base, waiver.value) == ("size <= 8,736 B", BASE, "")
    assert covers(waiver, _growth(), TODAY)
    assert not covers(waiver, _growth(base="b" * 64), TODAY)
    assert f"waiver accepts: size <= 8,736 B (against the base's build {BASE[:12]})" in done.output


@pytest.mark.parametrize(
    ("row", "value", "offenders"),
    [
        (_growth(absolute=None), "18 %", ()),
        (_growth(offenders=["2 CAST came"], absolute=None), "", ("2 CAST came",)),
    ],
)
def test_a_comparison_without_a_ceiling_names_its_base(project, row, value, offenders):
    """A growth of the latency, which no other machine can check, and names."""
    project.ran(row).accept("digits", *REASON)
    (waiver,) = project.waivers
    assert (waiver.value, waiver.offenders, waiver.base) == (value, offenders, BASE)


def test_a_timing_is_accepted_up_to_what_may_come_again(project):
    """The upper end, with a word on it: a repetition gives another number."""
    done = project.ran(_latency()).accept("digits", *REASON)
    (waiver,) = project.waivers
    assert waiver.value == "1.54 ms"
    assert covers(waiver, _latency(value=0.0016), TODAY)
    assert "waiver accepts: 1.54 ms, which a repeated run of the same bytes may " in done.output
    assert "measured: 1.20 ms" in done.output


@pytest.mark.parametrize(
    ("row", "value", "accepted"),
    [
        (_latency(), "1.1 ms", "1.1 ms"),
        (_latency(), "1300 us", "1300 us"),
        (_drop(0.007), "0.9 points", "0.9 points"),
        (_growth(), "9,000 B", "size <= 9,000 B"),
    ],
)
def test_a_value_may_be_given(project, row, value, accepted):
    """Any that covers the verdict, in its unit or in that of the file."""
    done = project.ran(row).accept("digits", *REASON, "--value", value)
    assert done.exit_code == 0, done.output
    (waiver,) = project.waivers
    assert accepted in (waiver.value, waiver.ceiling)
    assert f"waiver accepts: {accepted}" in done.output


@pytest.mark.parametrize(
    ("rows", "value", "reason"),
    [
        ([_latency()], "1.09 ms", "but this verdict measured at least 1.1 ms"),
        ([_growth()], "8,735 B", "but this verdict measured 8,736 B"),
        ([_growth()], "19 %", "but this verdict is in B"),
        ([_drop(0.007)], "x", "cannot be read"),
        ([_drop(0.007)], "", "cannot be read"),
        ([_drop(0.007), _latency()], "1 point", "--value needs exactly one verdict"),
        ([_tensors("t")], "1", "a verdict with named offenders"),
    ],
)
def test_a_value_that_does_not_fit_accepts_nothing(project, rows, value, reason):
    """Too low, of another unit, no number, or of several verdicts."""
    project.ran(*rows)
    assert reason in project.refused("digits", *REASON, "--value", value)


def test_what_is_accepted_already_is_not_written_twice(project):
    """The report is still that of the run before."""
    project.ran(_drop(0.007)).accept("digits", *REASON)
    before = project.text
    done = project.accept("digits", *REASON)
    assert (done.exit_code, project.text) == (0, before)
    assert f"already accepted until {TODAY + timedelta(days=90)}" in done.output


def test_another_verdict_is_added_to_what_is_accepted_already(project):
    """Only what is new is written."""
    project.ran(_drop(0.007), _tensors("t")).accept("test_drop", *REASON)
    project.accept("digits", *REASON)
    assert [waiver.measurement for waiver in project.waivers] == [
        "accuracy drop",
        "tensor type violations",
    ]
