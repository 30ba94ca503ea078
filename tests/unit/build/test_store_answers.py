"""What artifacts answered is kept for later runs, and never taken for another's."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from several import crossed_artifact

from litegate.build import store_answers
from litegate.build.store import ANSWERS, Store
from litegate.build.store_answers import StoredAnswers, keep_answers
from litegate.runtimes import inference
from litegate.runtimes.inference import predict, predict_all
from litegate.spec import Kind
from litegate.testing import artifact, evaluation, tiny

ONE = artifact(tiny(Kind.INT8_QAT), split=evaluation(50))


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(tmp_path / "store")


def entries(store):
    """The manifests of kept answers."""
    return sorted((store.root / ANSWERS).glob("*.json"))


def same(one, other):
    """Whether two answers are the same in every bit."""
    return (
        one.quantum == other.quantum
        and one.raw.dtype == other.raw.dtype
        and np.array_equal(one.raw, other.raw)
        and np.array_equal(one.real, other.real)
    )


@pytest.fixture
def evaluated(monkeypatch):
    """The names of the artifacts that were run on their split, in turn."""
    names = []
    evaluate = inference._evaluate

    def counted(artifact):
        names.append(artifact.name)
        return evaluate(artifact)

    monkeypatch.setattr(inference, "_evaluate", counted)
    return names


def later(store, artifact=ONE, *, read=True):
    """What a later run gets for an artifact: one that has computed nothing yet."""
    split = replace(artifact.evaluation)
    return predict(keep_answers(store, replace(artifact, evaluation=split), read=read))


def test_what_one_run_computes_a_later_one_reads(store, evaluated):
    first = later(store)
    [entry] = entries(store)
    assert same(later(store), first)
    assert evaluated == [ONE.name]
    assert entries(store) == [entry]


def test_a_run_that_trusts_no_store_computes_and_keeps(store, evaluated):
    first = later(store, read=False)
    assert same(later(store, read=False), first)
    assert evaluated == [ONE.name] * 2
    assert same(later(store), first)
    assert len(evaluated) == 2


def test_a_run_in_a_child_process_is_announced_once(store):
    """Not a run in this process, which is fast, nor answers that the store has."""
    notices = []
    for runtime in ("xnnpack", "reference", "reference"):
        copy = replace(ONE, runtime=runtime, evaluation=replace(ONE.evaluation))
        predict(keep_answers(store, copy, read=True, on_notice=notices.append))
    assert notices == [f"running {ONE.name} on reference, 50 samples"]


def test_every_output_is_kept(store, evaluated):
    several = crossed_artifact()
    split = replace(several.evaluation)
    fresh = predict_all(keep_answers(store, several, read=True))
    read = predict_all(keep_answers(store, replace(several, evaluation=split), read=True))
    assert list(read) == list(fresh)
    assert len(fresh) == 2
    assert all(same(read[name], fresh[name]) for name in fresh)
    assert all(read[name].port == fresh[name].port for name in fresh)
    assert len(evaluated) == 1


def test_other_bytes_and_other_samples_have_other_answers(store):
    other = replace(ONE, evaluation=evaluation(50, seed=1))
    floating = artifact(tiny(Kind.FLOAT32), split=ONE.evaluation)
    assert not same(later(store), later(store, other))
    assert not same(later(store), later(store, floating))
    assert len(entries(store)) == 3


def test_another_processor_or_litert_computes_anew(store, evaluated, monkeypatch):
    later(store)
    for name, another in {"instruction_set": "another", "key_parts": ["another"]}.items():
        with monkeypatch.context() as patch:
            patch.setattr(store_answers, name, lambda *_, another=another: another)
            later(store)
    assert len(evaluated) == 3
    assert len(entries(store)) == 3


def test_each_runtime_has_answers_of_its_own(store, evaluated):
    elsewhere = replace(ONE, runtime="reference")
    first, second = later(store), later(store, elsewhere)
    assert not same(first, second)
    assert same(later(store, elsewhere), second)
    assert same(later(store), first)
    assert evaluated == [ONE.name, f"{ONE.name} on reference"]
    assert len(entries(store)) == 2


@pytest.mark.parametrize("text", ["{", '{"a": 1}'])
def test_damaged_answers_are_computed_again_and_replaced(store, evaluated, text):
    first = later(store)
    for path in store.root.glob("objects/*/*"):
        path.write_bytes(b"damaged")
    assert same(later(store), first)
    assert same(later(store), first)
    assert len(evaluated) == 2
    [entry] = entries(store)
    entry.write_text(text)
    assert same(later(store), first)
    assert len(evaluated) == 3


def test_answers_that_fit_no_array_are_computed_again(store, evaluated, tmp_path):
    """Whole by their digests, and written by somebody else."""
    key = StoredAnswers(store=store, artifact=ONE, read=True).key()
    for number, text in enumerate(("[]", '{"a": 1}', '{"a": {"shape": [], "allocated": []}}')):
        store.forget(ANSWERS, key)
        (tmp_path / "ports.json").write_text(text)
        store.put(ANSWERS, key, {"ports.json": tmp_path / "ports.json"})
        assert same(later(store), predict(ONE))
        assert len(evaluated) >= number + 1


def test_answers_of_another_number_of_samples_are_not_believed(store):
    later(store)
    fewer = replace(ONE, evaluation=replace(ONE.evaluation, x=ONE.evaluation.x[:9]))
    assert len(later(store, fewer).raw) == 9


def test_a_store_that_takes_nothing_prevents_no_answer(tmp_path):
    (tmp_path / "store").write_text("")
    assert same(later(Store(tmp_path / "store")), predict(ONE))


def test_large_outputs_are_not_kept(store, monkeypatch):
    size = predict(ONE).raw.nbytes
    monkeypatch.setattr(store_answers, "MOST_BYTES", size - 1)
    later(store)
    assert entries(store) == []
    monkeypatch.setattr(store_answers, "MOST_BYTES", size)
    later(store)
    assert len(entries(store)) == 1


QUIET = """
import os
from litegate.runtimes.litert import without_greeting
from litegate.runtimes.inference import outputs
from litegate.spec import Kind
from litegate.testing import evaluation, tiny
with without_greeting():
    os.write(2, b"WARNING: something else\\n")
outputs(tiny(Kind.INT8_QAT), evaluation(3).x)
outputs(tiny(Kind.FLOAT32), evaluation(3).x)
"""


def test_litert_does_not_greet_and_is_heard_otherwise():
    done = subprocess.run(
        [sys.executable, "-c", QUIET], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == "WARNING: something else\n"
