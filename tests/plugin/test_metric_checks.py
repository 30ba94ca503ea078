"""The checks of metrics and slices: which are collected, what they say, what is refused."""

import json

import numpy as np
import pytest

from litegate.spec import Kind
from litegate.testing import evaluation, revalue, tiny
from litegate.testing.store import fill_store

F1 = "metrics=(lg.metrics.f1({limits}),)"
GOOD = tiny(Kind.INT8_QAT)
BIASED = revalue(GOOD, "dense/bias", lambda bias: bias + np.array([0, 0, 0, 4000], bias.dtype))
LOOSE = "regression=lg.Regression(accuracy=lg.points(100))"


def metrics_of(project):
    """The rows of the checks of metrics, by test id in brackets and by check."""
    report = project.path / ".litegate" / "report" / "report.json"
    rows = json.loads(report.read_text("utf-8"))["verdicts"]
    return {row["check"]: row for row in rows if "metric" in row["check"]}


def test_each_metric_of_each_model_has_its_checks(project):
    """Limits that are set, and no others; the header names what is not."""
    limits = "metrics=(lg.metrics.f1(least=0.5, loss=0.1), lg.metrics.top_k(2, loss=lg.points(9)))"
    done = project.model(limits).real_checks().run("checks/test_metrics.py", "-v")
    assert done.ret == 0
    passed = {line.partition(" ")[0] for line in done.outlines if "PASSED" in line}
    assert {one.partition("::")[2] for one in passed} == {
        "test_metric_reaches_its_floor[tiny-int8_qat-f1]",
        "test_metric_stays_within_tolerance[tiny-int8_qat-f1]",
        "test_metric_stays_within_tolerance[tiny-int8_qat-top_2]",
    }
    done.stdout.fnmatch_lines(["no limit for tiny-int8_qat: *, top_2.least"])
    row = metrics_of(project)["test_metric_reaches_its_floor"]
    assert row["measurement"] == "f1"
    assert row["unit"] == "score"


def test_without_a_metric_there_is_no_check(project):
    done = project.model("accuracy=lg.percent(1)").real_checks().run("checks/test_metrics.py")
    assert done.ret == 5


def test_limits_that_no_check_names_are_told(project):
    """Folders of checks that are older than a limit hold nothing to it."""
    head = "from litegate.measures.structure.size import size"
    budget = "size=lg.kib(9), accuracy=lg.percent(90), metrics=(lg.metrics.f1(least=1, loss=0),)"
    project.model(budget).check("require(size(candidate) <= budget.size)", head=head)
    file = project.path / "checks" / "test_one.py"
    file.write_text(
        file.read_text().replace("(candidate, require)", "(candidate, budget, require)")
    )
    line = "no check uses these limits of tiny-int8_qat: accuracy, f1.least, f1.loss"
    project.run().stdout.fnmatch_lines([line])
    project.real_checks(examples=5).run().stdout.no_fnmatch_line("no check uses*")


def test_a_metric_that_fell_fails_its_check(project):
    """The sentence has both values, and the number of samples."""
    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": BIASED}
    project.model(F1.format(limits="loss=0.01"), files=files).real_checks()
    done = project.run("checks/test_metrics.py")
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        ["FAIL  tiny/int8_qat  f1 drop 0.0*  (limit: <= 0.01000, *", "      *of the reference*"]
    )


@pytest.mark.parametrize(("limit", "status"), [(0.2, 0), (0.01, 1)])
def test_a_change_is_held_against_its_base(project, limit, status):
    budget = f"{F1.format(limits=f'regression={limit}')}, {LOOSE}"
    project.model(budget).real_checks().as_base()
    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": BIASED}
    project.model(budget, files=files, network="another")
    done = project.run("checks/test_regression.py", "--against", "main", "-m", "not latency")
    assert done.ret == status
    row = metrics_of(project)["test_metric_is_not_lost"]
    assert row["measurement"] == "f1 regression"


SCORE = "def score(outputs):\n    return outputs[:, 0]\n"
RANKED = "size=lg.kib(9), metrics=(lg.metrics.auc(score=_scores.score, least=0),)"


def test_a_metric_that_ends_the_comparison_of_accuracy_is_told(project):
    """A metric of outputs that are no choice leaves no accuracy to hold against the base."""
    (project.path / "models" / "_scores.py").write_text(SCORE)
    project.model("size=lg.kib(9)").real_checks(examples=5).as_base()
    project.model("size=lg.kib(9)", files={"float32": tiny(Kind.FLOAT32), "int8_qat": BIASED})
    file = project.path / "models" / "tiny.py"
    text = file.read_text().replace("size=lg.kib(9)", RANKED)
    file.write_text(text.replace("import litegate as lg", "import _scores\nimport litegate as lg"))
    fill_store(project.path, "tiny", {"float32": tiny(Kind.FLOAT32), "int8_qat": BIASED})
    done = project.run("checks", "--against", "main", "-m", "not latency")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*tiny: budget regression.accuracy: 0.5 points -> no limit*"])
    done.stdout.fnmatch_lines(["*accuracy was not measured: its metric auc is for networks that*"])


def sliced(project, budget, files=None):
    """A model with a slice: its digest is what names it, for its arrays are planted."""
    found = evaluation()
    masks = {"dark": found.x.mean(axis=(1, 2, 3)) < 0.2}
    split = type(found)(
        digest="of slices", x=found.x, y=found.y, classes=found.classes, domain=(0, 1), slices=masks
    )
    project.model(budget)
    file = project.path / "models" / "tiny.py"
    file.write_text(file.read_text().replace("digests={}", "digests={'slices.dark': 'a'}"))
    return plant_again(project, split, files or {"float32": tiny(Kind.FLOAT32), "int8_qat": GOOD})


def plant_again(project, split, files):
    fill_store(project.path, "tiny", files, split=split)
    return project.real_checks()


def test_a_slice_that_lost_fails_and_is_named(project):
    """The whole may hide it; both the accuracy's check and the metric's say which one."""
    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": BIASED}
    budget = f"slice_drop=lg.points(1), {F1.format(limits='slice_loss=0.01')}"
    done = sliced(project, budget, files).run("checks/test_metrics.py", "checks/test_accuracy.py")
    assert done.ret == 1
    drops = {"f1": "has 0", "accuracy": "loses"}
    for name, loss in drops.items():
        head = f"FAIL  tiny/int8_qat  worst slice's {name} drop *"
        done.stdout.fnmatch_lines([head, f'      *slice "dark" {loss}*'])


def test_slices_that_keep_their_accuracy_pass(project):
    budget = f"slice_drop=lg.points(20), {F1.format(limits='slice_loss=0.2')}"
    done = sliced(project, budget).run("checks/test_metrics.py", "checks/test_accuracy.py")
    assert done.ret == 0


@pytest.mark.parametrize(
    ("budget", "text"),
    [
        ("slice_drop=lg.points(1)", "limits slice_drop, but its data set tiny has no slices"),
        (
            F1.format(limits="slice_loss=1"),
            "limits slice_loss, but its data set tiny has no slices",
        ),
        (F1.format(limits="of='z', least=0"), "names the class 'z', which tiny does not have"),
        ("metrics=lg.metrics.f1(least=0)", "must be a tuple of metrics"),
        ("metrics=(lg.metrics.f1(least=0), lg.metrics.f1(loss=1))", "two metrics named f1"),
        (
            "accuracy=lg.percent(9), metrics=(lg.metrics.mse(most=1),)",
            "limits accuracy, but its metric mse is for networks that do not classify",
        ),
    ],
)
def test_a_promise_that_the_data_cannot_keep_is_refused(project, budget, text):
    project.model("size=lg.kib(9)")
    file = project.path / "models" / "tiny.py"
    source = file.read_text().replace("size=lg.kib(9)", budget)
    file.write_text(source.replace("digests={}", "digests={'x_test': 'a'}"))
    done = project.real_checks().run("checks/test_metrics.py")
    assert done.ret != 0
    assert text in done.stdout.str() + done.stderr.str()


def test_a_check_may_have_a_metric_fixture_of_its_own(project):
    """What a project parametrized before litegate had metrics stays its own."""
    head = "import pytest\nfrom litegate.measures.accuracy import accuracy\nimport litegate as lg"
    project.model("size=lg.kib(9)").check(
        "require(accuracy(candidate) >= lg.percent(metric))",
        head=head,
        args="candidate, metric, require",
    )
    file = project.path / "checks" / "test_one.py"
    file.write_text(
        file.read_text().replace(
            "def test_it", "@pytest.mark.parametrize('metric', [1, 2])\ndef test_it"
        )
    )
    assert project.run().parseoutcomes()["passed"] == 2
