"""What a check must do, and what its verdict does to the run."""

import json
import xml.etree.ElementTree as ET

import pytest

from litegate.spec import Kind
from litegate.testing import tiny

SIZE = "from litegate.measures.structure.size import size\nfrom litegate import byte, kib"
KEPT = "require(size(candidate) <= kib(100))"
BROKEN = "require(size(candidate) <= byte(10))"


def test_a_kept_promise_passes_and_is_listed(project):
    """The table and the report show the passing row with its margin."""
    done = project.model().check(KEPT, head=SIZE).run()
    assert done.ret == 0
    done.stdout.fnmatch_lines(
        ["PASS*tiny/int8_qat*size*<= 102,400 B*", "litegate: 1 model: 1 pass"]
    )


def test_a_broken_promise_fails_with_its_headline(project):
    """What, by how much; what to do; exit status 1; nothing in pytest's own sections."""
    done = project.model().check(BROKEN, head=SIZE).run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        [
            "*1 failed*",
            "FAIL  tiny/int8_qat  size * B  (limit: <= 10 B, over by * B)",
            "      Reproduce: pytest 'checks/test_one.py::test_it[[]tiny-int8_qat]'",
            "      Change:    models/tiny.py:*, or the limit in checks/test_one.py:3",
        ]
    )
    done.stdout.no_fnmatch_line("*= FAILURES =*")
    done.stdout.no_fnmatch_line("*short test summary*")


def test_what_a_failed_check_prints_is_kept(project):
    """Its output is nowhere else, unlike its verdict."""
    done = project.model().check(f"print('look here')\n{BROKEN}", head=SIZE).run()
    done.stdout.fnmatch_lines(["*output of checks/test_one.py::test_it*", "look here", "FAIL  *"])
    done.stdout.no_fnmatch_line("*= FAILURES =*")
    quiet = project.run("checks/", "--show-capture=no")
    quiet.stdout.no_fnmatch_line("look here")


@pytest.mark.parametrize("options", [[], ["-n1"]])
def test_a_traceback_of_the_users_code_stays_pytests(project, options):
    """The closing section names it, and pytest prints it."""
    body = f"value = {{}}\n{KEPT}\nvalue['missing']"
    done = project.model().check(body, head=SIZE).run("checks/", *options)
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        [
            "*= FAILURES =*",
            "E * KeyError: 'missing'",
            "ERROR  tiny/int8_qat  KeyError: 'missing'",
            "      pytest prints its traceback",
            "      Change:    checks/test_one.py:3",
        ]
    )
    report = json.loads((project.path / ".litegate/report/report.json").read_text())
    assert "value['missing']" in report["errors"][0]["traceback"]


def test_asking_and_never_requiring_is_an_error(project):
    """A check that promises nothing must not be green."""
    done = project.model().check("pass").run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*never called it*", "litegate: *1 without a verdict"])


def test_a_check_that_returns_before_its_promise_is_an_error(project):
    """The fault of an accuracy test that returned before its assertion."""
    done = project.model().check(f"return\n{BROKEN}", head=SIZE).run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*never called it*"])


@pytest.mark.parametrize("body", ["pytest.skip('later')", "pytest.importorskip('no_such_module')"])
def test_a_check_that_skips_itself_fails(project, body):
    """A skip is not a pass, whoever wrote it."""
    done = project.model().check(body, head="import pytest").run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*skipped itself*"])


@pytest.mark.parametrize(
    ("mark", "body", "said"),
    [
        ("xfail", BROKEN, "FAIL  tiny/int8_qat  size *(limit: <= 10 B*"),
        ("xfail", KEPT, "*is marked xfail: every check must give a verdict*"),
        ("skip(reason='later')", BROKEN, "*skipped itself: every check must give a verdict*"),
        ("skipif(True, reason='x')", BROKEN, "*skipped itself: every check must give a verdict*"),
    ],
)
def test_a_mark_does_not_silence_a_check(project, mark, body, said):
    """An exception to a promise is a waiver, not a mark."""
    head = f"{SIZE}\nimport pytest\npytestmark = pytest.mark.{mark}"
    done = project.model().check(body, head=head).run()
    assert done.ret == 1
    done.stdout.fnmatch_lines([said])


def test_a_check_without_a_requirement_is_refused(project):
    """The docstring's first line is the row's label: without one nothing runs."""
    done = project.model().check(KEPT, head=SIZE, doc="").run()
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*test_it* has no docstring*"])


@pytest.mark.parametrize("value", ["True", "1", "size(candidate)", "None"])
def test_require_takes_only_a_verdict(project, value):
    """A bare truth value carries no evidence."""
    done = project.model().check(f"require({value})", head=SIZE).run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*require needs the comparison of a measurement with a limit*"])


def test_a_run_of_plain_tests_alone_is_an_error(project):
    """They gate nothing, and a run that gated nothing is no pass."""
    done = project.model().check("assert True", args="").run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["litegate: 0 models: nothing was gated, which is not a pass"])


def test_plain_tests_may_stand_beside_checks(project):
    """They are pytest's own."""
    head = f"{SIZE}\ndef test_plain():\n    pass\n"
    done = project.model().check(KEPT, head=head).run()
    assert done.ret == 0
    done.assert_outcomes(passed=2)


def test_a_nan_is_an_error_and_no_verdict(project):
    """NaN compares false with everything; here it decides nothing."""
    head = f"{SIZE}\nfrom dataclasses import replace"
    done = (
        project.model()
        .check("require(replace(size(candidate), value=float('nan')) <= kib(1))", head=head)
        .run()
    )
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*not a finite number*", "litegate: *without a verdict"])


def test_every_verdict_of_a_check_is_listed(project):
    """Two promises in one check are two rows, up to the first that is broken."""
    done = project.model().check(f"{KEPT}\n{BROKEN}\n{KEPT}", head=SIZE).run()
    done.stdout.fnmatch_lines(["litegate: 1 model: 1 fail, 1 pass"])


def test_values_reach_the_report(project):
    assert project.model().check(KEPT, head=SIZE).run("checks/").ret == 0
    report = json.loads((project.path / ".litegate/report/report.json").read_text())
    assert report["verdict"] == "pass"
    assert report["verdicts"][0]["id"] == "checks/test_one.py::test_it[tiny-int8_qat]"
    assert report["verdicts"][0]["requirement"] == "It holds."


def test_junit_has_a_property_for_each_verdict(project):
    """Value with unit, limit and verdict under the measurement's name; a second one is numbered."""
    other = "require(size(candidate) >= kib(0.5))"
    project.model().check(f"{KEPT}\n{other}\n{BROKEN}\n{KEPT}", head=SIZE)
    assert project.run("checks/", "--junitxml=junit.xml").ret == 1
    [case] = ET.parse(project.path / "junit.xml").iter("testcase")  # noqa: S314 our own file
    properties = {it.get("name"): it.get("value").split(", ") for it in case.iter("property")}
    assert list(properties) == ["size", "size (2)", "size (3)"]
    size = f"{len(tiny(Kind.INT8_QAT)):,} B"
    assert properties["size"] == [size, "limit <= 102,400 B", "pass"]
    assert properties["size (2)"] == [size, "limit >= 512 B", "pass"]
    assert properties["size (3)"] == [size, "limit <= 10 B", "fail"]
    assert case.find("failure") is not None


def test_a_stale_report_does_not_outlive_a_run(project):
    """Whoever reads report.json after a crash must not read yesterday's pass."""
    project.model().check(KEPT, head=SIZE).run()
    project.check("import os\nos._exit(3)").run(apart=True)
    assert not (project.path / ".litegate/report/report.json").exists()


def test_a_stale_report_does_not_outlive_a_check_that_does_not_load(project):
    """Nor where the run ends before a check ran."""
    project.model().check(KEPT, head=SIZE).run()
    assert project.check("pass", head="import no_such_module").run().ret == 2
    assert not (project.path / ".litegate/report/report.json").exists()


@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("models/_gone.py", ("checks/",)),
        ("models/_gone.py", ("checks/", "--litegate-model", "tiny")),
        ("models/_gone.py", (".",)),
        ("checks/conftest.py", ("checks/",)),
        ("conftest.py", ("--litegate-strict",)),
    ],
)
def test_code_that_ends_the_process_leaves_no_report(project, place, arguments):
    """Exit status 0 without a report: `litegate summary --require` notices, a plain run cannot."""
    project.model().check(KEPT, head=SIZE).run()
    report = project.path / ".litegate/report/report.json"
    assert report.exists()
    (project.path / place).write_text("import os\nos._exit(0)\n")
    model = project.path / "models" / "tiny.py"
    model.write_text(model.read_text() + "\nimport _gone\n")
    assert project.run(*arguments, apart=True).ret == 0
    assert not report.exists()


def test_looking_at_the_checks_leaves_the_report(project):
    """--collect-only judges nothing and takes nothing away."""
    project.model().check(KEPT, head=SIZE).run()
    project.run("checks/", "--collect-only")
    assert (project.path / ".litegate/report/report.json").exists()


@pytest.mark.parametrize("options", [[], ["-q"], ["-n1"]])
def test_a_cause_is_printed_once_and_last(project, options):
    """What stopped every check is read once; the checks are counted."""
    second = 'def test_second(candidate, require):\n    """It holds, too."""\n'
    project.model().check(KEPT, head=f"{SIZE}\n{second}    {KEPT}\n")
    file = project.path / "models" / "tiny.py"
    file.write_text(file.read_text().replace("return samples", "return samples * 1"))
    done = project.run("checks/", *options)
    assert done.ret == 1
    said = done.stdout.str()
    assert said.count("cannot build tiny (data)") == 1
    assert said.count("the store holds everything") == 1
    assert said.count("test_one.py::test_") == 1
    done.stdout.fnmatch_lines(
        [
            "*2 errors in *",
            "ERROR  tiny*cannot build tiny (data)*",
            "      stopped 2 checks: test_second, test_it",
            "      Reproduce: pytest 'checks/test_one.py::test_second[[]tiny-int8_qat]'",
            "litegate: *2 without a verdict*",
            "report: *",
            "page: *",
        ]
    )
    assert done.outlines[-1].startswith("page: ")
    report = json.loads((project.path / ".litegate/report/report.json").read_text())
    assert all("the store holds everything" in row["message"] for row in report["errors"])


INTERRUPTED = """
def test_a(candidate, require):
    "It is judged."
    require(size(candidate) <= kib(9))

def test_b(candidate, require):
    "It is interrupted."
    raise KeyboardInterrupt
"""


@pytest.mark.parametrize("first", ["test_a", "test_b"])
def test_ctrl_c_during_a_check_ends_the_run_without_a_traceback(project, first):
    """With the closing section, and pytest's own status of an interrupted run."""
    project.model()
    head = "from litegate import kib\nfrom litegate.measures.structure.size import size\n"
    (project.path / "checks" / "test_one.py").write_text(head + INTERRUPTED)
    done = project.pytester.runpytest_inprocess(
        "checks/", "--import-mode=importlib", "-k", f"{first} or test_b", no_reraise_ctrlc=True
    )
    assert done.ret == 2
    printed = done.stdout.str()
    assert "Traceback" not in printed + done.stderr.str()
    assert "never called" not in printed
    closing = (
        ["*= litegate =*", "PASS *", "litegate: 1 model: 1 pass, 1 without a verdict"]
        if first == "test_a"
        else ["litegate: nothing was gated: the run was interrupted"]
    )
    done.stdout.fnmatch_lines(["*KeyboardInterrupt*", *closing])
