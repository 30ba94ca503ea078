"""Whether an input can hold its samples."""

from dataclasses import replace

import numpy as np
import pytest

from litegate.core.errors import MeasurementError
from litegate.measures.accuracy.quanta import input_grid_of
from litegate.measures.lints.saturation import demand_representable, saturation
from litegate.runtimes.litert import Runner
from litegate.spec import Kind
from litegate.testing import artifact, evaluation, tiny


def fed(x, kind=Kind.INT8_QAT, **ports):
    made = artifact(tiny(kind, **ports))
    return replace(made, evaluation=replace(made.evaluation, x=np.asarray(x, np.float32)))


def found(x, *args, **ports):
    return list(saturation(fed(x, *args, **ports)))


@pytest.mark.parametrize("port", ["float32", "int8", "uint8"])
@pytest.mark.parametrize(("steps", "outside"), [(0.49, 0), (0.51, 1)])
def test_half_a_quantum_beyond_the_range_is_rounded_like_any_other_value(port, steps, outside):
    """Of a float input the range of what it is quantized to counts."""
    like = fed(np.zeros((1, 10, 10, 1)), input_type=port)
    grid = input_grid_of(like, Runner(like.tflite).input)
    x = np.zeros((2, 10, 10, 1))
    x[1, 0, 0] = grid.high + steps * grid.quantum
    assert [one.outside for one in found(x, input_type=port)] == [outside][:outside]


@pytest.mark.parametrize("kind", [Kind.FLOAT32, Kind.DYNAMIC_RANGE, Kind.FLOAT16])
def test_an_input_that_is_computed_with_in_floats_holds_everything(kind):
    assert not found(evaluation().x * 255, kind)


def test_what_is_senseless_is_most_of_the_values_or_most_of_the_samples():
    x = np.zeros((4, 10, 10, 1))
    x[:2, 0, 0] = 255  # one value in a hundred, and all that half of the samples say
    assert [(one.outside, one.ruined, one.is_severe) for one in found(x)] == [(2, 2, False)]
    x[2, 0, 0] = 255
    assert [(one.outside, one.ruined, one.is_severe) for one in found(x)] == [(3, 3, True)]
    x[:] = 1.5  # more than half of each value is left
    assert [(one.outside, one.ruined, one.is_severe) for one in found(x)] == [(400, 0, True)]


def test_one_value_far_away_is_not_senseless():
    x = evaluation().x.copy()
    x[0, 0, 0] = 1e9
    [one] = found(x)
    assert (one.outside, one.ruined, one.is_severe) == (1, 1, False)


@pytest.mark.parametrize(("raw", "senseless"), [(0.51, True), (0.49, False)])
def test_samples_from_all_over_a_large_split_tell(raw, senseless):
    """However they lie: here the first part lacks its preprocessing."""
    x = np.resize(evaluation().x, (5000, 10, 10, 1))
    x[: int(raw * len(x))] *= 255
    if not senseless:
        demand_representable(fed(x))
        return
    with pytest.raises(MeasurementError, match="too much of the samples for any measurement"):
        demand_representable(fed(x))


@pytest.mark.parametrize(
    "x", [np.zeros((0, 10, 10, 1)), np.zeros((3, 4)), np.zeros((1, 10, 10, 1))]
)
def test_samples_that_are_none_or_others_are_left_to_the_measures(x):
    demand_representable(fed(x))
