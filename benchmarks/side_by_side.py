"""Time two commands in turn, so that both meet the same machine, and compare pair by pair."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """A command with its environment and what must be done before each run."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    before: Callable[[], None] = lambda: None


def seconds(command: Command, *, cpu: bool = False) -> float:
    """Wall time of one run, or the CPU time of all its processes; ends the program if it fails."""
    command.before()
    before, began = _cpu_seconds(), time.perf_counter()
    run = subprocess.run(
        command.argv,
        env={k: v for k, v in command.env.items() if k != "PYTHONDONTWRITEBYTECODE"},
        cwd=command.cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    spent = _cpu_seconds() - before if cpu else time.perf_counter() - began
    if run.returncode:
        sys.exit(f"{command.name} failed:\n{run.stdout[-4000:]}\n{run.stderr[-4000:]}")
    return spent


def _cpu_seconds() -> float:
    """CPU seconds of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def peak_memory(command: Command, *, worst: int = 0) -> tuple[float, float]:
    """Peak memory in MB of a run's largest process, and CPU seconds of all.

    Ends the program if the exit status is above `worst`.
    """
    command.before()
    reader, writer = os.pipe()
    if not (child := os.fork()):  # its own children alone count for RUSAGE_CHILDREN
        run = subprocess.run(
            command.argv,
            env=command.env,
            cwd=command.cwd,
            capture_output=True,
            text=True,
            check=False,
        )
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        numbers = (usage.ru_maxrss / 1e3, usage.ru_utime + usage.ru_stime, run.returncode)
        os.write(writer, json.dumps([*numbers, (run.stdout + run.stderr)[-4000:]]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        peak, cpu, status, output = json.load(pipe)
    os.waitpid(child, 0)
    if status > worst:
        sys.exit(f"{command.name} failed:\n{output}")
    return peak, cpu


def compare(ours: Command, theirs: Command, *, rounds: int, cpu: bool = False) -> float:
    """Print both commands' times and the ratios of the pairs; return the median ratio.

    `cpu` compares CPU time, which other processes of the machine disturb less than wall time.
    """
    pairs = [(seconds(ours, cpu=cpu), seconds(theirs, cpu=cpu)) for _ in range(rounds)]
    ratios = sorted(a / b for a, b in pairs)
    unit = "s of CPU" if cpu else "s"
    for name, times in ((ours.name, [a for a, _ in pairs]), (theirs.name, [b for _, b in pairs])):
        median, least = statistics.median(times), min(times)
        print(f"{name:42} median {median:7.2f} {unit}  least {least:7.2f} {unit}")
    difference = statistics.median(a - b for a, b in pairs)
    median = statistics.median(ratios)
    print(f"ratio: median {median:.3f}, {ratios[0]:.3f} to {ratios[-1]:.3f} in {rounds} pairs")
    print(f"difference: median {1000 * difference:+.0f} ms")
    return median
