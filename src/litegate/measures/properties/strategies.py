"""Draw inputs from a domain; a few small numbers describe each input, so that it shrinks well.

Imports hypothesis late: it is slow to import, and only a violation, which it shrinks, needs it.

A pattern draws a whole sample, however large, from one or two levels between the smallest and the
largest value of the domain, and describes it in words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

TOP = 255
"""The level of the domain's largest value; level 0 is the smallest value.

As many levels as an 8-bit input has, so that a level suits images and int8 inputs."""
_WIDEST = 64
"""Width of the widest stripes; wider ones would fill a small input whole, as Constant does."""
_SEEDS = 2**16
"""Number of seeds: far more noises than are tried, and a message shows a short number."""
HOT = 4
"""Most single values that stand out from a background: a message lists each of them, and hypothesis
shrinks few values faster than many."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Canvas:
    """The shape and the domain of one input, on which patterns are drawn."""

    shape: tuple[int, ...]
    """The shape of one sample."""
    low: float
    high: float
    """The smallest and the largest value of the domain."""
    samples: NDArray[Any]
    """Real samples in the domain, shape (n, ...), n at least 1."""
    is_integer: bool = False
    """True to draw whole numbers only, as for an input of token ids."""

    @property
    def sizes(self) -> tuple[int, int]:
        """The number of values of an input, and the number of real samples."""
        return int(np.prod(self.shape)), len(self.samples)

    def rounded(self, drawn: NDArray[Any]) -> NDArray[np.float32]:
        """Return a drawn input as the network reads it."""
        return (np.rint(drawn) if self.is_integer else drawn).astype(np.float32)

    def value(self, level: int) -> float:
        """Return the value of a level; 0 and TOP give the ends of the domain exactly."""
        share = level / TOP
        return self.low * (1 - share) + self.high * share

    def format_level(self, level: int) -> str:
        """Format the value of a level for a message."""
        return f"{self.value(level):.6g}"


class Pattern(Protocol):
    """One input of the domain."""

    def draw(self, canvas: Canvas) -> NDArray[np.float32]:
        """Return the input, of the canvas's shape, with every value in the domain."""

    def describe(self, canvas: Canvas) -> str:
        """Describe the input, as the subject of a sentence."""


@final
@dataclass(frozen=True, slots=True)
class Constant:
    """The same value everywhere."""

    level: int

    def draw(self, canvas: Canvas) -> NDArray[np.float32]:
        return np.full(canvas.shape, canvas.value(self.level), np.float32)

    def describe(self, canvas: Canvas) -> str:
        return f"every value {canvas.format_level(self.level)}"


@final
@dataclass(frozen=True, slots=True)
class Hot:
    """A few values that stand out from one value everywhere else."""

    background: int
    spots: tuple[tuple[int, int], ...]
    """Index in the flat sample, and level."""

    def draw(self, canvas: Canvas) -> NDArray[np.float32]:
        flat = np.full(canvas.shape, canvas.value(self.background), np.float32).reshape(-1)
        for place, level in self.spots:
            flat[place % len(flat)] = canvas.value(level)
        return flat.reshape(canvas.shape)

    def describe(self, canvas: Canvas) -> str:
        size = int(np.prod(canvas.shape))
        spots = ", ".join(
            f"{canvas.format_level(level)} at {_place(place % size, canvas.shape)}"
            for place, level in self.spots
        )
        return f"every value {canvas.format_level(self.background)} but {spots}"


def _place(flat: int, shape: tuple[int, ...]) -> str:
    return "[" + ", ".join(str(int(axis)) for axis in np.unravel_index(flat, shape)) + "]"


@final
@dataclass(frozen=True, slots=True)
class Stripes:
    """Two values that alternate along the flat sample."""

    first: int
    second: int
    width: int
    """Length of a run of one value."""

    def draw(self, canvas: Canvas) -> NDArray[np.float32]:
        is_second = np.arange(int(np.prod(canvas.shape))) // self.width % 2 == 1
        values = np.where(is_second, canvas.value(self.second), canvas.value(self.first))
        return values.astype(np.float32).reshape(canvas.shape)

    def describe(self, canvas: Canvas) -> str:
        values = f"{canvas.format_level(self.first)} and {canvas.format_level(self.second)}"
        return f"the values {values} alternating every {self.width}"


@final
@dataclass(frozen=True, slots=True)
class Noise:
    """Random values over the whole domain, or only its two ends."""

    seed: int
    ends: bool
    """True to draw the two ends of the domain alone."""

    def draw(self, canvas: Canvas) -> NDArray[np.float32]:
        shares = np.random.default_rng(self.seed).random(canvas.shape)
        shares = np.round(shares) if self.ends else shares
        return (canvas.low * (1 - shares) + canvas.high * shares).astype(np.float32)

    def describe(self, canvas: Canvas) -> str:
        values = "only" if self.ends else "between"
        low, high = canvas.format_level(0), canvas.format_level(TOP)
        return f"noise of seed {self.seed}, {values} {low} and {high},"


@final
@dataclass(frozen=True, slots=True)
class Perturbed:
    """A sample of the evaluation split with added noise."""

    index: int
    """Index of the sample in the evaluation split."""
    reach: int
    """The level of the largest noise, up and down."""
    seed: int

    def draw(self, canvas: Canvas) -> NDArray[np.float32]:
        reach = (canvas.high - canvas.low) * self.reach / TOP
        noise = np.random.default_rng(self.seed).uniform(-reach, reach, canvas.shape)
        noisy: NDArray[Any] = np.clip(canvas.samples[self.index] + noise, canvas.low, canvas.high)
        return noisy.astype(np.float32)

    def describe(self, canvas: Canvas) -> str:
        reach = (canvas.high - canvas.low) * self.reach / TOP
        noise = f" with noise up to {reach:.3g} (seed {self.seed})" if self.reach else ""
        return f"evaluation sample {self.index}{noise}"


def extremes() -> Sequence[Pattern]:
    """Return the inputs to try first: the ends of the domain, and inputs that saturate."""
    return (
        Constant(0),
        Constant(TOP),
        Constant(TOP // 2),
        Stripes(0, TOP, 1),
        Noise(0, ends=True),
        Perturbed(0, 0, 0),
    )


def random_patterns(size: int, samples: int, count: int) -> tuple[Pattern, ...]:
    """Draw `count` patterns, the same ones every time, as many of each kind, the simplest first.

    `size` and `samples` as for `families`. Hypothesis would take a millisecond for each, and would
    choose them by the constants of all loaded modules, so by what else is checked in the run.
    """
    random = Random(0)

    def level() -> int:  # half of them at the ends, where outputs saturate
        return random.choice((0, TOP)) if random.random() < 0.5 else random.randint(0, TOP)

    def hot() -> Hot:
        places = random.sample(range(size), random.randint(1, min(HOT, size)))
        return Hot(level(), tuple((place, level()) for place in places))

    kinds: tuple[Callable[[], Pattern], ...] = (
        lambda: Constant(level()),
        hot,
        lambda: Stripes(level(), level(), random.randint(1, _WIDEST)),
        lambda: Perturbed(random.randrange(samples), level(), random.randrange(_SEEDS)),
        lambda: Noise(random.randrange(_SEEDS), ends=random.random() < 0.5),
    )
    return tuple(kinds[number * len(kinds) // count]() for number in range(count))


def families(size: int, samples: int) -> tuple[SearchStrategy[Pattern], ...]:
    """Return a strategy for each kind of pattern, the simplest kind first; low levels first.

    `size` is the number of values of an input, `samples` the number of real samples.
    """
    from hypothesis import strategies as st

    level = st.sampled_from((0, TOP)) | st.integers(0, TOP)
    place, seed = st.integers(0, size - 1), st.integers(0, _SEEDS - 1)
    spots = st.lists(
        st.tuples(place, level), min_size=1, max_size=HOT, unique_by=lambda spot: spot[0]
    )
    return (
        st.builds(Constant, level),
        st.builds(Hot, level, spots.map(tuple)),
        st.builds(Stripes, level, level, st.integers(1, _WIDEST)),
        st.builds(Perturbed, st.integers(0, samples - 1), level, seed),
        st.builds(Noise, seed, ends=st.booleans()),
    )
