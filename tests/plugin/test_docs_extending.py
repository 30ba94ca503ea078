"""docs/how-to/extending.md: its files, put together as it says, notice their own fault."""

import tomllib

import pytest
from documents import PROJECT, blocks

PAGE = PROJECT / "docs" / "how-to" / "extending.md"
FILES = ("checks/false_alarms.py", "checks/test_false_alarms.py", "checks/faults.py")


@pytest.fixture
def extended(project):
    """A project with the page's measure, check, fault, target, and the measure's own test."""
    project.model('target="boards/mine.toml"')
    project.pytester.makeini("[pytest]\npythonpath = checks\naddopts = -p no:randomly\n")
    for folder in ("boards", "tests"):
        (project.path / folder).mkdir()
    (target,) = blocks("toml", pages=[PAGE])
    written = [*FILES, "tests/test_the_measure.py"]
    for path, block in zip(written, blocks("python", pages=[PAGE]), strict=True):
        (project.path / path).write_text(block.text)
    (project.path / "boards" / "mine.toml").write_text(target.text)
    return project


def test_the_check_and_the_measures_own_test_pass(extended):
    done = extended.run_apart("-p", "no:cacheprovider", "checks", "tests")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["*tiny/int8_qat*false alarms*"])


def test_the_target_is_one_that_a_budget_can_name(extended):
    text = (extended.path / "boards" / "mine.toml").read_text()
    assert tomllib.loads(text)["source"]
    extended.check(
        "require(target_violations(candidate, target) <= 0)",
        head="from litegate.measures.structure.target import target_violations\n",
        args="candidate, target, require",
    )
    done = extended.run("checks/test_one.py")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*DEPTHWISE_CONV_2D*not on the list of boards/mine.toml"])


@pytest.mark.slow
def test_the_fault_is_noticed_by_the_check(extended):
    done = extended.run_apart(
        "-p", "no:cacheprovider", "checks", "--prove", "--prove-family", "accuracy"
    )
    done.stdout.fnmatch_lines(
        ["accuracy/false_friends*2 % of the others*test_false_alarms_are_rare*"]
    )
