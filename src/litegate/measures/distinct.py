"""Copies among samples: a second one proves nothing that the first has not shown.

Limits hold for samples that are drawn anew each time. Eight copies of each of 45 samples are 45
draws, so their interval is that of 45 samples, not of 360.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from litegate.spec import Evaluation, by_input


@lru_cache(maxsize=4)
def originals(split: Evaluation) -> NDArray[np.intp]:
    """For each sample the index of the first one that holds the same values, shape (n,).

    Bytes are compared, so a copy that somebody moved by a hair counts as another sample.
    """
    arrays = [np.ascontiguousarray(array) for _, array in by_input(split.x)]
    seen: dict[bytes, int] = {}
    rows = (b"".join(row.tobytes() for row in rows) for rows in zip(*arrays, strict=True))
    found = [seen.setdefault(row, index) for index, row in enumerate(rows)]
    return np.array(found, np.intp)


def firsts(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """The index of the first of each group of equal numbers, ascending."""
    return np.sort(np.unique(groups, return_index=True)[1])


def counted(n: int, distinct: int) -> str:
    """Say how many samples there are: "360 samples", or "360 samples, 45 distinct"."""
    return f"{n:,} samples" if n == distinct else f"{n:,} samples, {distinct:,} distinct"
