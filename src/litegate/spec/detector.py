"""Declare a detector of events in the outputs of a sequence's frames."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.core.escaping import excerpt
from litegate.core.units import Quantity, Unit, ms

_WHOLE = 1e-6
"""Tolerance, in frames, within which a time counts as a whole number of frames: times are floats,
and a frame of 10 ms is no exact one."""
_MOST_SCORE = 3.4e38
"""The largest score, rounded down: outputs are float32."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Detects events in the outputs of a sequence's frames: the times at which it would wake up.

    An event is a frame whose score, the mean over `window`, reaches `threshold`, and which follows
    the last event by at least `refractory`. Nothing is detected before a whole window is over. As
    the answer of a sequence it is the number of its events.

    Raises ConfigError for a threshold that no output can have, an element that is no number, or
    times that are no times.
    """

    threshold: float
    """Least score of an event, in the output's real values."""
    window: Quantity | None = None
    """Time over which scores are averaged: a whole number of frames; None for a single frame."""
    refractory: Quantity = field(default_factory=lambda: ms(2000))
    """Time after an event in which no other is counted. The default is a word and a pause: the
    scores of one word stay high for as long."""
    of: int | None = None
    """Number of the output's element that scores the event; None for an output of one element."""

    def __post_init__(self) -> None:
        if isinstance(self.threshold, bool) or not isinstance(self.threshold, int | float):
            raise ConfigError("Detector(threshold=...) is not a number", got=repr(self.threshold))
        if not -_MOST_SCORE <= self.threshold <= _MOST_SCORE:  # NaN, too
            raise ConfigError(
                "Detector(threshold=...) is not a finite value of float32",
                got=excerpt(repr(self.threshold)),
            )
        is_number = isinstance(self.of, int) and not isinstance(self.of, bool) and self.of >= 0
        if self.of is not None and not is_number:
            raise ConfigError(
                "Detector(of=...) is not the number of an element of the output",
                expected="an integer from 0 on",
                got=excerpt(repr(self.of)),
            )
        if self.window is not None:
            check_time("Detector(window=...)", self.window)
        check_time("Detector(refractory=...)", self.refractory)

    @property
    def definition(self) -> dict[str, Any]:
        """The parameters in JSON types."""
        window = self.window and float(self.window.value)
        return {
            "threshold": self.threshold,
            "window": window,
            "refractory": float(self.refractory.value),
            "of": self.of,
        }

    def window_frames(self, period: float) -> int:
        """Return the window in frames. Raises ConfigError unless it is a whole number of them."""
        if self.window is None:
            return 1
        frames = float(self.window.value) / period
        if abs(frames - round(frames)) > _WHOLE or round(frames) < 1:
            raise ConfigError(
                f"Detector(window=...) of {self.window} is {frames:.3g} frames",
                expected=f"a multiple of the period of a frame, {Quantity(period, Unit.SECONDS)}",
            )
        return round(frames)

    def refractory_frames(self, period: float) -> int:
        """Return the refractory time in frames, rounded up, at least 1."""
        return max(1, math.ceil(float(self.refractory.value) / period - _WHOLE))


def check_time(what: str, time: object) -> None:
    """Raise ConfigError unless `time` is a quantity of seconds, finite and above zero."""
    is_time = isinstance(time, Quantity) and time.unit is Unit.SECONDS
    if not (is_time and math.isfinite(time.value) and time.value > 0):  # type: ignore[attr-defined]
        raise ConfigError(
            f"{what} is not a time", expected="such as litegate.ms(20)", got=str(time)
        )
