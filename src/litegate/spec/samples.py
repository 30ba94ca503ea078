"""Define the samples of a model: an array, `Inputs` for several inputs, or a `Stream`."""

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


Samples = Array | Inputs
"""Samples as a network reads them."""


def map_samples(samples: Samples, function: Callable[[Array], Array]) -> Samples:
    """Apply a function to the array of samples, or to the array of each input."""
    return samples.map(function) if isinstance(samples, Inputs) else function(samples)


def by_input(samples: Samples) -> Iterator[tuple[str, Array]]:
    """Yield the name and the array of each input; the name is empty for a plain array."""
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
