"""Run the tool chain as ``python -m litegate.build.toolchain``, for `litegate.build.process`."""

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
    """Read a request, build it, report the result, and exit without TensorFlow's slow teardown."""
    requests, reports = _private_pipes()
    _enable_stack_dumps()
    request = Request.decode(requests.readline())
    set_flags(request.device)
    threading.Thread(target=_end_with_parent, args=(requests,), daemon=True).start()
    report = Reporter(reports)
    try:
        build(request, report)
    except BaseException as error:  # noqa: BLE001 the parent gets a report of any exception
        traceback.print_exc()
        report.end(failure(error, stage=report.now.stage, project=request.project))
    else:
        report.end(Done())
    sys.stdout.flush()
    os._exit(0)


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return duplicates of stdin and stdout for the protocol.

    All other code prints to stderr and reads from the null device, so that it cannot disturb the
    protocol.
    """
    requests, reports = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null_device = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null_device, 0)
    os.close(null_device)
    os.dup2(2, 1)
    return requests, reports


def _enable_stack_dumps() -> None:
    """Write the Python stack to stderr after a crash, and on SIGUSR1, sent when the child hangs."""
    faulthandler.enable()
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, all_threads=False)


def _end_with_parent(requests: BinaryIO) -> None:
    """Exit at the end of stdin, which the parent keeps open as long as it runs."""
    requests.read()
    os._exit(1)  # sys.exit would end this thread alone


if __name__ == "__main__":
    main()
