"""README.md does what it says: a newcomer can follow it to the letter."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from documents import PROJECT, parsed

README = (PROJECT / "README.md").read_text("utf-8")


def _section(title):
    """A section of the README, up to the next one."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.fixture
def newcomer(tmp_path):
    """Runs a block of shell as a newcomer in a folder of their own; gives the finished process."""
    dropped = ("CI", "LITEGATE_STORE", "LITEGATE_DATA", "PYTEST_ADDOPTS")
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    env |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"}

    def run(block):
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.mark.slow
def test_a_newcomer_gates_a_model_of_their_own(newcomer, tmp_path):
    """The five minutes: the example, then own data and network, the digests, the export."""
    section = _section("Gate your own model in five minutes")
    found = list(parsed(section))
    start, replace, gate, export = (block.text for block in found if block.kind == "sh")
    model = next(block.text for block in found if "@lg.model" in block.text)
    data = next(block.text for block in found if "np.savez" in block.text)

    first = newcomer(start)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "PASS     my_model/int8_qat" in first.stdout

    assert newcomer(replace).returncode == 0
    (tmp_path / "make_data.py").write_text(data)
    assert newcomer("python make_data.py").returncode == 0
    (tmp_path / "models" / "keyword.py").write_text(model)

    stopped = newcomer("pytest checks/")
    assert stopped.returncode == 1
    assert "the data set keywords has no digests yet" in stopped.stdout
    assert "`litegate digests keyword --write`" in stopped.stdout

    gated = newcomer(gate)
    assert gated.returncode == 0, gated.stdout + gated.stderr
    assert "PASS     keyword/int8_qat" in gated.stdout

    exported = newcomer(export)
    assert exported.returncode == 0, exported.stdout + exported.stderr
    shipped = (tmp_path / "app" / "keyword.tflite").read_bytes()
    assert hashlib.sha256(shipped).hexdigest() in exported.stdout
