"""Read arrays from files of the store: samples, labels, slices, outputs of Keras."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from litegate.core.errors import StoreCorrupt
from litegate.data.array_files import names_in, samples_from
from litegate.data.prepare import LEAKED
from litegate.spec import Array, Data, Evaluation, Inputs, Samples, Sequences

Files = Mapping[str, bytes] | Mapping[str, Path]
"""File name to its bytes or its path; arrays of paths larger than memory stay on disk."""
SAMPLES, LABELS, LENGTHS, SLICES, KERAS = "x", "y", "lengths", "slices", "keras_outputs"
"""The stems of the files: "x.npy", or "x.NAME.npy" for each of several inputs."""
_OPENED: WeakValueDictionary[Path, Any] = WeakValueDictionary()
"""Arrays in use, by path; see `_shared`."""


def stored_evaluation(
    files: Mapping[str, Path], key: str, data: Data, *, is_training_known: bool
) -> Evaluation:
    """Return the evaluation split that a build put into the store under `key`.

    The samples that are also in the training split are None unless `is_training_known`. Raises
    StoreCorrupt if an array is missing.
    """
    labels = stored_labels(files, data.output)
    if data.labels and labels is None:
        raise StoreCorrupt(f"the split of {data.name} in the store does not list y.npy")
    x = stored_samples(files)
    return Evaluation(
        digest=key,
        x=stored_sequences(files, x) if data.sequences else x,
        y=labels,
        classes=data.classes,
        domain=data.domain,
        output=data.output,
        slices=stored_slices(files, data.slices),
        leaked_samples=stored_leaked_samples(files) if is_training_known else None,
        sequences=data.sequences,
    )


def stored_sequences(files: Files, frames: Array | Inputs) -> Sequences:
    """Return the frames as sequences. Raises StoreCorrupt if the lengths do not fit them."""
    import numpy as np

    lengths = _arrays(files, LENGTHS).get("")
    if lengths is None or int(np.sum(lengths)) != len(frames):
        raise StoreCorrupt(f"{LENGTHS}.npy in the store does not fit its frames")
    stops = np.cumsum(lengths, dtype=np.int64)
    return Sequences(frames, stops - lengths, stops)


def stored_samples(files: Files) -> Samples:
    """Return the samples of an evaluation split. Raises StoreCorrupt if there are none."""
    arrays = _arrays(files, SAMPLES)
    if not arrays:
        raise StoreCorrupt(f"an evaluation split in the store does not list {SAMPLES}.npy")
    return samples_from(arrays)


def stored_labels(files: Files, output: str) -> Array:
    """Return the labels of the deciding output, shape (n,); None without labels.

    Raises StoreCorrupt if there are labels, but only of other outputs.
    """
    arrays = _arrays(files, LABELS)
    if not arrays or "" in arrays:
        return arrays.get("")
    if output not in arrays:
        raise StoreCorrupt(
            f"an evaluation split in the store does not list the labels of {output!r}"
        )
    return arrays[output]


def stored_slices(files: Files, names: Sequence[str]) -> dict[str, Array]:
    """Return the mask of each slice of an evaluation split, bools, shape (n,).

    `names` are in the order in which the masks were saved. Raises StoreCorrupt if their numbers
    differ.
    """
    masks = _arrays(files, SLICES).get("", ())
    if len(masks) != len(names):
        raise StoreCorrupt(f"{SLICES}.npy in the store has another number of slices")
    return dict(zip(names, masks, strict=True))


def stored_leaked_samples(files: Mapping[str, Path]) -> int | None:
    """Return how many samples of an evaluation split are in the training split; None if unknown.

    Raises StoreCorrupt for a file without such a number.
    """
    if LEAKED not in files:
        return None
    text = files[LEAKED].read_text("utf-8", "replace")
    if not (text.isascii() and text.isdigit()):
        raise StoreCorrupt(f"{LEAKED} in the store is not a number")
    return int(text)


def stored_keras_outputs(files: Files) -> Array:
    """Return the outputs of Keras: an array, a mapping from output to array, or None."""
    arrays = _arrays(files, KERAS)
    return (arrays.get("") if "" in arrays else arrays) if arrays else None


def _arrays(files: Files, stem: str) -> dict[str, Array]:
    return {name: _array(files, file) for name, file in names_in(stem, files).items()}


def _shared(path: Path, name: str) -> Array:
    """Open an array of the store; return the same array again as long as anybody uses it.

    A path in the store is the digest of its content, so models of several files that are judged on
    the same samples share one copy of them in memory. It is read-only.
    """
    from litegate.data.disk_arrays import open_array

    array = _OPENED.get(path)
    if array is None:
        array = open_array(path, name)
        if hasattr(array, "flags"):
            array.flags.writeable = False
        _OPENED[path] = array
    return array


def _array(files: Files, name: str) -> Array:
    import numpy as np

    content = files[name]
    if isinstance(content, Path):
        return _shared(content, name)

    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise StoreCorrupt(f"{name} in the store is not an array: {error}") from error
    if not array.ndim:
        raise StoreCorrupt(f"{name} in the store is not an array: a single number without a shape")
    return array
