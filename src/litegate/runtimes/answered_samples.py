"""Collect the answers to some samples of a split, which arrive in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from litegate.runtimes.answer_cache import Answers

Indices = NDArray[np.intp]
A = TypeVar("A", bound=Answers)


@final
@dataclass(kw_only=True, eq=False)
class KnownAnswers(Generic[A]):
    """The answers of one file on one runtime to some of n samples."""

    n: int
    count: int = 0
    """Number of samples that were answered."""
    _by_output: dict[str, A] = field(default_factory=dict)
    """The outputs by name, in the order in which the samples were answered."""
    _rows: Indices = field(init=False)
    """Each sample's row in them; -1 if it was not answered."""

    def __post_init__(self) -> None:
        self._rows = np.full(self.n, -1, dtype=np.intp)

    @property
    def nbytes(self) -> int:
        """Bytes of the outputs in memory."""
        return sum(output.raw.nbytes for output in self._by_output.values())

    @property
    def nbytes_of_all(self) -> int:
        """Bytes that the outputs for all samples have."""
        return self.nbytes * self.n // max(1, self.count)

    def unknown(self, chosen: Indices) -> Indices:
        """Return those of the chosen samples that were not answered, each once, in their order."""
        missing = chosen[self._rows[chosen] < 0]
        return missing[np.sort(np.unique(missing, return_index=True)[1])]

    def add(self, chosen: Indices, by_output: Mapping[str, A]) -> None:
        """Add the outputs for the chosen samples, none of them known, in their order."""
        self._rows[chosen] = np.arange(self.count, self.count + len(chosen))
        self.count += len(chosen)
        for name, output in by_output.items():
            raw: Any = np.asarray(output.raw[:])
            if name in self._by_output:
                raw = np.concatenate((self._by_output[name].raw, raw))
            self._by_output[name] = _with_raw(output, raw)

    def of(self, chosen: Indices) -> dict[str, A]:
        """Return the outputs for samples that were answered, by name, in the chosen order."""
        rows = self._rows[chosen]
        return {name: _with_raw(it, it.raw[rows]) for name, it in self._by_output.items()}


def _with_raw(answers: A, raw: Any) -> A:
    return replace(answers, raw=raw)  # type: ignore[type-var] # a dataclass
