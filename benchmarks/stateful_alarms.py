"""Count the false alarms of the checks on a stateful file, and how often leaked state is noticed.

Each trial draws half of the samples in another order, and compares an int8 LSTM with itself: the
base is the same network packed again, so that equal bytes spare no run. A failing verdict is a
false alarm, and so is a difference of one bit. Then the candidate runs without the reset before
each sample; a trial without an alarm misses the fault.

    python benchmarks/stateful_alarms.py $LITEGATE_DATA --trials 32
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from litegate import percent, points
from litegate.core.errors import LitegateError
from litegate.measures.measurement import Outcome
from litegate.measures.properties import batch_invariant, property_violations, repeatable
from litegate.measures.regression import accuracy_loss, agreement_with_base
from litegate.mutation.report_rows import alarm_rate_below
from litegate.runtimes.inference import predict
from litegate.spec import Artifact, Evaluation, Kind
from litegate.testing import artifact, edit

SAMPLES = 600
EXAMPLES = 10
"""Inputs for each property besides the extremes: leaked state shows in any of them."""


def main() -> None:
    """Print both counts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="the folder with mnist.npz and streaming/")
    parser.add_argument("--trials", type=int, default=32)
    options = parser.parse_args()
    trials = list(_trials(options.data, options.trials))
    false_alarms = sum(any(_alarms(base, candidate)) for base, candidate in trials)
    high = alarm_rate_below(false_alarms, len(trials))
    print(f"{false_alarms} of {len(trials)} false alarms (rate below {high:.1%}, 95 % confidence)")
    planted = [
        (base, replace(candidate, resets=False, evaluation=replace(candidate.evaluation)))
        for base, candidate in trials
    ]
    noticed = sum(any(_alarms(base, candidate)) for base, candidate in planted)
    print(f"{noticed} of {len(trials)} leaks of state noticed")


def _trials(data: Path, count: int) -> Iterator[tuple[Artifact, Artifact]]:
    """Yield a base and a candidate of the same network, on samples in a drawn order."""
    with np.load(data / "mnist.npz") as arrays:
        x = arrays["x_test"][:SAMPLES].astype(np.float32) / 255
        y = arrays["y_test"][:SAMPLES].astype(np.int64)
    tflite = (data / "streaming" / "mnist_lstm_int8.tflite").read_bytes()
    again = edit(tflite, lambda _: None)
    ports = {"input_type": "int8", "output_type": "int8"}
    for trial in range(count):
        order = np.random.default_rng(trial).permutation(SAMPLES)[: SAMPLES // 2]
        split = Evaluation(
            x=x[order],
            y=y[order],
            digest=hashlib.sha256(order.tobytes()).hexdigest(),
            domain=(0.0, 1.0),
            classes=tuple("0123456789"),
        )
        base, candidate = (
            artifact(content, Kind.INT8_PTQ, split=split, **ports) for content in (again, tflite)
        )
        yield base, candidate


def _alarms(base: Artifact, candidate: Artifact) -> Iterator[bool]:
    """Yield True for each failing verdict, and for outputs that differ in a bit."""
    yield not np.array_equal(predict(base).raw, predict(candidate).raw)
    verdicts = (
        lambda: accuracy_loss(base, candidate) <= points(0.5),
        lambda: agreement_with_base(base, candidate) >= percent(98),
        lambda: property_violations(candidate, repeatable, examples=EXAMPLES) <= 0,
        lambda: property_violations(candidate, batch_invariant, examples=EXAMPLES) <= 0,
    )
    for verdict in verdicts:
        try:
            yield verdict().outcome is Outcome.FAIL
        except LitegateError:
            yield True


if __name__ == "__main__":
    main()
