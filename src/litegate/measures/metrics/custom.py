"""Call a user's own metric function on samples, outputs and labels."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.spec import Samples, map_samples
from litegate.spec.metric import Metric

_ROUNDING = 1e-9
"""Tolerance of the bounds 0 and 1: a mean of floats may miss them by rounding, a few units of
2e-16, or 1e-7 in float32 arithmetic, which must then be clipped by the function itself."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Some samples of an evaluation split, with the network's outputs."""

    outputs: NDArray[Any]
    """Real values, shape (n, ...)."""
    labels: NDArray[Any] | None
    inputs: Samples
    """The samples as the network reads them."""
    classes: tuple[str, ...]
    """The names of the classes of the data set."""

    def select(self, index: Any) -> Chunk:
        """Return some of the samples, by a slice, indices, or a mask."""
        labels = None if self.labels is None else self.labels[index]
        return Chunk(
            outputs=self.outputs[index],
            labels=labels,
            inputs=self.inputs[index],
            classes=self.classes,
        )

    def required_labels(self, metric: Metric) -> NDArray[Any]:
        """Return the labels. Raises MeasurementError if there are none."""
        if self.labels is None:
            raise MeasurementError(
                f"the metric {metric.name} needs labels, and the evaluation split has none"
            )
        return self.labels

    def class_number(self, metric: Metric, label: int | str) -> int:
        """Return the number of a class. Raises MeasurementError for an unknown name."""
        if isinstance(label, str) and label not in self.classes:
            raise MeasurementError(
                f"the metric {metric.name} names the class {label!r}, which does not exist",
                expected=", ".join(self.classes)
                or ("a class number, since the data set has no class names"),
            )
        return self.classes.index(label) if isinstance(label, str) else label


def _raised_at(error: Exception) -> str:
    """Return the place at which the user's own function raised an error."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # without the call in this module
    return f" at {frames[0].filename}:{frames[0].lineno}" if frames else ""


def call_function(metric: Metric, chunk: Chunk) -> Any:
    """Call the user's own function. Raises MeasurementError if the function raises."""
    function: Callable[..., Any] = metric.function or _nothing
    arguments = {
        "outputs": read_only(chunk.outputs),
        "inputs": map_samples(chunk.inputs, read_only),
    }
    if "labels" in inspect.signature(function).parameters:
        arguments["labels"] = read_only(chunk.required_labels(metric))
    expected = "a number, or NaN if the samples have no value"
    return call_with(metric, arguments, samples=len(chunk.outputs), expected=expected)


def call_with(metric: Metric, arguments: Mapping[str, Any], *, samples: int, expected: str) -> Any:
    """Call the user's own function with those of the arguments that it names as parameters.

    Raises MeasurementError, with `expected` and the number of samples, if the function raises.
    """
    function: Callable[..., Any] = metric.function or _nothing
    parameters = inspect.signature(function).parameters
    try:
        return function(**{name: arguments[name] for name in parameters})
    except Exception as error:  # the user's function may raise anything
        raise MeasurementError(
            f"the function of the metric {metric.name} failed on {samples:,} samples",
            expected=expected,
            got=f"{type(error).__name__}: {error}{_raised_at(error)}",
        ) from error


def read_only(values: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view: other measures read the same memory."""
    view = np.asarray(values).view()
    view.flags.writeable = False
    return view


def _nothing() -> None:
    """Return nothing, in place of the function that a metric was made without; it is rejected."""


def demand_deterministic(metric: Metric, first: NDArray[Any], second: NDArray[Any]) -> None:
    """Raise MeasurementError if the user's function gave other values the second time."""
    if not np.array_equal(first, second, equal_nan=True):
        raise MeasurementError(
            f"the function of the metric {metric.name} returns other values for the same samples",
            expected="the same value in each call",
            remedy="seed its random generator in each call, and keep no state between calls",
        )


def demand_bounds(metric: Metric, values: NDArray[Any]) -> None:
    """Raise MeasurementError if a bounded metric leaves 0 to 1; NaN is no value."""
    if metric.bounded and ((values < -_ROUNDING) | (values > 1 + _ROUNDING)).any():
        raise MeasurementError(
            f"the metric {metric.name} exceeds its declared bounds",
            expected="values between 0 and 1, since it has bounded=True",
            got=f"{np.nanmin(values):.4g} to {np.nanmax(values):.4g}",
            remedy="scale the result of its function, or remove bounded=True",
        )
