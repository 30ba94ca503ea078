"""A class of `mnist_cnn` got worse: whoever opens the page sees which, and into what."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import needs
import numpy as np
import pytest

from litegate.build.store import Store
from litegate.gate.evidence import in_store
from litegate.testing import revalue
from litegate.testing.store import fill_store
from litegate.tflite.parser import parse

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
MODEL = "models/mnist_cnn.py"
WORSE = "4"
"""The class that is degraded."""
LOWERED = 6.0
"""By how much its logit is."""


def gate(project, report, *args):
    """`pytest checks/...` as a user starts it; the report as JSON."""
    argv = [sys.executable, "-m", "pytest", *args, f"--litegate-report={report}", "-q"]
    argv += ["--litegate-model", "mnist_cnn", "--litegate-recipe", "int8_qat"]
    env = {k: v for k, v in os.environ.items() if k not in ("CI", "LITEGATE_STORE")}
    done = subprocess.run(
        argv, cwd=project, env=env, capture_output=True, text=True, timeout=600, check=False
    )
    assert (report / "report.json").exists(), done.stdout + done.stderr
    return json.loads((report / "report.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def trained(tmp_path_factory, data_directory):
    """The real network's files and its evaluation split, by role."""
    folder = tmp_path_factory.mktemp("trained")
    store = f"--litegate-store={folder / 'store'}"
    told = gate(PROJECT, folder / "report", "checks/test_accuracy.py", store)
    lookup, [row] = in_store(Store(folder / "store"), told["splits"]), told["comparisons"]
    return {role: lookup(row, role) for role in ("candidate", "reference")}


def degraded(tflite):
    """The same file with the logit of one class lowered."""
    bias = last_bias(tflite)
    scale = bias.scales[int(WORSE) % len(bias.scales)]

    def change(values):
        lower = np.zeros_like(values)
        lower[int(WORSE)] = round(LOWERED / scale)
        return values - lower

    return revalue(tflite, bias.name, change)


def last_bias(tflite):
    """The bias of the last layer: ten integers."""
    [found] = [t for t in parse(tflite).main.tensors if t.shape == (10,) and t.is_constant]
    return found


@pytest.fixture
def repository(tmp_path, trained):
    """The model as its base has it, and on a branch with one class degraded."""
    (tmp_path / "models").mkdir()
    (tmp_path / "checks").mkdir()
    shutil.copy(PROJECT / MODEL, tmp_path / MODEL)
    for name in ("test_regression.py", "test_weakened_limits.py"):
        shutil.copy(PROJECT / "checks" / name, tmp_path / "checks")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / ".gitignore").write_text(".litegate\n__pycache__\n")
    _plant(tmp_path, trained, trained["candidate"].tflite)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for step in ("init -q -b main", "add -A", "commit -qm base", "checkout -qb topic"):
        subprocess.run(["git", *identity, *step.split()], cwd=tmp_path, check=True)
    text = (tmp_path / MODEL).read_text("utf-8")
    (tmp_path / MODEL).write_text(text.replace("seed=7", "seed=8"))
    _plant(tmp_path, trained, degraded(trained["candidate"].tflite))
    return tmp_path


def _plant(project, trained, tflite):
    reference = trained["reference"].tflite
    files = {"float32": reference, "float32+1": reference, "int8_qat": tflite}
    fill_store(project, "mnist_cnn", files, split=trained["candidate"].evaluation)


@needs.tflm
def test_the_flip_sheet_shows_the_digits_of_the_class_that_got_worse(repository, opened):
    told = gate(repository, repository / "report", "checks/", "--against=main", "-m", "not latency")
    failed, on_tflm = [row for row in told["verdicts"] if row["verdict"] == "fail"]
    assert on_tflm["measurement"] == f"{failed['measurement']} on tflm"
    tab, complaints = opened(repository / "report" / "report.html")
    top = tab.locator("details.finding").first
    assert top.locator(".name").inner_text() == failed["measurement"]
    top.locator("summary").click()
    assert failed["evidence"][0] in top.locator(".facts li").all_inner_texts()

    lead = tab.locator("h4:has-text('Flip sheet') + p").inner_text()
    assert "Against its base" in lead
    assert f"Class “{WORSE}” loses most" in lead

    worst = tab.locator(".flipped").first
    assert worst.locator("h5").inner_text().startswith(f"class “{WORSE}”")
    shown = worst.locator("li.lost")
    assert shown.count() >= 20
    for flip in shown.all():
        assert flip.locator("img").is_visible()
        assert flip.locator(".was").inner_text().split()[:2] == ["✓", WORSE]
        sign, now = flip.locator(".now").inner_text().split()[:2]
        assert sign == "✗"
        assert now != WORSE
    assert tab.locator("table.classes tbody th").first.inner_text() == WORSE
    assert not complaints
