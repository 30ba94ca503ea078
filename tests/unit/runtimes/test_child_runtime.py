"""Runtimes in child processes: what they answer, and what comes of each way to fail."""

import sys
from contextlib import closing

import numpy as np
import pytest

from litegate.core.errors import ArtifactError, ConfigError
from litegate.runtimes import runtime
from litegate.runtimes.child_runtime import ChildRuntime, Refused
from litegate.runtimes.inference import all_outputs, child_outputs
from litegate.runtimes.litert import Kernels
from litegate.spec import Kind
from litegate.spec.runtimes import REFERENCE
from litegate.testing import evaluation, tiny

INT8 = tiny(Kind.INT8_QAT, input_type="int8", output_type="int8")


@pytest.fixture(autouse=True)
def runtimes_are_threads():
    """They are processes here."""


SAMPLES = evaluation().x

PROGRAM = """
import json, struct, sys, time

def read():
    (length,) = struct.unpack("<I", sys.stdin.buffer.read(4))
    header = json.loads(sys.stdin.buffer.read(length))
    return header, sys.stdin.buffer.read(header["bytes"])

def write(header, content=b""):
    text = json.dumps(header | {"bytes": len(content)}).encode()
    sys.stdout.buffer.write(struct.pack("<I", len(text)) + text + content)
    sys.stdout.buffer.flush()

read()
write({"runtime": "board", "version": "7"})
request, _ = read()
n = request["arrays"][0]["shape"][0]
print("the board is warm", file=sys.stderr, flush=True)
"""
ENDINGS = {
    "dies": "sys.exit(9)",
    "is killed": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "hangs": "time.sleep(60)",
    "prints": "print('hello, world'); sys.stdout.flush(); time.sleep(60)",
    "stops halfway": "sys.stdout.buffer.write(b'\\7\\0\\0\\0{}'); sys.stdout.flush()",
    "answers too few": "write({'arrays': [{'dtype': 'int8', 'shape': [2, 4]}]}, bytes(8))",
    "answers wide": "write({'arrays': [{'dtype': 'int8', 'shape': [n, 5]}]}, bytes(5 * n))",
    "answers floats": "write({'arrays': [{'dtype': 'float32', 'shape': [n, 4]}]}, bytes(16 * n))",
    "answers twice": "write({'arrays': [{'dtype': 'int8', 'shape': [n, 4]}] * 2}, bytes(8 * n))",
    "claims more": "write({'arrays': [{'dtype': 'int8', 'shape': [n, 4]}]}, bytes(3))",
    "answers objects": "write({'arrays': [{'dtype': 'object', 'shape': [n, 4]}]}, bytes(32 * n))",
    "answers nothing": "write({})",
    "answers a list": "sys.stdout.buffer.write(b'\\2\\0\\0\\0[]'); sys.stdout.flush()",
}
GOOD = "write({'arrays': [{'dtype': 'int8', 'shape': [n, 4]}]}, bytes(range(4 * n)))"


def child(ending, timeout=30.0):
    command = (sys.executable, "-S", "-c", PROGRAM + ending)
    return closing(ChildRuntime(INT8, REFERENCE, command=command, timeout=timeout, subject="mine"))


def test_a_program_that_keeps_the_protocol_gives_its_answers():
    with child(GOOD) as running:
        answers = running.answer(running.ready(SAMPLES[:3]))
        running.finish()
    (values,) = answers.values()
    assert values.tolist() == np.arange(12).reshape(3, 4).tolist()


@pytest.mark.parametrize(
    ("ending", "part"),
    [
        ("dies", "reference 7 crashes on mine"),
        ("dies", "exit code 9"),
        ("is killed", "SIGSEGV"),
        ("prints", "b'hell' instead of a header's length"),
        ("stops halfway", "2 bytes instead of 7"),
        ("answers too few", "int8 of shape (2, 4)"),
        ("answers wide", "int8 of shape (3, 5)"),
        ("answers floats", "float32 of shape (3, 4)"),
        ("answers twice", "int8 of shape (3, 4); int8 of shape (3, 4)"),
        ("claims more", "gives no valid answer for mine"),
        ("answers objects", "object of shape"),
        ("answers nothing", "no array"),
        ("answers a list", "a header that does not say how many bytes follow"),
    ],
)
def test_every_other_ending_is_an_error_with_the_child_s_stderr(ending, part):
    with child(ENDINGS[ending]) as running, pytest.raises(ArtifactError) as caught:
        running.answer(running.ready(SAMPLES[:3]))
    assert part in str(caught.value)
    assert "the board is warm" in str(caught.value)
    assert running._child.returncode is not None


def test_a_child_that_does_not_answer_is_killed_at_the_timeout():
    with child(ENDINGS["hangs"], timeout=0.5) as running, pytest.raises(ArtifactError) as caught:
        running.answer(running.ready(SAMPLES[:3]))
    assert "reference 7 does not finish with mine" in str(caught.value)
    assert "none within 0.5 s; stderr: the board is warm" in str(caught.value)


def test_a_child_that_crashes_after_its_last_answer_is_an_error():
    """Such as one whose heap an invocation has corrupted: freeing it finds that."""
    with child(f"{GOOD}; read_on = sys.stdin.read(); sys.exit(6)") as running:
        running.answer(running.ready(SAMPLES[:3]))
        with pytest.raises(ArtifactError, match="reference 7 crashes on mine"):
            running.finish()


def test_a_command_that_cannot_be_started_is_an_error():
    with pytest.raises(ArtifactError, match="reference cannot be started"):
        ChildRuntime(INT8, REFERENCE, command=("/no/such/program",))


def test_a_refusal_has_the_runtime_s_words():
    refusing = child("write({'error': 'no such operator'})")
    with refusing as running, pytest.raises(Refused, match="reference refuses mine") as caught:
        running.answer(running.ready(SAMPLES[:3]))
    assert caught.value.got == "no such operator"


def test_samples_of_another_shape_are_refused_before_they_are_sent():
    with child(GOOD) as running, pytest.raises(ArtifactError, match="does not take these samples"):
        running.answer(running.ready(SAMPLES[:3, :9]))


def test_reference_in_a_child_answers_as_in_this_process():
    here = all_outputs(INT8, SAMPLES[:70], kernels=Kernels.REFERENCE)
    there = child_outputs(REFERENCE, INT8, SAMPLES[:70])
    assert list(here) == list(there)
    for name, outputs in here.items():
        assert np.array_equal(outputs.raw, there[name].raw)
        assert outputs.port == there[name].port


def test_a_runtime_that_is_not_installed_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(runtime, "missing", lambda _: "x is not installed: pip install 'y'")
    with pytest.raises(ConfigError) as caught:
        runtime.demand("tflm")
    assert (caught.value.got, caught.value.remedy) == ("x is not installed", "pip install 'y'")
    with pytest.raises(ConfigError, match="there is no runtime npu"):
        runtime.demand("npu")
