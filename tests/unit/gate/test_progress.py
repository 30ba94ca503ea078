"""The line that shows where a training stands."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from itertools import groupby
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from litegate.build.process import Progress as Event
from litegate.build.process import Stage
from litegate.gate.progress import Progress

ERASE_LINE = "\x1b[2K"
SHOW_CURSOR = "\x1b[?25h"
CLUSTER = """
import sys

import pytest

from litegate.build.process import Ready, Stage
from litegate.gate.progress import Progress, uncaptured


class Builds:
    def pytest_collection_finish(self, session):
        progress = Progress()
        with uncaptured(session.config), progress.shown(session.config):
            progress.on_event("kws", Stage(recipe="int8", stage="train", worker="node1"))
            progress.on_event("ic", Stage(recipe="int8", stage="data", worker="node2"))
            progress.on_event("kws", Ready(recipe=""))
            progress.on_notice("a notice")
            progress.on_event("ic", Stage(recipe="int8", stage="data", worker="node2"))
        with uncaptured(session.config), progress.shown(session.config):
            progress.on_notice("the end")


sys.exit(pytest.main(["-p", "no:cacheprovider"], plugins=[Builds()]))
"""


@pytest.mark.parametrize(
    ("step", "steps", "line"),
    [
        (1, 45, "kws/int8_qat: train epoch 2/30 step 1/45, loss 2.2949, accuracy 0.1875"),
        (
            2,
            45,
            "kws/int8_qat: train epoch 2/30 step 2/45, loss 2.2949, accuracy 0.1875, 71 s left",
        ),
        (1, 1, "kws/int8_qat: train epoch 2/30 step 1/1, loss 2.2949, accuracy 0.1875, 71 s left"),
    ],
)
def test_time_is_estimated_after_the_first_step(capfd, step, steps, line):
    """The first one compiles the network."""
    event = Event(
        recipe="int8_qat",
        stage="train",
        epoch=2,
        epochs=30,
        step=step,
        steps=steps,
        loss=2.29494,
        accuracy=0.1875,
        eta=71.4,
    )
    Progress().on_event("kws", event)
    assert capfd.readouterr().err == f"litegate: {line}\n"


def test_only_a_live_line_is_erased():
    """Not pytest's dots, which stand on the line while a check waits for a runtime."""
    reporter = Mock(isatty=True)
    reporter.config.get_terminal_writer().fullwidth = 80
    config = SimpleNamespace(pluginmanager=SimpleNamespace(getplugin=lambda _: reporter))
    progress = Progress()
    with progress.shown(config):
        progress.on_wait("running a/b on tflm, 9 samples")
        assert not reporter.rewrite.called
        progress.on_step("a step")
        progress.on_wait("running a/c on tflm, 9 samples")
    assert [call.args[0] for call in reporter.rewrite.mock_calls] == ["a step", ""]
    lines = [call.args[0] for call in reporter.write_line.mock_calls]
    assert lines == [f"litegate: running a/{name} on tflm, 9 samples" for name in "bc"]


def test_builds_on_a_cluster_have_a_line_for_each_stage_of_each_model(capfd):
    """With the worker; a stage that goes on has no second line at once."""
    progress = Progress()
    for worker, model in (("a", "kws"), ("b", "ic"), ("a", "kws"), ("b", "kws")):
        progress.on_event(model, Stage(recipe="float32", stage="train", worker=worker))
    assert capfd.readouterr().err.splitlines() == [
        "litegate: kws/float32: train on a",
        "litegate: ic/float32: train on b",
        "litegate: kws/float32: train on b",
    ]


def test_a_terminal_shows_all_builds_of_a_cluster_in_a_table(tmp_path):
    """Of those that run: a build that has ended makes room. At the end nothing of it is left."""
    written = in_terminal(CLUSTER, tmp_path)
    before, notice, after = written.partition("litegate: a notice")
    kws, ic = ("kws/int8", "train", "node1"), ("ic/int8", "data", "node2")
    assert notice
    assert tables(before) == [[kws], [kws, ic], [ic]]
    assert tables(after) == [[ic]]
    last = after[after.rindex("node2") : after.index("litegate: the end")]
    assert ERASE_LINE in last
    assert SHOW_CURSOR in last


def tables(written):
    """Return the rows of each table that was drawn, once if it was drawn again as it was."""
    frames = written.split("building")[1:]
    rows = [re.findall(r"(\S+/int8) +(\S.*?) +(node\d)", frame) for frame in frames]
    return [drawn for drawn, _ in groupby(rows)]


def in_terminal(script, folder):
    """Run a script in a terminal of 80 columns; return all that it writes."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=folder,
        env=env,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    written = b""
    with suppress(OSError):  # Linux's end of file, after the last writer has closed
        while piece := os.read(master, 4096):
            written += piece
    os.close(master)
    assert child.wait() == pytest.ExitCode.NO_TESTS_COLLECTED
    return written.decode()
