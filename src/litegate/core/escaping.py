"""The one place that keeps text from being taken for anything else.

Names of models, classes, files and checks are chosen by whoever opens a pull request. On a
terminal, in a log, in Markdown and in a workflow command they must read as what they are: text.
"""

from __future__ import annotations

import html
import re

_COMMAND = re.compile(r"^(\s*:):", re.MULTILINE)
"""What GitHub's runner takes for a command at the start of a line."""
_OLD_COMMAND = "##["
"""What it takes for one anywhere in a line."""


def plain(text: str) -> str:
    """One line without control, format or line-separating characters, and without a command."""
    return _disarmed("".join(map(_visible, text)))


def plain_lines(text: str) -> str:
    """As `plain`, for text whose line ends are meant."""
    return "\n".join(plain(line) for line in text.split("\n"))


def _visible(char: str) -> str:
    """The character, or its escape where a terminal or a reader cannot see it."""
    if char.isprintable():
        return char
    return " " if char in "\t\xa0" else char.encode("unicode_escape").decode()


def _disarmed(line: str) -> str:
    return _COMMAND.sub(r"\1 :", line).replace(_OLD_COMMAND, "## [")


def shortened(text: str, most: int) -> str:
    """The text, cut to `most` characters with a mark where something is missing."""
    return text if len(text) <= most else f"{text[: most - 2]} …"


def markdown(text: str, most: int = 2000) -> str:
    """Text as code inside a block of HTML in Markdown, a `<code>` for each of its lines.

    There Markdown is not read, and GitHub links no names, numbers or addresses.
    """
    lines = shortened(text, most).split("\n")
    return "<br>".join(f"<code>{html.escape(plain(line))}</code>" for line in lines if line.strip())


def command_message(text: str, most: int = 4000) -> str:
    """Text as the message of a workflow command."""
    return _percent(plain_lines(shortened(text, most)), "%\r\n")


def command_property(text: str, most: int = 400) -> str:
    """Text as the value of a property of a workflow command."""
    return _percent(plain(shortened(text, most)), "%\r\n:,")


def _percent(text: str, reserved: str) -> str:
    return "".join(f"%{ord(char):02X}" if char in reserved else char for char in text)
