"""TensorFlow Lite Micro: its own interpreter's answers, words and memory."""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from litegate.measures.structure.runtime_trial import try_on
from litegate.runtimes.inference import predict
from litegate.runtimes.litert import Runner
from litegate.spec import Kind
from litegate.testing import artifact, evaluation, tiny

micro = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", exc_type=ImportError)

INT8 = tiny(Kind.INT8_QAT, input_type="int8", output_type="int8")


@pytest.fixture(autouse=True)
def runtimes_are_threads():
    """They are processes here."""


@pytest.fixture
def interpreter():
    return micro.Interpreter.from_bytes(INT8, arena_size=1 << 16)


def test_answers_are_those_of_a_direct_script(interpreter):
    samples = evaluation().x[:70]
    split = evaluation().some(np.arange(70))
    outputs = predict(replace(artifact(INT8, split=split), runtime="tflm"))
    ready = Runner(INT8).input.quantize(samples)
    for sample, answer in zip(ready, outputs.raw, strict=True):
        interpreter.set_input(sample[None], 0)
        interpreter.invoke()
        assert np.array_equal(interpreter.get_output(0)[0], answer)


def test_arena_is_the_interpreter_s_own_record(interpreter, capfd):
    interpreter.invoke()
    interpreter.print_allocations()
    sys.stderr.flush()
    recorded = re.search(r"total (\d+) bytes", capfd.readouterr().err)
    arena = try_on("tflm", INT8).arena
    assert arena.total == int(recorded[1])
    assert arena.total == arena.head + arena.tail
    assert arena.rest == arena.tail - sum(arena.parts.values()) >= 0


def test_arena_is_doubled_until_the_file_fits(monkeypatch):
    from litegate.runtimes import tflm

    monkeypatch.setattr(tflm, "_FIRST_ARENA", 1 << 9)
    loaded = tflm.LoadedFile(INT8)
    loaded.answer([np.zeros((1, 10, 10, 1), np.int8)])
    assert 1 << 9 < loaded.arena().total


def test_what_it_refuses_is_told_in_its_words():
    """Hybrid kernels, with float data and int8 weights, it does not have."""
    trial = try_on("tflm", tiny(Kind.DYNAMIC_RANGE), subject="mine")
    assert re.match(r"tflm \S+ refuses mine: ", trial.refusal)
    assert "failed to prepare" in trial.refusal
