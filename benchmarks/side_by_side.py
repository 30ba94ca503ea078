"""Time two commands in turn, so that both meet the same machine, and compare pair by pair."""

from __future__ import annotations

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
