"""Inputs to search a domain with: a few small numbers describe each, so that it shrinks well.

A pattern draws a whole sample from a level or two between the least and the greatest value of the
domain, however large the sample is, and says in words what it looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

TOP = 255
"""The level of the domain's greatest value; 0 is that of the least."""
HOT = 4
"""The most single values that stand out from a background."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Canvas:
    """What patterns are drawn on."""

    shape: tuple[int, ...]
    """The shape of one sample."""
    low: float
    high: float
    """The least and greatest value of the domain."""
    samples: NDArray[Any]
    """Real samples in the domain, shape (n, ...), n at least 1."""
    whole: bool = False
    """Whether only whole numbers are drawn, as for an input of token ids."""

    def rounded(self, drawn: NDArray[Any]) -> NDArray[np.float32]:
        """A drawn input as it is fed."""
        return (np.rint(drawn) if self.whole else drawn).astype(np.float32)

    def value(self, level: int) -> float:
        """The value of a level; 0 and TOP give the ends of the domain exactly."""
        part = level / TOP
        return self.low * (1 - part) + self.high * part

    def word(self, level: int) -> str:
        """The value of a level as a message writes it."""
        return f"{self.value(level):.6g}"


class Pattern(Protocol):
    """One input of the domain."""

    def draw(self, canvas: Canvas) -> NDArray[np.float32]:
        """The input, of the canvas's shape, every value in the domain."""

    def words(self, canvas: Canvas) -> str:
        """What it looks like, as the subject of a sentence."""


@final
@dataclass(frozen=True, slots=True)
class Constant:
    """One value everywhere."""

    level: int

    def draw(self, canvas: Canvas) -> NDArray[np.float32]:
        return np.full(canvas.shape, canvas.value(self.level), np.float32)

    def words(self, canvas: Canvas) -> str:
        return f"every value {canvas.word(self.level)}"


@final
@dataclass(frozen=True, slots=True)
class Hot:
    """A few values that stand out from one value everywhere else."""

    background: int
    spots: tuple[tuple[int, int], ...]
    """Place in the flat sample, and level."""

    def draw(self, canvas: Canvas) -> NDArray[np.float32]:
        flat = np.full(canvas.shape, canvas.value(self.background), np.float32).reshape(-1)
        for place, level in self.spots:
            flat[place % len(flat)] = canvas.value(level)
        return flat.reshape(canvas.shape)

    def words(self, canvas: Canvas) -> str:
        size = int(np.prod(canvas.shape))
        spots = ", ".join(
            f"{canvas.word(level)} at {_place(place % size, canvas.shape)}"
            for place, level in self.spots
        )
        return f"every value {canvas.word(self.background)} but {spots}"


def _place(flat: int, shape: tuple[int, ...]) -> str:
    return "[" + ", ".join(str(int(axis)) for axis in np.unravel_index(flat, shape)) + "]"


@final
@dataclass(frozen=True, slots=True)
class Stripes:
    """Two values that take turns along the flat sample."""

    first: int
    second: int
    width: int
    """How many of one value before the next."""

    def draw(self, canvas: Canvas) -> NDArray[np.float32]:
        turn = np.arange(int(np.prod(canvas.shape))) // self.width % 2 == 1
        values = np.where(turn, canvas.value(self.second), canvas.value(self.first))
        return values.astype(np.float32).reshape(canvas.shape)

    def words(self, canvas: Canvas) -> str:
        values = f"{canvas.word(self.first)} and {canvas.word(self.second)}"
        return f"the values {values} in turns of {self.width}"


@final
@dataclass(frozen=True, slots=True)
class Noise:
    """Random values over the whole domain, or only its two ends."""

    seed: int
    ends: bool

    def draw(self, canvas: Canvas) -> NDArray[np.float32]:
        part = np.random.default_rng(self.seed).random(canvas.shape)
        part = np.round(part) if self.ends else part
        return (canvas.low * (1 - part) + canvas.high * part).astype(np.float32)

    def words(self, canvas: Canvas) -> str:
        values = "only" if self.ends else "between"
        return f"noise of seed {self.seed}, {values} {canvas.word(0)} and {canvas.word(TOP)},"


@final
@dataclass(frozen=True, slots=True)
class Perturbed:
    """A sample of the evaluation split with noise on it."""

    index: int
    reach: int
    """The level that the noise reaches, up and down."""
    seed: int

    def draw(self, canvas: Canvas) -> NDArray[np.float32]:
        reach = (canvas.high - canvas.low) * self.reach / TOP
        noise = np.random.default_rng(self.seed).uniform(-reach, reach, canvas.shape)
        noisy: NDArray[Any] = np.clip(canvas.samples[self.index] + noise, canvas.low, canvas.high)
        return noisy.astype(np.float32)

    def words(self, canvas: Canvas) -> str:
        reach = (canvas.high - canvas.low) * self.reach / TOP
        noise = f" with noise up to {reach:.3g} (seed {self.seed})" if self.reach else ""
        return f"evaluation sample {self.index}{noise}"


def extremes() -> Sequence[Pattern]:
    """The inputs to try first: the ends of the domain, and what saturates."""
    return (
        Constant(0),
        Constant(TOP),
        Constant(TOP // 2),
        Stripes(0, TOP, 1),
        Noise(0, ends=True),
        Perturbed(0, 0, 0),
    )


def families(canvas: Canvas) -> tuple[SearchStrategy[Pattern], ...]:
    """Every kind of pattern on a canvas, the simplest kind first; within one, low levels first."""
    from hypothesis import strategies as st

    level = st.sampled_from((0, TOP)) | st.integers(0, TOP)
    place, seed = st.integers(0, int(np.prod(canvas.shape)) - 1), st.integers(0, 2**16)
    spots = st.lists(
        st.tuples(place, level), min_size=1, max_size=HOT, unique_by=lambda spot: spot[0]
    )
    return (
        st.builds(Constant, level),
        st.builds(Hot, level, spots.map(tuple)),
        st.builds(Stripes, level, level, st.integers(1, 64)),
        st.builds(Perturbed, st.integers(0, len(canvas.samples) - 1), level, seed),
        st.builds(Noise, seed, ends=st.booleans()),
    )
