"""Start the program of a runtime and exchange messages with it.

The program may crash, hang or answer nonsense: each is an error with the end of its stderr.
`litegate.runtimes.worker` is the program of litegate's own runtimes; a project may declare others.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any, final

from numpy.typing import NDArray

from litegate.core.child_process import (
    QUOTED,
    environment_for,
    has_ended,
    own_module,
    process_group,
    tail,
    wait_for_group,
)
from litegate.core.child_process import kill as kill_group
from litegate.core.errors import ArtifactError, ConfigError, LitegateError
from litegate.core.escaping import excerpt
from litegate.runtimes.messages import Header, read_message, write_arrays, write_message
from litegate.runtimes.watched_pipe import WatchedPipe
from litegate.spec.artifact_keys import program_digest
from litegate.spec.runtimes import Command, DeclaredCommand, find_command

_TIMEOUT = 300.0
"""Seconds that a runtime of litegate's own may take for one message: what `sandbox` gives a file.
A message has at most 32 samples."""
_MOST_WAIT = 3600.0
"""Seconds to wait while another run uses the device: 10,000 samples of 0.3 s take so long. After
that, a run has probably left its program behind."""
_SILENT = 3.0
"""Seconds to wait without a word: longer, and the run would seem to hang."""
_WORKER = "litegate.runtimes.worker"
_FIRST = "the first message"
_IDENTITY = ("runtime", "version")
"""What a program says of itself."""
_MOST_NAME = 200
"""Characters of each: they are in the evidence of every verdict."""
_NO_REASON = "the program gives no reason"


class Refused(ArtifactError):
    """A runtime refuses a file, or a sample, in words of its own."""


class Unavailable(ConfigError):
    """A program says that its device is not there."""


@final
class Program:
    """The process of a runtime. Not thread-safe; close it after use."""

    def __init__(self, runtime: str) -> None:
        """Start the program and ask for its name and version.

        Raises ArtifactError if it cannot be started or fails, Unavailable if it says that its
        device is not there.
        """
        self._runtime, self._declared = runtime, find_command(runtime)
        self._timeout = self._declared.command.timeout if self._declared else _TIMEOUT
        self.subject = _FIRST
        """The file that it works on, for errors."""
        self.identity: Header = {}
        """The program's own name ("runtime") and its version, as it gave them."""
        self._closing = ExitStack()
        self._stderr = self._closing.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        try:
            if self._declared:
                self._closing.enter_context(_device_lock(self._declared.command))
            self._process = self._start()
            self.identity = self._identify()
        except BaseException:
            self.close()
            raise

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            process = self._closing.enter_context(self._group())
        except (OSError, ValueError) as error:  # ValueError: a null character
            raise ArtifactError(
                f"{self._runtime} cannot be started", got=str(error), remedy="correct its command"
            ) from error
        if process.stdout:
            self._closing.callback(process.stdout.close)
        # Before its stdin is closed, which would wait for a program that does not read the rest.
        self._closing.callback(kill_group, process)
        return process

    def _group(self) -> AbstractContextManager[subprocess.Popen[bytes]]:
        pipe, declared = subprocess.PIPE, self._declared
        command: dict[str, Any] = {
            "command": own_module(_WORKER, self._runtime),
            "env": environment_for(),
        }
        if declared:
            command = {"command": declared.command.arguments, "cwd": declared.project}
        return process_group(**command, stdin=pipe, stdout=pipe, stderr=self._stderr)

    def _identify(self) -> Header:
        identity, _ = self.request({"do": "identify"})
        if "unavailable" in identity:
            reason = _line(identity["unavailable"] or _NO_REASON)
            raise Unavailable(f"there is no {self._runtime} on this machine", got=reason)
        texts = {name: " ".join(str(identity.get(name, "")).split()) for name in _IDENTITY}
        if too_long := next((name for name in _IDENTITY if len(texts[name]) > _MOST_NAME), ""):
            # Part of the key of answers: cut off, two versions could be one.
            got = f'"{too_long}" of {len(texts[too_long]):,} characters'
            raise self.nonsense(got, f"at most {_MOST_NAME}")
        return texts

    def request(
        self,
        header: Header,
        content: bytes = b"",
        arrays: Sequence[NDArray[Any]] = (),
        *,
        most: int = 0,
    ) -> tuple[Header, bytes]:
        """Send one message and return the reply, with at most `most` bytes after its header.

        Raises Refused for a reply that is a refusal, ArtifactError if the program ends, hangs, or
        does not reply with a message.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the program was started without pipes")
        with self._deadline() as expired:

            def is_over() -> bool:
                return bool(expired) or has_ended(self._process)

            to, from_ = (WatchedPipe.of(pipe, is_over) for pipe in (stdin, stdout))
            try:
                if arrays:
                    write_arrays(to, header, arrays)
                else:
                    write_message(to, header, content)
                reply = read_message(from_, most)
            except OSError:
                reply = None
            except ValueError as error:
                if not expired:
                    raise self.nonsense(str(error)) from error
                reply = None
            code = wait_for_group(self._process) if reply is None else 0
        if expired:
            raise self._error("does not finish with", f"none within {self._timeout:g} s")
        if reply is None:
            raise self._error("crashes on", _ending(code))
        if "error" in reply[0]:
            words = tail(str(reply[0]["error"])) or _NO_REASON
            raise Refused(f"{self._named} refuses {self.subject}", got=words)
        return reply

    def finish(self) -> None:
        """Let the program end; raise ArtifactError if it crashes, as after corrupting its memory.

        What a heap's check finds, it finds when memory is freed: after the last answer.
        """
        if self._process.stdin:
            with suppress(OSError):  # it has ended already
                self._process.stdin.close()
        with self._deadline() as expired:
            code = wait_for_group(self._process)
        if expired:
            raise self._error("does not finish with", f"none within {self._timeout:g} s")
        if code:
            raise self._error("crashes on", _ending(code))

    def close(self) -> None:
        """End the process and its own children, if they still run."""
        self._closing.close()

    @contextmanager
    def _deadline(self) -> Iterator[list[bool]]:
        """Kill the process after the timeout; the list has an element then."""
        expired = list[bool]()

        def kill() -> None:
            expired.append(True)
            kill_group(self._process)

        timer = Timer(self._timeout, kill)
        timer.daemon = True
        timer.start()
        try:
            yield expired
        finally:
            timer.cancel()

    def nonsense(self, got: str, expected: str = "a message as the protocol has it") -> Exception:
        """Return the error of a reply that is not what was asked for."""
        return ArtifactError(
            f"{self._runtime} gives no valid answer for {self.subject}",
            expected=expected,
            got=self._with_stderr(got),
            remedy=self._remedy() if self._declared else "",
        )

    @property
    def _named(self) -> str:
        return f"{self._runtime} {self.identity.get('version', '')}".strip()

    def _error(self, what: str, got: str) -> ArtifactError:
        return ArtifactError(
            f"{self._named} {what} {self.subject}",
            expected="that it runs the file, or refuses it in words",
            got=self._with_stderr(got),
            remedy=self._remedy(),
        )

    def _remedy(self) -> str:
        if self._declared:
            return f"run `{self._declared.command.command}` by hand, and correct it"
        return f"fetch or build the file again; if it stays, {self._runtime} cannot run it"

    def _with_stderr(self, got: str) -> str:
        """Add the end of what the program wrote to its stderr."""
        descriptor = self._stderr.fileno()
        most = 4 * QUOTED  # a character has at most four bytes
        # Not `read`, which would move the place where the program, which shares it, goes on.
        start = max(0, os.fstat(descriptor).st_size - most)
        written = tail(os.pread(descriptor, most, start).decode(errors="replace"))
        return f"{got}; stderr: {written}" if written else got


def _line(text: object) -> str:
    """Return a program's text as a part of one line."""
    return excerpt(" ".join(str(text).split()))


def _ending(code: int) -> str:
    """Describe how a process ended: by a signal, or with an exit code."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


@contextmanager
def _device_lock(command: Command) -> Iterator[None]:
    """Let one process of this user at a time run a command: it has one device.

    Raises ArtifactError if another run still uses it after an hour.
    """
    from filelock import FileLock, Timeout  # late: litegate's own runtimes need no lock

    user = getattr(os, "getuid", lambda: 0)()
    digest = hashlib.sha256(command.command.encode()).hexdigest()[:16]  # no accident in 64 bits
    path = Path(tempfile.gettempdir()) / f"litegate-{user}-{digest}.lock"
    lock = FileLock(path)
    try:
        with suppress(Timeout):
            lock.acquire(timeout=min(_SILENT, _MOST_WAIT))
        if not lock.is_locked:
            waits = f"litegate: waiting for {command.name}: another run uses it ({path})"
            sys.stderr.write(f"{waits}\n")
            lock.acquire(timeout=_MOST_WAIT)
    except (OSError, Timeout) as error:
        raise ArtifactError(
            f"{command.name} is in use by another run",
            expected=f"that it is free within {_MOST_WAIT:g} s",
            got=str(error),
            remedy="wait until the other run ends",
        ) from error
    try:
        yield
    finally:
        lock.release()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A runtime as its program describes it."""

    runtime: str
    version: str
    digest: str
    """Of the command's files; empty for a runtime of litegate's own."""
    unavailable: str = ""
    """The program's reason if its device is not there."""


_IDENTITIES: dict[tuple[str | DeclaredCommand, str], Identity | LitegateError] = {}
"""Asked for once in a run: each check would start the program, and may wait for its timeout."""


def identify(runtime: str) -> Identity:
    """Return what a runtime's program says that it is; raises as `Program`."""
    declared = find_command(runtime)
    digest = program_digest(declared.command, declared.project) if declared else ""
    key = (declared or runtime, digest)
    if key not in _IDENTITIES:
        _IDENTITIES[key] = _asked(runtime, digest)
    identity = _IDENTITIES[key]
    if isinstance(identity, LitegateError):
        raise identity
    return identity


def _asked(runtime: str, digest: str) -> Identity | LitegateError:
    try:
        program = Program(runtime)
    except Unavailable as error:
        return Identity(runtime="", version="", digest=digest, unavailable=error.got)
    except LitegateError as error:
        return error
    program.close()
    return Identity(**program.identity, digest=digest)
