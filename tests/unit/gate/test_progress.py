"""The line that shows where a training stands."""

import pytest

from litegate.build.process import Progress as Event
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
