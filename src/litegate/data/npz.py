"""An evaluation split out of an `.npz` file of the user's own; nothing is trained on it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

from litegate.core.errors import ConfigError, DataError, DataUnavailable
from litegate.data.sources import expanded, locate
from litegate.spec import Array, Data, DataLocations, Domain, File, Inputs, Samples, Splits

NO_SLICES: Mapping[str, str] = MappingProxyType({})


def as_float32(samples: Array) -> Array:
    """Samples as they are, float32."""
    import numpy as np

    return samples.astype(np.float32)


def all_as_float32(samples: Mapping[str, Array]) -> dict[str, Array]:
    """Samples of several inputs as they are, float32."""
    import numpy as np

    return {name: array.astype(np.float32) for name, array in samples.items()}


def npz(  # noqa: PLR0913 keywords only
    file: str | File,
    *,
    x: str | Mapping[str, str],
    y: str | None = None,
    digests: Mapping[str, str],
    domain: Domain,
    preprocess: Callable[[Any], Any] | None = None,
    classes: tuple[str, ...] = (),
    slices: Mapping[str, str] = NO_SLICES,
    output: str = "",
    files: tuple[str, ...] = (),
) -> Data:
    """An evaluation split for `litegate.prebuilt`: the samples `x`, shape (n, ...), labels `y`.

    Of several inputs `x` maps each input's name to that of its array, and `output` names the output
    that the labels are of.

    `file` is looked for in the data directory setting, then from the project's root; it may be
    absolute, hold ``$NAME``, or be a `litegate.File`. `y` names integers of shape (n,), the number
    of a class in `classes`, or without `classes` targets or masks, shape (n, ...), for metrics;
    without it accuracy cannot be measured. `slices` names bools of shape (n,) by the slice's name.
    `digests` holds the SHA-256 of the arrays' bytes, as "x_test" ("x_test.NAME" of several inputs),
    "y_test" and "slices.NAME": leave it empty, and the error says what to write. Without
    `preprocess` samples are taken as they are, float32; `files` names what it reads, by paths from
    the project's root.

    Raises ConfigError for labels of a single class.
    """
    if y is not None and len(classes) == 1:
        raise ConfigError(
            f"the labels {y!r} of {file} need classes to choose between",
            expected="the name of each class, in the order of the network's outputs, or none",
            got=repr(classes),
        )
    return Data(
        name=Path(str(file)).stem,
        load=_loader(file, x, y, slices),
        digests=digests,
        preprocess=preprocess or (as_float32 if isinstance(x, str) else all_as_float32),
        domain=domain,
        classes=classes,
        labels=y is not None,
        output=output,
        files=files,
    )


def _loader(
    file: str | File, x: str | Mapping[str, str], y: str | None, slices: Mapping[str, str]
) -> Callable[[DataLocations], Splits]:
    def load(locations: DataLocations) -> Splits:
        path = _found(file, locations) if isinstance(file, str) else locate(file, locations)
        return _read(path, x, y, slices)

    return load


def _found(name: str, locations: DataLocations) -> Path:
    """The file in the data directory, else from the project's root; its arrays are verified."""
    folders = dict.fromkeys((locations.directory or locations.project, locations.project))
    places = [expanded(name, folder) for folder in folders]
    for place in places:
        if place.is_file():
            return place
    listed = " or ".join(dict.fromkeys(str(place) for place in places))
    known = [one.name for place in places for one in sorted(place.parent.glob("*.npz"))]
    near = get_close_matches(Path(name).name, known, 1, 0.8)
    if near and re.sub(r"\d", "", near[0]) != re.sub(r"\d", "", Path(name).name):
        # A name that is misspelt is no file that cannot be had; another version may be.
        raise ConfigError(f"there is no file {listed}", remedy=f"did you mean {near[0]!r}?")
    raise DataUnavailable(
        f"there is no file {listed}",
        remedy="correct the path in the model's file, or name the file's folder in LITEGATE_DATA",
    )


def _read(
    path: Path, x: str | Mapping[str, str], y: str | None, slices: Mapping[str, str]
) -> Splits:
    import numpy as np

    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            named = {"": x} if isinstance(x, str) else x
            held = {name: arrays[array] for name, array in named.items()}
            samples = held[""] if isinstance(x, str) else held
            masks = {name: arrays[array] for name, array in slices.items()}
            labels = None if y is None else arrays[y]
            return Splits(x_test=samples, y_test=labels, slices=masks)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        names = (x,) if isinstance(x, str) else tuple(x.values())
        wanted = " and ".join(name for name in (*names, y, *slices.values()) if name)
        said = error.args[0] if isinstance(error, KeyError) else error  # without KeyError's quotes
        raise DataError(
            f"{path} cannot be read: {said}",
            expected=f"an .npz with the arrays {wanted}",
            remedy="replace the file with a whole one, or correct the names of its arrays",
        ) from error


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
