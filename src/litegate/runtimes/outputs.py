"""Define a model's outputs, and collect them, part by part, into one array each, or on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError
from litegate.data.disk_arrays import IN_MEMORY, ArrayWriter, DiskArray
from litegate.tflite.ports import Port


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """One output of a model for n samples."""

    raw: Any
    """Values in the output's own type, shape (n, ...): an array, or a `DiskArray` if large."""
    port: Port
    """The output port."""

    def __getitem__(self, picked: Any) -> Outputs:
        """Select samples by a slice or an array of indices."""
        return Outputs(raw=self.raw[picked], port=self.port)

    @property
    def real(self) -> NDArray[np.float32]:
        """The real values, same shape; quantized values are converted on each access.

        Raises DataError if they do not fit into memory: read them in parts.
        """
        return self.port.real(np.asarray(self.raw))

    @property
    def quantum(self) -> float:
        """The quantization step of the output; 0 for a float output."""
        return self.port.scale


Parts = Iterator[dict[str, NDArray[Any]]]
"""The outputs for some samples at a time, by output name."""


def collect_outputs(parts: Parts, n: int, subject: str) -> dict[str, Any]:
    """Concatenate the parts of each output to n rows: an array, or `DiskArray` of a temporary file.

    The files are in the folder that `TMPDIR` names, and are deleted with the process. Raises
    ArtifactError for more or fewer rows, or for rows of different shapes; StoreError if a file
    cannot be written.
    """
    parts = ({name: np.atleast_1d(part) for name, part in outputs.items()} for outputs in parts)
    first = next(parts)
    rest = _checked(chain([first], parts), n, subject)
    large = {name for name, part in first.items() if n * part[:1].nbytes > IN_MEMORY}
    small = first.keys() - large
    arrays = {name: np.empty((n, *first[name].shape[1:]), first[name].dtype) for name in small}
    if not large:
        _fill(arrays, rest)
        return arrays
    return _on_disk(rest, large, arrays)


def _fill(arrays: Mapping[str, NDArray[Any]], parts: Parts) -> None:
    start = 0
    for part in parts:
        for name, array in arrays.items():
            array[start : start + len(part[name])] = part[name]
        start += len(next(iter(part.values())))


def _checked(parts: Parts, n: int, subject: str) -> Parts:
    counts: dict[str, int] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for outputs in parts:
        _check_shapes(shapes, outputs, subject)
        counts = {name: counts.get(name, 0) + len(part) for name, part in outputs.items()}
        if max(counts.values()) <= n and len({*counts.values()}) == 1:
            yield outputs
    for name, count in counts.items():
        _check_count(count, n, name if len(counts) > 1 else "", subject)


def _check_shapes(
    shapes: dict[str, tuple[int, ...]], outputs: Mapping[str, NDArray[Any]], subject: str
) -> None:
    """Raise ArtifactError if an output's shape differs from that of earlier samples."""
    for name, part in outputs.items():
        if part.shape[1:] != shapes.setdefault(name, part.shape[1:]):
            raise ArtifactError(
                f"the outputs of {subject} have different shapes for different samples",
                expected=str(shapes[name]),
                got=str(part.shape[1:]),
            )


def _check_count(got: int, expected: int, output: str, subject: str) -> None:
    if got != expected:
        where = f" in the output {output}" if output else ""
        raise ArtifactError(
            f"{subject} returned a different number of outputs than samples{where}",
            expected=str(expected),
            got=str(got),
        )


def _on_disk(parts: Parts, names: set[str], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Write the outputs `names` to files of their own, and the others to their `arrays`."""
    with tempfile.TemporaryDirectory(prefix="litegate-", ignore_cleanup_errors=True) as folder:
        paths = {name: Path(folder) / f"{number}.npy" for number, name in enumerate(sorted(names))}
        with ExitStack() as stack:
            writers = {name: stack.enter_context(ArrayWriter(path)) for name, path in paths.items()}
            _fill(arrays, _write_through(parts, writers))
        return {**arrays, **{name: DiskArray(path) for name, path in paths.items()}}


def _write_through(parts: Parts, writers: Mapping[str, ArrayWriter]) -> Parts:
    for part in parts:
        for name, writer in writers.items():
            writer.add(part[name])
        yield part
