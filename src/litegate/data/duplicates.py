"""Find equal samples, within a split and between two, among more than fit into memory.

A copy proves nothing that the first has not shown. Confidence limits assume samples that are drawn
independently: eight copies of each of 45 samples are 45 draws, so their interval is that of 45
samples, not of 360.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.data.disk_arrays import in_parts
from litegate.spec import Array, Evaluation, Samples, Sequences, by_input

_BYTES = 16
"""Bytes of a digest: two different samples share one with probability 2^-128.

Longer ones only cost memory and sorting; with eight bytes a collision could be searched for."""
_FRAMES = 4096
"""Frames of a sequence that are read at once, which bounds the memory: 0.7 MB for 40 features."""
Digests = NDArray[np.void]
"""16 bytes for each input of a sample, shape (n,)."""


@lru_cache(maxsize=4)  # keeps the splits alive; the checks of a model share one or two
def originals(split: Evaluation) -> NDArray[np.intp]:
    """Return for each sample the index of the first sample with the same values, shape (n,).

    Digests of the bytes are compared, so a copy that differs in one bit counts as another sample.
    """
    if are_distinct(split.x):
        return np.arange(len(split.x))
    _, first, group = np.unique(sample_digests(split.x), return_index=True, return_inverse=True)
    indices: NDArray[np.intp] = first[group]
    return indices


def first_indices(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the index of the first member of each group of equal numbers, ascending."""
    return np.sort(np.unique(groups, return_index=True)[1])


def samples_in_words(n: int, distinct: int) -> str:
    """Return the number of samples in words: "360 samples", or "360 samples, 45 distinct"."""
    return f"{n:,} samples" if n == distinct else f"{n:,} samples, {distinct:,} distinct"


def are_distinct(samples: Any) -> bool:
    """Return True if sums over the bytes of samples prove that no two are equal; False proves none.

    Equal samples have equal sums. Takes a sixth of the time of digests, which most splits, whose
    samples all differ, do not need then.
    """
    if not isinstance(samples, np.ndarray) or not samples.size:
        return False
    rows = np.ascontiguousarray(samples).reshape(len(samples), -1).view(np.uint8)
    if rows.shape[1] % 4:
        return False
    # Random weights, so that samples with the same values in another order have other sums. Of 64
    # bits for words of 32: floats of round numbers end in zeros, which would shift most bits of
    # equally wide weights out of the sum.
    words = rows.view(np.uint32)
    weights = np.random.default_rng(0).integers(2**64, size=words.shape[1], dtype=np.uint64)
    return len(np.unique(np.einsum("ij,j->i", words, weights))) == len(samples)


def sample_digests(samples: Samples | Mapping[str, Array]) -> Digests:
    """Return a digest of the bytes of each sample, of all its inputs in alphabetical order.

    A sample that differs in one bit, or in its dtype, is another sample. The digest of a sequence
    is that of the digests of its frames.
    """
    if isinstance(samples, Sequences):
        return _digest_sequences(samples)
    inputs = samples.items() if isinstance(samples, Mapping) else by_input(samples)
    by_name = [_digest_in_parts(array) for _, array in sorted(inputs, key=lambda pair: pair[0])]
    if len(by_name) == 1:
        return by_name[0]
    side_by_side = np.ascontiguousarray(np.stack(by_name, axis=1))
    return side_by_side.view(np.dtype((np.void, _BYTES * len(by_name)))).reshape(-1)


def _digest_sequences(samples: Sequences) -> Digests:
    digests = []
    for number in range(len(samples)):
        digest = blake2b(digest_size=_BYTES)
        for _, part in samples[number : number + 1].parts(_FRAMES):
            digest.update(sample_digests(part).tobytes())
        digests.append(digest.digest())
    return np.frombuffer(b"".join(digests), np.dtype((np.void, _BYTES)))


def recorded(parts: Iterable[NDArray[Any]], digests: list[Digests]) -> Iterator[NDArray[Any]]:
    """Yield parts of a stream of samples; append the digests of each to `digests`."""
    for part in parts:
        digests.append(sample_digests(part))
        yield part


def count_shared(first: Digests, second: Digests) -> int:
    """Count the distinct samples that are in both splits."""
    return len(np.intersect1d(first, second))


def _digest_in_parts(samples: Any) -> Digests:
    return np.concatenate([_digest(part) for part in in_parts(samples)] or [_digest(samples)])


def _digest(samples: NDArray[Any]) -> Digests:
    rows = np.ascontiguousarray(samples)
    digests = (blake2b(row.tobytes(), digest_size=_BYTES).digest() for row in rows)
    return np.frombuffer(b"".join(digests), np.dtype((np.void, _BYTES)))
