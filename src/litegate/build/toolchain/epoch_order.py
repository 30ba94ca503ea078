"""Order the training samples of each epoch, the same for a candidate and its reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from litegate.spec import Training


def epoch_order(training: Training, epoch: int, count: int) -> NDArray[np.int32]:
    """Return the order of `count` samples in an epoch, counted from 0.

    It depends only on seed and epoch, so that all networks see the same batches.
    """
    order = np.random.default_rng([training.seed, epoch]).permutation(count)
    return order.astype(np.int32)
