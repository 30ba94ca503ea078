"""`pytest checks/` on a set that is larger than the memory that it takes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "streaming.py"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_five_hundred_megabytes_are_gated_in_no_more_memory_than_fifty(tmp_path):
    """All checks pass, with labels; held as a whole, 500 MB would stand there twice."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "0.05", "0.5", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    small, large = (int(found) for found in re.findall(r"samples: (\d+) MB", done.stdout))
    assert large < small + 50 < 500
    assert not list(tmp_path.iterdir())
