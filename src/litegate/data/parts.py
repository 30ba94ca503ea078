"""From a stream to parts: arrays of samples and labels of one type and shape, checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import DataError
from litegate.data.disk_arrays import PART
from litegate.spec import Stream

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
            _demand_alike({first, kind}, split)
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
    _demand_alike({_kind(tuple(array[np.newaxis] for array in item)) for item in items}, split)
    return tuple(np.stack(arrays) for arrays in zip(*items, strict=True))


def _kind(part: Part) -> str:
    """The type and the shape of one sample, and of its label."""
    return ", ".join(f"{array.dtype} of shape {array.shape[1:]}" for array in part)


def _demand_alike(kinds: set[str], split: str) -> None:
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
