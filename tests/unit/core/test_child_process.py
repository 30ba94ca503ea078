"""Child processes: captured output, timeouts, and groups that end as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from litegate.core.child_process import (
    ChildError,
    environment_for,
    own_module,
    process_group,
    run,
    wait_for_group,
)


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def test_output_and_exit_code_are_captured() -> None:
    """Of both streams, with line ends as in text mode."""
    script = "import sys; print('out\\r'); print(input(), file=sys.stderr); sys.exit(3)"
    child = run(python(script), stdin=b"sent\n")
    assert (child.exit_code, child.stdout, child.stderr) == (3, "out\n", "sent\n")


def test_a_signal_is_a_negative_exit_code() -> None:
    child = run(python("import os; os.abort()"))
    assert child.exit_code == -signal.SIGABRT


def test_bytes_that_are_no_text_are_decoded_as_asked() -> None:
    """Replaced to be shown; escaped for names that go back to the system."""
    command = python(r"import sys; sys.stdout.buffer.write(b'\xff')")
    assert run(command).stdout == "\ufffd"
    assert os.fsencode(run(command, errors="surrogateescape").stdout) == b"\xff"


@pytest.mark.parametrize(
    ("script", "quoted"),
    [
        ("print('x' * 3000 + 'end')", "x" * 1997 + "end"),
        ("import sys; print('out'); print('why', file=sys.stderr)", "why"),
        ("pass", ""),
    ],
)
def test_an_error_quotes_the_end_of_the_output(script, quoted) -> None:
    """Of stderr, unless only stdout was written."""
    assert run(python(script)).last_output == quoted


def test_a_timeout_is_an_error_with_the_output_so_far() -> None:
    """And the child is gone."""
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with pytest.raises(ChildError, match="timed out after 2 seconds") as caught:
        run(python(script), timeout=2)
    with pytest.raises(ProcessLookupError):
        os.kill(int(caught.value.stdout), 0)


def test_a_failure_is_an_error_only_when_asked() -> None:
    """With the exit code in its text, and the child's output."""
    command = python("import sys; sys.exit('no luck')")
    assert run(command).exit_code == 1
    with pytest.raises(ChildError, match="non-zero exit status 1") as caught:
        run(command, check=True)
    assert caught.value.stderr == "no luck\n"


def test_a_command_that_does_not_exist_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run([str(tmp_path / "none")])
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with pytest.raises(FileNotFoundError), process_group([str(tmp_path / "none")], **pipes):
        pass


def test_a_module_of_litegate_runs_with_this_process_imports(monkeypatch, tmp_path) -> None:
    """Also those that were put on the path later; the current folder hides nothing."""
    (tmp_path / "late.py").write_text("print(__name__)")
    monkeypatch.syspath_prepend(tmp_path)
    assert run(own_module("late"), env=environment_for()).stdout == "__main__\n"
    assert environment_for(["a", "b"])["PYTHONPATH"] == f"a{os.pathsep}b"
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd" / "late.py").write_text("print('hidden')")
    child = run(own_module("late"), cwd=tmp_path / "cwd", env=environment_for())
    assert child.stdout == "__main__\n"


GROUP = """
import signal, subprocess, sys, time
if {deaf}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("deaf", "grace", "ending"),
    [(False, 0.0, "SIGKILL"), (False, 20.0, "SIGTERM"), (True, 0.2, "SIGKILL")],
)
def test_a_group_ends_with_the_children_of_its_process(deaf, grace, ending) -> None:
    """By SIGTERM if it has time to, else by SIGKILL, also after an exception."""
    started: list[subprocess.Popen[bytes]] = []
    with pytest.raises(KeyError):
        interrupted(started, GROUP.format(deaf=deaf), grace)
    (process,) = started
    assert process.returncode == -getattr(signal, ending)
    assert process.stdin.closed
    with process.stdout:
        assert is_gone(int(process.stdout.readline()))


@pytest.mark.parametrize("waits", [False, True])
def test_children_that_outlive_their_process_are_killed(waits) -> None:
    """The exit code is that of the process, which ended by itself."""
    script = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c',"
        " 'import time; time.sleep(60)'], stdout=2); print(child.pid, flush=True); sys.exit(3)"
    )
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with process_group(python(script), stdin=pipe, stdout=pipe, stderr=nothing) as process:
        with process.stdout:
            orphan = int(process.stdout.readline())
            assert process.stdout.read() == b""  # it has ended
        code = wait_for_group(process) if waits else None
        assert not waits or is_gone(orphan)
    assert is_gone(orphan)
    assert code == (3 if waits else None)


def interrupted(started: list[subprocess.Popen[bytes]], script: str, grace: float) -> None:
    pipe = subprocess.PIPE
    command, nothing = python(script), subprocess.DEVNULL
    with process_group(command, stdin=pipe, stdout=pipe, stderr=nothing, grace=grace) as process:
        started.append(process)
        process.stdout.peek()  # waits until the grandchild runs
        raise KeyError


def is_gone(pid: int) -> bool:
    """Return True if a process ends within ten seconds; a zombie has ended."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
