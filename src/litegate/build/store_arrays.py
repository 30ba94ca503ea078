"""Arrays out of the store's files: samples, labels, what Keras answered."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from litegate.core.errors import StoreCorrupt
from litegate.data.array_files import samples_from, names_in
from litegate.spec import Array, Samples

Files = Mapping[str, bytes] | Mapping[str, Path]
"""By name: what a file holds, or where it lies, of which what is large is left there."""
_OPENED: WeakValueDictionary[Path, Any] = WeakValueDictionary()
SAMPLES, LABELS, SLICES, KERAS = "x", "y", "slices", "keras_outputs"
"""The stems of the files: "x.npy", or "x.NAME.npy" for each of several inputs."""


def stored_samples(files: Files) -> Samples:
    """The samples of an evaluation split; StoreCorrupt where there are none."""
    found = _arrays(files, SAMPLES)
    if not found:
        raise StoreCorrupt(f"an evaluation split in the store does not list {SAMPLES}.npy")
    return samples_from(found)


def stored_labels(files: Files, output: str) -> Array:
    """The labels of the output that decides, shape (n,); None where there are none.

    StoreCorrupt where there are labels, and none of that output.
    """
    found = _arrays(files, LABELS)
    if not found or "" in found:
        return found.get("")
    if output not in found:
        raise StoreCorrupt(
            f"an evaluation split in the store does not list the labels of {output!r}"
        )
    return found[output]


def stored_slices(files: Files, names: Sequence[str]) -> dict[str, Array]:
    """The masks of an evaluation split's slices, bools, shape (n,), kept in the order of `names`.

    StoreCorrupt where there is another number of them.
    """
    masks = _arrays(files, SLICES).get("", ())
    if len(masks) != len(names):
        raise StoreCorrupt(f"{SLICES}.npy in the store holds another number of slices")
    return dict(zip(names, masks, strict=True))


def stored_answers(files: Files) -> Array:
    """What Keras answered: an array, a mapping from output to array, or None."""
    found = _arrays(files, KERAS)
    return (found.get("") if "" in found else found) if found else None


def _arrays(files: Files, stem: str) -> dict[str, Array]:
    return {name: _array(files, file) for name, file in names_in(stem, files).items()}


def _shared(path: Path, name: str) -> Array:
    """The array of a file in the store, as whoever still uses it has opened it.

    from litegate.data.disk_arrays import open_array

    array = _OPENED.get(path)
    if array is None:
        array = opened(path, name)
        if hasattr(array, "flags"):
            array.flags.writeable = False
        _OPENED[path] = array
    return array


def _array(files: Files, name: str) -> Array:
    import numpy as np

    held = files[name]
    if isinstance(held, Path):
        return open_array(held, name)

    try:
        found = np.load(io.BytesIO(held), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise StoreCorrupt(f"{name} in the store is no array: {error}") from error
    if not found.ndim:
        raise StoreCorrupt(f"{name} in the store is no array: one number, without a shape")
    return found
