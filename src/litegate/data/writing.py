"""Write an `.npy` file a part at a time, without knowing how many there will be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import StoreError


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
