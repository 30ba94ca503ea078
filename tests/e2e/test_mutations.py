"""Damaged `.tflite` files, all the way: an error in words or a true verdict, never an accident."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "mutations.py"
FOLDERS = ("LITEGATE_DATA", "LITEGATE_STORE")
"""Where files besides the tiny ones are found."""


def mutations(files, *args, timeout, **env):
    """Run the script; gives its outcomes by kind of damage, and what must not be."""
    done = subprocess.run(
        [sys.executable, SCRIPT, str(files), "--json", *args],
        env={name: value for name, value in os.environ.items() if name not in FOLDERS} | env,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert done.returncode == bool(found["problems"])
    return found["outcomes"], found["problems"]


def test_damage_ends_in_words_or_in_a_true_verdict():
    """Through `litegate inspect`, `litegate compare` and the gate, too."""
    outcomes, problems = mutations(40, "--seed", "3", timeout=300)
    assert not problems
    assert {kind: sum(found.values()) for kind, found in outcomes.items()} == {
        "truncated": 8,
        "flipped": 8,
        "zeroed": 8,
        "overwritten": 8,
        "spliced": 8,
    }
    assert outcomes["truncated"] == {"refused by the parser": 8}
    total = sum(map(Counter, outcomes.values()), Counter())
    for outcome in ("refused by LiteRT", "ran, failed a limit", "ran within limits"):
        assert total[outcome] > 0


@pytest.mark.slow
def test_two_thousand_damaged_files_end_so():
    """The tiny kinds, MLPerf Tiny's files and what the store holds, where there are."""
    folders = {name: os.environ[name] for name in FOLDERS if name in os.environ}
    outcomes, problems = mutations(2_000, "--seed", "2", timeout=3600, **folders)
    assert not problems
    assert sum(map(Counter, outcomes.values()), Counter()).total() == 2_000
