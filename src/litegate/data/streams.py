"""Read streams into arrays: a training split into memory, an evaluation split onto disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import DataError
from litegate.data.digests import ArrayDigest
from litegate.data.disk_arrays import IN_MEMORY, PART, ArrayWriter, in_parts, open_array
from litegate.data.duplicates import Digests, recorded
from litegate.data.validation import preprocess
from litegate.spec import Data, Inputs, Splits, Stream


def read_streams(
    data: Data, raw: Splits, folder: Path | None, alive: Callable[[], None]
) -> tuple[Splits, dict[str, ArrayDigest], list[Digests]]:
    """Read the splits that are streams into arrays; return the splits and digests of raw arrays.

    With a `folder`, an evaluation split that is a stream is preprocessed while it is read, and
    written to ``x.npy`` and ``y.npy`` in `folder`. Its raw arrays are never complete, so their
    digests are returned, and those of the raw samples, part by part. Raises
    DataError as `stream_parts` and `preprocess`.
    """
    if raw.train:
        train = stream_parts(raw.train, f"{data.name}.train", labels=True)
        x_train, y_train = _concatenate(_with_signs_of_life(train, alive))
        raw = replace(raw, train=None, x_train=x_train, y_train=y_train)
    if not raw.test:
        return raw, {}, []
    lengths: list[int] = []
    split = f"{data.name}.test"
    test = (
        sequence_parts(raw.test, split, lengths, labels=data.labels)
        if data.sequences
        else stream_parts(raw.test, split, labels=data.labels)
    )
    parts = _with_signs_of_life(test, alive)
    if not folder:
        arrays = _concatenate(parts)
        labels = arrays[1] if data.labels else None
        raw = replace(raw, test=None, x_test=arrays[0], y_test=labels)
        return _with_lengths(data, raw, lengths), {}, []
    digests = {"x_test": ArrayDigest()} | ({"y_test": ArrayDigest()} if data.labels else {})
    path = folder / "y.npy"
    of_samples: list[Digests] = []
    with ArrayWriter(path) as label_writer:
        samples = _record_parts(parts, list(digests.values()), label_writer)
        # The frames of sequences are no samples, whose copies would count.
        read = samples if data.sequences else recorded(samples, of_samples)
        x = _write_preprocessed(data, read, folder)
    y = open_array(path) if data.labels else None
    raw = replace(raw, test=None, x_test=x, y_test=y)
    return _with_lengths(data, raw, lengths), digests, of_samples


def _with_lengths(data: Data, raw: Splits, lengths: list[int]) -> Splits:
    """Return the splits with the lengths of the sequences that a stream had, if it had any."""
    if not data.sequences:
        return raw
    if raw.lengths is not None:
        raise DataError(
            f"the sequences of {data.name} are given as a stream and as lengths",
            expected="a stream with a sequence as each item, without lengths=...",
        )
    return replace(raw, lengths=np.array(lengths, np.int64))


def is_large(samples: Any) -> bool:
    """Return True if samples of shape (n, ...) exceed the memory limit as float32."""
    return bool(prod(np.shape(samples)) * 4 > IN_MEMORY)


def preprocess_to_disk(data: Data, samples: Any, folder: Path) -> Any:
    """Preprocess samples of shape (n, ...) a part at a time into ``x.npy`` in `folder`."""
    return _write_preprocessed(data, in_parts(samples), folder)


def _with_signs_of_life(parts: Iterable[Part], alive: Callable[[], None]) -> Iterator[Part]:
    for part in parts:
        alive()
        yield part


def _concatenate(parts: Iterable[Part]) -> Part:
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def _record_parts(
    parts: Iterable[Part], digests: Sequence[ArrayDigest], labels: ArrayWriter
) -> Iterator[NDArray[Any]]:
    """Yield the samples of each part, after updating the digests and writing the labels."""
    for part in parts:
        for digest, array in zip(digests, part, strict=True):
            digest.add(array)
        for array in part[1:]:
            labels.add(array)
        yield part[0]


def _write_preprocessed(data: Data, parts: Iterable[NDArray[Any]], folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "x.npy"
    unchecked = None
    with ArrayWriter(path) as writer:
        for number, samples in enumerate(parts):
            processed = _preprocess_array(data, samples)
            if number and unchecked is None:
                _demand_samplewise(data, [samples[:1]], processed)
            else:
                unchecked = _check_first_samples(data, unchecked, samples, processed)
            _append(data, writer, processed)
    return open_array(path)


def _preprocess_array(data: Data, samples: NDArray[Any]) -> NDArray[Any]:
    processed = preprocess(data, np.array(samples))  # a copy: user code may change it in place
    if isinstance(processed, Inputs):
        raise DataError(
            f"the preprocessing of {data.name} returns samples of several inputs",
            expected="one array: a stream, or a split larger than memory, has one input",
            got=", ".join(processed.arrays),
            remedy="declare the splits of several inputs as arrays",
        )
    array: Any = processed
    return array  # type: ignore[no-any-return] # an array, since it is no mapping


def _append(data: Data, writer: ArrayWriter, processed: NDArray[Any]) -> None:
    try:
        writer.add(processed)
    except ValueError as error:
        raise DataError(
            f"the preprocessing of {data.name} returns samples of different shapes or types",
            got=str(error),
        ) from error


def _check_first_samples(
    data: Data,
    unchecked: NDArray[Any] | None,
    samples: NDArray[Any],
    processed: NDArray[Any],
) -> NDArray[Any] | None:
    """Check that the first samples give the same values together and separately.

    A single sample cannot be checked: it is returned, and comes back as `unchecked` with the
    next part. Raises as `_demand_samplewise`.
    """
    if unchecked is not None:
        samples = np.concatenate([unchecked, samples])
        processed = _preprocess_array(data, samples)
    if len(samples) < 2:
        return samples
    _demand_samplewise(data, [samples[:1], samples[1:]], processed)
    return None


def _demand_samplewise(data: Data, pieces: list[NDArray[Any]], processed: NDArray[Any]) -> None:
    """Raise DataError if pieces at the start of a part give other values separately than in it.

    Preprocessing that depends on other samples, such as a mean, would depend on the part's size.
    """
    separate = np.concatenate([_preprocess_array(data, piece) for piece in pieces])
    if not np.array_equal(separate, processed[: len(separate)]):
        raise DataError(
            f"the preprocessing of {data.name} mixes samples",
            expected="the same values for a sample, whatever other samples are passed with it",
            got=f"other values for {len(processed):,} samples together than for the first alone",
            remedy="large splits are preprocessed in parts: use constants of the training split "
            "instead of a mean or maximum over the passed samples",
        )


Part = tuple[NDArray[Any], ...]
"""Samples, shape (n, ...), and their labels, shape (n, ...), if there are any."""


def stream_parts(stream: Stream, split: str, *, labels: bool) -> Iterator[Part]:
    """Yield the non-empty parts of a stream; `split` names it in errors: "digits.test".

    Raises DataError for items that do not fit the stream's declaration, and for an empty stream.
    """
    items = (
        _item_part(item, f"item {number} of {split}", labels=labels)
        for number, item in enumerate(stream.items())
    )
    first_type = None
    for number, part in enumerate(items if stream.batched else _group(items, split)):
        if _length(part, f"batch {number} of {split}"):
            sample_type = _sample_type(part)
            first_type = first_type or sample_type
            _demand_one_type({first_type, sample_type}, split)
            yield part
    if first_type is None:
        raise _no_samples(split)


def _no_samples(split: str) -> DataError:
    return DataError(
        f"the stream {split} has no samples",
        expected="at least one",
        remedy="a generator is exhausted after one pass: pass the function itself to lg.Stream",
    )


def sequence_parts(
    stream: Stream, split: str, lengths: list[int], *, labels: bool
) -> Iterator[Part]:
    """Yield the frames of each sequence of a stream, and its labels; append its length.

    An item is a sequence: frames of shape (n, ...), and a label for it or for each frame. Raises
    DataError as `stream_parts`, and for a sequence without frames.
    """
    first_type = None
    for number, item in enumerate(stream.items()):
        name = f"sequence {number} of {split}"
        frames, *labelled = _item_part(item, name, labels=labels)
        if not (frames.ndim and len(frames)):
            raise DataError(
                f"{name} is empty",
                expected="at least one frame, shape (n, ...)",
                got=f"shape {frames.shape}",
                remedy="leave it out of the stream",
            )
        by_frame = bool(labelled and labelled[0].ndim)
        part = (frames, *(np.atleast_1d(label) for label in labelled))
        if by_frame and len(labelled[0]) != len(frames):
            raise DataError(
                f"{name} has labels that do not fit its frames",
                expected=f"one label, shape (), or {len(frames):,}, one for each frame",
                got=f"labels of shape {labelled[0].shape}",
                remedy="yield (frames, label) or (frames, labels) of equal length",
            )
        sample_type = (
            f"{_sample_type(part)}, a label for each {'frame' if by_frame else 'sequence'}"
        )
        first_type = first_type or sample_type
        _demand_one_type({first_type, sample_type}, split)
        lengths.append(len(frames))
        yield part
    if first_type is None:
        raise _no_samples(split)


def _item_part(item: Any, name: str, *, labels: bool) -> Part:
    is_wrong = isinstance(item, tuple | dict)
    if labels:
        is_wrong = not (isinstance(item, tuple | list) and len(item) == 2)
    if is_wrong:
        raise DataError(
            f"{name} does not have the form that the data set declares",
            expected="a pair (x, y)" if labels else "x alone, for lg.Data(labels=False)",
            got=f"{type(item).__name__}{f' of {len(item)}' if hasattr(item, '__len__') else ''}",
            remedy="let the source yield such items: ((row['x'], row['y']) for row in rows)",
        )
    return tuple(_array(value, name) for value in (item if labels else [item]))


def _array(value: Any, name: str) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(
            f"{name} is not an array",
            expected="numbers in rows of equal length",
            got=str(error),
            remedy="pad or cut the rows, or declare sequences: lg.Data(sequences=lg.Frames(...))",
        ) from error
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{name} does not contain numbers",
            expected="bool, integers or floats",
            got=f"{array.dtype} of shape {array.shape}",
            remedy="convert them in the source of the stream",
        )
    return array


def _group(items: Iterable[Part], split: str) -> Iterator[Part]:
    """Group single samples into parts of at most `PART` bytes."""
    group: list[Part] = []
    for item in items:
        if group and item[0].nbytes * (len(group) + 1) > PART:
            yield _stack(group, split)
            group = []
        group.append(item)
    if group:
        yield _stack(group, split)


def _stack(items: list[Part], split: str) -> Part:
    _demand_one_type(
        {_sample_type(tuple(array[np.newaxis] for array in item)) for item in items}, split
    )
    return tuple(np.stack(arrays) for arrays in zip(*items, strict=True))


def _sample_type(part: Part) -> str:
    """Describe the type and the shape of one sample, and of its label."""
    return ", ".join(f"{array.dtype} of shape {array.shape[1:]}" for array in part)


def _demand_one_type(sample_types: set[str], split: str) -> None:
    if len(sample_types) > 1:
        raise DataError(
            f"the samples of {split} differ in type or shape",
            expected="one type and one shape",
            got=" beside ".join(sorted(sample_types)),
            remedy="convert and resize them in the stream's source; see Stream(batched=...)",
        )


def _length(part: Part, name: str) -> int:
    sizes = {len(array) if array.ndim else None for array in part}
    size = sizes.pop()
    if sizes or size is None:
        raise DataError(
            f"{name} has samples and labels that do not fit together",
            expected="x of shape (n, ...), and y of shape (n, ...)",
            got=" and ".join(str(array.shape) for array in part),
            remedy="use Stream(batched=False) for a source that yields one sample at a time",
        )
    return size
