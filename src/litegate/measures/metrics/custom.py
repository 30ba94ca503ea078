"""Some samples with what was answered to them, and a user's own function of these."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.spec import Samples, mapped
from litegate.spec.metric import Metric

_ROUNDING = 1e-9
"""How far rounding may put a value beyond its bounds."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Some samples of an evaluation split, and what a network answered to them."""

    outputs: NDArray[Any]
    """Real values, shape (n, ...)."""
    labels: NDArray[Any] | None
    inputs: Samples
    """As the network is fed them."""
    classes: tuple[str, ...]
    """The names of the classes of the data set."""

    def at(self, which: Any) -> Chunk:
        """Some of the samples: a slice, indices, or a mask."""
        labels = None if self.labels is None else self.labels[which]
        return Chunk(
            outputs=self.outputs[which],
            labels=labels,
            inputs=self.inputs[which],
            classes=self.classes,
        )

    def known(self, metric: Metric) -> NDArray[Any]:
        """The labels. MeasurementError where there are none."""
        if self.labels is None:
            raise MeasurementError(
                f"the metric {metric.name} needs labels, and the evaluation split has none"
            )
        return self.labels

    def number(self, metric: Metric, of: int | str) -> int:
        """The number of a class. MeasurementError for a name that is none."""
        if isinstance(of, str) and of not in self.classes:
            raise MeasurementError(
                f"the metric {metric.name} is of the class {of!r}, and there is no such class",
                expected=", ".join(self.classes) or "a number: the data set names no classes",
            )
        return self.classes.index(of) if isinstance(of, str) else of


def _place(error: Exception) -> str:
    """Where the user's own function raised it."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return f" at {frames[0].filename}:{frames[0].lineno}" if frames else ""


def called(metric: Metric, chunk: Chunk) -> Any:
    """What the user's own function gives; MeasurementError where it raises something."""
    function: Callable[..., Any] = metric.function or _nothing
    asked = inspect.signature(function).parameters
    offered = {"outputs": _locked(chunk.outputs), "inputs": mapped(chunk.inputs, _locked)}
    if "labels" in asked:
        offered["labels"] = _locked(chunk.known(metric))
    try:
        return function(**{name: offered[name] for name in asked})
    except Exception as error:
        raise MeasurementError(
            f"the function of the metric {metric.name} failed on {len(chunk.outputs):,} samples",
            expected="a number; NaN where the samples have none",
            got=f"{type(error).__name__}: {error}{_place(error)}",
        ) from error


def _locked(values: NDArray[Any]) -> NDArray[Any]:
    """The values to read and not to write: other measures read the same memory."""
    found = np.asarray(values).view()
    found.flags.writeable = False
    return found


def _nothing() -> None:
    """What a metric computes that was made without its function: nothing, which is refused."""


def demand_bounds(metric: Metric, found: NDArray[Any]) -> None:
    """Raise MeasurementError for what a bounded metric cannot be; NaN is no value at all."""
    if metric.bounded and ((found < -_ROUNDING) | (found > 1 + _ROUNDING)).any():
        raise MeasurementError(
            f"the metric {metric.name} leaves the bounds that it was declared with",
            expected="values between 0 and 1, for it says bounded=True",
            got=f"{np.nanmin(found):.4g} to {np.nanmax(found):.4g}",
            remedy="divide what its function gives, or leave bounded=True out",
        )
