"""The child process: ``python -m litegate.build.toolchain``, driven by `litegate.build.process`."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import traceback
from typing import BinaryIO

from litegate.build.toolchain.build import build
from litegate.build.toolchain.determinism import set_flags
from litegate.build.toolchain.failures import failure
from litegate.build.toolchain.protocol import Done, Request
from litegate.build.toolchain.reporter import Reporter


def main() -> None:
    """Read a request, build it, report, and end without tearing TensorFlow down."""
    requests, reports = _private_pipes()
    _show_where_it_hangs()
    set_flags()
    request = Request.decode(requests.readline())
    threading.Thread(target=_end_with_parent, args=(requests,), daemon=True).start()
    report = Reporter(reports)
    try:
        build(request, report)
    except BaseException as error:  # noqa: BLE001 the parent is told, whatever it is
        traceback.print_exc()
        report.end(failure(error, stage=report.now.stage, project=request.project))
    else:
        report.end(Done())
    sys.stdout.flush()
    os._exit(0)


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Duplicates of stdin and stdout; whatever else prints goes to stderr, and reads nothing."""
    requests, reports = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, reports


def _show_where_it_hangs() -> None:
    """On request, and on a crash, write the Python stack to stderr."""
    faulthandler.enable()
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, all_threads=False)


def _end_with_parent(requests: BinaryIO) -> None:
    """Wait for the end of stdin, which the parent keeps open as long as it lives."""
    requests.read()
    os._exit(1)


if __name__ == "__main__":
    main()
