"""What becomes of `.tflite` files whose structure is changed: counts by kind of edit.

    LITEGATE_DATA=... python benchmarks/structure_mutations.py 20000 --gated 2000 --workers 2

Worker processes, each for as many files as it survives, take every file through the parser,
`litegate inspect` and `litegate compare`. Of the files that LiteRT runs in a trial, `--gated`
go through `litegate strip` and, as prebuilt models, through `pytest checks/`. `--files FOLDER` adds
every `.tflite` of a folder to the sources, for the first part. Exit status 1 and a line each for
what must not be: a signal, a traceback, no end after 20 s, a stripped file that answers otherwise
when LiteRT is asked without litegate, a pass that LiteRT's outputs refute. A file is the same for
the same seed and number: `--only NUMBER` repeats it, and `--keep FOLDER` writes it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from damage import sources
from gating import Damaged, Place, command
from judging import bench
from mutations import MEMORY, TOGETHER, forked, gated, outcome
from structure import mutant

from litegate.core.errors import LitegateError
from litegate.tflite.parser import parse

SECONDS = 20
"""After which a file counts as hung."""
START_UP = 60
"""Seconds more for a worker's first file: it imports and reads the sources, on a loaded machine."""


class Mutants:
    """The sources, and the mutant of each number."""

    def __init__(self, seed: int, folder: Path | None) -> None:
        """Read the sources."""
        self.seed = seed
        self.sound = {source.name: source.tflite for source in sources()}
        self.all = dict(self.sound)
        for path in sorted(folder.glob("*.tflite")) if folder else ():
            if path.stat().st_size <= 1 << 20:  # packing larger files costs more than judging them
                self.all[path.stem] = path.read_bytes()

    def make(self, number: int, *, gated: bool = False) -> tuple[str, str, bytes]:
        """Return the source's name, the edits and the file."""
        rng = Random(f"{self.seed} {number} {gated}")
        files = self.sound if gated else self.all
        source = rng.choice([*files])
        return source, *mutant(files[source], rng)


def main() -> None:
    """Mutate, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, help="how many files for parser, inspect and compare")
    parser.add_argument("--gated", type=int, default=0, help="how many for strip and the gate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--files", type=Path)
    parser.add_argument("--only", type=int, help="one number, in this process")
    parser.add_argument("--keep", type=Path, help="a folder for the files that must not be")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mutants = Mutants(given.seed, given.files)
    if given.worker:
        work(mutants)
        return
    if given.only is not None:
        print(judged(mutants, given.only))
        return
    counts, problems = read_all(mutants, given)
    if given.gated:
        shares = [(mutants, given.gated, k, given.workers) for k in range(given.workers)]
        with ProcessPoolExecutor(given.workers) as pool:
            for ended, worse in pool.map(through_the_gate, *zip(*shares, strict=True)):
                counts.setdefault("gated", Counter()).update(ended)
                problems += worse
    print(json.dumps({"outcomes": counts, "problems": problems}, indent=None if given.json else 1))
    sys.exit(bool(problems))


def work(mutants: Mutants) -> None:
    """Judge each number read from stdin; answer with a line."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a command prints goes to the log
    for line in sys.stdin:
        answers.write(json.dumps(judged(mutants, int(line))) + "\n")
        answers.flush()


def judged(mutants: Mutants, number: int) -> list[str]:
    """Return the edits, the outcome and what must not be of one file."""
    source, edits, tflite = mutants.make(number)
    try:
        return [edits, _read(mutants.all[source], tflite, number), ""]
    except BaseException:  # noqa: BLE001 whatever it is, it must not be
        return [edits, "traceback", f"{source}, {edits}: {traceback.format_exc(limit=-4)}"]


def _read(source: bytes, tflite: bytes, number: int) -> str:
    """Take a file through parser, inspect and compare; AssertionError if they disagree."""
    try:
        parse(tflite)
        is_sound = True
    except LitegateError:
        is_sound = False
    with tempfile.TemporaryDirectory() as folder:
        base, head = Path(folder) / "base.tflite", Path(folder) / "head.tflite"
        base.write_bytes(source)
        head.write_bytes(tflite)
        more = ("--json",) if number % 2 else ()
        inspected, printed = command("inspect", str(head), *more)
        pair = (base, head) if number % 3 else (head, base)
        compared, _ = command("compare", *map(str, pair), *more)
    if inspected != int(not is_sound) or compared not in ((0, 1, 2) if is_sound else (2,)):
        raise AssertionError(f"inspect {inspected}, compare {compared}, parsed {is_sound}")
    if any(line.startswith("::") for line in printed.splitlines()):
        raise AssertionError("a line of output is a workflow command")
    return "read" if is_sound else "refused"


class Worker:
    """A process that judges files until one kills it."""

    def __init__(self, arguments: list[str], log: Any) -> None:
        """Start it."""
        self.number, self.allowed, self.since = -1, SECONDS + START_UP, 0.0
        self.process = subprocess.Popen(
            [sys.executable, __file__, *arguments, "--worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def begin(self, number: int) -> None:
        """Send a number."""
        self.number, self.since = number, time.monotonic()
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()

    def end(self) -> list[str]:
        """Return the answer, or how the process ended."""
        line = self.process.stdout.readline()
        self.allowed = SECONDS
        if line:
            answer: list[str] = json.loads(line)
            return answer
        code = self.process.wait()
        return ["", "signal", f"{signal.Signals(-code).name if code < 0 else code}"]


def read_all(mutants: Mutants, given: Any) -> tuple[dict[str, Counter[str]], list[str]]:
    """Send all numbers to the workers; outcomes by edit, and what must not be."""
    counts: dict[str, Counter[str]] = {}
    problems: list[str] = []
    arguments = ["0", "--seed", str(given.seed)]
    arguments += ["--files", str(given.files)] if given.files else []
    numbers = iter(range(given.count))
    with tempfile.TemporaryFile() as log:
        busy = [Worker(arguments, log) for _ in range(given.workers)]
        for worker in [*busy]:
            if not _next(worker, numbers):
                busy.remove(worker)
        while busy:
            for worker, (told, ended, problem) in _answers(busy):
                edits = told or mutants.make(worker.number)[1]
                for edit in edits.split("+"):
                    counts.setdefault(edit, Counter())[ended] += 1
                if problem:
                    problems.append(f"file {worker.number}, {edits}, {ended}: {problem}")
                    print(problems[-1], file=sys.stderr, flush=True)
                    if given.keep:
                        given.keep.mkdir(exist_ok=True)
                        kept = given.keep / f"{worker.number}.tflite"
                        kept.write_bytes(mutants.make(worker.number)[2])
                if worker.number % 1000 == 0:
                    print(f"{worker.number:,} of {given.count:,}", file=sys.stderr, flush=True)
                is_dead = ended in ("signal", "hang")
                follower = Worker(arguments, log) if is_dead else worker
                busy.remove(worker)
                if _next(follower, numbers):
                    busy.append(follower)
    return counts, problems


def _next(worker: Worker, numbers: Iterator[int]) -> bool:
    """Send the worker its next number; end it if there is none."""
    number = next(numbers, None)
    if number is None:
        worker.process.stdin.close()
        worker.process.wait()
        return False
    worker.begin(number)
    return True


def _answers(busy: list[Worker]) -> list[tuple[Worker, list[str]]]:
    """Wait for an answer; end and report workers that have had none for too long."""
    ready, _, _ = select.select([worker.process.stdout for worker in busy], [], [], 1)
    done = [(worker, worker.end()) for worker in busy if worker.process.stdout in ready]
    for worker in busy:
        is_late = time.monotonic() - worker.since > worker.allowed
        if is_late and worker.process.stdout not in ready:
            worker.process.kill()
            worker.process.wait()
            done.append((worker, ["", "hang", f"no answer within {SECONDS} s"]))
    return done


def through_the_gate(
    mutants: Mutants, count: int, share: int, shares: int
) -> tuple[Counter[str], list[str]]:
    """Take one of equal shares of files that LiteRT runs through strip and the gate.

    `count` files in all. Return the outcomes, and what must not be.
    """
    benches = {source.name: bench(source) for source in sources()}
    counts: Counter[str] = Counter()
    problems: list[str] = []
    waiting: list[Damaged] = []
    number, stood, wanted = share, 0, count // shares + (share < count % shares)
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), benches)
        while stood < wanted:
            number += shares
            source, edits, tflite = mutants.make(number, gated=True)
            name = f"gated {number}, {source}, {edits}"
            try:
                ended, is_standing = outcome(benches[source], tflite, SECONDS)
            except Exception:  # noqa: BLE001 the others are gated; each is reported
                ended, is_standing = "problem", False
                problems.append(f"{name}: {traceback.format_exc(limit=-3)}")
            counts[ended] += 1
            if not is_standing:
                continue
            stood += 1
            said, end = forked(lambda: stripped_answers(tflite), 4 * SECONDS)  # noqa: B023
            if said or end:
                problems.append(f"{name}, strip: {said or signal.Signals(end).name}")
            one = Damaged(
                name=f"f{number}",
                source=source,
                sound=benches[source],
                tflite=tflite,
                outcome=ended,
                stood=True,
            )
            waiting.append(one)
            if len(waiting) == TOGETHER or stood == wanted:
                problems += gated(place, waiting, SECONDS)
                waiting = []
                told = f"{stood:,} of {wanted:,} gated, {len(problems)} problems"
                print(f"share {share}: {told}", *problems[-1:], sep="\n", file=sys.stderr)
    return counts, problems


def stripped_answers(tflite: bytes) -> str:
    """Strip a file by the command; return how LiteRT's answers differ, asked without litegate."""
    with tempfile.TemporaryDirectory() as folder:
        given, written = Path(folder) / "given.tflite", Path(folder) / "written.tflite"
        given.write_bytes(tflite)
        command("strip", str(given), "--to", str(written))
        if not written.exists():
            return ""
        before, after = (_answer(path.read_bytes()) for path in (given, written))
    return "" if before == after else "the stripped file answers otherwise"


def _answer(tflite: bytes) -> list[bytes] | str:
    """LiteRT's outputs for seeded noise, or that it refuses."""
    from ai_edge_litert.interpreter import Interpreter

    rng = np.random.default_rng(3)
    try:
        interpreter = Interpreter(model_content=tflite)
        interpreter.allocate_tensors()
        for port in interpreter.get_input_details():
            noise = rng.uniform(0, 100, port["shape"]).astype(port["dtype"])
            interpreter.set_tensor(port["index"], noise)
        interpreter.invoke()
        ports = interpreter.get_output_details()
        return [interpreter.get_tensor(port["index"]).tobytes() for port in ports]
    except (ValueError, RuntimeError, TypeError):
        return "refused"


if __name__ == "__main__":
    main()
