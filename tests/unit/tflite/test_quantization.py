"""The cheap way to integers gives the exact way's bits, at ties and their nearest neighbours."""

import numpy as np
import pytest

from litegate.tflite.quantization import BLOCK, dequantize, quantize

GRIDS = [
    ("int8", 1 / 255, -128),
    ("int8", 0.39, 83),
    ("int8", 1.0, 127),
    ("uint8", 0.0078125, 128),
    ("uint8", 3.1e-7, 0),
    ("int16", 0.00031, 0),
    ("int16", 12.7, -32768),
    ("int8", 1e-36, 3),
    ("int32", 0.001, 0),
    ("int8", 0.1, 1 << 20),
]


def exact(real, dtype, scale, zero_point):
    """The definition, in float64."""
    steps = real.astype(np.float64) / scale
    whole = np.trunc(steps + np.copysign(0.5, steps)) + zero_point
    limits = np.iinfo(dtype)
    return np.clip(whole, limits.min, limits.max).astype(dtype)


def around(dtype, scale, zero_point):
    """Every tie of the grid and beyond, float32, with the three floats on each side; the rest."""
    limits = np.iinfo(dtype)
    ends = np.clip([limits.min - zero_point - 3, limits.max - zero_point + 3], -70_000, 70_000)
    ties = ((np.arange(*ends) + 0.5) * scale).astype(np.float32)
    found = [ties, ties + np.float32(scale / 2)]
    for direction in (-np.inf, np.inf):
        near = ties
        for _ in range(3):
            near = np.nextafter(near, np.float32(direction))
            found.append(near)
    odd = np.array([np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38], np.float32)
    drawn = np.random.default_rng(20).normal(0, 200 * scale, BLOCK).astype(np.float32)
    return np.concatenate([*found, odd, drawn])


@pytest.mark.parametrize(("dtype", "scale", "zero_point"), GRIDS)
@pytest.mark.parametrize("precise", [np.float32, np.float64])
def test_every_bit_is_that_of_the_definition(dtype, scale, zero_point, precise):
    scale, dtype = float(np.float32(scale)), np.dtype(dtype)
    real = around(dtype, scale, zero_point).astype(precise)
    found = quantize(real, dtype, scale, zero_point)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, exact(real, dtype, scale, zero_point))


@pytest.mark.parametrize(("dtype", "scale", "zero_point"), GRIDS)
@pytest.mark.parametrize("rough", [False, True])
def test_what_integers_mean_is_rounded_once(dtype, scale, zero_point, rough):
    """A scale that float32 does not hold is multiplied in float64, too."""
    scale = scale if rough else float(np.float32(scale))
    limits = np.iinfo(dtype)
    raw = np.linspace(limits.min, limits.max, 70_000).astype(dtype)
    wanted = ((raw.astype(np.float64) - zero_point) * scale).astype(np.float32)
    np.testing.assert_array_equal(dequantize(raw, scale, zero_point).view("i4"), wanted.view("i4"))


def test_shapes_stay_and_blocks_join():
    real = np.random.default_rng(0).uniform(0, 1, (3, BLOCK // 2, 1)).astype(np.float32)
    for one in (real, real[:, ::2], real[:0], np.asfortranarray(real)):
        found = quantize(one, np.dtype("int8"), 1 / 255, -128)
        np.testing.assert_array_equal(found, exact(one, np.int8, 1 / 255, -128))


@pytest.mark.parametrize("precise", [np.float32, np.float64])
@pytest.mark.parametrize("place", [0, BLOCK, BLOCK + 1])
def test_nan_has_no_integer(precise, place):
    real = np.zeros(BLOCK + 2, precise)
    real[place] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        quantize(real, np.dtype("int8"), 0.1, 0)
