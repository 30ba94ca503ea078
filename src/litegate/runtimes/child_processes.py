"""Run samples on a runtime in several child processes that share them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import chain
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.core.parallel import cores, in_order
from litegate.runtimes.batch_sizes import MOST_RUNNERS, invocations
from litegate.runtimes.child_runtime import SAMPLES, ChildRuntime
from litegate.runtimes.finite_samples import demand_finite
from litegate.runtimes.outputs import collect_outputs
from litegate.runtimes.runtime import Reset
from litegate.spec import Artifact, Samples, Sequences
from litegate.spec.runtimes import GPU, XNNPACK, find_command
from litegate.tflite.ports import Port

_LOADED: dict[Hashable, ChildPool | None] = {}
"""Files that stay loaded, by file, split and runtime; None before the first sample."""


def split_key(artifact: Artifact) -> Hashable:
    """Return what the answers depend on besides the runtime: the file and its samples.

    The split by identity: a fault may feed other samples under the same digest.
    """
    return (artifact.sha256, artifact.signature, artifact.evaluation)


def run_key(artifact: Artifact) -> Hashable:
    """Return what the answers depend on: the file, its samples and the runtime."""
    return (split_key(artifact), artifact.runtime)


@contextmanager
def loaded(*artifacts: Artifact) -> Iterator[None]:
    """Keep artifacts loaded on their runtimes, so that each part of the samples starts no process.

    A project's own runtime starts one for each part: its device can take one file at a time. Raises
    ArtifactError at the end if a process crashes then.
    """
    files = [it for it in artifacts if it.runtime != XNNPACK and not find_command(it.runtime)]
    keys = [run_key(it) for it in files if run_key(it) not in _LOADED]
    _LOADED.update(dict.fromkeys(keys))
    try:
        yield
        for pool in filter(None, map(_LOADED.get, keys)):
            pool.finish()
    finally:
        for started in [_LOADED.pop(key) for key in keys]:
            if started:
                started.close()


@contextmanager
def opened(artifact: Artifact) -> Iterator[ChildPool]:
    """Give the processes that have an artifact loaded, or load it for this once."""
    key = run_key(artifact)
    pool = _LOADED.get(key) or child_pool(artifact)
    if key in _LOADED:
        _LOADED[key] = pool
        yield pool
        return
    with closing(pool):
        yield pool
        pool.finish()


@final
class ChildPool:
    """A file that processes load when they get their first samples; close it after use."""

    def __init__(
        self,
        start: Callable[[], ChildRuntime],
        most: int,
        on_part: Callable[[Samples], None] = lambda _: None,
    ) -> None:
        """Load the file in the first process, alone: it may refuse it.

        `start` loads the file in a process, and `most` is their number. `on_part` is called with
        each part of the samples before it is run. Raises as `ChildRuntime`.
        """
        first = start()
        self._closing = ExitStack()
        self._closing.enter_context(closing(first))
        self.outputs: dict[str, Port] = first.outputs
        self._workers = [_Worker(start, self._closing, on_part) for _ in range(most)]
        self._workers[0].child = first

    def answer(
        self, samples: Samples, chosen: NDArray[np.intp] | None = None, *, subject: str
    ) -> dict[str, Any]:
        """Return the raw outputs by name, of all samples or of those with the indices `chosen`.

        Of sequences they are those of every frame of all.

        Raises as `ChildRuntime.ready` and `ChildRuntime.answer`, MeasurementError for no sample.
        """
        count = len(samples) if chosen is None else len(chosen)
        if not count:
            raise MeasurementError(
                f"there is no sample to run {subject} on", expected="at least one"
            )
        by_sequence = isinstance(samples, Sequences)
        workers = self._workers[: count if by_sequence else -(-count // SAMPLES)]
        answers = chain.from_iterable(in_order(workers, _parts(samples, chosen)))
        return collect_outputs(answers, invocations(samples) if by_sequence else count, subject)

    def finish(self) -> None:
        """Let the processes end; raise ArtifactError if one crashes then."""
        for worker in self._workers:
            worker.finish()

    def close(self) -> None:
        """End the processes that still run."""
        self._closing.close()


def _parts(samples: Samples, chosen: NDArray[np.intp] | None) -> Iterator[Samples]:
    """Yield the samples of one message after another, or whole sequences, of several messages."""
    if isinstance(samples, Sequences):
        yield from samples.groups(SAMPLES)
        return
    count = len(samples) if chosen is None else len(chosen)
    for start in range(0, count, SAMPLES):
        part = slice(start, start + SAMPLES)
        yield samples[part if chosen is None else chosen[part]]


def child_pool(artifact: Artifact) -> ChildPool:
    """Load an artifact on its runtime in child processes, one for each core.

    A project's own runtime has one process: its device can take one. So has the GPU, and
    SwiftShader takes all cores for one. Raises as `ChildRuntime`.
    """
    has_one_device = artifact.runtime == GPU or find_command(artifact.runtime)
    most = 1 if has_one_device else max(1, min(cores(), MOST_RUNNERS))
    start = partial(
        ChildRuntime,
        artifact.ran_bytes,
        artifact.runtime,
        subject=artifact.name,
        signature=artifact.signature,
        resets=artifact.resets,
    )
    return ChildPool(start, most, partial(demand_finite, artifact.evaluation.x, artifact.name))


@final
class _Worker:
    """Answers parts of the samples in a child process, which it starts for the first of them."""

    def __init__(
        self,
        start: Callable[[], ChildRuntime],
        children: ExitStack,
        on_part: Callable[[Samples], None],
    ) -> None:
        self._start, self._children, self._on_part = start, children, on_part
        self.child: ChildRuntime | None = None

    def __call__(self, part: Samples) -> list[dict[str, NDArray[Any]]]:
        if not isinstance(part, Sequences):
            return [self._answer(part, "each")]
        frames = part.parts(SAMPLES)
        return [self._answer(part, "first" if is_first else "none") for is_first, part in frames]

    def _answer(self, part: Samples, reset: Reset) -> dict[str, NDArray[Any]]:
        self._on_part(part)
        if self.child is None:
            self.child = self._children.enter_context(closing(self._start()))
        return self.child.answer(self.child.ready(part), reset)

    def finish(self) -> None:
        if self.child:
            self.child.finish()
