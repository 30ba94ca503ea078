"""Runtimes in child processes: what they answer, and what comes of each way to fail."""

import signal
import sys
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from fake_boards import FIRST, LOADED, MESSAGES, python

from litegate.core.errors import ArtifactError, ConfigError
from litegate.runtimes import program, runtime
from litegate.runtimes.child_runtime import ChildRuntime
from litegate.runtimes.inference import all_outputs, predict_all
from litegate.runtimes.litert import Kernels
from litegate.runtimes.program import Refused
from litegate.spec import Kind
from litegate.spec.runtimes import REFERENCE, Command, declare
from litegate.testing import artifact, evaluation, tiny

INT8 = tiny(Kind.INT8_QAT, input_type="int8", output_type="int8")


@pytest.fixture(autouse=True)
def runtimes_are_threads():
    """They are processes here."""


SAMPLES = evaluation().x

ENDINGS = {
    "dies": "sys.exit(9)",
    "is killed": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "hangs": "time.sleep(60)",
    "closes its stdout": "import os; os.close(1); time.sleep(60)",
    "prints": "print('hello, world'); sys.stdout.flush(); time.sleep(60)",
    "stops halfway": r"sys.stdout.buffer.write(b'\7\0\0\0{}'); sys.stdout.flush()",
    "answers too few": "write({'arrays': [{'dtype': 'int8', 'shape': [2, 4]}]}, bytes(8))",
    "answers wide": "write({'arrays': [{'dtype': 'int8', 'shape': [n, 5]}]}, bytes(5 * n))",
    "answers narrow": "write({'arrays': [{'dtype': 'int8', 'shape': [n, 3]}]}, bytes(3 * n))",
    "answers int16": "write({'arrays': [{'dtype': 'int16', 'shape': [n, 2]}]}, bytes(4 * n))",
    "answers twice": "write({'arrays': [{'dtype': 'int8', 'shape': [n, 2]}] * 2}, bytes(4 * n))",
    "claims more": "write({'arrays': [{'dtype': 'int8', 'shape': [n, 4]}]}, bytes(3))",
    "answers objects": "write({'arrays': [{'dtype': 'object', 'shape': [0, 4]}]})",
    "answers brackets": "write({'arrays': [{'dtype': '(2,3', 'shape': [n, 4]}]})",
    "answers infinity": "write({'arrays': [{'dtype': 'int8', 'shape': [float('inf')]}]})",
    "answers nothing": "write({})",
    "answers a list": r"sys.stdout.buffer.write(b'\2\0\0\0[]'); sys.stdout.flush()",
    "nests": "b = b'[' * 99999; sys.stdout.buffer.write(struct.pack('<I', 99999) + b)",
    "announces much": "start({'bytes': 999999}); time.sleep(60)",
}
GOOD = "write({'arrays': [{'dtype': 'int8', 'shape': [n, 4]}]}, bytes(range(4 * n)))"


@pytest.fixture
def child(tmp_path):
    """Gives a file on a runtime of a project's own, whose program ends in one of these ways."""

    def start(ending, timeout=30.0, before=LOADED, tflite=INT8):
        (tmp_path / "board.py").write_text(before + ending)
        command = python("-S", "board.py")
        declare([Command(name="board", command=command, timeout=timeout)], tmp_path)
        return closing(ChildRuntime(tflite, "board", subject="mine on board"))

    yield start
    declare([], tmp_path)


def test_a_program_that_keeps_the_protocol_gives_its_answers(child):
    with child(GOOD) as running:
        answers = running.answer(running.ready(SAMPLES[:3]))
        running.finish()
    (values,) = answers.values()
    assert values.tolist() == np.arange(12).reshape(3, 4).tolist()


@pytest.mark.parametrize(
    ("ending", "part"),
    [
        ("dies", "board 7 crashes on mine"),
        ("dies", "exit code 9"),
        ("is killed", "SIGSEGV"),
        ("prints", "b'hell' instead of a header's length"),
        ("stops halfway", "2 bytes instead of 7"),
        ("answers too few", "int8 of shape (2, 4)"),
        ("answers wide", "15 bytes after a header, where at most 12 belong"),
        ("answers narrow", "int8 of shape (3, 3)"),
        ("answers int16", "int16 of shape (3, 2)"),
        ("answers twice", "int8 of shape (3, 2); int8 of shape (3, 2)"),
        ("claims more", "board gives no valid answer for mine"),
        ("answers objects", "object of shape"),
        ("answers brackets", "the type '(2,3'"),
        ("answers infinity", "cannot convert float infinity"),
        ("answers nothing", "no array"),
        ("answers a list", "a header that does not say how many bytes follow"),
        ("nests", "nested too deeply"),
        ("announces much", "999,999 bytes after a header, where at most 12 belong"),
    ],
)
def test_every_other_ending_is_an_error_with_the_program_s_stderr(child, ending, part):
    with child(ENDINGS[ending]) as running, pytest.raises(ArtifactError) as caught:
        running.answer(running.ready(SAMPLES[:3]))
    assert part in str(caught.value)
    assert "the board is warm" in str(caught.value)
    assert "board.py` by hand, and correct it" in str(caught.value)
    assert running._program._process.returncode is not None


HELPER = "import subprocess as s; s.Popen(['sleep', '600'], start_new_session=True); "
"""A process that is none of the program's group, and holds its pipes."""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot wait for pipes")
def test_a_helper_that_lives_on_does_not_hold_the_gate(child):
    """Neither after a crash nor after the timeout."""
    with child(HELPER + "sys.exit(9)") as running, pytest.raises(ArtifactError, match="code 9"):
        running.answer(running.ready(SAMPLES[:3]))
    with child(HELPER + "time.sleep(60)") as running:
        running._program._timeout = 0.5
        with pytest.raises(ArtifactError, match=r"none within 0\.5 s"):
            running.answer(running.ready(SAMPLES[:3]))


@pytest.mark.parametrize(
    "arena",
    [
        "{'total': 'x', 'head': 1, 'tail': 1}",
        "{'total': 9, 'head': -1, 'tail': 1}",
        "{'total': float('nan'), 'head': 1, 'tail': 1}",
        "{'total': 9, 'head': 1, 'tail': 1, 'parts': 5}",
        "{'total': 9, 'head': 1, 'tail': 1, 'parts': {'a': None}}",
        "{'total': 9, 'head': 1, 'tail': 1, 'more': 5}",
        "[1, 2]",
    ],
)
def test_memory_that_is_none_is_an_error(child, arena):
    before = FIRST + "read(); write({}); read(); "
    replying = child(f"write({{'arena': {arena}}})", before=before)
    with replying as running, pytest.raises(ArtifactError) as caught:
        running.arena()
    assert '"arena" with "total", "head" and "tail" in bytes' in str(caught.value)


@pytest.mark.parametrize("ending", ["hangs", "closes its stdout"])
def test_a_program_that_does_not_answer_is_killed_at_the_timeout(child, ending):
    with child(ENDINGS[ending]) as running:
        running._program._timeout = 0.5  # a loaded machine starts no program in so short a time
        with pytest.raises(ArtifactError) as caught:
            running.answer(running.ready(SAMPLES[:3]))
    assert "board 7 does not finish with mine" in str(caught.value)
    assert "none within 0.5 s; stderr: the board is warm" in str(caught.value)


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_nan_from_a_project_s_own_runtime_is_an_error(child, value):
    arrays = "{'arrays': [{'dtype': 'float32', 'shape': [n, 4]}]}"
    broken = child(
        f"write({arrays}, struct.pack('f', float('{value}')) * 4 * n)", tflite=tiny(Kind.FLOAT32)
    )
    with broken as running, pytest.raises(ArtifactError, match="got: NaN or infinity; stderr: the"):
        running.answer(running.ready(SAMPLES[:3]))


def test_a_program_that_does_not_read_does_not_stop_ctrl_c(child):
    """The rest of the message is dropped, and the program killed."""

    def interrupt(*_):
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGALRM, interrupt)
    many = np.zeros((20_000, *SAMPLES.shape[1:]), np.float32)
    try:
        with child("", before=LOADED.partition("request, _")[0] + "time.sleep(60)") as running:
            ready = running.ready(many)
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(KeyboardInterrupt):
                running.answer(ready)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
    assert running._program._process.returncode == -signal.SIGKILL


def test_a_program_that_crashes_after_its_last_answer_is_an_error(child):
    """Such as one whose heap an invocation has corrupted: freeing it finds that."""
    with child(f"{GOOD}; read_on = sys.stdin.read(); sys.exit(6)") as running:
        running.answer(running.ready(SAMPLES[:3]))
        with pytest.raises(ArtifactError, match="board 7 crashes on mine"):
            running.finish()


@pytest.mark.parametrize(
    ("before", "part"),
    [
        ("import sys; sys.exit('no cable')", "exit code 1; stderr: no cable"),
        ("print('booting')", "b'boot' instead of a header's length"),
        ("import time; time.sleep(60)", "board does not finish with the first message"),
    ],
)
def test_a_program_that_fails_at_once_fails_at_once_again(child, before, part):
    """It is asked for its version once in a run."""
    for _ in range(2):
        with pytest.raises(ArtifactError) as caught:
            child("", before=before, timeout=0.7)
        assert part in str(caught.value)
    (cause, again) = program._IDENTITIES.values(), caught.value
    assert again in cause


def test_a_device_that_is_not_there_is_missing(child):
    """In the program's own words, which are not an error."""
    before = MESSAGES + "read(); write({'unavailable': 'no /dev/ttyACM0: connect the board'})"
    with pytest.raises(ConfigError) as caught:
        child("", before=before)
    assert (caught.value.what, caught.value.got, caught.value.remedy) == (
        "there is no board on this machine",
        "no /dev/ttyACM0",
        "connect the board",
    )
    assert runtime.missing("board") == "no /dev/ttyACM0: connect the board"


def test_a_device_that_is_missing_without_a_reason_is_missing(child):
    with pytest.raises(ConfigError, match="the program gives no reason"):
        child("", before=MESSAGES + "read(); write({'unavailable': ''})")
    assert runtime.missing("board") == "the program gives no reason"


def test_a_program_that_cannot_be_started_is_an_error(tmp_path):
    declare([Command(name="board", command="/no/such/program")], tmp_path)
    with pytest.raises(ArtifactError, match="board cannot be started"):
        ChildRuntime(INT8, "board")
    declare([], tmp_path)


def test_two_runs_share_a_device_one_after_the_other(child, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # no lock of another test's board
    monkeypatch.setattr(program, "_MOST_WAIT", 0.1)
    with child(GOOD), pytest.raises(ArtifactError, match="in use by another run"):
        program.Program("board")
    assert "waiting for board: another run uses it" in capsys.readouterr().err
    program.Program("board").close()
    assert not capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["10**400", "True", "86400", "'1'", "0"])
def test_a_time_that_no_sample_takes_is_no_time(child, seconds):
    """An integer that no float holds ended in an OverflowError."""
    timed = GOOD.replace("'arrays'", f"'seconds': [{seconds}] * n, 'arrays'")
    with child(timed) as running, pytest.raises(ArtifactError, match="positive numbers"):
        running.seconds(running.ready(SAMPLES[:2]))


def test_a_version_too_long_for_a_key_is_refused(child):
    """Cut off, two versions could be one."""
    start = MESSAGES + "read(); write({'runtime': 'a', 'version': '1' * 201})"
    with pytest.raises(ArtifactError, match="at most 200"):
        child("", before=start)


def test_a_refusal_has_the_runtime_s_words(child):
    refusing = child("write({'error': 'no such operator'})")
    with refusing as running, pytest.raises(Refused, match=r"board \S+ refuses mine") as caught:
        running.answer(running.ready(SAMPLES[:3]))
    assert caught.value.got == "no such operator"


def test_samples_of_another_shape_are_refused_before_they_are_sent(child):
    with child(GOOD) as running, pytest.raises(ArtifactError, match="does not take these samples"):
        running.answer(running.ready(SAMPLES[:3, :9]))


def test_reference_in_a_child_answers_as_in_this_process():
    here = all_outputs(INT8, evaluation(70).x, kernels=Kernels.REFERENCE)
    there = predict_all(replace(artifact(INT8, split=evaluation(70)), runtime=REFERENCE))
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
