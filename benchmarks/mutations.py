"""What becomes of damaged `.tflite` files: a table by kind of damage, as Markdown.

    LITEGATE_DATA=... LITEGATE_STORE=... python benchmarks/mutations.py 10000

Each file goes through a trial, and, where it stands that, the measures of `compare` and of the
gate; then through `litegate inspect`, `litegate compare --data` and, as a prebuilt model, through
`pytest checks/`, which must all say the same. Exit status 1 and a line each for what must not be:
another error than litegate's, a crash or a hang after the trial, a pass that LiteRT's outputs, read
once more without litegate, refute.
Trials, commands and gates run in forks of one process that runs no damaged file itself, since
starting a process for each would take hours; each crash and hang is tried once more as users meet
it. How far it has come is said on stderr, with every problem as it is found.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from damage import KINDS, Source, sources
from gating import Damaged, Demand, Place
from judging import OUTCOMES, REFUSED, UNMEASURED, Bench, bench, judge, refute

from litegate.core.errors import ArtifactError, LitegateError
from litegate.measures.structure.inspection import inspection
from litegate.runtimes.sandbox import run_all_kernels, run_in_sandbox
from litegate.spec.targets import KNOWN, load

PARSER, CRASHED, HUNG = "refused by the parser", "LiteRT crashed", "LiteRT hung"
COLUMNS = (PARSER, *OUTCOMES, CRASHED, HUNG)
MEASURED = {*OUTCOMES} - {REFUSED, UNMEASURED}
NO_PASS = {"error", "fail", "inconclusive"}
MEMORY = 4 << 30
"""Bytes that each process may take: some damage asks for all there are."""
TOGETHER = 100
"""Files that one gate judges."""
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
    problems: list[str] = []
    waiting: list[Damaged] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), benches)
        for number in range(files):
            if len(waiting) == TOGETHER:
                problems += gated(place, waiting, seconds)
                waiting = []
                told_so_far(number, files, time.monotonic() - began, problems)
            kind, source = KINDS[number % len(KINDS)], rng.choice(found)
            sound = benches[source.name]
            tflite = damaged(kind, source, rng, rng.choice(found).tflite)
            try:
                ended, stood = outcome(sound, tflite, seconds)
                one = Damaged(
                    name=f"f{number}",
                    source=source.name,
                    sound=sound,
                    tflite=tflite,
                    outcome=ended,
                    stood=stood,
                )
                commanded(place, one, seconds)
            except Exception:  # noqa: BLE001 the run goes on; each is reported
                last = traceback.format_exc(limit=-2)
                problems.append(f"file {number}, {source.name} {kind.__name__}: {last}")
                continue
            counts[kind.__name__][ended] += 1
            waiting.append(one)
        problems += gated(place, waiting, seconds) if waiting else []
    return counts, problems


def told_so_far(done: int, files: int, seconds: float, problems: list[str]) -> None:
    """A line on stderr, and what must not be: a run that is killed has not said it in vain."""
    left = seconds / done * (files - done) / 60
    found = "".join(f"\n  {one}" for one in problems) or " no problem"
    line = f"{done:,} of {files:,} files in {seconds / 60:.0f} min, {left:.0f} left:{found}"
    print(line, file=sys.stderr, flush=True)


def commanded(place: Place, one: Damaged, seconds: int) -> None:
    """AssertionError where a command says otherwise than the measures, or passes a wrong file."""
    if place.inspected(one) != int(one.outcome == PARSER):
        raise AssertionError("litegate inspect says otherwise")
    demand = told([one])

    def compared() -> str:
        status, passed = place.compared(one, demand)
        refute(one.sound, one.tflite, passed)
        return str(status)

    said, end = forked(compared, 4 * seconds)
    if end or not said.isdecimal():
        raise AssertionError(said or f"litegate compare: {signal.Signals(end).name}")
    wanted = {"0", "1"} if one.outcome in MEASURED else {"0", "1", "2"} if one.stood else {"2"}
    if said not in wanted:
        raise AssertionError(f"litegate compare ended with {said}: {one.outcome}")


def gated(place: Place, damaged: list[Damaged], seconds: int) -> list[str]:
    """What the gate lets pass and must not, or how it ended itself."""
    said, end = forked(lambda: json.dumps(place.gated(damaged, told(damaged))), 60 * seconds)
    if end or not said.startswith("{"):
        return [f"the gate: {said or signal.Signals(end).name}"]
    words = json.loads(said)
    problems = [f"{one.name}: the gate said nothing" for one in damaged if not words[one.name]]
    problems += [
        f"{one.name}, {one.outcome}: the gate said {words[one.name]}"
        for one in damaged
        if not one.stood and {*words[one.name]} != {"error"}
    ]
    passed = [(one, [w for w in words[one.name] if w not in NO_PASS]) for one in damaged]
    said, end = forked(lambda: refuted(passed), 60 * seconds)
    return problems + ([said or signal.Signals(end).name] if said or end else [])


def refuted(passed: list[tuple[Damaged, list[str]]]) -> str:
    """The first file of which LiteRT's outputs refute what passed, in words."""
    for one, words in passed:
        try:
            refute(one.sound, one.tflite, words)
        except AssertionError as error:
            return f"{one.name}: {error}"
    return ""


def told(damaged: list[Damaged]) -> Demand:
    """As `run_in_sandbox`, by what a file's trial came to."""
    refused = {one.tflite: one.outcome for one in damaged if not one.stood}

    def demand(
        tflite: bytes, *, subject: str = "the model", timeout: float = 0, may_refuse: bool = False
    ) -> None:
        if tflite in refused and not (may_refuse and refused[tflite] == REFUSED):
            raise ArtifactError(f"{refused[tflite]}: {subject}", got=f"within {timeout:g} s")

    return demand


def damaged(
    kind: Callable[[Source, Random, bytes], bytes], source: Source, rng: Random, other: bytes
) -> bytes:
    """A file that is no longer the source's, though zeros may fall on zeros."""
    while (tflite := kind(source, rng, other)) == source.tflite:
        pass
    return tflite


def outcome(sound: Bench, tflite: bytes, seconds: int) -> tuple[str, bool]:
    """Take one file all the way; one of COLUMNS, and whether its trial was stood.

    Raises whatever must not be.
    """
    try:
        inspection(tflite, TARGETS, subject="B")
    except LitegateError:
        return PARSER, False
    said, end = forked(lambda: tried(tflite), seconds)
    if end:
        return confirmed(tflite, end, seconds), False
    if said:
        return said, False
    said, end = forked(lambda: judge(sound, tflite), 4 * seconds)
    if end or said not in OUTCOMES:
        raise AssertionError(said or f"{signal.Signals(end).name} after the trial")
    return said, True


def tried(tflite: bytes) -> str:
    """REFUSED, or nothing where the trial was stood."""
    try:
        run_all_kernels(tflite, lambda _: None)
    except LitegateError:
        return REFUSED
    return ""


def confirmed(tflite: bytes, end: int, seconds: int) -> str:
    """The same file as users meet it: a sentence, whatever becomes of the process."""
    try:
        run_in_sandbox(tflite, subject="B", timeout=seconds)
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
        with os.fdopen(writing, "wb") as stream:
            stream.write(said.encode("utf-8", "replace"))
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
