"""Counts in docs/explanation/performance.md: artifacts are evaluated, splits read once."""

import gc
from collections import Counter
from fractions import Fraction

import pytest

from litegate.data import disk_arrays
from litegate.runtimes import inference
from litegate.runtimes.answer_cache import AnswerCache

BUDGET = """
    accuracy=lg.percent(1),
    accuracy_drop=lg.points(99),
    agreement=lg.percent(1),
    runtime_agreement=lg.percent(1),
"""
NAMES = ("first", "second", "third")


@pytest.fixture
def evaluations(monkeypatch):
    """Runs of each artifact, in samples as a share of its split, by its name."""
    counts = Counter()
    run, run_in_children = inference.all_outputs, inference._run_in_children

    def counted(tflite, samples, **options):
        counts[options["subject"]] += 1
        return run(tflite, samples, **options)

    def counted_in_parts(artifact, chosen=None):
        n = len(artifact.evaluation.x)
        counts[artifact.name] += Fraction(n if chosen is None else len(chosen), n)
        return run_in_children(artifact, chosen)

    monkeypatch.setattr(inference, "all_outputs", counted)
    monkeypatch.setattr(inference, "_run_in_children", counted_in_parts)
    return counts


@pytest.fixture
def opened(monkeypatch):
    """How often each array of the store was read."""
    counts = Counter()
    read = disk_arrays.open_array

    def counted(path, name=""):
        counts[name] += 1
        return read(path, name)

    monkeypatch.setattr(disk_arrays, "open_array", counted)
    return counts


@pytest.mark.parametrize("memory", [1 << 20, 0], ids=["in memory", "on disk"])
def test_three_models_are_each_evaluated_once(project, monkeypatch, evaluations, opened, memory):
    """Check by check over all models, also when no answer fits into memory."""
    monkeypatch.setattr(inference, "_ANSWERS", AnswerCache(memory=memory, disk=1 << 20))
    for name in NAMES:
        project.model(BUDGET, name=name)
    project.real_checks()
    opened.clear()
    result = project.run("checks/", "-m", "not latency", "-k", "not property")
    assert result.parseoutcomes()["passed"] > len(NAMES) * 5
    assert set(evaluations) == {
        f"{name}/{run}"
        for name in NAMES
        for run in ("float32", "int8_qat", "int8_qat on reference")
    }
    assert set(evaluations.values()) == {1}
    assert opened["x.npy"] == opened["y.npy"] == 1


@pytest.mark.parametrize(("ci", "again"), [("", set()), ("true", {1})])
def test_answers_are_read_from_the_store_except_in_ci(project, monkeypatch, evaluations, ci, again):
    """A second run computes nothing on a laptop, and everything again in CI."""
    project.model(BUDGET).real_checks()
    chosen = ("checks/", "-m", "not latency", "-k", "not property")
    assert project.run(*chosen).ret == 0
    first = set(evaluations)
    evaluations.clear()
    monkeypatch.setenv("CI", ci)
    assert project.run(*chosen).ret == 0
    assert set(evaluations.values()) == again
    assert set(evaluations) == (first if ci else set())


def test_the_collector_skips_what_a_run_of_the_checks_needs(project, monkeypatch):
    """Until the process ends; the next run in it first lets go of what the last one froze."""
    calls = []
    for name in ("freeze", "unfreeze"):
        monkeypatch.setattr(gc, name, lambda name=name: calls.append(name))
    project.model(BUDGET).check("require(candidate is not None)")
    project.run(project.pytester.makepyfile("def test_other(): pass"))
    assert calls == []
    project.run()
    project.run()
    assert calls == ["unfreeze", "freeze"] * 2
