"""The programs of docs/how-to/board_examples.md, with a pseudo-terminal and a stand-in for adb."""

import json
import os
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
from documents import parsed
from fake_boards import PAGE, answering, example, python, table

from litegate.core.errors import ConfigError
from litegate.runtimes.child_runtime import ChildRuntime
from litegate.runtimes.inference import all_outputs
from litegate.runtimes.runtime import described, missing
from litegate.spec import Kind
from litegate.spec.runtimes import Command, declare
from litegate.testing import evaluation, tiny

EXAMPLES = PAGE.with_name("board_examples.md")
INT8 = tiny(Kind.INT8_QAT, input_type="int8", output_type="int8")
SAMPLES = evaluation().x[:40]
ADB = """#!{python} -S
import json, pathlib, sys

phone = pathlib.Path({phone!r})
command, *arguments = sys.argv[1:]
if command == "get-state":
    sys.exit(None if phone.exists() else "error: no devices/emulators found")
elif command in ("push", "pull"):
    source, target = map(pathlib.Path, arguments)
    local = source if command == "push" else target
    remote = phone / local.name
    if command == "push":
        remote.write_bytes(local.read_bytes())
    else:
        local.write_bytes(remote.read_bytes())
elif "getprop" in arguments[-1]:
    print("Pixel 9")
elif "--version" in arguments[-1]:
    print("LiteRT 2.3.0, XNNPACK")
elif "run_samples" in arguments[-1]:
    count = int(arguments[-1].split("run_samples ")[1].split()[0])
    assert (phone / "model.tflite").stat().st_size
    answers = json.loads({table!r})
    inputs = (phone / "inputs.bin").read_bytes()
    size = len(inputs) // count
    rows = (inputs[k : k + size].hex() for k in range(0, len(inputs), size))
    (phone / "outputs.bin").write_bytes(b"".join(bytes.fromhex(answers[row]) for row in rows))
    print("\\n".join(["0.002"] * count))
"""


@pytest.fixture
def tools(tmp_path):
    """A project with the programs of both pages; gives the command line of one of them."""
    blocks = [example(), *(it.text for it in parsed(EXAMPLES.read_text("utf-8")))]
    (tmp_path / "tools").mkdir()
    for name in ("board", "serial_line", "phone"):
        (program,) = (
            it for it in blocks if it.startswith('"""') and f"tools/{name}.py" in it[:120]
        )
        (tmp_path / "tools" / f"{name}.py").write_text(program)
    (tmp_path / "table.json").write_text(table(INT8, SAMPLES))

    def use(*arguments):
        declare([Command(name="board", command=python(*arguments), timeout=60)], tmp_path)

    yield use
    declare([], tmp_path)


def answers_and_seconds():
    with closing(ChildRuntime(INT8, "board", subject="mine")) as board:
        parts = [SAMPLES[:32], SAMPLES[32:]]
        answers = [next(iter(board.answer(board.ready(part)).values())) for part in parts]
        return np.concatenate(answers), board.seconds(board.ready(SAMPLES[:2]))


def sound_answers():
    (outputs,) = all_outputs(INT8, SAMPLES).values()
    return outputs.raw


@pytest.fixture
def serial_board(tmp_path):
    """Gives the path of a line at whose other end the firmware runs."""
    board_end, line = os.openpty()
    program = answering(str(tmp_path / "table.json"), times='{"seconds": [0.004] * n}')
    firmware = [sys.executable, "-S", "-c", program]
    with subprocess.Popen(firmware, stdin=board_end, stdout=board_end, cwd=tmp_path) as running:
        yield os.ttyname(line)
        running.kill()
    for end in (board_end, line):
        os.close(end)


def test_a_board_answers_over_a_serial_line(tools, serial_board):
    """Bytes of any value come through, also those that a terminal would interpret."""
    tools("-S", "tools/serial_line.py", serial_board)
    answers, seconds = answers_and_seconds()
    assert np.array_equal(answers, sound_answers())
    assert seconds == [0.004, 0.004]
    assert described("board").startswith("a board 7, by `")


def test_a_line_that_is_not_there_is_a_reason(tools, tmp_path):
    tools("-S", "tools/serial_line.py", str(tmp_path / "ttyACM0"))
    assert missing("board").startswith("[Errno 2] No such file or directory: '")
    assert missing("board").endswith("ttyACM0': connect the board")


@pytest.fixture
def phone(tools, tmp_path, monkeypatch):
    """A stand-in for adb on the path; gives the phone's folder, which is not there yet."""
    folder, adb = tmp_path / "phone", tmp_path / "bin" / "adb"
    adb.parent.mkdir()
    answers = json.dumps(json.loads((tmp_path / "table.json").read_text()))
    adb.write_text(ADB.format(python=sys.executable, phone=str(folder), table=answers))
    adb.chmod(0o755)
    monkeypatch.setenv("PATH", str(adb.parent), prepend=os.pathsep)
    tools("tools/phone.py")
    return folder


def test_a_phone_answers_over_adb(phone):
    phone.mkdir()
    answers, seconds = answers_and_seconds()
    assert np.array_equal(answers, sound_answers())
    assert seconds == [0.002, 0.002]
    assert described("board").startswith("Pixel 9 LiteRT 2.3.0, XNNPACK, by `")
    assert (phone / "model.tflite").read_bytes() == INT8


def test_a_phone_that_is_not_connected_is_a_reason(phone):
    with pytest.raises(ConfigError, match="there is no board on this machine") as caught:
        ChildRuntime(INT8, "board")
    assert "no devices/emulators found" in str(caught.value)
