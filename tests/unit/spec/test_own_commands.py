"""Runtimes of a project's own: what a declaration accepts, and what decides the key of answers."""

import pytest

from litegate import Budget, Command
from litegate.core.errors import ConfigError
from litegate.spec.artifact_keys import program_digest
from litegate.spec.relevant_source import source_digest
from litegate.spec.runtimes import RUNTIMES, declare, find_command, runtime_names

BOARD = Command(name="board", command="python tools/board.py --port '/dev/tty ACM0'")


@pytest.fixture(autouse=True)
def forgotten(tmp_path):
    yield
    declare([], tmp_path)


def test_a_budget_names_commands_beside_names():
    budget = Budget(runtimes=("xnnpack", BOARD))
    assert budget.judged_runtimes == ("xnnpack", "board")
    assert budget.commands == (BOARD,)
    assert Budget(runtimes=("tflm",)).commands == Budget().commands == ()
    assert BOARD.arguments[-1] == "/dev/tty ACM0"


@pytest.mark.parametrize("runtimes", [("board",), [BOARD], (), (None,)])
def test_other_runtimes_of_a_budget_are_refused(runtimes):
    with pytest.raises(ConfigError, match=r"or litegate.Command\(...\)"):
        Budget(runtimes=runtimes)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"name": "tflm"}, "cannot be the name"),
        ({"name": "a board"}, "cannot be the name"),
        ({"name": "board\n"}, "cannot be the name"),
        ({"name": ""}, "cannot be the name"),
        ({"command": " "}, "is not a command line"),
        ({"command": "python 'board.py"}, "is not a command line"),
        ({"files": "firmware.bin"}, "must be a tuple of paths"),
        ({"timeout": 0}, "must be a number of seconds"),
        ({"timeout": float("inf")}, "must be a number of seconds"),
        ({"timeout": float("nan")}, "must be a number of seconds"),
    ],
)
def test_a_declaration_is_checked(change, part):
    with pytest.raises(ConfigError, match=part):
        Command(**{"name": "board", "command": "board"} | change)


def test_names_are_those_of_the_project_that_was_loaded_last(tmp_path):
    declare([BOARD, BOARD], tmp_path)
    assert runtime_names() == (*RUNTIMES, "board")
    assert find_command("board").project == tmp_path
    with pytest.raises(ConfigError, match="two runtimes are named board"):
        declare([BOARD, Command(name="board", command="other")], tmp_path)
    declare([], tmp_path)
    assert runtime_names() == RUNTIMES
    assert find_command("board") is None


def test_the_files_of_a_command_decide_its_key(tmp_path):
    """Those of the command line with what they import, and those that are declared."""
    (tmp_path / "tools").mkdir()
    for name, text in {"board.py": "import link", "link.py": "a = 1", "fw.bin": "1"}.items():
        (tmp_path / "tools" / name).write_text(text)
    command = Command(name="board", command="python tools/board.py", files=("tools/fw.bin",))
    digests = [program_digest(command, tmp_path)]
    for name, text in {"link.py": "a = 2", "fw.bin": "2", "board.py": "import link, os"}.items():
        (tmp_path / "tools" / name).write_text(text)
        digests.append(program_digest(command, tmp_path))
    (tmp_path / "tools" / "notes.txt").write_text("other files do not count")
    assert digests[-1] == program_digest(command, tmp_path)
    assert len(set(digests)) == 4
    (tmp_path / "tools" / "fw.bin").unlink()
    with pytest.raises(ConfigError, match="a file of the runtime board cannot be read"):
        program_digest(command, tmp_path)


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        ("python -m tools.board", "tools/board.py"),
        ("python -m tools", "tools/__main__.py"),
        ("python tools", "tools/__main__.py"),
        ("emulate --firmware=tools/fw.bin", "tools/fw.bin"),
        ("emulate -device loader,file=tools/fw.bin", "tools/fw.bin"),
    ],
)
def test_files_that_a_word_names_belong_to_its_command(tmp_path, command, changed):
    (tmp_path / "tools").mkdir()
    for name in ("board.py", "__main__.py", "fw.bin"):
        (tmp_path / "tools" / name).write_text("a = 1")
    board = Command(name="board", command=command)
    before = program_digest(board, tmp_path)
    (tmp_path / changed).write_text("a = 2")
    assert program_digest(board, tmp_path) != before


def test_another_command_does_not_rebuild_the_models_of_its_file():
    """Its arguments are no part of an artifact's key."""
    texts = ("lg.Command(name='a', command='b')", "lg.Command(name='a', command='c')")
    first, second = (source_digest(f"import litegate as lg\nBOARD = {it}\n") for it in texts)
    assert first == second
