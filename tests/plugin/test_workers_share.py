"""pytest-xdist: a worker runs a model's checks in a row, and the controller computes no answers."""

import re

import pytest

from litegate.runtimes import inference

HEAD = """
from litegate import percent
from litegate.measures.accuracy import accuracy
"""


@pytest.fixture
def models(project):
    """Four models, each with three checks of one candidate."""
    for number in range(4):
        project.model(name=f"net_{number}")
    project.check("require(accuracy(candidate) >= percent(1))", head=HEAD)
    text = (project.path / "checks" / "test_one.py").read_text()
    for name in ("test_two.py", "test_three.py"):
        (project.path / "checks" / name).write_text(text)
    return project


def test_a_worker_runs_a_models_checks_in_a_row(models):
    """Pytest's order, check by check, would give every worker every model."""
    done = models.run("checks/", "-n", "1", "-v")
    assert done.ret == 0
    ran = re.findall(r"PASSED \S+\[(net_\d)-", done.stdout.str())
    assert ran == [f"net_{number}" for number in range(4) for _ in range(3)]


@pytest.mark.parametrize("ci", ["", "true"])
def test_the_controller_computes_no_answers(models, monkeypatch, ci):
    """It takes those of its workers, in CI too, where a store's own are not believed."""
    monkeypatch.setenv("CI", ci)
    computed = []
    evaluate = inference._evaluate
    monkeypatch.setattr(
        inference, "_evaluate", lambda artifact: computed.append(artifact) or evaluate(artifact)
    )
    done = models.run("checks/", "-n", "2")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["*net_0/int8_qat*"])
    assert [artifact.name for artifact in computed if artifact.recipe.name == "int8_qat"] == []
