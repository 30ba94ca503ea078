"""MNIST: 70,000 handwritten digits, 28x28, by LeCun, Cortes and Burges.

Imports NumPy late: declaring the data set must not need it.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from litegate.core.errors import DataError, DataUnavailable, LitegateError
from litegate.data.digests import verify
from litegate.data.download import download
from litegate.spec import Array, Data, DataLocations, Splits

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
FILE = "mnist.npz"
DIGESTS = {
    "x_train": "80519147474f0ec8abc49d23e467a7dee07d8b6952c152856c6715ace2b17661",
    "y_train": "124358fb3a719594bbb5f0e3fdd638c57afd38bd65ac1f4319a23489bfecb904",
    "x_test": "79292cfb1e0b575c0477fd53f4299c75afca128f2b2f6958fabc4e3c35f6e6a9",
    "y_test": "08afb743ca41ae4eaa00874286bca831e71c4fa78e3592ca419dc285f2af59ad",
}


def mnist(*, url: str = URL) -> Data:
    """MNIST in its original order: 60,000 training and 10,000 evaluation samples, scaled to 0..1.

    Searches `mnist.npz` in the data directory setting, then in Keras's own cache, then downloads
    it. Verifies the digest of every array, because the file's own bytes differ by source.
    """
    return Data(
        name="mnist",
        load=_loader(url),
        digests=DIGESTS,
        preprocess=_unit_scale,
        domain=(0.0, 1.0),
        classes=tuple("0123456789"),
    )


def _unit_scale(samples: Array) -> Array:
    import numpy as np

    # The largest value of a byte.
    return samples.astype(np.float32) / np.float32(255)


def _loader(url: str) -> Callable[[DataLocations], Splits]:
    def load(locations: DataLocations) -> Splits:
        for path in _search_paths(locations):
            if path.is_file():
                return read(path)
        return _download(url, locations)

    return load


def _search_paths(locations: DataLocations) -> Iterator[Path]:
    if locations.directory:
        yield locations.directory / FILE
    keras_home = os.environ.get("KERAS_HOME", "")
    yield (Path(keras_home) if keras_home else Path.home() / ".keras") / "datasets" / FILE
    if locations.cache:
        yield locations.cache / FILE


def _download(url: str, locations: DataLocations) -> Splits:
    remedy = f"put {FILE} into a folder and set LITEGATE_DATA to it"
    if locations.cache is None:
        raise DataUnavailable("MNIST is not on this machine", remedy=remedy)
    unverified = locations.cache / f"unverified-{os.getpid()}-{FILE}"
    try:
        splits = read(download(url, unverified))
        verify(mnist(), splits)
        os.replace(unverified, locations.cache / FILE)
    except DataUnavailable as error:
        raise DataUnavailable(
            f"MNIST is not on this machine and {error.what}", remedy=remedy
        ) from None
    except LitegateError as error:
        raise DataError(f"the file from {url} is not MNIST: {error}", remedy=remedy) from error
    finally:
        unverified.unlink(missing_ok=True)
    return splits


def read(path: Path) -> Splits:
    """Read the arrays of an `.npz` in Keras's layout. Raises DataError if it is not one."""
    import numpy as np

    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Splits(**{name: arrays[name] for name in DIGESTS})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read as MNIST: {error}",
            expected="an .npz with " + ", ".join(DIGESTS),
            remedy="replace the file with a complete one",
        ) from error
