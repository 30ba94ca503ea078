"""Samples and labels out of an `.npz` file that a person names on the command line."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import final

from litegate.errors import DataError, DataUnavailable
from litegate.spec import Array

_SAMPLES = ("x", "x_test")
_LABELS = ("y", "y_test")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """What networks are fed, and the answers where they are known."""

    x: Array
    """Real values, as the network takes them, float32, shape (n, ...)."""
    y: Array | None = None
    """Integer class labels, shape (n,)."""


def read_samples(file: Path) -> Samples:
    """Read the arrays `x` and, if it is there, `y` (or `x_test` and `y_test`); n is at least 1.

    DataUnavailable where the file cannot be read, DataError where it is no such archive or holds
    other arrays. Objects are never unpickled.
    """
    import numpy as np

    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            x = next((arrays[name] for name in _SAMPLES if name in arrays), None)
            y = next((arrays[name] for name in _LABELS if name in arrays), None)
            names = ", ".join(arrays.files) or "no array"
    except OSError as error:
        raise DataUnavailable(
            f"{file} cannot be read",
            expected="an .npz file with the array x, and y for labels",
            got=str(error.strerror or error),
        ) from error
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise _refusal(file, str(error) or "not enough memory") from error
    if x is None:
        raise _refusal(file, names)
    return _checked(file, x, y)


def _checked(file: Path, x: Array, y: Array | None) -> Samples:
    import numpy as np

    if not (np.issubdtype(x.dtype, np.number) and x.ndim and len(x)):
        raise _refusal(file, f"x is {x.dtype} of shape {x.shape}")
    if y is not None and not (np.issubdtype(y.dtype, np.integer) and y.shape == x.shape[:1]):
        raise _refusal(file, f"y is {y.dtype} of shape {y.shape} beside {len(x):,} samples")
    return Samples(x=x.astype(np.float32), y=y)


def _refusal(file: Path, got: str) -> DataError:
    return DataError(
        f"{file} holds no samples",
        expected="numbers x of shape (n, ...), and integer labels y of shape (n,) if any",
        got=got,
        remedy="write numpy.savez(FILE, x=..., y=...), preprocessed as the network takes it",
    )
