"""Handwritten digits: 1,797 real 8x8 images that scikit-learn ships (UCI, Alpaydin and Kaynak).

Imports NumPy and scikit-learn late: declaring the data set must need neither.
"""

from __future__ import annotations

from litegate.core.errors import DataUnavailable
from litegate.spec import Array, Data, DataLocations, Splits

DIGESTS = {
    "x_train": "13446e6f38c91c74346addb4719588ab2db369cf0d3feaa30ebef0c26c89ce41",
    "y_train": "7fdebe7a0d5db711e2868d3e520c57194d38178e0a87431a8d65447f4eb25dbc",
    "x_test": "da0c4ce567dd6553b1d9989e486f4961f1b4b55bb7bdf308cd8ebe57a8fd6b91",
    "y_test": "4446639e9df9674497b29d83e0e4eecdf184c74e79f24f6bd3fadceec9f8bea5",
}
EVALUATION = 360
"""Samples of the evaluation split: a fifth of the 1,797; the other 1,437 are for training.

If 1 % of the decisions flip, the one-sided 95 % limit of a drop lies 1.10 points from it. More
samples would decide finer limits and leave less to train on. `DIGESTS` pin this split.
"""


def digits() -> Data:
    """scikit-learn's digits, in a fixed shuffled order, scaled to 0..1. Needs no network."""
    return Data(
        name="digits",
        load=_load,
        digests=DIGESTS,
        preprocess=_unit_scale,
        domain=(0.0, 1.0),
        classes=tuple("0123456789"),
    )


def _unit_scale(samples: Array) -> Array:
    import numpy as np

    return samples.astype(np.float32) / np.float32(16)


def _load(_locations: DataLocations) -> Splits:
    import numpy as np

    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataUnavailable(
            "the digits come with scikit-learn, which is not installed",
            remedy='pip install "litegate[train]"',
        ) from error
    bunch = load_digits()
    # RandomState instead of Generator: its stream is the same in all versions of NumPy.
    order = np.random.RandomState(0).permutation(len(bunch.target))
    images = bunch.images[order].astype(np.uint8)
    labels = bunch.target[order].astype(np.uint8)
    return Splits(
        x_train=images[EVALUATION:],
        y_train=labels[EVALUATION:],
        x_test=images[:EVALUATION],
        y_test=labels[:EVALUATION],
    )
