"""What artifacts answered is kept for the page made again, and never taken for another's."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from litegate.build.store import ANSWERS, Store
from litegate.gate.evidence.answers import cached_predictor, recording_predictor
from litegate.runtimes.inference import predict
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


def test_a_run_keeps_what_it_measured_and_it_is_cached_predictor(store):
    told = recording_predictor(store)(ONE)
    assert told is predict(ONE)
    [entry] = entries(store)
    found = cached_predictor(store)(ONE)
    assert found is not told
    assert same(found, told)
    assert entries(store) == [entry]


def test_answers_that_are_not_kept_are_measured_and_kept(store):
    assert same(cached_predictor(store)(ONE), predict(ONE))
    assert len(entries(store)) == 1


def test_other_bytes_and_other_samples_have_other_answers(store):
    recording_predictor(store)(ONE)
    other = replace(ONE, evaluation=evaluation(50, seed=1))
    assert not same(cached_predictor(store)(other), cached_predictor(store)(ONE))
    assert len(entries(store)) == 2


def test_damaged_answers_are_measured_again(store):
    recording_predictor(store)(ONE)
    for path in store.root.glob("objects/*/*"):
        path.write_bytes(b"damaged")
    assert same(cached_predictor(store)(ONE), predict(ONE))


def test_answers_of_another_number_of_samples_are_not_believed(store):
    recording_predictor(store)(ONE)
    fewer = replace(ONE, evaluation=replace(ONE.evaluation, x=ONE.evaluation.x[:9]))
    assert len(cached_predictor(store)(fewer).raw) == 9


def test_a_store_that_takes_nothing_prevents_no_answer(tmp_path):
    (tmp_path / "store").write_text("")
    assert same(recording_predictor(Store(tmp_path / "store"))(ONE), predict(ONE))


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
