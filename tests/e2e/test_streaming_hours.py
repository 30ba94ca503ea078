"""Hours of frames are loaded, run and judged in no more memory than one hour."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = '''
"""Prepare a stream of hours of frames, run a file with state on them, and print the peak memory."""
import resource
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

import litegate as lg
from litegate.build.store_arrays import stored_evaluation
from litegate.data.digests import ArrayDigest
from litegate.data.prepare import prepare, save_evaluation
from litegate.measures.metrics import metric_value
from litegate.spec import DataLocations
from litegate.testing import edit
from litegate.testing.artifacts import artifact
from litegate.tflite.editing.writer import ModelWriter

HALF_HOURS, WIDTH, LENGTH = 2 * int(sys.argv[1]), 40, 180_000  # of frames of 10 ms


def recordings():
    for number in range(HALF_HOURS):
        rng = np.random.default_rng(number)
        yield rng.random((LENGTH, WIDTH), np.float32), np.zeros(LENGTH, np.int8)


def unchanged(x):
    return x


def file():
    writer = ModelWriter("svdf")
    x, y = writer.computed("x", "float32", (1, WIDTH)), writer.computed("y", "float32", (1, 1))
    state = writer.computed("state", "float32", (1, 3))
    weights = [writer.constant(f"w{n}", np.ones((1, n), np.float32)) for n in (WIDTH, 3)]
    bias = writer.constant("bias", np.zeros(1, np.float32))
    operands = [x, *weights, bias, state]
    writer.operator("SVDF", 1, operands, y, schema.SVDFOptionsT(rank=1))

    def make_variable(model):
        model.subgraphs[0].tensors[state].isVariable = True

    return edit(writer.finish([x], [y]), make_variable)


digests = {"x_test": ArrayDigest(), "y_test": ArrayDigest(), "lengths": ArrayDigest()}
for frames, labels in recordings():
    digests["x_test"].add(frames)
    digests["y_test"].add(labels)
digests["lengths"].add(np.full(HALF_HOURS, LENGTH))
data = lg.Data(
    name="hours",
    load=lambda _: lg.Splits(test=lg.Stream(source=recordings, batched=True)),
    preprocess=unchanged,
    domain=(0.0, 1.0),
    digests={name: str(digest) for name, digest in digests.items()},
    sequences=lg.Frames(period=lg.ms(10)),
)
folder = Path(sys.argv[2])
files = save_evaluation(prepare(data, DataLocations(), folder), folder)
split = stored_evaluation(files, "key", data, is_training_known=False)
metric = lg.metrics.false_accepts(lg.Detector(threshold=100.0), most=1)
measured = metric_value(artifact(file(), split=split), metric)
print(measured.evidence[0])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
'''


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the peak is in KiB on Linux")
def test_ten_hours_take_no_more_memory_than_one(tmp_path):
    """3.6 million frames of 40 features are 576 MB; in memory are their labels and outputs."""
    peaks = {}
    for hours in (1, 10):
        folder = tmp_path / str(hours)
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(hours), str(folder)],
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        heard, peak = done.stdout.splitlines()
        assert f"{hours}.00 h of negative audio" in heard
        peaks[hours] = int(peak)
    assert peaks[10] < peaks[1] + 100, peaks
