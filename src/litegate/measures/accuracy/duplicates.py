"""Copies among samples: a second one proves nothing that the first has not shown.

Limits hold for samples that are drawn anew each time. Eight copies of each of 45 samples are 45
draws, so their interval is that of 45 samples, not of 360.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.data.disk_arrays import in_parts
from litegate.spec import Evaluation, by_input

_BYTES = 16


@lru_cache(maxsize=4)
def originals(split: Evaluation) -> NDArray[np.intp]:
    """For each sample the index of the first one that holds the same values, shape (n,).

    Their bytes' digests are compared: a copy moved by a hair counts as another sample.
    """
    digests = _joined([_digests_of(array) for _, array in by_input(split.x)])
    _, first, group = np.unique(digests, return_index=True, return_inverse=True)
    found: NDArray[np.intp] = first[group]
    return found


def _digests_of(samples: Any) -> NDArray[np.void]:
    return np.concatenate([_digests(x) for x in in_parts(samples)] or [_digests(samples)])


def _joined(inputs: list[NDArray[np.void]]) -> NDArray[np.void]:
    """The digests of every input of a sample, one behind the other."""
    if len(inputs) == 1:
        return inputs[0]
    side_by_side = np.ascontiguousarray(np.stack(inputs, axis=1))
    return side_by_side.view(np.dtype((np.void, _BYTES * len(inputs)))).reshape(-1)


def _digests(samples: NDArray[Any]) -> NDArray[np.void]:
    """16 bytes for each sample, shape (n,): two others have the same once in 2^64 pairs."""
    rows = np.ascontiguousarray(samples)
    made = (blake2b(row.tobytes(), digest_size=_BYTES).digest() for row in rows)
    return np.frombuffer(b"".join(made), np.dtype((np.void, _BYTES)))


def firsts(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """The index of the first of each group of equal numbers, ascending."""
    return np.sort(np.unique(groups, return_index=True)[1])


def counted(n: int, distinct: int) -> str:
    """Say how many samples there are: "360 samples", or "360 samples, 45 distinct"."""
    return f"{n:,} samples" if n == distinct else f"{n:,} samples, {distinct:,} distinct"
