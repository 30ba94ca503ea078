"""Run child processes: to their end with a timeout, or as a process group that is killed whole."""

from __future__ import annotations

import locale
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, final

QUOTED = 2000
"""Characters of a child's output that an error quotes, from its end: the last frames of a traceback
and the error. More would bury litegate's own sentence, fewer would cut the error off."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A child process that has ended."""

    exit_code: int
    """Negative for a signal: minus its number."""
    stdout: str
    stderr: str

    @property
    def last_output(self) -> str:
        """The end of stderr, or of stdout if stderr is empty, to quote in an error."""
        return tail(self.stderr) or tail(self.stdout)


@final
class ChildError(Exception):
    """A child process exceeded its timeout, or failed if it was run with `check`."""

    def __init__(self, message: str, stdout: str, stderr: str) -> None:
        """Keep the output until then."""
        super().__init__(message)
        self.stdout = stdout
        self.stderr = stderr


def tail(output: str) -> str:
    """Return the end of a child's output, short enough to quote in an error."""
    return output.strip()[-QUOTED:]


def own_module(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module of litegate in a new interpreter.

    With -P, the current folder cannot hide installed packages.
    """
    return (sys.executable, "-P", "-m", module, *arguments)


def environment_for(path: Iterable[str] | None = None) -> dict[str, str]:
    """Return this process's environment with an import path, by default this process's own.

    A child finds the same packages then, including those that pytest put on `sys.path`.
    """
    entries = filter(None, sys.path) if path is None else path
    return os.environ | {"PYTHONPATH": os.pathsep.join(entries)}


def run(
    command: Sequence[str],
    *,
    stdin: bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    errors: str = "replace",
    check: bool = False,
) -> Finished:
    """Run a command to its end; capture its output as text, decoded with `errors`.

    `stdin` is sent to it; None lets it inherit this process's. After `timeout` seconds it is
    killed, but not its own children: use `process_group` for a command that starts some. Raises
    ChildError after a timeout, and with `check` for an exit code other than 0; OSError if the
    command cannot be started.
    """
    try:
        completed = subprocess.run(  # noqa: S603 arguments are a list, no shell reads them
            command,
            input=stdin,
            capture_output=True,
            cwd=cwd,
            env=env,
            timeout=timeout,
            check=check,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        stdout, stderr = _text(error.stdout, errors), _text(error.stderr, errors)
        raise ChildError(str(error), stdout, stderr) from None
    return Finished(
        exit_code=completed.returncode,
        stdout=_text(completed.stdout, errors),
        stderr=_text(completed.stderr, errors),
    )


def _text(output: bytes | None, errors: str) -> str:
    """Decode output as `subprocess` does in text mode, which cannot take `stdin` as bytes."""
    text = (output or b"").decode(locale.getpreferredencoding(do_setlocale=False), errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def process_group(
    command: Sequence[str],
    *,
    stdin: int,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    grace: float = 0.0,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command in its own process group, and end the whole group afterwards.

    In its own group, Ctrl-C does not reach it, and its children are killed with it. If it still
    runs at the end, its stdin is closed, it gets `grace` seconds after SIGTERM, then SIGKILL.
    Raises OSError if the command cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603 arguments are a list, no shell reads them
        command, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, env=env, process_group=0
    )
    try:
        yield process
    finally:
        _end(process, grace)


def _end(process: subprocess.Popen[bytes], grace: float) -> None:
    try:
        if process.stdin:
            with suppress(OSError):
                process.stdin.close()
        if grace:
            _signal_group(process, "SIGTERM")
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace)
    finally:  # also if Ctrl-C interrupts the wait
        _signal_group(process, "SIGKILL")
        process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process of `process_group`, with its own children."""
    _signal_group(process, "SIGKILL")


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return True if a process of `process_group` has ended; its group keeps its number."""
    if process.returncode is not None or os.name != "posix":
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def wait_for_group(process: subprocess.Popen[bytes]) -> int:
    """Wait until a process of `process_group` ends; kill its own children, return its exit code."""
    if process.returncode is None and os.name == "posix":
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        _signal_group(process, "SIGKILL")
    return process.wait()


def _signal_group(process: subprocess.Popen[bytes], name: str) -> None:
    # Not `poll`: a process that has ended keeps its number, and its group, until it is waited for.
    if process.returncode is not None:
        return
    if os.name != "posix":  # Windows has neither process groups of this kind nor SIGKILL
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # macOS: a group that has ended
        os.killpg(process.pid, getattr(signal, name))
