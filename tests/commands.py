"""Whether a command line of the documents could be typed in: its program, options and files."""

import re
import shlex
import tomllib
from itertools import chain, groupby

import typer
from documents import PROJECT

from litegate.cli import app

OTHERS = {
    *("apt-get", "bash", "cd", "echo", "export", "gh", "git", "if", "jq", "mkdir", "rm", "sbatch"),
    *("source", "test"),
}
"""Programs of every machine."""
WRITTEN = {"make_data.py"}
"""Scripts that the tutorial has its reader write."""
_FILTERS = {"curl", "find", "sha256sum", "sort", "tar", "xargs"}
_TOOLS = {"lint-imports", "mypy", "ruff", "sphinx-build", "vela"}
UsageError = typer.BadParameter.__base__
"""What a command raises for an option that it does not have."""
_BETWEEN = ";&|"
_EXTRAS = re.compile(r"\[([\w,]+)\]")


def lines(text):
    """The commands of a block of shell, each as its words."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=_BETWEEN)
        lexer.whitespace_split = True
        for between, words in groupby(lexer, lambda word: set(word) <= set(_BETWEEN)):
            if not between:
                yield list(words)


def check(words, parse_pytest):
    """Raise where a command cannot be given like that; `parse_pytest` takes pytest's arguments."""
    while re.fullmatch(r"\w+=.*", words[0]):
        words = words[1:]
    program, *rest = words[0].rpartition("/")[2], *words[1:]
    if program in {"then", "do"}:
        return check(rest, parse_pytest)
    if program == "litegate":
        return _check_litegate(rest)
    if program == "pytest":
        return parse_pytest(rest)
    if program in {"pip", "uv"}:
        return _check_install(rest)
    if program in {"python", "python3"}:
        return _check_script(rest)
    assert program in OTHERS | _FILTERS | _TOOLS | {"fi"}, f"{program}: an unknown program"
    return None


def _check_litegate(arguments):
    """Parsed by the command itself, which is not run; alone it is only named."""
    command, name = typer.main.get_command(app), "litegate"
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    if arguments:
        command.make_context(name, arguments)


def _check_install(arguments):
    metadata = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    extras = (names.split(",") for names in _EXTRAS.findall(" ".join(arguments)))
    for extra in chain.from_iterable(extras):
        assert extra in metadata["project"]["optional-dependencies"], extra


def _check_script(arguments):
    if arguments[0] == "-m":
        assert arguments[1] == "venv", arguments
        return
    assert arguments[0] in WRITTEN or (PROJECT / arguments[0]).is_file(), arguments[0]
