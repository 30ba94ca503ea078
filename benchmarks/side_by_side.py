"""Time two commands in turn, so that both meet the same machine, and compare pair by pair."""

from __future__ import annotations

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


def seconds(command: Command) -> float:
    """Wall time of one run; ends the program where the command fails."""
    command.before()
    began = time.perf_counter()
    done = subprocess.run(
        command.argv,
        env={k: v for k, v in command.env.items() if k != "PYTHONDONTWRITEBYTECODE"},
        cwd=command.cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    spent = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{command.name} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return spent


def compare(ours: Command, theirs: Command, *, rounds: int) -> float:
    """Print both commands' times and the ratios of the pairs; the median ratio."""
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    ratios = sorted(a / b for a, b in pairs)
    for name, times in ((ours.name, [a for a, _ in pairs]), (theirs.name, [b for _, b in pairs])):
        print(f"{name:42} median {statistics.median(times):7.2f} s  least {min(times):7.2f} s")
    median = statistics.median(ratios)
    print(f"ratio: median {median:.3f}, {ratios[0]:.3f} to {ratios[-1]:.3f} in {rounds} pairs")
    return median
