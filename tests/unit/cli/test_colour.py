"""Colour on a terminal, and none where a person asked for none."""

import os
import pty
import sys

import forked
import pytest

from litegate.spec import Kind
from litegate.testing import tiny

COMMAND = "from litegate.cli import main; main()"
COLOURS = ("\x1b[31m", "\x1b[32m", "\x1b[1;32m")


@pytest.fixture
def on_terminal(monkeypatch):
    """Run `litegate` with a terminal for stdout and stderr; gives what stands on it."""

    def run(*args, **env):
        monkeypatch.delenv("NO_COLOR", raising=False)
        ours, theirs = pty.openpty()
        argv = [sys.executable, "-c", COMMAND, *map(str, args)]
        known = os.environ | {"TERM": "xterm", "COLUMNS": "60"} | env
        with forked.running(argv, theirs, known):
            os.close(theirs)
            said = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
        return said.decode()

    return run


def _read(end):
    """What has come; nothing more once the other side has hung up, which Linux calls an error."""
    try:
        return os.read(end, 4096)
    except OSError:
        return b""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny(Kind.INT8_QAT))
    return path


@pytest.mark.parametrize("command", ["inspect", "compare"])
def test_a_fault_is_red_unless_no_colour_is_asked_for(on_terminal, tmp_path, command):
    files = [tmp_path / "missing.tflite"] * (1 + (command == "compare"))
    coloured, plain = (on_terminal(command, *files, NO_COLOR=v) for v in ("", "1"))
    assert COLOURS[0] in coloured
    assert "missing.tflite cannot be read" in plain
    assert "\x1b" not in plain


def test_verdicts_have_a_colour_unless_none_is_asked_for(on_terminal, model):
    coloured, plain = (on_terminal("compare", model, model, NO_COLOR=v) for v in ("", "1"))
    assert any(colour in coloured for colour in COLOURS)
    assert "PASS" in plain
    assert not any(colour in plain for colour in COLOURS)
