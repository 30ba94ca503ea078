"""Save and load arrays as `.npy` files: one file for a single array, one for each named array.

Imports NumPy late, and `disk_arrays`, which imports it: reading a declaration must not need it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from litegate.spec import Array, Inputs, Samples

SUFFIX = ".npy"


def arrays_by_file(stem: str, samples: Samples | Mapping[str, Array]) -> dict[str, Array]:
    """Map file names to arrays: "x.npy" for a single array, "x.NAME.npy" for each of several."""
    arrays = samples.arrays if isinstance(samples, Inputs) else samples
    if not isinstance(arrays, Mapping):
        return {f"{stem}{SUFFIX}": samples}
    return {f"{stem}.{quote(name, safe='')}{SUFFIX}": array for name, array in arrays.items()}


def save(folder: Path, stem: str, samples: Samples | Mapping[str, Array]) -> dict[str, Path]:
    """Write arrays into a folder, keeping files that exist; return the paths by file name."""
    import numpy as np

    arrays = arrays_by_file(stem, samples)
    for name, array in arrays.items():
        if not (folder / name).exists():
            np.save(folder / name, array, allow_pickle=False)
    return {name: folder / name for name in arrays}


def names_in(stem: str, files: Iterable[str]) -> dict[str, str]:
    """Map array names to the files of a stem; the name of a single array is empty."""
    middles = {name: name.removeprefix(stem).removesuffix(SUFFIX) for name in files}
    return {
        unquote(middle.removeprefix(".")): name
        for name, middle in middles.items()
        if name.startswith(stem) and name.endswith(SUFFIX) and middle[:1] in ("", ".")
    }


def samples_from(arrays: Mapping[str, Array]) -> Samples:
    """Combine arrays, named as by `names_in`, to samples."""
    return arrays[""] if set(arrays) == {""} else Inputs(arrays)


def load(folder: Path, stem: str) -> Samples:
    """Load the samples that `save` wrote into a folder; arrays beyond memory stay on disk."""
    from litegate.data.disk_arrays import open_array

    files = names_in(stem, sorted(path.name for path in folder.iterdir()))
    return samples_from({name: open_array(folder / file) for name, file in files.items()})
