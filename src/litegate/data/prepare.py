"""Prepare a declared data set: load it, verify its digests, preprocess its samples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from inspect import signature
from pathlib import Path

from litegate.core.errors import DataError
from litegate.data.array_files import save
from litegate.data.labels import check_labels, check_slices
from litegate.data.validation import check_inputs, check_shapes, preprocess
from litegate.spec import Array, Data, DataLocations, Samples, Splits


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
    declaration, StoreError if `folder` cannot be written.
    """
    from litegate.data.streams import read_streams

    raw, digests = read_streams(data, load_splits(data, locations), folder, alive)
    if data.digests:
        verify(data, raw, digests)
    check_labels(data, raw)
    samples = {name: getattr(raw, name) for name in ("x_train", "x_test")}
    samples = {name: x for name, x in samples.items() if x is not None}
    samples |= {k: _preprocess(data, x, k, folder) for k, x in samples.items() if k not in digests}
    check_inputs(data, samples)
    check_shapes(data, samples)
    if not data.digests:  # last: faults of the data are reported before its digests are pinned
        verify(data, raw, digests)
    return replace(raw, x_train=samples.get("x_train"), x_test=samples["x_test"])


def load_splits(data: Data, locations: DataLocations) -> Splits:
    """Call `data.load`. Raises DataError if it takes other arguments or returns no splits."""
    try:
        with suppress(ValueError):  # functions of C extensions may have no signature
            signature(data.load).bind(locations)
    except TypeError as error:
        raise DataError(
            f"lg.Data(load=...) of {data.name} cannot be called",
            expected="a function of one argument, where data may lie: def load(locations)",
            got=str(error),
        ) from error
    splits: object = data.load(locations)
    if not isinstance(splits, Splits):
        raise DataError(
            f"lg.Data(load=...) of {data.name} gives no splits",
            expected="lg.Splits(x_train=..., y_train=..., x_test=..., y_test=...)",
            got=f"{type(splits).__name__}{'' if splits else ', as without a return'}",
            remedy="let it return them by these names",
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
    """Write the evaluation split's samples, labels and slices; return the paths by file name.

    Files that `prepare` has written into `folder` are kept.
    """
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    masks = [splits.slices[name] for name in sorted(splits.slices)]
    arrays = {
        "x": splits.x_test,
        "y": splits.y_test,
        "slices": np.array(masks, np.bool_) if masks else None,
    }
    paths: dict[str, Path] = {}
    for stem, array in arrays.items():
        paths |= {} if array is None else save(folder, stem, array)
    return paths


def array_digest(array: Array) -> str:
    """Return the SHA-256 of an array's bytes in C order; shape and type do not affect it."""
    import numpy as np

    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def verify(data: Data, raw: Splits, known: Mapping[str, str] | None = None) -> None:
    """Raise DataError unless every raw array has the digest that `data` declares.

    `known` maps names to digests of arrays that were read as a stream. The error contains the
    declaration of the actual digests, ready to be pasted.
    """
    known = known or {}
    arrays = raw.arrays().items()
    actual = {name: known.get(name) or array_digest(array) for name, array in arrays}
    wrong = [n for n in {**actual, **data.digests} if data.digests.get(n) != actual.get(n)]
    if not data.digests:
        raise DataError(
            f"the data set {data.name} has no digests yet",
            expected="one for each array, so that nothing is judged on other data unnoticed",
            remedy="if its arrays are as you mean them, its declaration needs this:"
            + _digests_code(actual),
        )
    if wrong:
        raise DataError(
            f"the data set {data.name} is not the one that was promised: {', '.join(wrong)}",
            expected=_format_digests({name: data.digests.get(name, "no digest") for name in wrong}),
            got=_format_digests({name: actual.get(name, "no array") for name in wrong}),
            remedy="restore the data; if the change is meant, its declaration needs this:"
            + _digests_code(actual),
        )
    if data.labels != (raw.y_test is not None):
        labels = "labels" if "y_test" in actual else "no labels"
        raise DataError(
            f"the evaluation split of {data.name} has {labels}",
            expected=f"as its lg.Data(labels={data.labels}) says",
        )
    _check_lengths(data, raw)
    check_slices(data, raw.slices, _sample_count(raw))


def _sample_count(raw: Splits) -> int:
    """Return the number of samples in the evaluation split."""
    x = raw.x_test
    return _length(next(iter(x.values()))) if isinstance(x, Mapping) else _length(x)


def _digests_code(digests: dict[str, str]) -> str:
    lines = (f'        "{name}": "{digest}",' for name, digest in digests.items())
    return "\n".join(["", "    digests={", *lines, "    },"])


def _format_digests(digests: dict[str, str]) -> str:
    return ", ".join(f"{name} {digest}" for name, digest in digests.items())


def _check_lengths(data: Data, raw: Splits) -> None:
    sizes: dict[str, set[int]] = {}
    for name, array in raw.arrays().items():
        sizes.setdefault(name.partition(".")[0], set()).add(_length(array))
    for split in ("train", "test"):
        samples, labels = (sizes.get(f"{axis}_{split}") for axis in "xy")
        if (samples, labels) == (None, None) or (labels is None and samples and split == "test"):
            continue
        if samples != labels or not samples or len(samples) > 1 or 0 in samples:
            raise DataError(
                f"the {split} split of {data.name} has {_format_sizes(samples)} samples and "
                f"{_format_sizes(labels)} labels",
                expected="as many of each, and at least one",
            )


def _format_sizes(sizes: set[int] | None) -> str:
    return " or ".join(map(str, sorted(sizes))) if sizes else "0"


def _length(array: Array) -> int:
    """Return the number of samples or labels in an array; 0 for a scalar, of shape ()."""
    import numpy as np

    return len(array) if np.ndim(array) else 0
