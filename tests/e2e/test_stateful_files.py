"""Published stateful files: an LSTM over the rows of digits, and a streaming wake word."""

import json
import os
import shutil
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from projects import BareProject

from litegate.data.digests import array_digest
from litegate.runtimes.child_processes import ChildPool
from litegate.runtimes.child_runtime import SAMPLES, ChildRuntime
from litegate.runtimes.inference import all_outputs
from litegate.runtimes.litert import Runner
from litegate.spec.runtimes import REFERENCE, TFLM, XNNPACK
from litegate.testing import edit

DATA = Path(os.environ.get("LITEGATE_DATA", ""))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (DATA / "streaming").is_dir() and "CI" not in os.environ,
        reason="LITEGATE_DATA names no folder with the streaming files",
    ),
]
COMMAND = "from litegate.cli import main; main()"
COUNT = 600
"""The first test images, on which both files are right in 585 (97.50 %)."""
MODEL = '''
"""An LSTM over the 28 rows of a digit, from TensorFlow Lite Micro's examples."""
import litegate as lg


def unit_scale(samples):
    return samples.astype("float32") / 255


rows = lg.prebuilt(
    reference="files/mnist_lstm_float32.tflite",
    candidate="files/mnist_lstm_int8.tflite",
    data=lg.datasets.npz(
        "digits.npz",
        x="x_test",
        y="y_test",
        digests={"x_test": "%s", "y_test": "%s"},
        preprocess=unit_scale,
        domain=(0.0, 1.0),
        classes=tuple("0123456789"),
    ),
    budget=lg.Budget(
        accuracy=lg.percent(95),
        accuracy_drop=lg.points(1),
        agreement=lg.percent(95),
        output_error=lg.percent(5),
        runtime_agreement=lg.percent(95),
        size=lg.kib(14),
        arena=lg.kib(5),
        macs=120_000,
        target="tflm",
    ),
)
'''


@pytest.fixture(scope="module")
def digits():
    """Samples as the network takes them, shape (600, 28, 28), and their labels."""
    with np.load(DATA / "mnist.npz") as arrays:
        return arrays["x_test"][:COUNT], arrays["y_test"][:COUNT].astype(np.int64)


@pytest.fixture(scope="module")
def project(tmp_path_factory, digits):
    """The pair as ready-made files, with its samples."""
    project = BareProject(tmp_path_factory.mktemp("lstm") / "project")
    shutil.copytree(DATA / "streaming", project.path / "files")
    x, y = digits
    np.savez(project.path / "digits.npz", x_test=x, y_test=y)
    (project.path / "models" / "rows.py").write_text(MODEL % (array_digest(x), array_digest(y)))
    return project


def test_the_pair_is_green_under_all_default_checks(project):
    done = project.gate("-p", "no:cacheprovider", LITEGATE_DATA="")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["recipe"]: row for row in project.report["recipes"]}
    assert rows["float32"]["accuracy"] == rows["int8_ptq"]["accuracy"] == 0.975
    verdicts = project.report["verdicts"]
    assert {row["verdict"] for row in verdicts} == {"pass"}
    judged = {row["measurement"]: row["value"] for row in verdicts}
    assert judged["accuracy"] == judged["accuracy on tflm"] == 0.975


@pytest.mark.parametrize("runtime", [XNNPACK, TFLM])
@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_answers_do_not_depend_on_the_order(digits, kind, runtime):
    """Five runs, reversed, and sorted by class: the same bits, and 97.50 % right."""
    x, y = digits[0].astype(np.float32) / 255, digits[1]
    tflite = (DATA / "streaming" / f"mnist_lstm_{kind}.tflite").read_bytes()

    def answer(samples):
        if runtime == XNNPACK:
            (outputs,) = all_outputs(tflite, samples).values()
            return np.asarray(outputs.raw)
        pool = ChildPool(partial(ChildRuntime, tflite, runtime), most=2)
        with closing(pool):
            (answers,) = pool.answer(samples, subject="the LSTM").values()
            return np.asarray(answers)

    first = answer(x)
    assert (first.argmax(axis=1) == y).mean() == 0.975
    for _ in range(4):
        assert np.array_equal(answer(x), first)
    for order in (np.arange(COUNT)[::-1], np.argsort(y, kind="stable")):
        assert np.array_equal(answer(x[order]), first[order])


def test_a_file_equals_itself(project, digits, tmp_path):
    x, y = digits
    np.savez(tmp_path / "scaled.npz", x=x.astype(np.float32) / 255, y=y)
    file = project.path / "files" / "mnist_lstm_int8.tflite"
    again = tmp_path / "packed_again.tflite"
    again.write_bytes(edit(file.read_bytes(), lambda _: None))
    assert again.read_bytes() != file.read_bytes(), "equal bytes would be run once"
    data = ("--data", str(tmp_path / "scaled.npz"), "--runtime", "xnnpack,tflm", "--json")
    done = project.python("-c", COMMAND, "compare", str(file), str(again), *data)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    equal = "of 600 samples differ by 0 in the mean, by 0 at most; "
    assert sum(equal in note for note in found["notes"]) == 2, found["notes"]
    losses = [row for row in found["verdicts"] if "accuracy regression" in row["measurement"]]
    assert [row["value"] for row in losses] == [0.0, 0.0]


def carried(runtime, tflite, frames):
    """Answer frames in order, from one reset on; the raw values of the only output."""
    if runtime == XNNPACK:
        runner = Runner(tflite)
        (answers,) = runner.answer(runner.ready(frames), "first").values()
        return answers.ravel()
    with closing(ChildRuntime(tflite, runtime)) as child:
        parts = [
            child.answer(child.ready(frames[start : start + SAMPLES]), "none" if start else "first")
            for start in range(0, len(frames), SAMPLES)
        ]
    return np.concatenate([values.ravel() for part in parts for values in part.values()])


def test_a_wake_word_answers_alike_frame_by_frame():
    """The reference kernels and TensorFlow Lite Micro to the bit, XNNPACK within a quantum."""
    tflite = (DATA / "streaming" / "okay_nabu.tflite").read_bytes()
    frames = np.random.default_rng(0).uniform(0, 26, (2_000, 3, 40)).astype(np.float32)
    answers = {runtime: carried(runtime, tflite, frames) for runtime in (XNNPACK, REFERENCE, TFLM)}
    assert len(np.unique(answers[REFERENCE])) > 1, "noise that a constant answers shows nothing"
    assert np.array_equal(answers[REFERENCE], answers[TFLM])
    difference = answers[XNNPACK].astype(int) - answers[REFERENCE]
    assert np.abs(difference).max() <= 1


def test_a_wake_word_is_inspected(project):
    file = "files/okay_nabu.tflite"
    done = project.python("-c", COMMAND, "inspect", "--check", "--target", "tflm", file)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(project.python("-c", COMMAND, "inspect", "--json", file).stdout)
    assert (found["macs"], found["arena"], found["state_bytes"]) == (24_096, 7_568, 3_472)
    assert len(found["variables"]) == 6
    assert all(row["readers"] and row["starts_at_zero"] for row in found["variables"])
