"""Streams to arrays: a training split into memory, an evaluation split onto the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import DataError
from litegate.data.disk_arrays import IN_MEMORY, PART, Writer, in_parts, opened
from litegate.data.validation import preprocessed
from litegate.spec import Data, Inputs, Splits, Stream


def drained(
    data: Data, raw: Splits, folder: Path | None, alive: Callable[[], None]
) -> tuple[Splits, dict[str, str]]:
    """The splits as arrays, and the digests of the raw samples that are here no more.

    With a `folder`, an evaluation split that is a stream is preprocessed on its way: ``x.npy`` and
    ``y.npy`` in `folder` hold it, and `x_test` and `y_test` are those files. DataError as `parts`
    and `preprocessed`.
    """
    if raw.train:
        pair = _in_memory(_living(parts(raw.train, f"{data.name}.train", labels=True), alive))
        raw = replace(raw, train=None, x_train=pair[0], y_train=pair[1])
    if not raw.test:
        return raw, {}
    found = _living(parts(raw.test, f"{data.name}.test", labels=data.labels), alive)
    if not folder:
        x, *labels = _in_memory(found)
        return replace(raw, test=None, x_test=x, y_test=labels[0] if labels else None), {}
    digests = {"x_test": Digest()} | ({"y_test": Digest()} if data.labels else {})
    place = folder / "y.npy"
    with Writer(place) as kept:
        x = _written(data, _told(found, list(digests.values()), kept), folder)
    y = opened(place) if data.labels else None
    return replace(raw, test=None, x_test=x, y_test=y), {k: str(v) for k, v in digests.items()}


def is_large(samples: Any) -> bool:
    """Whether samples of shape (n, ...) are more, in float32, than is held in memory."""
    return bool(prod(np.shape(samples)) * 4 > IN_MEMORY)


def preprocessed_into(data: Data, samples: Any, folder: Path) -> Any:
    """Samples of shape (n, ...), preprocessed a part at a time into ``x.npy`` of `folder`."""
    return _written(data, in_parts(samples), folder)


def _living(found: Iterable[Part], alive: Callable[[], None]) -> Iterator[Part]:
    for part in found:
        alive()
        yield part


def _in_memory(found: Iterable[Part]) -> Part:
    return tuple(np.concatenate(arrays) for arrays in zip(*found, strict=True))


def _told(
    found: Iterable[Part], digests: Sequence[Digest], labels: Writer
) -> Iterator[NDArray[Any]]:
    """The samples of each part, after taking down what the digests need, and the labels."""
    for part in found:
        for digest, array in zip(digests, part, strict=True):
            digest.add(array)
        for array in part[1:]:
            labels.add(array)
        yield part[0]


def _written(data: Data, found: Iterable[NDArray[Any]], folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "x.npy"
    lone = None
    with Writer(place) as writer:
        for number, samples in enumerate(found):
            made = _of_one_input(data, samples)
            if number and lone is None:
                _demand_alike(data, [samples[:1]], made)
            else:
                lone = _tried(data, lone, samples, made)
            _add(data, writer, made)
    return opened(place)


def _of_one_input(data: Data, samples: NDArray[Any]) -> NDArray[Any]:
    made = preprocessed(data, np.array(samples))  # a copy: it may be changed in place
    if isinstance(made, Inputs):
        raise DataError(
            f"the preprocessing of {data.name} gives samples of several inputs",
            expected="one array: a stream, or a split larger than memory, is of one input",
            got=", ".join(made.arrays),
            remedy="give the splits of several inputs as arrays",
        )
    found: NDArray[Any] = made
    return found


def _add(data: Data, writer: Writer, made: NDArray[Any]) -> None:
    try:
        writer.add(made)
    except ValueError as error:
        raise DataError(
            f"the preprocessing of {data.name} gives samples that are not alike", got=str(error)
        ) from error


def _tried(
    data: Data, lone: NDArray[Any] | None, samples: NDArray[Any], made: NDArray[Any]
) -> NDArray[Any] | None:
    """Try the first samples, those of a part and a `lone` one before it, together and apart.

    Gives a sample that is still alone, to be tried with the next part. Raises as `_demand_alike`.
    """
    if lone is not None:
        samples = np.concatenate([lone, samples])
        made = _of_one_input(data, samples)
    if len(samples) < 2:
        return samples
    _demand_alike(data, [samples[:1], samples[1:]], made)
    return None


def _demand_alike(data: Data, pieces: list[NDArray[Any]], made: NDArray[Any]) -> None:
    """DataError where the first pieces of a part come out as something else apart than in it."""
    apart = np.concatenate([_of_one_input(data, each) for each in pieces])
    if not np.array_equal(apart, made[: len(apart)]):
        raise DataError(
            f"the preprocessing of {data.name} mixes samples",
            expected="the same values for a sample, whichever others it is shown with",
            got=f"other values for {len(made):,} samples together than for the first alone",
            remedy="a large split is preprocessed a part at a time: take constants of the training "
            "split in place of a mean or a maximum over what is shown",
        )


Part = tuple[NDArray[Any], ...]
"""Samples, shape (n, ...), and where there are any their labels, shape (n, ...)."""


def parts(stream: Stream, split: str, *, labels: bool) -> Iterator[Part]:
    """The parts of a stream, none empty; `split` names it in errors: "digits.test".

    DataError for items that are not what the stream was declared to give, or no item at all.
    """
    numbered = enumerate(stream.items())
    items = (_item(each, f"item {number} of {split}", labels=labels) for number, each in numbered)
    first = None
    for number, part in enumerate(items if stream.batched else _gathered(items, split)):
        if _length(part, f"batch {number} of {split}"):
            kind = _kind(part)
            first = first or kind
            _demand_one_kind({first, kind}, split)
            yield part
    if first is None:
        raise DataError(
            f"the stream {split} gives no sample",
            expected="at least one",
            remedy="a generator is used up after one walk: give lg.Stream the function itself",
        )


def _item(item: Any, name: str, *, labels: bool) -> Part:
    wrong = isinstance(item, tuple | dict)
    if labels:
        wrong = not (isinstance(item, tuple | list) and len(item) == 2)
    if wrong:
        raise DataError(
            f"{name} is not what the data set declares",
            expected="a pair (x, y)" if labels else "x alone, for lg.Data(labels=False)",
            got=f"{type(item).__name__}{f' of {len(item)}' if hasattr(item, '__len__') else ''}",
            remedy="let the source give such items, as by ((row['x'], row['y']) for row in rows)",
        )
    return tuple(_array(each, name) for each in (item if labels else [item]))


def _array(value: Any, name: str) -> NDArray[Any]:
    try:
        found = np.asarray(value)
    except ValueError as error:
        raise DataError(f"{name} is no array", got=str(error)) from error
    if found.dtype.kind not in "biuf":
        raise DataError(f"{name} holds no numbers", got=f"{found.dtype} of shape {found.shape}")
    return found


def _gathered(items: Iterable[Part], split: str) -> Iterator[Part]:
    """Single samples, some at a time."""
    held: list[Part] = []
    for item in items:
        if held and item[0].nbytes * (len(held) + 1) > PART:
            yield _stacked(held, split)
            held = []
        held.append(item)
    if held:
        yield _stacked(held, split)


def _stacked(items: list[Part], split: str) -> Part:
    _demand_one_kind({_kind(tuple(array[np.newaxis] for array in item)) for item in items}, split)
    return tuple(np.stack(arrays) for arrays in zip(*items, strict=True))


def _kind(part: Part) -> str:
    """The type and the shape of one sample, and of its label."""
    return ", ".join(f"{array.dtype} of shape {array.shape[1:]}" for array in part)


def _demand_one_kind(kinds: set[str], split: str) -> None:
    if len(kinds) > 1:
        raise DataError(
            f"the samples of {split} are not alike",
            expected="one type and one shape",
            got=" beside ".join(sorted(kinds)),
            remedy="convert and resize them in the stream's source; see Stream(batched=...)",
        )


def _length(part: Part, name: str) -> int:
    sizes = {len(array) if array.ndim else None for array in part}
    size = sizes.pop()
    if sizes or size is None:
        raise DataError(
            f"{name} holds no samples and labels that belong together",
            expected="x of shape (n, ...), and y of shape (n, ...)",
            got=" and ".join(str(array.shape) for array in part),
            remedy="Stream(batched=False) is for a source that gives one sample at a time",
        )
    return size


@final
class Digest:
    """SHA-256 of an array's bytes in C order, of which it is shown one part after another."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()

    def add(self, array: NDArray[Any]) -> None:
        """The next part."""
        self._sha256.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

    def __str__(self) -> str:
        return self._sha256.hexdigest()
