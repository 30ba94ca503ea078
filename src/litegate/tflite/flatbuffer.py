"""A file's bytes, read within bounds: every index, length and reference before it is followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, final

from litegate.tflite.graph import ABSENT

_REREAD = 4
"""How often the bytes of a file may be read: vectors may share some, not multiply them."""


class MalformedError(ValueError):
    """What is wrong with a file, in words."""


@final
class File(bytes):
    """A file's bytes that refuse a slice past their end, and more reading than they can hold.

    The generated reader cuts such a slice short in silence, and vectors that share their elements
    could keep it busy for hours.
    """

    _left: int

    def __new__(cls, data: bytes) -> File:
        file = super().__new__(cls, data)
        file._left = _REREAD * len(data)
        return file

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            if key.stop > len(self):
                raise MalformedError("a name runs past the end of the file")
            self.spend(key.stop - key.start)
        return super().__getitem__(key)

    def spend(self, size: int) -> None:
        """Account for `size` bytes about to be read; refuse once they are too many."""
        self._left -= size
        if self._left < 0:
            raise MalformedError("its vectors hold more than the file can")


def tables(file: File, length: int, get: Callable[[int], Any]) -> Iterator[Any]:
    """The tables of a vector of this length."""
    offset_and_table = 8
    file.spend(offset_and_table * length)
    return map(get, range(length))


def numbers(file: File, vector: Any) -> tuple[Any, ...]:
    """A vector as the generated reader gives it: an array, or 0 where it is absent."""
    if isinstance(vector, int):
        return ()
    file.spend(vector.nbytes)
    return tuple(vector.tolist())


def text(raw: bytes | None) -> str:
    """A name as text, whatever its bytes are."""
    return (raw or b"").decode("utf-8", "backslashreplace")


@lru_cache(maxsize=8)
def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


def name_of(enum: type, number: int, what: str) -> str:
    """The name of a number in one of the schema's enumerations."""
    names = _names(enum)
    if number not in names:
        raise MalformedError(
            f"{what} has number {number}, which this LiteRT's schema does not know"
        )
    return names[number]


def within(index: int, count: int, what: str) -> int:
    """The index itself, where there is something at it."""
    if not 0 <= index < count:
        raise MalformedError(f"{what} is number {index} of {count}")
    return index


def indices(
    file: File, vector: Any, count: int, what: str, *, optional: bool = False
) -> tuple[int, ...]:
    """A vector of indices into `count` things; an `optional` one may say that it is absent."""
    found = numbers(file, vector)
    for index in found:
        if not (optional and index == ABSENT):
            within(index, count, what)
    return found
