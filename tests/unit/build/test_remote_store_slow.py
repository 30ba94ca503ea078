"""Writers of a bucket that are killed at any moment."""

import os
import random
import subprocess
import sys
import time

import pytest

from litegate.build.remote_maintenance import entries, verify

pytest.importorskip("obstore")
pytestmark = pytest.mark.slow
WRITER = """
import sys
from pathlib import Path
from litegate.build.remote_store import RemoteStore
from litegate.build.store import EVALUATIONS, Store
folder, url, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
store = Store(folder / "store", remote=RemoteStore(url, on_notice=print))
print("ready", flush=True)
for number in range(10_000):
    source = folder / "source"
    source.write_bytes(f"{name} {number}".encode() * 10_000)
    store.put(EVALUATIONS, f"{int(name):032x}{number:032x}", {"a": source})
"""


def test_a_writer_killed_at_any_moment_leaves_no_wrong_entry(machine, url, tmp_path):
    """Twenty kills; all that has a manifest verifies, and there are such entries."""
    moments = random.Random(0)
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        argv = [sys.executable, "-c", WRITER, str(folder), url, str(number)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, env=os.environ) as writer:
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(moments.uniform(0, 0.6))
            writer.kill()
    remote = machine("reader", required=True)[0].remote
    assert entries(remote)
    assert list(verify(remote)) == []
