"""Work done by several threads, its results in the order in which the work came."""

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
    """How many of the processor's cores this process may use."""
    known = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(known(0)) if known else os.cpu_count() or 1


def in_order(
    workers: Sequence[Callable[[Item], Result]], items: Iterable[Item]
) -> Iterator[Result]:
    """What workers, at least one, make of the items, in the items' order.

    Each worker has one item at a time, in any thread; an item is taken when a worker is free for
    it. Pays where the work leaves Python's lock for long, as LiteRT's invocations do. A worker's
    error is raised here, in the turn of its item.
    """
    if len(workers) == 1:
        yield from map(workers[0], items)
        return
    free: SimpleQueue[Callable[[Item], Result]] = SimpleQueue()
    for one in workers:
        free.put(one)

    def work(item: Item) -> Result:
        worker = free.get()
        try:
            return worker(item)
        finally:
            free.put(worker)

    with ThreadPoolExecutor(len(workers), thread_name_prefix="litegate") as threads:
        at_work: deque[Future[Result]] = deque()
        for item in items:
            if len(at_work) == len(workers):
                yield at_work.popleft().result()
            at_work.append(threads.submit(work, item))
        while at_work:
            yield at_work.popleft().result()
