"""README.md does what it says: its blocks are sound, and a newcomer can follow it to the letter."""

import hashlib
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text("utf-8")
BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
PASTE = re.compile(r"^    digests=\{\n(?: {8}.*\n)+    \},\n", re.MULTILINE)


def _blocks(text, kind):
    """The code blocks of one language, in order."""
    found = (match.groupdict() for match in BLOCK.finditer(text))
    return [textwrap.dedent(each["text"]) for each in found if each["kind"] == kind]


def _section(title):
    """A section of the README, up to the next one."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _document(path):
    return path.relative_to(PROJECT).as_posix()


@pytest.mark.parametrize(
    "path", [PROJECT / "README.md", *sorted(PROJECT.glob("docs/*.md"))], ids=_document
)
def test_python_in_documents_compiles(path):
    """Whatever is shown can at least be typed in."""
    for block in _blocks(path.read_text("utf-8"), "python"):
        compile(block, str(path), "exec")


def test_shell_in_the_readme_parses():
    """As bash reads it, without running it."""
    for block in _blocks(README, "sh"):
        subprocess.run(["bash", "-n", "-c", block], check=True)


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


def _keywords(samples, seed):
    """Three words as a spectrogram would show them: a bright band at one of three heights."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 3, samples).astype(np.uint8)
    images = draw.integers(0, 80, (samples, 49, 40, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[16 * label : 16 * (label + 1)] += 120
    return images, labels


@pytest.mark.slow
def test_a_newcomer_gates_a_model_of_their_own(newcomer, tmp_path):
    """The five minutes: the example, then own data and network, the digests pasted, the export."""
    section = _section("Gate your own model in five minutes")
    start, replace, gate, export = _blocks(section, "sh")
    model = next(block for block in _blocks(section, "python") if "@lg.model" in block)

    first = newcomer(start)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "PASS     my_model/int8_qat" in first.stdout

    train, test = _keywords(600, seed=1), _keywords(400, seed=2)
    (tmp_path / "data").mkdir()
    arrays = dict(zip(("x_train", "y_train", "x_test", "y_test"), train + test, strict=True))
    np.savez(tmp_path / "data" / "keywords.npz", **arrays)
    assert newcomer(replace).returncode == 0
    (tmp_path / "models" / "keyword.py").write_text(model)

    stopped = newcomer(gate)
    assert stopped.returncode == 1
    assert "the data set keywords has no digests yet" in stopped.stdout
    (paste,) = PASTE.findall(stopped.stdout)
    pasted, count = re.subn(r"^    digests=\{\},.*\n", paste, model, flags=re.MULTILINE)
    assert count == 1
    (tmp_path / "models" / "keyword.py").write_text(pasted)

    gated = newcomer(gate)
    assert gated.returncode == 0, gated.stdout + gated.stderr
    assert "PASS     keyword/int8_qat" in gated.stdout

    exported = newcomer(export)
    assert exported.returncode == 0, exported.stdout + exported.stderr
    shipped = (tmp_path / "app" / "keyword.tflite").read_bytes()
    assert hashlib.sha256(shipped).hexdigest() in exported.stdout
