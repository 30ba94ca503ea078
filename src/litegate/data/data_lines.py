"""Samples and labels out of an `.npz` file that a person names on the command line."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from litegate.core.errors import DataError, DataUnavailable
from litegate.spec import Array, Inputs, Samples

_SAMPLES = ("x", "x_test")
_LABELS = ("y", "y_test")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labelled:
    """What networks are fed, and the answers where they are known."""

    x: Samples
    """Real values, as the network takes them, float32, shape (n, ...); `Inputs` of several."""
    y: Array | None = None
    """Integer class labels, shape (n,)."""


def read_samples(file: Path) -> Labelled:
    """Read the arrays `x` and, if it is there, `y` (or `x_test` and `y_test`); n is at least 1.

    Samples of several inputs are arrays called `x.NAME` (or `x_test.NAME`), one for each input.
    DataUnavailable where the file cannot be read, DataError where it is no such archive or holds
    other arrays. Objects are never unpickled.
    """
    import numpy as np

    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            x = next(filter(None, (_of(arrays, stem) for stem in _SAMPLES)), {})
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
    if not x:
        raise _refusal(file, names)
    return _checked(file, x, y)


def _of(arrays: Any, stem: str) -> dict[str, Array]:
    """The array of each input by its name; the name is empty where there is one array alone."""
    if stem in arrays:
        return {"": arrays[stem]}
    start = f"{stem}."
    return {name.removeprefix(start): arrays[name] for name in arrays if name.startswith(start)}


def _checked(file: Path, x: Mapping[str, Array], y: Array | None) -> Labelled:
    import numpy as np

    for name, array in x.items():
        if not (array.dtype.kind in "iufb" and array.ndim and len(array)):
            called = f"x.{name}" if name else "x"
            raise _refusal(file, f"{called} is {array.dtype} of shape {array.shape}")
    floats = {name: array.astype(np.float32) for name, array in x.items()}
    samples = floats[""] if "" in floats else Inputs(floats)
    n = len(samples)
    if y is not None and not (np.issubdtype(y.dtype, np.integer) and y.shape == (n,)):
        raise _refusal(file, f"y is {y.dtype} of shape {y.shape} beside {n:,} samples")
    return Labelled(x=samples, y=y)


def _refusal(file: Path, got: str) -> DataError:
    return DataError(
        f"{file} does not hold samples that files can be run on",
        expected="numbers x of shape (n, ...), and integer labels y of shape (n,) if any",
        got=got,
        remedy="write numpy.savez(FILE, x=..., y=...), preprocessed as the network takes it; of "
        'several inputs **{"x.NAME": ...} for each',
    )
