"""Cache model outputs for the rest of a run: in memory, then on disk, within limits."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, final

import numpy as np


class Answers(Protocol):
    """The values of one output; must be a dataclass."""

    @property
    def raw(self) -> Any:
        """An array, shape (n, ...), or a `DiskArray`."""


A = TypeVar("A", bound=Answers)


@final
@dataclass(kw_only=True, eq=False)
class AnswerCache(Generic[A]):
    """Outputs by key, the most recently used last.

    pytest runs check by check over all models, the worst order for a cache that forgets: with more
    models than it has room for, it computes every answer again for every check. So answers that
    exceed `memory` go to a temporary folder, and only those beyond `disk` are forgotten.
    """

    memory: int
    """Bytes of arrays to keep in memory."""
    disk: int
    """Bytes of arrays to keep in files."""
    _in_memory: OrderedDict[Hashable, dict[str, A]] = field(default_factory=OrderedDict)
    _on_disk: OrderedDict[Hashable, dict[str, A]] = field(default_factory=OrderedDict)
    """As `_in_memory`, with the path of a file for each array in memory."""
    _folder: Path | None = None
    _written: int = 0
    _memory_used: int = 0
    """Running totals: to sum up all entries on each call takes longer than small models do."""
    _disk_used: int = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._in_memory or key in self._on_disk

    def get(self, key: Hashable, compute: Callable[[], dict[str, A]]) -> dict[str, A]:
        """Return the values under a key, by output; compute them if they are not cached."""
        if key in self._on_disk:
            self._on_disk.move_to_end(key)
            return _with_raw(self._on_disk[key], _load)
        if key not in self._in_memory:
            self._in_memory[key] = computed = compute()
            self._memory_used += _bytes(computed)
        self._in_memory.move_to_end(key)
        answers = self._in_memory[key]
        self._make_room()
        return answers

    def _make_room(self) -> None:
        while self._memory_used > self.memory:
            key, by_output = self._in_memory.popitem(last=False)
            self._memory_used -= _bytes(by_output)
            try:
                self._on_disk[key] = _with_raw(by_output, self._write)
            except OSError:  # a full disk: computed again on the next call
                continue
            self._disk_used += _bytes_of_files(self._on_disk[key])
        while self._disk_used > self.disk:
            _, files = self._on_disk.popitem(last=False)
            self._disk_used -= _bytes_of_files(files)
            for path in _paths(files):
                path.unlink()

    def _write(self, array: Any) -> Any:
        if not isinstance(array, np.ndarray):
            return array  # in a file of its own, and too large to be read as a whole
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="litegate-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._written += 1
        path = self._folder / f"{self._written}.npy"
        try:
            np.save(path, array)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path


def _with_raw(by_output: Mapping[str, A], change: Callable[[Any], Any]) -> dict[str, A]:
    return {
        name: replace(answers, raw=change(answers.raw))  # type: ignore[type-var] # a dataclass
        for name, answers in by_output.items()
    }


def _bytes(by_output: Mapping[str, Answers]) -> int:
    """Return the bytes in memory; arrays in files take none."""
    arrays = (answers.raw for answers in by_output.values())
    return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))


def _bytes_of_files(by_output: Mapping[str, Answers]) -> int:
    return sum(path.stat().st_size for path in _paths(by_output))


def _paths(by_output: Mapping[str, Answers]) -> list[Path]:
    """Return the files that the cache has written."""
    return [answers.raw for answers in by_output.values() if isinstance(answers.raw, Path)]


def _load(raw: Any) -> Any:
    return np.load(raw) if isinstance(raw, Path) else raw
