"""Files whose structure is changed: through commands, strip and the gate without an accident."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
pytestmark = pytest.mark.slow


def mutations(*args, timeout):
    """Run the script; gives its outcomes by kind of edit, and what must not be."""
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "structure_mutations.py", *args, "--json"],
        env={name: value for name, value in os.environ.items() if name != "LITEGATE_STORE"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert done.returncode == bool(told["problems"])
    return told["outcomes"], told["problems"]


def test_no_edit_ends_in_a_traceback_or_a_wrong_pass():
    outcomes, problems = mutations("500", "--gated", "20", "--workers", "2", timeout=1800)
    assert not problems
    gated = outcomes.pop("gated")
    assert sum(gated[outcome] for outcome in gated if outcome.startswith("ran")) >= 20
    assert {"indices", "shapes", "types", "buffers", "quantization"} < outcomes.keys()
    assert {"signatures", "sparsity", "names", "options", "operators"} < outcomes.keys()
    total = sum(map(Counter, outcomes.values()), Counter())
    assert total["read"] > 100
    assert total["refused"] > 100
