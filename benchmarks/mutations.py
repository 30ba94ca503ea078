"""What becomes of damaged `.tflite` files: a table by kind of damage, as Markdown.

    LITEGATE_DATA=... LITEGATE_STORE=... python benchmarks/mutations.py 10000

Each file goes through `inspect`, a trial, and, where it stands that, `compare` and the gate's
measures. Exit status 1 and a line each for what must not be: another error than litegate's, a crash
or a hang after the trial, a pass that LiteRT's outputs, read once more without litegate, refute.
Trials and measures run in forks of one process that runs no damaged file itself, since starting a
process for each would take hours; each crash and hang is tried once more as users meet it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from random import Random

from damage import KINDS, Source, sources
from judging import OUTCOMES, REFUSED, Bench, bench, judge

from litegate.errors import ArtifactError, LitegateError
from litegate.measures.inspection import inspection
from litegate.targets import KNOWN, load
from litegate.trial import attempt, demand_trial

PARSER, CRASHED, HUNG = "refused by the parser", "LiteRT crashed", "LiteRT hung"
COLUMNS = (PARSER, *OUTCOMES, CRASHED, HUNG)
MEMORY = 4 << 30
"""Bytes that each process may take: some damage asks for all there are."""
TARGETS = tuple(load(name, None) for name in KNOWN)


def main() -> None:
    """Damage, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=int, help="how many damaged files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=20, help="after which a fork counts as hung")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    counts, problems = run(options.files, options.seed, options.seconds)
    if options.json:
        print(json.dumps({"outcomes": counts, "problems": problems}))
    else:
        print("\n".join([*table(counts), *problems]))
    sys.exit(bool(problems))


def run(files: int, seed: int, seconds: int) -> tuple[dict[str, Counter[str]], list[str]]:
    """Damage `files` files; outcomes counted by kind of damage, and what must not be."""
    rng, found = Random(seed), sources()
    benches = {source.name: bench(source) for source in found}
    counts: dict[str, Counter[str]] = {kind.__name__: Counter() for kind in KINDS}
    problems = []
    for number in range(files):
        kind, source = KINDS[number % len(KINDS)], rng.choice(found)
        tflite = damaged(kind, source, rng, rng.choice(found).tflite)
        try:
            counts[kind.__name__][outcome(benches[source.name], tflite, seconds)] += 1
        except Exception:  # noqa: BLE001 the run goes on; each is reported
            last = traceback.format_exc(limit=-2)
            problems.append(f"file {number}, {source.name} {kind.__name__}: {last}")
    return counts, problems


def damaged(
    kind: Callable[[Source, Random, bytes], bytes], source: Source, rng: Random, other: bytes
) -> bytes:
    """A file that is no longer the source's, though zeros may fall on zeros."""
    while (tflite := kind(source, rng, other)) == source.tflite:
        pass
    return tflite


def outcome(sound: Bench, tflite: bytes, seconds: int) -> str:
    """Take one file all the way; one of COLUMNS. Raises whatever must not be."""
    try:
        inspection(tflite, TARGETS, subject="B")
    except LitegateError:
        return PARSER
    said, end = forked(lambda: tried(tflite), seconds)
    if end:
        return confirmed(tflite, end, seconds)
    if said:
        return said
    said, end = forked(lambda: judge(sound, tflite), 4 * seconds)
    if end or said not in OUTCOMES:
        raise AssertionError(said or f"{signal.Signals(end).name} after the trial")
    return said


def tried(tflite: bytes) -> str:
    """REFUSED, or nothing where the trial was stood."""
    try:
        attempt(tflite, lambda _: None)
    except LitegateError:
        return REFUSED
    return ""


def confirmed(tflite: bytes, end: int, seconds: int) -> str:
    """The same file as users meet it: a sentence, whatever becomes of the process."""
    try:
        demand_trial(tflite, subject="B", timeout=seconds)
    except ArtifactError:
        return HUNG if end == signal.SIGALRM else CRASHED
    raise AssertionError(f"{signal.Signals(end).name} in a fork, and the trial was stood")


def forked(act: Callable[[], str], seconds: int) -> tuple[str, int]:
    """What `act` gave or raised in a fork, and the signal that ended it; 0 if none did."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(seconds)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            said = act()
        except BaseException:  # noqa: BLE001 a fork must not go on as its parent
            said = traceback.format_exc(limit=-2)
        os.write(writing, said.encode("utf-8", "replace")[:4096])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read().decode()
    return said, os.waitpid(child, 0)[1] & 0x7F


def table(counts: dict[str, Counter[str]]) -> list[str]:
    """Rows of Markdown: outcomes by kind of damage, and in all."""
    rows = counts | {"in all": sum(counts.values(), Counter())}
    lines = [["damage", "files", *COLUMNS], ["---"] * (2 + len(COLUMNS))]
    for name, found in rows.items():
        cells = [found.total(), *(found[column] for column in COLUMNS)]
        lines.append([name, *(f"{cell:,}" for cell in cells)])
    return [f"| {' | '.join(line)} |" for line in lines]


if __name__ == "__main__":
    main()
