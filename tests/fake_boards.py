"""Programs that stand for a project's own runtimes."""

import shlex
import sys

from documents import PROJECT, parsed

PAGE = PROJECT / "docs" / "how-to" / "own_board.md"
MESSAGES = """
import json, struct, sys, time

def read():
    length = sys.stdin.buffer.read(4)
    if not length:
        sys.exit()
    header = json.loads(sys.stdin.buffer.read(struct.unpack("<I", length)[0]))
    return header, sys.stdin.buffer.read(header["bytes"])

def start(header):
    text = json.dumps(header).encode()
    sys.stdout.buffer.write(struct.pack("<I", len(text)) + text)
    sys.stdout.buffer.flush()

def write(header, content=b""):
    start(header | {"bytes": len(content)})
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()

"""
FIRST = (
    MESSAGES
    + """
assert read()[0] == {"do": "identify", "bytes": 0}
write({"runtime": "a board", "version": "7"})
"""
)
LOADED = (
    FIRST
    + """
assert read()[0]["do"] == "load"
write({})
request, _ = read()
n = request["arrays"][0]["shape"][0]
print("the board is warm", file=sys.stderr, flush=True)
"""
)
"""Programs that have replied to the first requests; what they do next is to be added."""


def example():
    """Return the program that docs/how-to/own_board.md shows."""
    (program,) = (it for it in parsed(PAGE.read_text("utf-8"), PAGE) if "def serve(" in it.text)
    return program.text


def python(*arguments):
    """Return the command line of this Python, which starts quickly without packages by "-S"."""
    return shlex.join([sys.executable, *arguments])
