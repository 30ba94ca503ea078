"""`pytest checks/` on a wake word in hours of frames: limits, notes and a planted regression."""

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import litegate
from litegate.data.prepare import current_digests
from litegate.spec import DataLocations
from litegate.testing import edit
from litegate.tflite.editing.writer import ModelWriter

CHECKS = Path(__file__).resolve().parents[2] / "checks"
MODEL = '''
"""A word of 300 ms, three times in each recording, in frames of noise."""
import numpy as np

import litegate as lg

HOURS, RECORDINGS, PERIOD = {hours}, 24, {period}
DETECTOR = lg.Detector(threshold=4.0, refractory=lg.ms(2000))


def recordings():
    length, word = round(HOURS * 3600 / PERIOD / RECORDINGS), round(max(3, 0.3 / PERIOD))
    for number in range(RECORDINGS):
        rng = np.random.default_rng(number)
        frames = rng.uniform(0, 0.5, (length, 2)).astype(np.float32)
        labels = np.zeros(length, np.int64)
        for start in length * (np.arange(1, 4) / 4 + number / 200):
            start = int(start)
            labels[start : start + word] = 1
            frames[start : start + word] = 0.9
        yield frames, labels


def load(locations):
    return lg.Splits(test=lg.Stream(source=recordings, batched=True))


def unchanged(x):
    return x


data = lg.Data(
    name="words", load=load, preprocess=unchanged, domain=(0.0, 1.0), digests={digests},
    sequences=lg.Frames(period=lg.ms(1000 * PERIOD), answer="max"),
)
wake_word = lg.prebuilt(
    reference="sound.tflite",
    candidate="shipped.tflite",
    data=data,
    budget=lg.Budget(
        metrics=(
            lg.metrics.false_accepts(DETECTOR, most=0.5, loss=0.5),
            lg.metrics.false_rejects(DETECTOR, most=lg.percent(5), loss=lg.points(5)),
        ),
        real_time_factor=0.5,
    ),
)
'''


def detector(scale, features=2):
    """Return a layer that sums the last three frames, whose state is a variable, times a scale."""
    writer = ModelWriter("svdf")
    x, y = writer.computed("x", "float32", (1, features)), writer.computed("y", "float32", (1, 1))
    state = writer.computed("state", "float32", (1, 3))
    weights = [
        writer.constant("features", np.full((1, features), scale, np.float32)),
        writer.constant("time", np.ones((1, 3), np.float32)),
    ]
    bias = writer.constant("bias", np.zeros(1, np.float32))
    options = schema.SVDFOptionsT(rank=1)
    writer.operator("SVDF", 1, [x, *weights, bias, state], y, options)

    def make_variable(model):
        (tensor,) = [t for t in model.subgraphs[0].tensors if t.name == b"state"]
        tensor.isVariable, tensor.buffer = True, 0

    return edit(writer.finish([x], [y]), make_variable)


def judged(project, *, hours, period, factor=1.0):
    """Run checks of metrics and latency on a wake word; return the process and rows by check."""
    file = project.path / "models" / "wake_word.py"
    file.write_text(MODEL.format(hours=hours, period=period, digests={}))
    data = runpy.run_path(str(file), init_globals={"lg": litegate})["data"]
    known = current_digests(data, DataLocations(), project.path / "once")
    shutil.rmtree(project.path / "once")
    digests = {name: str(digest) for name, digest in known.items()}
    file.write_text(MODEL.format(hours=hours, period=period, digests=digests))
    (project.path / "sound.tflite").write_bytes(detector(1.0))
    (project.path / "shipped.tflite").write_bytes(detector(factor))
    for name in ("test_metrics.py", "test_latency.py"):
        shutil.copy(CHECKS / name, project.path / "checks")
    done = project.run()
    report = project.path / ".litegate" / "report" / "report.json"
    rows = json.loads(report.read_text("utf-8"))["verdicts"]
    return done, {row["measurement"]: row for row in rows}


@pytest.mark.parametrize(
    "period", [1.0, pytest.param(0.01, marks=pytest.mark.slow)], ids=["1 fps", "100 fps"]
)
def test_twelve_hours_prove_half_an_event_an_hour(project, period):
    """All 72 words are heard, and nothing else: every limit is kept, and proven."""
    done, rows = judged(project, hours=12, period=period)
    assert done.ret == 0
    accepts = rows["false_accepts_per_hour"]
    assert (accepts["verdict"], accepts["value"]) == ("pass", 0)
    assert rows["false_rejects"]["verdict"] == "pass"
    assert rows["false_rejects"]["n"] == 72
    assert rows["false_accepts_per_hour rise"]["verdict"] == "pass"
    assert "cannot be proven" not in done.stdout.str()
    factor = rows["real-time factor"]
    assert (factor["verdict"], factor["unit"]) == ("pass", "ratio")
    assert 0 < factor["value"] < 0.1


def test_an_hour_is_linted_and_a_moved_scale_fails_by_name(project):
    """60 minutes cannot prove the limit, which a note says; higher scores accept noise."""
    done, rows = judged(project, hours=1, period=0.1, factor=1.5)
    assert done.ret == 1
    lines = [line for line in done.outlines if "cannot be proven" in line]
    assert any(line.endswith("6.0 h without an event are needed") for line in lines)
    for name in ("false_accepts_per_hour", "false_accepts_per_hour rise"):
        assert rows[name]["verdict"] == "fail"
    assert any("wake_word" in line and "false_accepts_per_hour" in line for line in done.outlines)
    assert rows["false_rejects"]["verdict"] == "pass"
    page = (project.path / ".litegate" / "report" / "report.html").read_text("utf-8")
    assert page.count(" at 15 thresholds from 2 to 6") == 2
