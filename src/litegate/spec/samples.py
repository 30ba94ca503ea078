"""Samples of a model with several inputs; those of a model with one are a plain array."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, final

from litegate.core.errors import DataError

Array = Any
"""A NumPy array."""


Domain = tuple[float, float] | Mapping[str, tuple[float, float]]
"""The least and the greatest value of an input: of each input by its name, or of all alike."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """An array for each input, by the input's name: samples first, equal lengths.

    DataError for no array, or for lengths that differ.
    """

    arrays: Mapping[str, Array]

    def __post_init__(self) -> None:
        sizes = {name: _length(array) for name, array in self.arrays.items()}
        if len(set(sizes.values())) != 1 or None in sizes.values():
            listed = (f"{name} {'no' if size is None else size}" for name, size in sizes.items())
            raise DataError(
                "the arrays of a model's inputs do not belong together",
                expected="as many samples of each input",
                got=", ".join(listed) or "no array",
                remedy="an array for each input by its name, samples first",
            )

    def __len__(self) -> int:
        """How many samples there are."""
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, picked: Any) -> Inputs:
        """Some of the samples, by a slice or an array of indices, of every input."""
        if isinstance(picked, int):
            raise TypeError("samples of several inputs are picked by a slice or by indices")
        return self.map(lambda array: array[picked])

    def __iter__(self) -> NoReturn:
        raise TypeError("samples of several inputs are no sequence: go over their arrays")

    def map(self, function: Callable[[Array], Array]) -> Inputs:
        """What a function makes of each array."""
        return Inputs({name: function(array) for name, array in self.arrays.items()})


def _length(array: Array) -> int | None:
    shape = getattr(array, "shape", ())
    return int(shape[0]) if shape else None


Samples = Array | Inputs
"""What a model is fed."""


def mapped(samples: Samples, function: Callable[[Array], Array]) -> Samples:
    """What a function makes of the samples, or of each input's."""
    return samples.map(function) if isinstance(samples, Inputs) else function(samples)


def by_input(samples: Samples) -> Iterator[tuple[str, Array]]:
    """Each input's name and array; the name is empty where there is one array alone."""
    yield from samples.arrays.items() if isinstance(samples, Inputs) else (("", samples),)


def domain_of(domain: Domain, name: str) -> tuple[float, float]:
    """The least and the greatest value of one input. KeyError where it is not told."""
    return domain[name] if isinstance(domain, Mapping) else domain


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One split of a data set, walked over once: samples and labels together, in order.

    Each item is a pair ``(x, y)``, or ``x`` alone in an evaluation split without labels. Whatever
    NumPy makes an array of will do: arrays, numbers, tensors of `tf.data`.
    """

    source: Iterable[Any] | Callable[[], Iterable[Any]]
    """The items, or a function without arguments that gives them."""
    batched: bool
    """Whether an item holds several samples, x of shape (n, ...) and y of shape (n,): no shape
    tells a batch of images from one picture. Batches may differ in length."""

    def items(self) -> Iterable[Any]:
        """The items, from the first on."""
        return self.source() if callable(self.source) else self.source
