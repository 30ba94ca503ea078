"""Promising less in a way that no line of a check or a budget shows: it is said all the same."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from litegate.spec import Kind
from litegate.testing import evaluation, tiny
from litegate.testing.store import fill_store

CHECKS = Path(__file__).resolve().parents[2] / "checks"
FILES = {"float32": tiny(Kind.FLOAT32), "int8_qat": tiny(Kind.INT8_QAT)}
OWN = "lg.recipes.int8_qat(name='int8_qat', from_scratch=True, budget=lg.Budget({}))"
HEAD = "from litegate.measures.structure.size import size\nfrom litegate import kib"
KEPT = "require(size(candidate) <= kib(9))"


@pytest.fixture
def guarded(project):
    """A project with the guard, and no base yet."""
    shutil.copy(CHECKS / "test_weakened_limits.py", project.path / "checks")
    return project


def against_main(project):
    """What was said of a loosening, or nothing where there is none; the run has no error."""
    done = project.run("checks/", "--against", "main")
    said = done.stdout.str()
    assert "ERROR" not in said, said
    assert done.ret == ("weakened limits: " in said), said
    return said if done.ret else ""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("size=lg.percent(1)", "size=lg.percent(2)", "regression.size: 1 % -> 2 %"),
        ("operators=0", "", "regression.operators: 0 -> no limit"),
        ("agreement=lg.percent(99)", "agreement=lg.percent(98)", "regression.agreement: 99 %"),
        ("", "size=lg.percent(2)", "regression.size: 1 % -> 2 %"),
        ("operators=1", "operators=0", ""),
    ],
)
def test_a_recipes_own_limit_against_the_base(guarded, before, after, said):
    """The model's budget is as it was."""
    base, head = (OWN.format(f"regression=lg.Regression({each})") for each in (before, after))
    guarded.model(recipes=base).check(KEPT, head=HEAD).as_base().model(recipes=head)
    found = against_main(guarded)
    assert f"tiny/int8_qat: budget {said}" in found if said else not found


SCALED = (
    "def _as_it_is(samples):\n    return samples",
    "SCALE = 1\n\ndef _as_it_is(samples):\n    return samples * SCALE",
)


def edit(project, old, new, name="models/tiny.py"):
    """Change one text of a file, and plant what the changed model would have built."""
    file = project.path / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    fill_store(project.path, "tiny", FILES)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("SCALE = 1", "SCALE = 1.0", True),
        ("return samples * SCALE", "return SCALE * samples", True),
        ("return ''", "return 'another network'", False),
    ],
)
def test_a_constant_of_the_preprocessing(guarded, old, new, said):
    """Though the function is as it was; the network in the same file is none of it."""
    edit(guarded.model().check(KEPT, head=HEAD), *SCALED)
    guarded.as_base()
    edit(guarded, old, new)
    assert ("tiny: preprocessing source:" in against_main(guarded)) is said


LIMITED = "from _limits import most\nfrom litegate.measures.structure.size import size"


@pytest.fixture
def limited(guarded):
    """A base whose check takes its limit from a helper beside it."""
    guarded.pytester.makeini("[pytest]\naddopts = -p no:randomly\npythonpath = checks\n")
    (guarded.path / "checks" / "_limits.py").write_text(
        "from litegate import kib\ndef most():\n    return kib(9)\n"
    )
    return guarded.model().check("require(size(candidate) <= most())", head=LIMITED).as_base()


@pytest.mark.parametrize(("limit", "said"), [("kib(99)", True), ("kib(9)  # enough", False)])
def test_a_helper_of_the_checks(limited, limit, said):
    """A limit that stands in a module beside them."""
    edit(limited, "kib(9)", limit, "checks/_limits.py")
    found = against_main(limited)
    assert ("module checks/_limits.py:" in found) is said


@pytest.mark.parametrize(("limit", "said"), [("kib(99)", True), ("kib(9)  # enough", False)])
def test_a_helper_that_is_called_as_a_test_is(guarded, limit, said):
    """Pytest takes none for a test that says so."""
    head = f"{HEAD}\ndef test_most():\n    return kib(9)\ntest_most.__test__ = False"
    guarded.model().check("require(size(candidate) <= test_most())", head=head).as_base()
    edit(guarded, "kib(9)", limit, "checks/test_one.py")
    found = against_main(guarded)
    assert ("top-level statements of checks/test_one.py:" in found) is said


@pytest.mark.parametrize("file", ["conftest.py", "checks/conftest.py"])
def test_a_helper_of_a_conftest(guarded, file):
    """What it imports is compared, too."""
    place = guarded.path / Path(file).parent
    (place / "_hidden.py").write_text("LIMIT = 9\n")
    (place / Path(file).name).write_text("import _hidden\n")
    guarded.pytester.makeini("[pytest]\naddopts = -p no:randomly\npythonpath = . checks\n")
    guarded.model().check(KEPT, head=HEAD).as_base()
    edit(guarded, "9", "99", f"{Path(file).parent}/_hidden.py")
    assert f"module {Path(file).with_name('_hidden.py')}:" in against_main(guarded)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(project, value):
    """An integer file answers them like any other, so the split itself is looked at."""
    split = evaluation()
    x = split.x.copy()
    x[7].flat[0] = value
    head = "from litegate.measures.accuracy import accuracy\nfrom litegate import percent"
    project.model(split=dataclasses.replace(split, x=x), keras_outputs=np.zeros((len(x), 4)))
    done = project.check("require(accuracy(candidate) >= percent(1))", head=head).run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        [
            "*1 of 200 samples of tiny/int8_qat contain NaN or infinity",
            "*sample 7 of the evaluation split is the first",
        ]
    )


def test_samples_of_a_single_class(project):
    """Whatever the accuracy is, the report says what it is worth."""
    split = evaluation()
    head = "from litegate.measures.accuracy import accuracy\nfrom litegate import percent"
    alone = split.y == split.y[0]
    project.model(split=dataclasses.replace(split, x=split.x[alone], y=split.y[alone]))
    done = project.check("require(accuracy(candidate) >= percent(1))", head=head).run()
    done.stdout.fnmatch_lines(["*evaluation split: every sample is of class*"])


MADE = """
from dataclasses import replace
from litegate import byte
from litegate.measures.measurement import Outcome, Relation, Verdict
from litegate.measures.structure.size import size
KEPT = {"relation": Relation.AT_MOST, "outcome": Outcome.PASS}
"""


@pytest.mark.parametrize(
    "verdict",
    [
        "replace(size(candidate) <= byte(9), outcome=Outcome.PASS)",
        "replace(size(candidate) <= byte(9**9), limit=byte(9))",
        "Verdict(measurement=size(candidate), limit=byte(9), **KEPT)",
    ],
)
def test_a_verdict_made_by_hand(project, verdict):
    """Only what comparing gives is one."""
    done = project.model().check(f"require({verdict})", head=MADE).run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*require needs the comparison of a measurement with a limit*"])
