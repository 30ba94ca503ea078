"""Programs that stand for a project's own runtimes."""

import json
import shlex
import sys

from documents import PROJECT, parsed

from litegate.runtimes.inference import all_outputs
from litegate.runtimes.litert import Runner

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
ANSWERING = (
    MESSAGES
    + """
table = json.load(open(TABLE))
while True:
    header, content = read()
    if header["do"] == "identify":
        write({"runtime": "a board", "version": VERSION})
    elif header["do"] != "run":
        write({})
    else:
        n = header["arrays"][0]["shape"][0]
        size = len(content) // n
        rows = [content[k : k + size] for k in range(0, len(content), size)]
        print(n, file=open("ran.txt", "a"))
        answers = b"".join(bytes.fromhex(table[row.hex()]) for row in rows)
        described = {"dtype": "int8", "shape": [n, len(answers) // n]}
        write({"arrays": [described]} | TIMES, answers)
"""
)
"""A program that has the answers to the samples in a table, and needs no package for them."""


def answering(table, *, version="7", times="{}"):
    """Return the program with a table's file, its version, and the header's fields for times."""
    head = f"TABLE, VERSION = {table!r}, {version!r}\n"
    return head + ANSWERING.replace("TIMES", times)


def table(tflite, samples):
    """Return the table of an int8 file's answers to some samples, as JSON."""
    inputs = Runner(tflite).input.quantize(samples)
    (answers,) = all_outputs(tflite, samples).values()
    pairs = zip(inputs, answers.raw, strict=True)
    return json.dumps({row.tobytes().hex(): answer.tobytes().hex() for row, answer in pairs})


def example():
    """Return the program that docs/how-to/own_board.md shows."""
    (program,) = (it for it in parsed(PAGE.read_text("utf-8"), PAGE) if "def serve(" in it.text)
    return program.text


def python(*arguments):
    """Return the command line of this Python, which starts quickly without packages by "-S"."""
    return shlex.join([sys.executable, *arguments])
