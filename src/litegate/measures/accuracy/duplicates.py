"""Find copies among samples: a copy proves nothing that the first has not shown.

Confidence limits assume samples that are drawn independently. Eight copies of each of 45 samples
are 45 draws, so their interval is that of 45 samples, not of 360.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from litegate.data.equal_samples import are_distinct, sample_digests
from litegate.spec import Evaluation


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
