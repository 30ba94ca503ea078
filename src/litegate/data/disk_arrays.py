"""Read and write arrays on disk: `.npy` files of which only the requested samples are loaded.

Uses plain reads instead of a memory map: mapped pages count as the process's memory until they are
dropped, and a mapped file that shrinks kills the process.
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
"""Arrays up to this size in bytes are loaded into memory; larger ones are read a part at a time.

It bounds the memory of a run, whatever the size of the evaluation split (performance.md): a
gate of 10 GB of samples peaks at 195 MB, one of 0.1 GB, held in memory, at 307 MB. Less would read
MNIST's 31 MB again for every file that runs on it.
"""
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""Versions of the header. NumPy writes version 3 only for names of fields beyond Latin-1, which
arrays of numbers do not have.
"""
PART = 4 << 20
"""Bytes of samples in a part (at least one sample): larger parts cost memory, smaller ones reads.

Every thread that runs a model holds one part and its quantized copy: 20 MiB for four threads.
"""


@final
class DiskArray:
    """A C-ordered array on disk, shape (n, ...), with a part of a NumPy array's interface.

    ``array[3]``, ``array[2:9]`` and ``array[indices]`` are read into new NumPy arrays. Converting
    all of it at once raises DataError. Several threads may read the same file.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        """Open a `.npy` file. Raises StoreCorrupt if it is not one, or is cut off.

        Errors call it `name`, by default the file's name.
        """
        name = name or path.name
        self._file = path.open("rb", buffering=0)
        self._lock = Lock()  # a read takes two steps: seek and read
        weakref.finalize(self, self._file.close)
        self.shape, self.dtype, self._offset = _header(self._file, name)
        self._row_bytes = prod(self.shape[1:]) * self.dtype.itemsize
        if path.stat().st_size != self._offset + len(self) * self._row_bytes:
            raise StoreCorrupt(
                f"{name} in the store is not an array: its length differs from its header",
                expected=f"{self._offset + len(self) * self._row_bytes:,} bytes",
                got=f"{path.stat().st_size:,}",
            )

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """The number of dimensions, at least 1."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of values."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The size of all values in bytes."""
        return len(self) * self._row_bytes

    def __getitem__(self, selection: Any) -> NDArray[Any]:
        if isinstance(selection, slice):
            start, stop, step = selection.indices(len(self))
            return (
                self._read(start, max(0, stop - start))[::step]
                if step > 0
                else self._read_rows(range(start, stop, step))
            )
        if np.ndim(selection):
            return self._read_rows(np.arange(len(self))[selection])
        index = operator.index(selection)
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self):,}")
        row: NDArray[Any] = self._read(index % len(self), 1)[0]
        return row

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise DataError(
            f"a function reads all {len(self):,} samples at once, but they stay on disk",
            expected="code that processes them in parts",
            got=f"{self.nbytes:,} bytes; more than {IN_MEMORY:,} are not kept in memory",
            remedy="iterate over `litegate.data.disk_arrays.in_parts(samples)`, or use "
            "x[start:stop]",
        )

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for part in in_parts(self):
            yield from part

    def _read_rows(self, indices: Any) -> NDArray[Any]:
        array = np.empty((len(indices), *self.shape[1:]), self.dtype)
        for position, index in enumerate(indices):
            array[position] = self._read(int(index), 1)[0]
        return array

    def _read(self, start: int, count: int) -> NDArray[Any]:
        array = np.empty((count, *self.shape[1:]), self.dtype)
        remaining = memoryview(array.reshape(-1).view(np.uint8).data)
        with self._lock:
            self._file.seek(self._offset + start * self._row_bytes)
            while remaining and (size := self._file.readinto(remaining)):
                remaining = remaining[size:]
        if remaining:
            raise StoreCorrupt(f"{self._file.name} was truncated while it was read")
        return array


def _header(file: Any, name: str) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Read the header of a `.npy` file; return shape, dtype and the offset of the values."""
    try:
        shape, fortran, dtype = _READERS[np.lib.format.read_magic(file)](file)
    except (ValueError, KeyError, EOFError) as error:
        raise StoreCorrupt(f"{name} in the store is not an array: {error}") from error
    if not shape:
        raise StoreCorrupt(f"{name} in the store is not an array: a single number without a shape")
    if dtype.hasobject or (fortran and len(shape) > 1):
        raise StoreCorrupt(f"{name} in the store is not an array of numbers with samples first")
    return shape, dtype, file.tell()


def open_array(path: Path, name: str = "") -> Any:
    """Open the array of a `.npy` file, shape (n, ...): in memory up to `IN_MEMORY`, else on disk.

    Returns a NumPy array or a `DiskArray`. Raises StoreCorrupt, which calls it `name`, if the file
    is not a sound array.
    """
    array = DiskArray(path, name)
    return array if array.nbytes > IN_MEMORY else array[:]


def in_parts(samples: Any) -> Iterator[Any]:
    """Yield samples of shape (n, ...) a part at a time, in order.

    A part has at most `PART` bytes, or one sample. Parts of an array in memory are views.
    """
    yield from (samples[part] for part in part_slices(samples))


def part_slices(*arrays: Any) -> Iterator[slice]:
    """Yield the slices of parts that several arrays of n samples are iterated by together.

    For example a model's samples, their labels and its outputs. The array with the largest samples
    determines the size, as in `in_parts`.
    """
    row_bytes = (prod(array.shape[1:]) * int(array.dtype.itemsize) for array in arrays)
    count = max(1, PART // max(1, *row_bytes))
    for start in range(0, len(arrays[0]), count):
        yield slice(start, start + count)


@final
class ArrayWriter:
    """Writes a `.npy` file part by part, with the same bytes as `numpy.save` of the whole array.

    The header of an `.npy` file leaves room for the number of samples, so it is written again at
    the end. Raises StoreError if writing fails, for example on a full disk.
    """

    def __init__(self, path: Path) -> None:
        """Remember the path; the file is created with the first part."""
        self._path = path
        self._file: Any = None
        self._shape: tuple[int, ...] = ()
        self._dtype = np.dtype(np.float32)
        self._count = 0

    def add(self, part: NDArray[Any]) -> None:
        """Append samples of shape (n, ...). Raises ValueError for another shape or dtype."""
        with self._write_errors():
            if self._file is None:
                self._shape, self._dtype = part.shape[1:], part.dtype
                self._file = self._path.open("wb", buffering=0)
                self._write_header()
            if (part.shape[1:], part.dtype) != (self._shape, self._dtype):
                raise ValueError(f"{part.dtype} of shape {part.shape} does not fit the rest")
            remaining = np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
            while remaining:
                remaining = remaining[self._file.write(remaining) :]
            self._count += len(part)

    def __enter__(self) -> ArrayWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the number of samples into the header, unless after an error; close the file."""
        try:
            with self._write_errors():
                if self._file and kind is None:
                    self._file.seek(0)
                    self._write_header()
        finally:
            if self._file:
                self._file.close()

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._count, *self._shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"cannot write {self._path.name} after {self._count:,} samples",
                got=str(error.strerror or error),
                remedy=f"free disk space in {self._path.parent}: all samples must fit as "
                "float32; LITEGATE_STORE moves samples, TMPDIR moves outputs",
            ) from error
