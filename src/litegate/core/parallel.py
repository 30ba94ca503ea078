"""Run work on several threads and yield its results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    get_affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(get_affinity(0)) if get_affinity else os.cpu_count() or 1


def in_order(
    workers: Sequence[Callable[[Item], Result]], items: Iterable[Item]
) -> Iterator[Result]:
    """Apply the workers, at least one, to the items, and yield the results in the items' order.

    Each worker processes one item at a time, in any thread; an item is read from `items` when a
    worker is free. Threads only pay for work that releases Python's global interpreter lock, as
    LiteRT's invocations do. A worker's error is raised in place of its result.
    """
    if len(workers) == 1:
        yield from map(workers[0], items)
        return
    free: SimpleQueue[Callable[[Item], Result]] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def process(item: Item) -> Result:
        worker = free.get()
        try:
            return worker(item)
        finally:
            free.put(worker)

    with ThreadPoolExecutor(len(workers), thread_name_prefix="litegate") as threads:
        pending: deque[Future[Result]] = deque()
        for item in items:
            if len(pending) == len(workers):
                yield pending.popleft().result()
            pending.append(threads.submit(process, item))
        while pending:
            yield pending.popleft().result()
