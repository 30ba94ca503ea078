"""Read a flatbuffer within bounds: check each index, length and reference before following it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, final

from litegate.tflite.graph import ABSENT

_REREAD = 4
"""Bytes that may be read in all, as a multiple of the file's size.

Converters let vectors share bytes, so more than once must be allowed; a crafted file could share
them thousands of times and keep the reader busy for hours, so there must be a limit. With
four, a crafted file takes at most about as long as a sound one of four times its size.
"""


class MalformedError(ValueError):
    """The file is malformed; the message says how."""


class UnloadableError(MalformedError):
    """LiteRT refuses to load the file, although other runtimes may run it; the message says why."""


@final
class File(bytes):
    """The bytes of a file, with a check of each slice and a budget of bytes to read.

    LiteRT's generated reader silently truncates a slice past the end, and vectors that share their
    elements could keep it busy for hours.
    """

    _left: int
    offsets: dict[int, dict[int, int]]
    """The offset of each field that was looked up, by the position of its vtable; see `vtables`."""

    def __new__(cls, data: bytes) -> File:
        file = super().__new__(cls, data)
        file._left = _REREAD * len(data)
        file.offsets = {}
        return file

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            if key.stop > len(self):
                raise MalformedError("a name runs past the end of the file")
            self.spend(key.stop - key.start)
        return super().__getitem__(key)

    def spend(self, size: int) -> None:
        """Charge `size` bytes to the budget; raise MalformedError if it is exceeded."""
        self._left -= size
        if self._left < 0:
            raise MalformedError("its vectors are larger than the file")


def tables(file: File, length: int, get: Callable[[int], Any]) -> Iterator[Any]:
    """Iterate over a vector of `length` tables, read by `get`."""
    from litegate.tflite.vtables import share_vtables  # late: flatbuffers imports NumPy

    smallest_table = 8  # bytes: a 4-byte offset in the vector and a 4-byte empty table
    file.spend(smallest_table * length)
    return (share_vtables(get(index)) for index in range(length))


def numbers(file: File, vector: Any) -> tuple[Any, ...]:
    """Return a vector as a tuple; the generated reader gives an array, or 0 for an absent one."""
    if isinstance(vector, int):
        return ()
    file.spend(vector.nbytes)
    return tuple(vector.tolist())


def text(raw: bytes | None) -> str:
    """Decode a name; bytes that are not UTF-8 are escaped."""
    return (raw or b"").decode("utf-8", "backslashreplace")


@lru_cache(maxsize=8)  # more than the enumerations that the parser reads
def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


def name_of(enum: type, number: int, what: str) -> str:
    """Return the name of a number in one of the schema's enumerations.

    Raises MalformedError, naming `what`, for an unknown number.
    """
    names = _names(enum)
    if number not in names:
        raise MalformedError(
            f"{what} has number {number}, which this LiteRT's schema does not know"
        )
    return names[number]


def within(index: int, count: int, what: str) -> int:
    """Return `index`; raise MalformedError, naming `what`, unless it is below `count`."""
    if not 0 <= index < count:
        raise MalformedError(f"{what} is number {index} of {count}")
    return index


def indices(
    file: File, vector: Any, count: int, what: str, *, optional: bool = False
) -> tuple[int, ...]:
    """Return a vector of indices below `count`; if `optional`, ABSENT is allowed too.

    Raises MalformedError, naming `what`, for any other index.
    """
    values = numbers(file, vector)
    for index in values:
        if not (optional and index == ABSENT):
            within(index, count, what)
    return values
