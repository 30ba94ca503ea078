"""The files that keep arrays: one for an array alone, one for each where they have names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from litegate.spec import Array, Inputs, Samples

SUFFIX = ".npy"


def file_names(stem: str, kept: Samples | Mapping[str, Array]) -> dict[str, Array]:
    """The array of each file: "x.npy" for one alone, "x.NAME.npy" for each of several."""
    named = kept.arrays if isinstance(kept, Inputs) else kept
    if not isinstance(named, Mapping):
        return {f"{stem}{SUFFIX}": kept}
    return {f"{stem}.{quote(name, safe='')}{SUFFIX}": array for name, array in named.items()}


def save(folder: Path, stem: str, kept: Samples | Mapping[str, Array]) -> dict[str, Path]:
    """Write arrays into a folder; the path of each file by its name. A file that is there stays."""
    import numpy as np

    found = file_names(stem, kept)
    for name, array in found.items():
        if not (folder / name).exists():
            np.save(folder / name, array, allow_pickle=False)
    return {name: folder / name for name in found}


def names_in(stem: str, files: Iterable[str]) -> dict[str, str]:
    """The files of a stem by the name of their array, which is empty for one alone."""
    inner = {name: name.removeprefix(stem).removesuffix(SUFFIX) for name in files}
    return {
        unquote(part.removeprefix(".")): name
        for name, part in inner.items()
        if name.startswith(stem) and name.endswith(SUFFIX) and part[:1] in ("", ".")
    }


def joined(arrays: Mapping[str, Array]) -> Samples:
    """Samples of the arrays by name, as `names_in` names them."""
    return arrays[""] if set(arrays) == {""} else Inputs(arrays)


def load(folder: Path, stem: str) -> Samples:
    """The samples that `save` wrote into a folder; what is large stays there."""
    from litegate.data.disk_arrays import opened

    found = names_in(stem, sorted(path.name for path in folder.iterdir()))
    return joined({k: opened(folder / name) for k, name in found.items()})
