"""Refuse samples with NaN or infinity, which an integer file would accept silently."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.data.disk_arrays import in_parts
from litegate.spec import Samples, Sequences, by_input


def demand_finite(samples: Samples, subject: str, part: Samples) -> None:
    """Raise MeasurementError if `part`, some of the samples, has NaN or infinity."""
    for name, array in by_input(part):
        with np.errstate(over="ignore", invalid="ignore"):
            probably_finite = np.isfinite(array.sum())  # one pass; a sum may overflow
        if not (probably_finite or np.isfinite(array).all()):
            raise _not_finite(samples, name, subject)


def _not_finite(samples: Samples, name: str, subject: str) -> MeasurementError:
    array: NDArray[Any] = dict(by_input(samples))[name]
    finite = [np.isfinite(part).reshape(len(part), -1).all(axis=1) for part in in_parts(array)]
    broken = ~np.concatenate(finite)
    where = f" in the input {name}" if name else ""
    n, first = int(broken.sum()), int(broken.argmax())
    message = f"{n:,} of {len(array):,} samples of {subject} contain NaN or infinity"
    place = f"sample {first}"
    if isinstance(samples, Sequences):
        sequence = int(np.searchsorted(samples.stops, first, "right"))
        message = f"{n:,} of {len(array):,} frames of {subject} contain NaN or infinity"
        place = f"frame {first - samples.starts[sequence]} of sequence {sequence}"
    return MeasurementError(
        message,
        expected="finite values",
        got=f"{place}{where} of the evaluation split is the first",
        remedy="correct the data or their preprocessing, and build again",
    )
