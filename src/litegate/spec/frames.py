"""Declare samples that are sequences of frames, and the answer of a sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.core.units import Quantity
from litegate.spec.detector import Detector, check_time

ANSWERS = ("last", "max", "mean")
"""The named answers of a sequence, from the outputs of its frames."""
Answer = str | Detector | Callable[[Any], Any]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Declares that samples are sequences of frames, with state that lasts within a sequence.

    Raises ConfigError for a period that is no time, or an answer that is none.
    """

    period: Quantity
    """Time from one frame to the next: `litegate.ms(20)`."""
    answer: Answer = "last"
    """The answer of a sequence, from the outputs of its frames: "last", "max", "mean", a
    `Detector`, or a named function from outputs, float32, shape (frames, ...), to an array of one
    shape for all sequences."""

    def __post_init__(self) -> None:
        check_time("Frames(period=...)", self.period)
        is_function = callable(self.answer) and (
            getattr(self.answer, "__qualname__", "").isidentifier()
        )
        if not (self.answer in ANSWERS or isinstance(self.answer, Detector) or is_function):
            raise ConfigError(
                "Frames(answer=...) cannot be computed from outputs of frames",
                expected=f"{', '.join(ANSWERS)}, a litegate.Detector, or a function written with "
                "def at the top of a module",
                got=repr(self.answer),
            )

    @property
    def seconds(self) -> float:
        """The period of a frame in seconds."""
        return float(self.period.value)
