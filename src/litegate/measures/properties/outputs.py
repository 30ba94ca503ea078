"""Describe what is wrong with the outputs of one sample, or how two of them differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.escaping import listed
from litegate.measures.accuracy.quanta import Grid
from litegate.measures.properties.probe import Probe, Raw

_COUNT_TYPES = ("int32", "int64", "bool")
"""Types that an output of counts, indices or flags may have instead of the declared type."""


def not_finite(probe: Probe, raws: Raw) -> str:
    """Describe NaN or infinity in the outputs of one sample; "" without any."""
    for name, raw in raws.items():
        values = raw[0].reshape(-1)
        bad = np.flatnonzero(~np.isfinite(values))
        kind = "NaN" if np.isnan(values[bad]).any() else "infinity"
        if len(bad):
            return f"gives {kind} in {_list_outputs(bad)}{of_output(probe, name)}"
    return ""


def of_output(probe: Probe, output: str) -> str:
    """Name the output, if there are several."""
    return f" of {output}" if len(probe.grids) > 1 else ""


def out_of_range(probe: Probe, raws: Raw) -> str:
    """Describe outputs of one sample of another type than declared, or beyond their grid."""
    violations = (_output_out_of_range(probe, name, raw) for name, raw in raws.items())
    return next(filter(None, violations), "")


def _output_out_of_range(probe: Probe, name: str, raw: NDArray[Any]) -> str:
    declared = probe.artifact.recipe.output_type
    if raw.dtype != declared and raw.dtype not in _COUNT_TYPES:
        output = of_output(probe, name)
        return f"gives {raw.dtype} outputs{output} where the recipe declares {declared}"
    real = probe.real(name, raw)[0].reshape(-1).astype(np.float64)
    low, high = _representable_range(probe.grids[name])
    bad = np.flatnonzero(~((real >= low) & (real <= high)))
    limits = f"{of_output(probe, name)}, outside {low:.6g} to {high:.6g}"
    return f"gives {real[bad[0]]:.6g} in {_list_outputs(bad)}{limits}" if len(bad) else ""


def _representable_range(grid: Grid | None) -> tuple[float, float]:
    if grid is None:
        limits = np.finfo(np.float32)
        return float(limits.min), float(limits.max)
    # Real outputs are float32, the grid's ends are not. A thousandth of a step is above that
    # rounding, and far below the step by which an output beyond the grid would miss it.
    tolerance = grid.quantum / 1000
    return grid.low - tolerance, grid.high + tolerance


def change_of(probe: Probe, before: Raw, after: Raw) -> str:
    """Describe the first output of which a bit differs; "" if there is none."""
    for name, raw in before.items():
        if change := changed(raw, after[name]):
            return f"{change}{of_output(probe, name)}"
    return ""


def changed(before: NDArray[Any], after: NDArray[Any], tolerance: float = 0.0) -> str:
    """Describe the outputs that differ by more than `tolerance`, a share of the largest output.

    A tolerance of 0 compares bits, so that NaN equals NaN.
    """
    a, b = before.reshape(-1), after.reshape(-1)
    if tolerance:
        finite = np.abs(a[np.isfinite(a)])
        reach = tolerance * float(finite.max(initial=0.0))
        bad = np.flatnonzero(~np.isclose(b, a, rtol=0, atol=reach, equal_nan=True))
    else:
        bits = f"u{a.itemsize}"
        bad = np.flatnonzero(a.view(bits) != b.view(bits))
    return f"{b[bad[0]]:.6g} for {a[bad[0]]:.6g} in {_list_outputs(bad)}" if len(bad) else ""


def _list_outputs(places: NDArray[np.intp]) -> str:
    return f"outputs {listed([str(place) for place in places])}"
