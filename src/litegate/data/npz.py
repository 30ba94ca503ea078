"""Read evaluation splits and samples from the user's `.npz` files.

Imports NumPy late: a model file imports this module, and must load without NumPy.
"""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

from litegate.core.errors import ConfigError, DataError, DataUnavailable
from litegate.data.missing_files import data_not_found
from litegate.data.sources import expand_path, is_lfs_pointer, locate
from litegate.spec import (
    Array,
    Data,
    DataLocations,
    Domain,
    File,
    Inputs,
    Samples,
    Sequences,
    Splits,
)

NO_DIGESTS: Mapping[str, str] = MappingProxyType({})
NO_SLICES: Mapping[str, str] = MappingProxyType({})


def as_float32(samples: Array) -> Array:
    """Cast samples to float32; the default preprocessing."""
    import numpy as np

    return samples.astype(np.float32)


def all_as_float32(samples: Mapping[str, Array]) -> dict[str, Array]:
    """Cast samples of several inputs to float32; the default preprocessing."""
    import numpy as np

    return {name: array.astype(np.float32) for name, array in samples.items()}


def npz(  # noqa: PLR0913 keywords only
    file: str | File,
    *,
    x: str | Mapping[str, str],
    y: str | None = None,
    domain: Domain,
    digests: Mapping[str, str] = NO_DIGESTS,
    preprocess: Callable[[Any], Any] | None = None,
    classes: tuple[str, ...] = (),
    slices: Mapping[str, str] = NO_SLICES,
    output: str = "",
    files: tuple[str, ...] = (),
) -> Data:
    """Declare an evaluation split for `litegate.prebuilt`, from the arrays of an `.npz` file.

    `file` is searched in the data directory setting, then from the project's root; it may be
    absolute, contain ``$NAME``, or be a `litegate.File`. `x` names the samples, shape (n, ...); for
    several inputs it maps each input to the name of its array, and `output` names the output that
    the labels belong to. `y` names the labels: integers of shape (n,), indices into `classes`, or
    without `classes` targets or masks, shape (n, ...), for metrics; without `y` accuracy cannot be
    measured. `slices` maps the name of each slice to a mask, bools of shape (n,).

    `digests` maps "x_test" ("x_test.NAME" for several inputs), "y_test" and "slices.NAME" to the
    digests of the arrays, of dtype, shape and values; `litegate digests MODEL --write` fills them
    in. `preprocess` defaults to a cast to float32; `files` lists the files that it reads,
    relative to the project's root.

    Raises ConfigError for labels of a single class.
    """
    frame = sys._getframe(1)  # noqa: SLF001 the caller's line, as in `spec.authoring`
    place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    data = Data(
        name=Path(str(file)).stem,
        load=_loader(file, x, y, slices, place),
        digests=digests,
        preprocess=preprocess or (as_float32 if isinstance(x, str) else all_as_float32),
        domain=domain,
        classes=classes,
        labels=y is not None,
        output=output,
        files=files,
    )
    if y is not None and len(classes) == 1:
        raise ConfigError(
            f"the labels {y!r} of {file} need class names",
            expected="the name of each class in the order of the network's outputs, or y=None",
            got=repr(classes),
        )
    return data


def _loader(
    file: str | File,
    x: str | Mapping[str, str],
    y: str | None,
    slices: Mapping[str, str],
    place: str,
) -> Callable[[DataLocations], Splits]:
    def load(locations: DataLocations) -> Splits:
        if isinstance(file, str):
            return _read(_find(file, locations, place), x, y, slices)
        return _read(locate(file, locations), x, y, slices)

    return load


def _find(name: str, locations: DataLocations, place: str) -> Path:
    """Return the file in the data directory, else from the project's root.

    `place` is the file and line of the declaration. The file needs no digest: those of its arrays
    are verified. Raises ConfigError for a name that looks misspelt, otherwise DataUnavailable.
    """
    folders = dict.fromkeys((locations.directory or locations.project, locations.project))
    paths = [expand_path(name, folder) for folder in folders]
    for path in paths:
        if path.is_file() and not is_lfs_pointer(path):
            return path
    listed = " or ".join(dict.fromkeys(str(path) for path in paths))
    known = [file.name for path in paths for file in sorted(path.parent.glob("*.npz"))]
    # 0.8: a letter or two differ. Names that differ only in digits are other versions of a file.
    near = get_close_matches(Path(name).name, known, 1, 0.8)
    if near and re.sub(r"\d", "", near[0]) != re.sub(r"\d", "", Path(name).name):
        raise ConfigError(f"there is no file {listed}", remedy=f"did you mean {near[0]!r}?")
    remedy = "provide the file, or set LITEGATE_DATA to its folder"
    project = locations.project or Path.cwd()
    raise data_not_found(name, place, project, expected=listed, remedy=remedy)


def _read(
    path: Path, x: str | Mapping[str, str], y: str | None, slices: Mapping[str, str]
) -> Splits:
    import numpy as np

    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            names = {"": x} if isinstance(x, str) else x
            by_input = {name: arrays[array] for name, array in names.items()}
            samples = by_input[""] if isinstance(x, str) else by_input
            masks = {name: arrays[array] for name, array in slices.items()}
            labels = None if y is None else arrays[y]
            return Splits(x_test=samples, y_test=labels, slices=masks)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        inputs = (x,) if isinstance(x, str) else tuple(x.values())
        expected = " and ".join(name for name in (*inputs, y, *slices.values()) if name)
        # str(KeyError) would put quotes around its message.
        reason = error.args[0] if isinstance(error, KeyError) else error
        raise DataError(
            f"{path} cannot be read: {reason}",
            expected=f"an .npz with the arrays {expected}",
            remedy="replace the file with a complete one, or correct the names of its arrays",
        ) from error


SAMPLES = ("x", "x_test")
LABELS = ("y", "y_test")
"""Names of the arrays of samples and of labels; the first that a file has is read."""
_LENGTHS = "lengths"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledSamples:
    """Samples, and their labels if they are known."""

    x: Samples
    """Preprocessed values, float32, shape (n, ...); `Inputs` for several inputs; `Sequences`."""
    y: Array | None = None
    """Integer class labels, shape (n,); of sequences, of each."""


def read_samples(file: Path) -> LabelledSamples:
    """Read the arrays `x` and, if it exists, `y` (or `x_test` and `y_test`); n is at least 1.

    Samples of several inputs are arrays called `x.NAME` (or `x_test.NAME`), one for each input.
    With an array `lengths`, shape (m,), they are the frames of m sequences, one after another.
    Raises DataUnavailable if the file cannot be read, DataError if it is not an `.npz` file with
    these arrays. Objects are never unpickled.
    """
    with _opened(file) as arrays:
        x = next(filter(None, (_arrays_by_input(arrays, stem) for stem in SAMPLES)), {})
        y = next((arrays[name] for name in LABELS if name in arrays), None)
        lengths = arrays.get(_LENGTHS)
        names = ", ".join(arrays.files) or "no array"
    if not x:
        raise _samples_error(file, names)
    return _check_samples(file, x, y, lengths)


def read_arrays(file: Path) -> dict[str, Array]:
    """Read all arrays of an `.npz` file by name. Raises as `read_samples` for what is none."""
    with _opened(file) as arrays:
        return dict(arrays)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """Yield an `.npz` file, whose arrays are read when they are asked for."""
    import numpy as np

    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            yield arrays
    except OSError as error:
        raise DataUnavailable(
            f"{file} cannot be read",
            expected="an .npz file with an array x, and optionally labels y",
            got=str(error.strerror or error),
        ) from error
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise _samples_error(file, str(error) or "not enough memory") from error


def _arrays_by_input(arrays: Any, stem: str) -> dict[str, Array]:
    """Map each input's name to its array; the name of a single array is empty."""
    if stem in arrays:
        return {"": arrays[stem]}
    prefix = f"{stem}."
    return {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)}


def _check_samples(
    file: Path, x: Mapping[str, Array], y: Array | None, lengths: Array | None
) -> LabelledSamples:
    import numpy as np

    for name, array in x.items():
        if not (array.dtype.kind in "iufb" and array.ndim and len(array)):
            label = f"x.{name}" if name else "x"
            raise _samples_error(file, f"{label} is {array.dtype} of shape {array.shape}")
    floats = {name: array.astype(np.float32) for name, array in x.items()}
    samples: Samples = floats[""] if "" in floats else Inputs(floats)
    if lengths is not None:
        samples = _sequences(file, samples, lengths)
    n = len(samples)
    if y is not None and not (np.issubdtype(y.dtype, np.integer) and y.shape == (n,)):
        kind = "samples" if lengths is None else "sequences"
        raise _samples_error(file, f"y is {y.dtype} of shape {y.shape} beside {n:,} {kind}")
    return LabelledSamples(x=samples, y=y)


def _sequences(file: Path, frames: Array | Inputs, lengths: Array) -> Sequences:
    """Return frames as sequences. Raises DataError for lengths that do not add up to them."""
    import numpy as np

    is_whole = lengths.ndim == 1 and lengths.dtype.kind in "iu" and len(lengths)
    if not is_whole or lengths.min() < 1 or sum(lengths.tolist()) != len(frames):
        raise DataError(
            f"the lengths of {file} do not fit its frames",
            expected=f"integers from 1 on, shape (m,), whose sum is {len(frames):,}",
            got=f"{lengths.dtype} of shape {lengths.shape}"
            + (f", the least {lengths.min()}, the sum {lengths.sum():,}" if is_whole else ""),
            remedy="correct the lengths; without them, each row of x is a sample",
        )
    stops = np.cumsum(lengths)
    return Sequences(frames, stops - lengths, stops)


def _samples_error(file: Path, got: str) -> DataError:
    return DataError(
        f"{file} does not contain samples for a network",
        expected="numbers x of shape (n, ...), and optionally integer labels y of shape (n,), or "
        "one for each sequence beside lengths",
        got=got,
        remedy="write numpy.savez(FILE, x=..., y=...) with preprocessed samples; for several "
        'inputs, **{"x.NAME": ...} for each',
    )
