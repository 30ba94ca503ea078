"""Serves litegate's own runtimes from a thread of this process.

A new interpreter for each file that a test runs on another runtime would spend most of a second on
imports. Tests of the processes themselves start real ones.
"""

import os
import threading
from contextlib import contextmanager, suppress

from litegate.core import child_process

_REAL = child_process.process_group
_WORKER = "litegate.runtimes.worker"


@contextmanager
def process_group(command, **options):
    """As the real one; the worker of litegate's own runtimes is a thread."""
    if _WORKER not in command:
        with _REAL(command, **options) as process:
            yield process
        return
    served = _Served(command[-1])
    try:
        yield served
    finally:
        served.end()


class _Served:
    """The part of a process that `ChildRuntime` uses."""

    returncode = 0
    """As of a process that has ended, of which nothing is left to kill."""

    def __init__(self, runtime):
        requests, stdin = os.pipe()
        stdout, replies = os.pipe()
        self.stdin, self.stdout = os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb")
        streams = os.fdopen(requests, "rb"), os.fdopen(replies, "wb")
        self._thread = threading.Thread(target=_serve, args=(runtime, *streams), daemon=True)
        self._thread.start()

    def wait(self, _timeout=None):
        self._thread.join()
        return 0

    def poll(self):
        return None if self._thread.is_alive() else 0

    def end(self):
        for stream in (self.stdin, self.stdout):
            with suppress(OSError):
                stream.close()
        self._thread.join()


def _serve(runtime, requests, replies):
    from litegate.runtimes import worker

    with requests, suppress(OSError), replies:
        worker.serve(runtime, requests, replies)
