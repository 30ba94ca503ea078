"""Keras and other kernels against the bytes that ship, in decisions and in quanta."""

from dataclasses import replace

import numpy as np
import pytest
from tiny import artifact, rounder, selector

from litegate import percent, quanta
from litegate.core.errors import MeasurementError
from litegate.measures.accuracy.agreement import (
    keras_agreement,
    keras_difference,
    spread_indices,
)
from litegate.measures.accuracy.quanta import output_grid_of
from litegate.measures.accuracy.runtime_agreement import runtime_agreement
from litegate.measures.measurement import Outcome
from litegate.measures.verdict_text import sentence
from litegate.tflite.parser import parse
from litegate.tflite.ports import port_from_tensor

TWO = selector(2, [0, 1])


def decided(n, differing):
    """An artifact whose Keras network decides otherwise on the first `differing` of n samples."""
    x = np.stack([1 + np.arange(n), np.zeros(n)], axis=1)
    keras = np.tile([1.0, 0.0], (n, 1))
    keras[:differing] = [0, 1]
    return artifact(TWO, x, keras_outputs=keras.astype(np.float32))


@pytest.mark.parametrize(
    ("floor", "outcome"),
    [(99.51, Outcome.FAIL), (99.5, Outcome.INCONCLUSIVE), (99.01, "inconclusive"), (98.9, "pass")],
)
def test_share_of_equal_decisions(floor, outcome):
    """Five of 1,000 decided otherwise is 99.5 %, and Wilson's one-sided limit 98.98 %."""
    verdict = keras_agreement(decided(1000, 5)) >= percent(floor)
    assert verdict.outcome == outcome
    assert "995 of 1,000 decisions equal" in sentence(verdict)


def test_agreement_is_not_accuracy():
    """Two networks that are both wrong agree."""
    x = np.tile([0.0, 1.0], (400, 1))
    assert keras_agreement(artifact(TWO, x, keras_outputs=x)).value == 1


def test_ties_are_told_on_their_side():
    """A tie in Keras goes to the lowest index too."""
    x = np.array([[0.0, 1.0], [1.0, 0.0]])
    keras = np.array([[0.5, 0.5], [0.5, 0.5]])
    found = keras_agreement(artifact(TWO, x, keras_outputs=keras))
    assert found.value * found.n == 1
    assert found.evidence[1:] == ("2 ties in Keras, decided for the lowest index",)


@pytest.mark.parametrize("measure", [keras_agreement, keras_difference])
@pytest.mark.parametrize(
    ("keras", "text"),
    [
        (None, "has no outputs of its Keras network"),
        (np.zeros((3, 2)), "outputs of different shapes"),
        (np.zeros((4, 3)), "outputs of different shapes"),
        (
            np.array([[0, 1], [0, 1], [np.nan, 0], [0, 1]]),
            "in Keras are NaN or infinite for 1 of 4",
        ),
    ],
)
def test_keras_outputs_that_say_nothing_are_an_error(measure, keras, text):
    """None at all, for other samples or classes, or not finite."""
    tflite = rounder(2, scale=0.1)
    with pytest.raises(MeasurementError, match=text):
        measure(artifact(tflite, np.zeros((4, 2)), keras_outputs=keras))


def test_outputs_that_are_not_finite_are_an_error():
    """NaN in the bytes that ship, where Keras is sound."""
    x = np.zeros((4, 2))
    broken = artifact(selector(2, [0, 1], bias=[np.nan, 0]), x, keras_outputs=x)
    for measure in (keras_agreement, keras_difference):
        with pytest.raises(MeasurementError, match="NaN or infinite for 4 of 4"):
            measure(broken)


def apart(steps, **grid):
    """An artifact on a grid of 0.1 whose Keras network is so many quanta off in one output."""
    x = np.round(np.random.default_rng(5).integers(-9, 10, (50, 3)) / 10, 1)
    keras = x.astype(np.float32)
    keras[7, 2] += np.float32(steps * 0.1)
    return artifact(rounder(3, scale=0.1, **grid), x, keras_outputs=keras)


@pytest.mark.parametrize(
    "grid",
    [{"floats": True}, {"floats": False}, {"floats": False, "dtype": "uint8", "zero_point": 128}],
)
@pytest.mark.parametrize(
    ("limit", "outcome"), [(0.99, Outcome.FAIL), (1, Outcome.PASS), (1.01, Outcome.PASS)]
)
def test_difference_counts_quanta(grid, limit, outcome):
    """One quantum is one, whether the outputs are integers or floats that a DEQUANTIZE gives."""
    verdict = keras_difference(apart(1, **grid)) <= quanta(limit)
    assert verdict.outcome is outcome
    assert "sample 7:" in sentence(verdict)
    assert "1 of 150 outputs differ by half of one" in sentence(verdict)


@pytest.mark.parametrize(("steps", "value"), [(0, 0), (0.25, 0.25), (-3, 3), (1.504, 1.5)])
def test_difference_is_rounded_to_the_hundredth(steps, value):
    """Float noise adds nothing to a whole number of quanta."""
    assert float(keras_difference(apart(steps)).value) == value


def test_float_outputs_have_no_quanta():
    """A float network's outputs lie on no grid, and the error says what to do."""
    x = np.zeros((4, 2))
    with pytest.raises(MeasurementError, match="are not quantized") as error:
        keras_difference(artifact(TWO, x, keras_outputs=x))
    assert "leave keras_difference unset" in error.value.remedy


def test_grid_of_an_output():
    """The step and the ends, of the output or of what its DEQUANTIZE reads."""
    for floats in (True, False):
        grid = grid_of(rounder(2, scale=0.5, zero_point=-28, floats=floats))
        assert (grid.quantum, grid.low, grid.high) == (0.5, -50, 77.5)
    assert grid_of(TWO) is None


def grid_of(tflite):
    """The grid of a file's only output."""
    main = parse(tflite, subject="x").main
    port = port_from_tensor(main.tensors[main.outputs[0]], "y")
    return output_grid_of(artifact(tflite, np.zeros((1, 2))), port)


@pytest.mark.parametrize("n", [501, 1797, 10_000])
def test_samples_are_spread_evenly(n):
    """One of each stretch, the same in every run, and not in step with the classes."""
    chosen = spread_indices(n, 500)
    edges = np.arange(501) * n // 500
    assert ((edges[:-1] <= chosen) & (chosen < edges[1:])).all()
    assert (chosen == spread_indices(n, 500)).all()


def test_samples_meet_every_class_of_a_cyclic_order():
    """Every 20th of samples whose classes come in turn would meet one class alone."""
    classes = spread_indices(10_000, 500) % 10
    assert min(np.bincount(classes, minlength=10)) > 25


def test_all_samples_where_there_are_few():
    """A split of 500 or fewer is compared whole."""
    assert spread_indices(500, 500).tolist() == list(range(500))
    assert spread_indices(1, 500).tolist() == [0]


def test_copies_prove_no_agreement():
    """Forty samples, each there 25 times, say what forty say; both kernels, and Keras."""
    x = np.tile(np.stack([1 + np.arange(40), np.zeros(40)], axis=1), (25, 1))
    keras = np.tile([1.0, 0.0], (1000, 1)).astype(np.float32)
    copied = artifact(TWO, x, keras_outputs=keras)
    for found in (
        keras_agreement(copied),
        runtime_agreement(replace(copied, runtime="reference")),
    ):
        verdict = found >= percent(99)
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert "40 distinct" in sentence(verdict)
    assert (keras_agreement(decided(1000, 0)) >= percent(99)).outcome is Outcome.PASS
