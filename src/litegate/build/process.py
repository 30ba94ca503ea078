"""The parent's side of the tool chain: start the child process, follow it, end it.

The child lives in a process group of its own, so that Ctrl-C reaches the parent alone, and it ends
when its stdin does, so that it never outlives the parent.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast, final

from litegate.build.toolchain.failures import is_own
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
)
from litegate.core.errors import BuildError, ConfigError, DataError, DataUnavailable, LitegateError
from litegate.core.import_paths import path_for

__all__ = ["Event", "Progress", "Ready", "Request", "Stage", "build"]

COMMAND = (sys.executable, "-P", "-m", "litegate.build.toolchain")
LOG = "toolchain.log"
"""What TensorFlow and the user's code print, in the staging folder."""
TEMPORARY = ".tmp"
"""Where TensorFlow and the user's code make temporary files, in the staging folder."""
GRACE = 3.0
"""Seconds that a child is given to end by itself."""

_OUT_OF_MEMORY = (
    "most likely the machine ran out of memory: free some, run fewer builds at once, "
    "or make Training(batch_size=...) or the network smaller"
)
_TAIL = 15
_STACK = "Stack (most recent call first):"
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
    """Build what `request` asks for into its staging folder; `on_event` is told of each step.

    `timeout` limits silence, not the whole: the seconds that may pass without a sign of life. The
    child gives one about twice a second while it trains, evaluates or calibrates, and none while it
    loads data, imports TensorFlow, quantizes, converts or runs the user's builder.

    Raises DataUnavailable, DataError, ConfigError or BuildError, naming model, recipe and stage.
    The child is gone when this returns, or raises what `on_event` or Ctrl-C raised.
    """
    (request.staging / TEMPORARY).mkdir(parents=True, exist_ok=True)
    with _running(request, command) as process:
        _Watch(request, process, on_event, timeout).follow()


@contextmanager
def _running(request: Request, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    with (request.staging / LOG).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 our own interpreter
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment(request),
            process_group=0,
        )
    try:
        with suppress(BrokenPipeError):
            stdin = _pipe(process.stdin)
            stdin.write(request.encode())
            stdin.flush()
        yield process
    finally:
        _end(process)


def _environment(request: Request) -> Mapping[str, str]:
    """The parent's environment: what it can import, the child can, from the child's checkout."""
    path = path_for(request.locations.project or request.project, request.project)
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONHASHSEED": "0",
        "TMPDIR": str(request.staging.resolve() / TEMPORARY),
    }


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    return cast("IO[bytes]", stream)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that the child is gone: ask, wait, kill."""
    try:
        with suppress(OSError):
            _pipe(process.stdin).close()
        _signal_group(process, "SIGTERM")
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    finally:
        _signal_group(process, "SIGKILL")
        process.wait()


def _signal_group(process: subprocess.Popen[bytes], name: str) -> None:
    if process.poll() is not None:
        return
    if os.name != "posix":
        process.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, getattr(signal, name))


def _reports(process: subprocess.Popen[bytes], timeout: float) -> Iterator[Report]:
    """What the child writes, until it closes the pipe.

    Raises queue.Empty after `timeout` seconds of silence, ValueError for a line that is no report.
    """
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
class _Watch:
    """Follows one child and puts its end into words."""

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
        """Hand on events until everything is ready; raise for every other end."""
        try:
            for report in _reports(self._process, self._timeout):
                if isinstance(report, Done):
                    return self._check_complete()
                self._take(report)
        except queue.Empty:
            raise self._hung() from None
        except ValueError as error:
            raise self._error("the tool chain wrote what is no report", got=str(error)) from error
        raise self._died()

    def _take(self, report: Report) -> None:
        if isinstance(report, Failure):
            raise self._failed(report)
        if isinstance(report, Stage):
            self._stage = report
        if isinstance(report, Ready):
            self._missing.discard(report.recipe)
        if isinstance(report, Event):
            self._on_event(report)

    def _check_complete(self) -> None:
        if self._missing:
            raise self._error(
                "the tool chain ended without all artifacts",
                expected=", ".join(self._request.recipes),
                got=f"nothing for {', '.join(sorted(self._missing))}",
            )

    def _failed(self, failure: Failure) -> LitegateError:
        at = f" at {failure.file}:{failure.line}" if failure.file else ""
        return self._error(
            failure.what,
            kind=_CLASSES.get(failure.kind, BuildError),
            expected=failure.expected,
            got=failure.got + at,
            remedy=failure.remedy,
        )

    def _hung(self) -> LitegateError:
        return self._error(
            f"the tool chain gave no sign of life for {self._timeout:g} s and was ended",
            got=_stack_place(self._process, self._log, self._request.project) or self._tail(),
            remedy="look for an endless loop there, or raise --litegate-build-timeout",
        )

    def _died(self) -> LitegateError:
        try:
            code = self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            return self._error("the tool chain fell silent without a result", got=self._tail())
        if code >= 0:
            what = f"the tool chain ended with exit code {code} and no result"
            return self._error(what, got=self._tail(), remedy="look at what it printed last")
        name = signal.Signals(-code).name
        return self._error(
            f"the tool chain was killed by {name}",
            got=self._tail(),
            remedy=_OUT_OF_MEMORY if name == "SIGKILL" else "look at what it printed last",
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
        what = f"{subject} could not be built, stage {stage}: {what}"
        error = kind(what, expected=expected, got=got, remedy=remedy)
        if isinstance(error, BuildError):
            error.recipe, error.shared = recipe, self._stage.shared
        return error

    def _tail(self) -> str:
        lines = self._log.read_text("utf-8", "replace").splitlines()[-_TAIL:]
        return "\n    ".join(["it printed last:", *lines]) if lines else "it printed nothing"


def _stack_place(process: subprocess.Popen[bytes], log: Path, project: Path) -> str:
    """Where a child hangs: the innermost line of the user's code, or of any; empty if unknown."""
    if not hasattr(signal, "SIGUSR1"):
        return ""
    process.send_signal(signal.SIGUSR1)
    stack, patience = "", time.monotonic() + 1
    while _STACK not in stack and time.monotonic() < patience:
        time.sleep(0.05)
        stack = log.read_text("utf-8", "replace")
    frames = [m.group("file", "line") for m in _FRAME.finditer(stack.rpartition(_STACK)[2])]
    own = [frame for frame in frames if is_own(frame[0], project)]
    return "it is at {}:{}".format(*(own or frames)[0]) if frames else ""
