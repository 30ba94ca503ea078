"""What a model answers, part after part, in one array: on disk where that would be large."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError
from litegate.data.disk_arrays import IN_MEMORY, Rows, Writer

Parts = Iterator[dict[str, NDArray[Any]]]
"""What was answered to some samples, output by output."""


def gathered(parts: Parts, n: int, subject: str) -> dict[str, Any]:
    """The parts of each output one after another, n rows: an array, or `Rows` of a temporary file.

    The files lie in the folder that `TMPDIR` names, and are gone with the process. ArtifactError
    for more or fewer rows, or rows that differ; StoreError where a file cannot be written.
    """
    first = {name: np.atleast_1d(part) for name, part in next(parts).items()}
    rest = _demanded(chain([first], parts), n, subject)
    large = {name for name, part in first.items() if n * part[:1].nbytes > IN_MEMORY}
    small = first.keys() - large
    held = {name: np.empty((n, *first[name].shape[1:]), first[name].dtype) for name in small}
    if not large:
        _fill(held, rest)
        return held
    return _on_disk(rest, large, held)


def _fill(held: Mapping[str, NDArray[Any]], parts: Parts) -> None:
    done = 0
    for each in parts:
        for name, whole in held.items():
            whole[done : done + len(each[name])] = each[name]
        done += len(next(iter(each.values())))


def _demanded(parts: Parts, n: int, subject: str) -> Parts:
    done: dict[str, int] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for each in parts:
        _check_alike(shapes, each, subject)
        done = {name: done.get(name, 0) + len(part) for name, part in each.items()}
        if max(done.values()) <= n and len({*done.values()}) == 1:
            yield each
    for name, got in done.items():
        _check_count(got, n, name if len(done) > 1 else "", subject)


def _check_alike(
    shapes: dict[str, tuple[int, ...]], each: Mapping[str, NDArray[Any]], subject: str
) -> None:
    """Raise ArtifactError where samples are answered in other shapes than before."""
    for name, part in each.items():
        if part.shape[1:] != shapes.setdefault(name, part.shape[1:]):
            raise ArtifactError(
                f"{subject} answers samples in different shapes",
                expected=str(shapes[name]),
                got=str(part.shape[1:]),
            )


def _check_count(got: int, expected: int, output: str, subject: str) -> None:
    if got != expected:
        where = f" in the output {output}" if output else ""
        raise ArtifactError(
            f"{subject} gave another number of answers than it was given samples{where}",
            expected=str(expected),
            got=str(got),
        )


def _on_disk(parts: Parts, large: set[str], held: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """The large outputs in files of their own, the others in the arrays that wait for them."""
    with tempfile.TemporaryDirectory(prefix="litegate-", ignore_cleanup_errors=True) as folder:
        places = {name: Path(folder) / f"{k}.npy" for k, name in enumerate(sorted(large))}
        with ExitStack() as stack:
            writers = {k: stack.enter_context(Writer(place)) for k, place in places.items()}
            _fill(held, _written(parts, writers))
        return {**held, **{name: Rows(place) for name, place in places.items()}}


def _written(parts: Parts, writers: Mapping[str, Writer]) -> Parts:
    for each in parts:
        for name, writer in writers.items():
            writer.add(each[name])
        yield each
