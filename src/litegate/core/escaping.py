"""Escape untrusted text for terminals, logs, Markdown and GitHub's workflow commands.

Whoever opens a pull request chooses the names of models, classes, files and checks. They must never
act as control sequences, markup or commands.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

_COMMAND = re.compile(r"^((?:\s|\x1b\[[\d;]*m)*:):", re.MULTILINE)
"""Start of a line that GitHub's runner executes as a workflow command, with colours before it."""
_OLD_COMMAND = "##["
"""Start of a command in the runner's older syntax, anywhere in a line."""


def plain(text: str) -> str:
    """Return one line without control, format and line-separating characters or commands."""
    # Almost every text is printable: asking once saves 15 % of the time of a large page.
    visible = text if text.isprintable() else "".join(map(_visible, text))
    return without_commands(visible)


def plain_lines(text: str) -> str:
    """Apply `plain` to each line."""
    return "\n".join(plain(line) for line in text.split("\n"))


def _visible(char: str) -> str:
    """Return the character, or its escape sequence if it is invisible."""
    if char.isprintable():
        return char
    return " " if char in "\t\xa0" else char.encode("unicode_escape").decode()


def without_commands(text: str) -> str:
    """Break each workflow command; for text that was escaped before its lines were wrapped."""
    return _COMMAND.sub(r"\1 :", text).replace(_OLD_COMMAND, "## [")


# The lengths below keep a summary readable: a pull request may choose names of any length.
_EXCERPT = 200
"""Characters of a foreign value that an error quotes: two lines of a terminal, enough to recognize
it; more would push what to do off the screen."""
_BLOCK = 2000
"""Characters of a text in Markdown: an error with the end of a child's output, which is as long
(`child_process.QUOTED`). A comment of 60 KiB has room for thirty of them."""
_MESSAGE = 4000
"""Characters of an annotation's message: twice a block, so that a traceback of several errors is
whole; more would hide the annotation that follows."""
_PROPERTY = 400
"""Characters of an annotation's title or file: longer than real names and paths, which must not be
cut, and short enough that a stranger's does not fill the log."""


def shortened(text: str, max_length: int) -> str:
    """Return the text, cut to `max_length` characters with an ellipsis if it is longer."""
    return text if len(text) <= max_length else f"{text[: max_length - 2]} …"


def excerpt(text: str) -> str:
    """Return the start of a foreign value, to quote in an error."""
    return shortened(text, _EXCERPT)


LISTED = 8
"""Names or offenders that a message lists; more would hide what follows them."""


def listed(names: Sequence[str]) -> str:
    """Join the first names by commas, and count the others."""
    rest = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {rest:,} more" if rest > 0 else "")


def markdown(text: str, max_length: int = _BLOCK) -> str:
    """Return text for an HTML block in Markdown: a `<code>` element for each line.

    In an HTML block Markdown is not interpreted; in `<code>` GitHub does not link names, numbers or
    addresses.
    """
    lines = shortened(text, max_length).split("\n")
    return "<br>".join(f"<code>{html.escape(plain(line))}</code>" for line in lines if line.strip())


def preformatted(text: str, max_length: int = _BLOCK) -> str:
    """Return text for a `<pre>` element in an HTML block of Markdown, without blank lines.

    GitHub links nothing in it, either. A blank line would end the block.
    """
    lines = shortened(text, max_length).split("\n")
    return "\n".join(html.escape(plain(line)) for line in lines if plain(line).strip())


def command_message(text: str, max_length: int = _MESSAGE) -> str:
    """Return text as the message of a workflow command."""
    return _percent_encoded(plain_lines(shortened(text, max_length)), "%\r\n")


def command_property(text: str, max_length: int = _PROPERTY) -> str:
    """Return text as the value of a property of a workflow command."""
    return _percent_encoded(plain(shortened(text, max_length)), "%\r\n:,")


def _percent_encoded(text: str, reserved: str) -> str:
    return "".join(f"%{ord(char):02X}" if char in reserved else char for char in text)
