"""Define the samples of a model: an array, `Inputs`, `Sequences` of frames, or a `Stream`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, final

from litegate.core.errors import DataError

Array = Any
"""A NumPy array."""


Domain = tuple[float, float] | Mapping[str, tuple[float, float]]
"""Least and greatest value of an input: one pair for all inputs, or a mapping from their names."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """An array for each input, by the input's name: samples first, equal lengths.

    Raises DataError if there is no array, or if lengths differ.
    """

    arrays: Mapping[str, Array]

    def __post_init__(self) -> None:
        sizes = {name: _length(array) for name, array in self.arrays.items()}
        if len(set(sizes.values())) != 1 or None in sizes.values():
            listed = (f"{name} {'no' if size is None else size}" for name, size in sizes.items())
            raise DataError(
                "the arrays of a model's inputs do not fit together",
                expected="the same number of samples for each input",
                got=", ".join(listed) or "no array",
                remedy="give an array for each input by its name, samples first",
            )

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, index: Any) -> Inputs:
        """Select samples of every input by a slice or an array of indices."""
        if isinstance(index, int):
            raise TypeError("samples of several inputs need a slice or an array of indices")
        return self.map(lambda array: array[index])

    def __iter__(self) -> NoReturn:
        raise TypeError("samples of several inputs are not a sequence: iterate over their arrays")

    def map(self, function: Callable[[Array], Array]) -> Inputs:
        """Apply a function to the array of each input."""
        return Inputs({name: function(array) for name, array in self.arrays.items()})


def _length(array: Array) -> int | None:
    shape = getattr(array, "shape", ())
    return int(shape[0]) if shape else None


@final
@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Samples that are sequences: the frames of all of them, and where each starts and stops."""

    frames: Array | Inputs
    """float32, shape (frames, ...), one sequence after another; may be on disk."""
    starts: Array
    """Index of each sequence's first frame, integers, shape (m,)."""
    stops: Array
    """Index after each sequence's last frame, integers, shape (m,)."""

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.starts)

    def __getitem__(self, index: Any) -> Sequences:
        """Select sequences by a slice, indices, or a mask; no frame is read."""
        if isinstance(index, int):
            raise TypeError("sequences need a slice or an array of indices")
        return Sequences(self.frames, self.starts[index], self.stops[index])

    def __iter__(self) -> NoReturn:
        raise TypeError("sequences are read by their frames: use `parts`")

    @property
    def lengths(self) -> Array:
        """The number of frames of each sequence, integers, shape (m,)."""
        return self.stops - self.starts

    def parts(self, most: int) -> Iterator[tuple[bool, Array | Inputs]]:
        """Yield the frames, at most `most` at a time, and True for the first part of a sequence."""
        for start, stop in zip(self.starts.tolist(), self.stops.tolist(), strict=True):
            for first in range(start, stop, most):
                yield first == start, self.frames[first : min(first + most, stop)]

    def groups(self, most: int) -> Iterator[Sequences]:
        """Yield some sequences at a time: of at most `most` frames together, or a single one."""
        first = frames = 0
        for number, length in enumerate(self.lengths.tolist()):
            if number > first and frames + length > most:
                yield self[first:number]
                first, frames = number, 0
            frames += length
        yield self[first:]


Samples = Array | Inputs | Sequences
"""Samples as a network reads them."""


def frames_of(samples: Samples) -> Array | Inputs:
    """Return what single invocations read: the frames of all sequences, or the samples."""
    return samples.frames if isinstance(samples, Sequences) else samples


def map_samples(samples: Samples, function: Callable[[Array], Array]) -> Samples:
    """Apply a function to the array of samples, of each input, or of the frames of sequences."""
    if isinstance(samples, Sequences):
        frames = map_samples(samples.frames, function)
        return Sequences(frames, samples.starts, samples.stops)
    return samples.map(function) if isinstance(samples, Inputs) else function(samples)


def by_input(samples: Samples) -> Iterator[tuple[str, Array]]:
    """Yield the name and the array of each input; the name is empty for a plain array.

    Of sequences it is the array of all frames.
    """
    samples = frames_of(samples)
    yield from samples.arrays.items() if isinstance(samples, Inputs) else (("", samples),)


def domain_of(domain: Domain, name: str) -> tuple[float, float]:
    """Return the least and greatest value of an input. Raises KeyError if it is not declared."""
    return domain[name] if isinstance(domain, Mapping) else domain


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One split of a data set that is iterated once: samples and labels together, in order.

    Each item is a pair ``(x, y)``, or ``x`` alone in an evaluation split without labels. Anything
    that NumPy can convert to an array is accepted: arrays, numbers, tensors of `tf.data`.
    """

    source: Iterable[Any] | Callable[[], Iterable[Any]]
    """The items, or a function without parameters that returns them."""
    batched: bool
    """True if an item is a batch, x of shape (n, ...) and y of shape (n,), of any length. It must
    be stated, since the shape does not distinguish a batch of vectors from one image."""

    def items(self) -> Iterable[Any]:
        """Return an iterable over the items, from the first one."""
        return self.source() if callable(self.source) else self.source
