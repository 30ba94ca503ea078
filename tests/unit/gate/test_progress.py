"""The line that shows where a training stands."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from litegate.build.process import Progress as Event
from litegate.build.process import Ready, Stage
from litegate.gate.progress import Progress


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


def test_a_terminal_shows_all_builds_of_a_cluster_on_one_line():
    """Those that run; a build that has ended makes room."""
    reporter = Mock(isatty=True)
    reporter.config.get_terminal_writer().fullwidth = 80
    config = SimpleNamespace(pluginmanager=SimpleNamespace(getplugin=lambda _: reporter))
    progress = Progress()
    with progress.shown(config):
        progress.on_event("kws", Stage(recipe="", stage="data", worker="a"))
        progress.on_event("ic", Stage(recipe="", stage="data", worker="b"))
        progress.on_event("kws", Ready(recipe=""))
        progress.on_event("ic", Stage(recipe="", stage="train", worker="b"))
    lines = [call.args[0] for call in reporter.rewrite.mock_calls]
    assert lines[:2] == ["kws: data on a", "kws: data on a | ic: data on b"]
    assert lines[2] == "ic: train on b"
