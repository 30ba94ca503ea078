"""Handwritten digits: 1,797 real 8x8 images that scikit-learn ships (UCI, Alpaydin and Kaynak).

Imports NumPy and scikit-learn late: declaring the data set must need neither.
"""

from __future__ import annotations

from litegate.core.errors import DataUnavailable
from litegate.spec import Array, Data, DataLocations, Splits

DIGESTS = {
    "x_train": "48a6a68f318569942795c7bd0fe54e45a067641673b731c3fff36b8362e37e5a",
    "y_train": "117777344d4b5693fcafb288a0fd9c8686854be1c4b847d5c3899d89bc4039b3",
    "x_test": "cadb1320a87e0a897ba67fdfc9454848b971d00771bc24238e4b215ae024f3d2",
    "y_test": "763297361dc1963483435db731f2e5e5fd1dfb3fc0ebd976114046762fc66639",
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

    # scikit-learn counts the pixels of 4x4 blocks, 0 to 16.
    return samples.astype(np.float32) / np.float32(16)


def _load(_locations: DataLocations) -> Splits:
    import numpy as np

    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataUnavailable(
            "the digits need scikit-learn, which is not installed",
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
