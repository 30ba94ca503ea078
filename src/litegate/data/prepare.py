"""Prepare a declared data set: load it, verify its digests, preprocess its samples.

Imports NumPy late, and `streams`, which imports it: a model file must load without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

from litegate.core.errors import DataError
from litegate.data.array_files import save
from litegate.data.digests import ArrayDigest, array_digests, verify
from litegate.data.labels import check_labels
from litegate.data.missing_files import report_missing_files
from litegate.data.validation import check_inputs, check_shapes, preprocess
from litegate.spec import Array, Data, DataLocations, Samples, Splits

if TYPE_CHECKING:
    from litegate.data.duplicates import Digests

LEAKED = "leaked_samples.json"
"""The file with the number of evaluation samples that are also in the training split."""


def prepare(
    data: Data,
    locations: DataLocations,
    folder: Path | None = None,
    alive: Callable[[], None] = lambda: None,
) -> Splits:
    """Load a data set, verify every array's digest, and preprocess the samples of both splits.

    Samples are returned as float32; of several inputs, as `Inputs`. An evaluation split that is a
    stream, or large, is preprocessed a part at a time into `folder`; without a folder it is loaded
    into memory, as a training split always is. `alive` is called after each part of a stream.
    Raises DataUnavailable if the data is not available, DataError if it does not fit its
    declaration or its code calls sys.exit, StoreError if `folder` cannot be written.
    """
    from litegate.data.streams import read_streams

    with report_missing_files(locations.project or Path.cwd()), _refuse_exit(data):
        splits = load_splits(data, locations)
        raw, digests, of_samples = read_streams(data, splits, folder, alive)
    if data.digests:
        verify(data, raw, digests)
    if folder:  # before the preprocessing, which may change arrays in place
        _save_leaked(raw, of_samples, folder)
    prepared = _preprocess_all(data, raw, digests, folder)
    if not data.digests:  # last: faults of the data are reported before its digests are pinned
        verify(data, raw, digests)
    return prepared


def current_digests(data: Data, locations: DataLocations, folder: Path) -> dict[str, ArrayDigest]:
    """Return the digests of the arrays that a data set loads now, if they pass all other checks.

    `folder` takes the preprocessed evaluation split. Raises as `prepare`, except for digests.
    """
    from litegate.data.streams import read_streams

    with _refuse_exit(data):
        loaded = load_splits(data, locations)
        raw, of_stream, _ = read_streams(data, loaded, folder, lambda: None)
    digests = array_digests(raw, of_stream)
    current = replace(data, digests={name: str(digest) for name, digest in digests.items()})
    verify(current, raw, digests)
    _preprocess_all(current, raw, of_stream, folder)
    return digests


def _preprocess_all(
    data: Data, raw: Splits, streamed: Collection[str], folder: Path | None
) -> Splits:
    """Return the splits with preprocessed samples; the `streamed` arrays are preprocessed."""
    check_labels(data, raw)
    samples = {name: getattr(raw, name) for name in ("x_train", "x_test")}
    samples = {name: x for name, x in samples.items() if x is not None}
    samples |= {k: _preprocess(data, x, k, folder) for k, x in samples.items() if k not in streamed}
    check_inputs(data, samples)
    check_shapes(data, samples)
    return replace(raw, x_train=samples.get("x_train"), x_test=samples["x_test"])


def _save_leaked(raw: Splits, of_samples: list[Digests], folder: Path) -> None:
    """Write how many distinct evaluation samples are also in the training split, if it is known.

    It is not for sequences, whose frames are no samples. `of_samples` are the digests of an
    evaluation split that was read as a stream.
    """
    import numpy as np

    from litegate.data.duplicates import count_shared, sample_digests

    if (
        raw.x_train is None
        or raw.lengths is not None
        or _input_names(raw.x_train) != _input_names(raw.x_test)
    ):
        return
    test = np.concatenate(of_samples) if of_samples else sample_digests(raw.x_test)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LEAKED).write_text(str(count_shared(sample_digests(raw.x_train), test)), "utf-8")


def _input_names(samples: Samples | Mapping[str, Array]) -> set[str]:
    return set(samples) if isinstance(samples, Mapping) else {""}


@contextmanager
def _refuse_exit(data: Data) -> Iterator[None]:
    """Raise DataError if the user's code ends the process, as if all were done."""
    try:
        yield
    except SystemExit as error:
        raise DataError(
            f"the code that loads {data.name} calls sys.exit",
            expected="that it returns samples, or raises an error that says what is wrong",
            got=f"exit status {error.code}",
        ) from error


def load_splits(data: Data, locations: DataLocations) -> Splits:
    """Call `data.load`. Raises DataError if it takes other arguments or returns no splits."""
    try:
        with suppress(ValueError):  # functions of C extensions may have no signature
            signature(data.load).bind(locations)
    except TypeError as error:
        raise DataError(
            f"lg.Data(load=...) of {data.name} cannot be called",
            expected="a function with one parameter, the places of data: def load(locations)",
            got=str(error),
        ) from error
    splits: object = data.load(locations)
    if not isinstance(splits, Splits):
        raise DataError(
            f"lg.Data(load=...) of {data.name} does not return Splits",
            expected="lg.Splits(x_train=..., y_train=..., x_test=..., y_test=...)",
            got=f"{type(splits).__name__}{'' if splits else ', as without a return statement'}",
            remedy="return lg.Splits with these names",
        )
    return splits


def _preprocess(
    data: Data, samples: Samples | Mapping[str, Array], name: str, folder: Path | None
) -> Samples:
    from litegate.data.streams import is_large, preprocess_to_disk

    if name == "x_test" and folder and is_large(samples):
        return preprocess_to_disk(data, samples, folder)
    return preprocess(data, samples)


def save_evaluation(splits: Splits, folder: Path) -> dict[str, Path]:
    """Write the evaluation split's samples, labels, lengths and slices; return paths by file name.

    Files that `prepare` has written into `folder` are kept, and returned as well.
    """
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    masks = [splits.slices[name] for name in sorted(splits.slices)]
    arrays = {
        "x": splits.x_test,
        "y": splits.y_test,
        "lengths": splits.lengths,
        "slices": np.array(masks, np.bool_) if masks else None,
    }
    paths = {LEAKED: folder / LEAKED} if (folder / LEAKED).is_file() else {}
    for stem, array in arrays.items():
        paths |= {} if array is None else save(folder, stem, array)
    return paths
