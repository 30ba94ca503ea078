"""Find copies among samples: a copy proves nothing that the first has not shown.

Confidence limits assume samples that are drawn independently. Eight copies of each of 45 samples
are 45 draws, so their interval is that of 45 samples, not of 360.
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
"""Bytes of a digest: two different samples share one with probability 2^-128.

Longer ones only cost memory and sorting; with eight bytes a collision could be searched for."""


@lru_cache(maxsize=4)  # keeps the splits alive; the checks of a model share one
def originals(split: Evaluation) -> NDArray[np.intp]:
    """Return for each sample the index of the first sample with the same values, shape (n,).

    Digests of the bytes are compared, so a copy that differs in one bit counts as another sample.
    """
    digests = _join_inputs([_digest_in_parts(array) for _, array in by_input(split.x)])
    _, first, group = np.unique(digests, return_index=True, return_inverse=True)
    indices: NDArray[np.intp] = first[group]
    return indices


def _digest_in_parts(samples: Any) -> NDArray[np.void]:
    return np.concatenate([_digest(x) for x in in_parts(samples)] or [_digest(samples)])


def _join_inputs(inputs: list[NDArray[np.void]]) -> NDArray[np.void]:
    """Concatenate the digests of every input of each sample."""
    if len(inputs) == 1:
        return inputs[0]
    side_by_side = np.ascontiguousarray(np.stack(inputs, axis=1))
    return side_by_side.view(np.dtype((np.void, _BYTES * len(inputs)))).reshape(-1)


def _digest(samples: NDArray[Any]) -> NDArray[np.void]:
    """Return 16 bytes for each sample, shape (n,)."""
    rows = np.ascontiguousarray(samples)
    digests = (blake2b(row.tobytes(), digest_size=_BYTES).digest() for row in rows)
    return np.frombuffer(b"".join(digests), np.dtype((np.void, _BYTES)))


def first_indices(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the index of the first member of each group of equal numbers, ascending."""
    return np.sort(np.unique(groups, return_index=True)[1])


def samples_in_words(n: int, distinct: int) -> str:
    """Return the number of samples in words: "360 samples", or "360 samples, 45 distinct"."""
    return f"{n:,} samples" if n == distinct else f"{n:,} samples, {distinct:,} distinct"
