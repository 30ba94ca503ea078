"""Samples that stay on disk: an `.npy` file whose rows are read when they are asked for.

Plain reads, no memory map: the pages of a map count as the process's own until they are dropped,
and a file that shrinks under a map kills the process.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import DataError, StoreCorrupt, StoreError

IN_MEMORY = 128 << 20
"""Bytes up to which an array is held in memory as a whole."""
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
PART = 4 << 20
"""Bytes of samples that are walked over at a time, at least one sample."""


@final
class Rows:
    """A C-ordered array on disk, shape (n, ...), in part like a NumPy array.

    ``rows[3]``, ``rows[2:9]`` and ``rows[indices]`` are read into arrays of their own. Whatever
    asks for all of it at once gets a DataError. Threads may read the same file.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        """Open a `.npy` file; StoreCorrupt where it is none, or is cut off.

        Errors call it `name`, or as the file is called.
        """
        name = name or path.name
        self._file = path.open("rb", buffering=0)
        self._alone = Lock()  # a read is two steps: go there, and read
        weakref.finalize(self, self._file.close)
        self.shape, self.dtype, self._offset = _header(self._file, name)
        self._row = prod(self.shape[1:]) * self.dtype.itemsize
        if path.stat().st_size != self._offset + len(self) * self._row:
            raise StoreCorrupt(
                f"{name} in the store is no array: it has another length than it says",
                expected=f"{self._offset + len(self) * self._row:,} bytes",
                got=f"{path.stat().st_size:,}",
            )

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """How many dimensions there are, at least one."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many values there are."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes all values take."""
        return len(self) * self._row

    def __getitem__(self, picked: Any) -> NDArray[Any]:
        if isinstance(picked, slice):
            start, stop, step = picked.indices(len(self))
            return (
                self._read(start, max(0, stop - start))[::step]
                if step > 0
                else self._each(range(start, stop, step))
            )
        if np.ndim(picked):
            return self._each(np.arange(len(self))[picked])
        index = operator.index(picked)
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self):,}")
        row: NDArray[Any] = self._read(index % len(self), 1)[0]
        return row

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise DataError(
            f"something asks for all {len(self):,} samples at once, which stay on disk",
            expected="to walk over them in parts",
            got=f"{self.nbytes:,} bytes; more than {IN_MEMORY:,} are not held in memory",
            remedy="go over `litegate.data.disk_arrays.in_parts(samples)`, or take x[start:stop]",
        )

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for part in in_parts(self):
            yield from part

    def _each(self, indices: Any) -> NDArray[Any]:
        found = np.empty((len(indices), *self.shape[1:]), self.dtype)
        for place, index in enumerate(indices):
            found[place] = self._read(int(index), 1)[0]
        return found

    def _read(self, start: int, count: int) -> NDArray[Any]:
        found = np.empty((count, *self.shape[1:]), self.dtype)
        left = memoryview(found.reshape(-1).view(np.uint8).data)
        with self._alone:
            self._file.seek(self._offset + start * self._row)
            while left and (got := self._file.readinto(left)):
                left = left[got:]
        if left:
            raise StoreCorrupt(f"{self._file.name} was cut off while it was read")
        return found


def _header(file: Any, name: str) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """The shape, the type and where the values begin."""
    try:
        shape, fortran, dtype = _READERS[np.lib.format.read_magic(file)](file)
    except (ValueError, KeyError, EOFError) as error:
        raise StoreCorrupt(f"{name} in the store is no array: {error}") from error
    if not shape:
        raise StoreCorrupt(f"{name} in the store is no array: one number, without a shape")
    if dtype.hasobject or (fortran and len(shape) > 1):
        raise StoreCorrupt(f"{name} in the store is no array of numbers, samples first")
    return shape, dtype, file.tell()


def opened(path: Path, name: str = "") -> Any:
    """The array of a `.npy` file, shape (n, ...): in memory up to `IN_MEMORY`, else `Rows`.

    StoreCorrupt where it is none; it calls it `name`.
    """
    rows = Rows(path, name)
    return rows if rows.nbytes > IN_MEMORY else rows[:]


def in_parts(samples: Any) -> Iterator[Any]:
    """Walk over samples of shape (n, ...), some at a time, in order.

    A part has at most `PART` bytes, or one sample. Of an array in memory it is a view.
    """
    yield from (samples[part] for part in together(samples))


def together(*arrays: Any) -> Iterator[slice]:
    """The parts of several arrays of n samples that are walked over side by side.

    Such as a model's outputs, the samples that it answered, and their labels: as `in_parts`, of the
    array with the largest samples.
    """
    rows = (prod(one.shape[1:]) * int(one.dtype.itemsize) for one in arrays)
    count = max(1, PART // max(1, *rows))
    for start in range(0, len(arrays[0]), count):
        yield slice(start, start + count)


@final
class Writer:
    """A file that grows. Its bytes are those that `numpy.save` would write of the whole array.

    The header of an `.npy` file leaves room for the number of samples, so that it can be written
    again at the end. StoreError where the system refuses, as on a full disk.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is created before there is a part."""
        self._path = path
        self._file: Any = None
        self._shape: tuple[int, ...] = ()
        self._dtype = np.dtype(np.float32)
        self._count = 0

    def add(self, part: NDArray[Any]) -> None:
        """Samples of shape (n, ...), all of one shape and type; ValueError for others."""
        with self._told():
            if self._file is None:
                self._shape, self._dtype = part.shape[1:], part.dtype
                self._file = self._path.open("wb", buffering=0)
                self._begin()
            if (part.shape[1:], part.dtype) != (self._shape, self._dtype):
                raise ValueError(f"{part.dtype} of shape {part.shape} does not fit the rest")
            left = np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
            while left:
                left = left[self._file.write(left) :]
            self._count += len(part)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Say how many samples there are: without an error the file is whole now."""
        try:
            with self._told():
                if self._file and kind is None:
                    self._file.seek(0)
                    self._begin()
        finally:
            if self._file:
                self._file.close()

    def _begin(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._count, *self._shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{self._path.name} cannot be written after {self._count:,} samples",
                got=str(error.strerror or error),
                remedy=f"free some space where {self._path.parent} lies: all of them must fit, in "
                "float32; LITEGATE_STORE moves samples, TMPDIR moves outputs",
            ) from error
