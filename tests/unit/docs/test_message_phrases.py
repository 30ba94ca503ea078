"""Messages and help contain no phrase of `old_phrases.txt`; an error's first line is short."""

import ast
import re

import pytest
from documents import name, source_nodes
from test_docs_phrases import phrases_in
from typer.main import get_command

from litegate.cli import app
from litegate.measures.names import OLD_NAMES
from litegate.mutation.faults.catalogue import shipped_faults

LONGEST = 110
"""The limit of a first line, if each of its names has `NAME` characters."""
NAME = 20


def text_of(node, placeholder="{}"):
    """A literal's text, with placeholders filled; None for all other nodes."""
    if isinstance(node, ast.JoinedStr):
        parts = (v.value if isinstance(v, ast.Constant) else placeholder for v in node.values)
        return "".join(parts)
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text else None


def nodes_of(source):
    return list(ast.walk(ast.parse(source)))


def messages(nodes):
    """Each text of more than one word and its line, without docstrings; whole f-strings."""
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    joined = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    parts = {part for node in joined for part in node.values}
    for node in set(nodes) - docstrings - parts:
        text = text_of(node)
        if text and " " in text.strip() and text not in OLD_NAMES:
            yield node.lineno, f"{{}}{text}" if text[0] == " " else text


def first_lines(nodes):
    """Each literal first line of an error and its line; the error's class is not looked up."""
    for node in nodes:
        called = getattr(node, "func", None)
        kind = getattr(called, "id", getattr(called, "attr", ""))
        if re.search(r"(Error|Unavailable|Corrupt|NotGated|NotAccepted)$|^_error$", kind):
            texts = (text_of(argument, NAME * "x") for argument in node.args)
            yield from ((node.lineno, text.partition("\n")[0]) for text in texts if text)


def helps(command, prefix="litegate"):
    """The help of a command, its parameters and its subcommands, by name."""
    yield prefix, command.help or ""
    yield from ((f"{prefix} {p.name}", getattr(p, "help", "") or "") for p in command.params)
    for subcommand in getattr(command, "commands", {}).values():
        yield from helps(subcommand, f"{prefix} {subcommand.name}")


def test_a_message_has_no_old_phrase():
    texts = [
        (name(file), line, text)
        for file, nodes in source_nodes().items()
        for line, text in messages(nodes)
    ]
    assert len(texts) > 2000
    if phrases_in(" .|. ".join(text for *_, text in texts)):  # at once, for that takes no time
        found = {(file, line): phrases_in(text) for file, line, text in texts}
        assert {place: phrases for place, phrases in found.items() if phrases} == {}
        pytest.fail("an old phrase across two texts")


def test_the_first_line_of_an_error_is_short():
    lines = [
        (name(file), *line) for file, nodes in source_nodes().items() for line in first_lines(nodes)
    ]
    assert len(lines) > 400
    assert [line for line in lines if len(line[-1]) > LONGEST] == []


def test_help_has_no_old_phrase():
    command = get_command(app)
    found = {where: phrases_in(text) for where, text in helps(command)}
    assert len(found) > 60
    assert {where: phrases for where, phrases in found.items() if phrases} == {}


def test_the_summary_of_a_fault_has_no_old_phrase():
    found = {fault.name: phrases_in(fault.summary) for fault in shipped_faults()}
    assert {fault: phrases for fault, phrases in found.items() if phrases} == {}


@pytest.mark.parametrize(
    "source",
    [
        'raise ConfigError(f"{file} is no store")',
        'echo("3 limits would be kept; "\n     "mend the model")',
        'note = f"of which {n} is told"',
        'x = {"key": "the change is held against main"}',
    ],
)
def test_an_old_phrase_of_a_message_is_found(source):
    assert any(phrases_in(text) for _, text in messages(nodes_of(source)))


@pytest.mark.parametrize(
    "source",
    [
        '"""It is held against the base."""',
        'suffix = f"{n} of them broken"',
        'names = ["told", "had"]',
        'table = {"loosened promises": 1}',
    ],
)
def test_docstrings_parts_and_words_are_no_messages(source):
    assert not any(phrases_in(text) for _, text in messages(nodes_of(source)))


@pytest.mark.parametrize(("length", "is_long"), [(LONGEST, False), (LONGEST + 1, True)])
def test_a_placeholder_counts_as_a_long_name(length, is_long):
    source = f'raise DataError(f"{{data.name}}{(length - NAME) * "a"}\\nmore", got="b")'
    [(_, text)] = first_lines(nodes_of(source))
    assert (len(text) > LONGEST) is is_long
