"""Run the tool chain in a child process: start it, follow its reports, end it.

The child has its own process group, so that Ctrl-C reaches only the parent. It ends when its stdin
is closed, so that it never outlives the parent.
"""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast, final

from litegate.build.toolchain.failures import is_user_file
from litegate.build.toolchain.protocol import (
    Done,
    Event,
    Failure,
    Progress,
    Ready,
    Report,
    Request,
    Stage,
    decode,
    described,
)
from litegate.core.child_process import environment_for, own_module, process_group
from litegate.core.errors import BuildError, ConfigError, DataError, DataUnavailable, LitegateError
from litegate.core.import_paths import path_for

__all__ = ["Event", "Progress", "Ready", "Request", "Stage", "build", "described"]

COMMAND = own_module("litegate.build.toolchain")
LOG = "toolchain.log"
"""The log file in the staging folder: output of TensorFlow and of the user's code."""
TEMPORARY = ".tmp"
"""The folder in the staging folder for temporary files of TensorFlow and of the user's code."""
GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL.

Enough to flush a log; a longer grace would delay everybody who presses Ctrl-C during a build."""

_OUT_OF_MEMORY = (
    "the machine probably ran out of memory: free memory, run fewer builds at once, or "
    "reduce Training(batch_size=...) or the network"
)
_TAIL = 15
"""Lines of the log that an error quotes: the end of a traceback, not the whole log."""
_STACK = "Stack (most recent call first):"
_STACK_SECONDS = 1.0
"""Seconds to wait for the stack, in twenty looks at the log: faulthandler writes it at once, except
on a loaded machine. Without it the error does not say where; more would delay the error."""
_FRAME = re.compile(r'File "(?P<file>.+)", line (?P<line>\d+) in ')
_CLASSES: dict[str, type[LitegateError]] = {
    "data-unavailable": DataUnavailable,
    "data": DataError,
    "config": ConfigError,
}


def build(
    request: Request,
    on_event: Callable[[Event], None],
    timeout: float,
    *,
    command: Sequence[str] = COMMAND,
) -> None:
    """Build the recipes of `request` into its staging folder; call `on_event` for each event.

    `timeout` limits silence, not the total time: the seconds that may pass without a report. The
    child reports about twice a second while it trains, evaluates or calibrates, and not at all
    while it loads data, imports TensorFlow, quantizes, converts or runs the user's builder.

    Raises DataUnavailable, DataError, ConfigError or BuildError, naming model, recipe and stage,
    and passes on exceptions of `on_event` and KeyboardInterrupt. The child has ended in any case.
    """
    (request.staging / TEMPORARY).mkdir(parents=True, exist_ok=True)
    with _running(request, command) as process:
        _ChildMonitor(request, process, on_event, timeout).follow()


@contextmanager
def _running(request: Request, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    with (
        (request.staging / LOG).open("wb") as log,
        process_group(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment(request),
            grace=GRACE,
        ) as process,
    ):
        with suppress(BrokenPipeError):
            stdin = _pipe(process.stdin)
            stdin.write(request.encode())
            stdin.flush()
        yield process


def _environment(request: Request) -> Mapping[str, str]:
    """Return the parent's environment with an import path that prefers the child's checkout."""
    path = path_for(request.locations.project or request.project, request.project)
    return environment_for(path) | {
        "PYTHONHASHSEED": "0",
        "TMPDIR": str(request.staging.resolve() / TEMPORARY),
    }


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    return cast("IO[bytes]", stream)


def _reports(process: subprocess.Popen[bytes], timeout: float) -> Iterator[Report]:
    """Yield the child's reports until it closes the pipe.

    Raises queue.Empty after `timeout` seconds of silence, ValueError for a line that is no report.
    """
    # A thread reads, because a read of a pipe has no timeout on every platform.
    lines: queue.Queue[bytes] = queue.Queue()
    stdout = _pipe(process.stdout)
    threading.Thread(target=_pump, args=(stdout, lines), daemon=True).start()
    while line := lines.get(timeout=timeout):
        yield decode(line)


def _pump(stdout: IO[bytes], lines: queue.Queue[bytes]) -> None:
    with stdout:
        for line in stdout:
            if line.endswith(b"\n"):  # a child that is killed may leave half a line
                lines.put(line)
    lines.put(b"")


@final
class _ChildMonitor:
    """Follows one child process and turns every unsuccessful end into an error."""

    def __init__(
        self,
        request: Request,
        process: subprocess.Popen[bytes],
        on_event: Callable[[Event], None],
        timeout: float,
    ) -> None:
        self._request = request
        self._process = process
        self._on_event = on_event
        self._timeout = timeout
        self._log = request.staging / LOG
        self._stage = Stage(recipe="", stage="data", shared=True)
        self._missing = set(request.recipes)

    def follow(self) -> None:
        """Pass on events until all recipes are ready; raise for every other end."""
        try:
            for report in _reports(self._process, self._timeout):
                if isinstance(report, Done):
                    return self._check_complete()
                self._handle(report)
        except queue.Empty:
            raise self._hang_error() from None
        except ValueError as error:
            raise self._error(
                "the build process wrote an invalid report", got=str(error)
            ) from error
        raise self._exit_error()

    def _handle(self, report: Report) -> None:
        if isinstance(report, Failure):
            raise self._failure_error(report)
        if isinstance(report, Stage):
            self._stage = report
        if isinstance(report, Ready):
            self._missing.discard(report.recipe)
        if isinstance(report, Event):
            self._on_event(report)

    def _check_complete(self) -> None:
        if self._missing:
            raise self._error(
                "the build process ended without all artifacts",
                expected=", ".join(self._request.recipes),
                got=f"nothing for {', '.join(sorted(self._missing))}",
            )

    def _failure_error(self, failure: Failure) -> LitegateError:
        location = f" at {failure.file}:{failure.line}" if failure.file else ""
        kind = _CLASSES.get(failure.kind, BuildError)
        details = {
            "expected": failure.expected,
            "got": failure.got + location,
            "remedy": failure.remedy,
        }
        if kind is DataUnavailable:  # nothing was built yet, and the file's name comes first
            return DataUnavailable(failure.what, **details)
        return self._error(failure.what, kind=kind, **details)

    def _hang_error(self) -> LitegateError:
        return self._error(
            f"the build reported no progress for {self._timeout:g} s and was stopped",
            got=_hang_location(self._process, self._log, self._request.project) or self._tail(),
            remedy="check for an endless loop there; on a busy machine raise "
            "--litegate-build-timeout",
        )

    def _exit_error(self) -> LitegateError:
        try:
            code = self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            return self._error(
                "the build process closed its output without a result", got=self._tail()
            )
        if code >= 0:
            what = f"the build process ended with exit code {code} and no result"
            return self._error(what, got=self._tail(), remedy="check its last output")
        name = signal.Signals(-code).name
        return self._error(
            f"the build process was killed by {name}",
            got=self._tail(),
            remedy=_OUT_OF_MEMORY if name == "SIGKILL" else "check its last output",
        )

    def _error(
        self,
        what: str,
        *,
        kind: type[LitegateError] = BuildError,
        expected: str = "",
        got: str = "",
        remedy: str = "",
    ) -> LitegateError:
        recipe, stage = self._stage.recipe, self._stage.stage
        subject = f"{self._request.model}/{recipe}" if recipe else self._request.model
        what = f"cannot build {subject} ({stage}): {what}"
        error = kind(what, expected=expected, got=got, remedy=remedy)
        if isinstance(error, BuildError):
            error.recipe, error.shared = recipe, self._stage.shared
        return error

    def _tail(self) -> str:
        lines = self._log.read_text("utf-8", "replace").splitlines()[-_TAIL:]
        return "\n    ".join(["its last output:", *lines]) if lines else "it printed nothing"


def _hang_location(process: subprocess.Popen[bytes], log: Path, project: Path) -> str:
    """Locate a hang: the innermost line of the user's code, else of any code; empty if unknown.

    The child's faulthandler writes its stack to the log on SIGUSR1.
    """
    if not hasattr(signal, "SIGUSR1"):
        return ""
    process.send_signal(signal.SIGUSR1)
    stack, deadline = "", time.monotonic() + _STACK_SECONDS
    while _STACK not in stack and time.monotonic() < deadline:
        time.sleep(_STACK_SECONDS / 20)
        stack = log.read_text("utf-8", "replace")
    frames = [m.group("file", "line") for m in _FRAME.finditer(stack.rpartition(_STACK)[2])]
    user_frames = [frame for frame in frames if is_user_file(frame[0], project)]
    return "it was at {}:{}".format(*(user_frames or frames)[0]) if frames else ""
