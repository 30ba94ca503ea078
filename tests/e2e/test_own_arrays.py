"""`litegate init --samples` and the first run of the checks, trained for real."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

pytestmark = pytest.mark.slow

LITEGATE = Path(sys.executable).with_name("litegate")


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((8, 8), "uint8"), ((16, 16, 1), "uint8"), ((64,), "float32")],
    ids=["grey pictures", "pictures with a channel", "features"],
)
def test_the_first_verdict_takes_two_commands(tmp_path, shape, dtype):
    """The network that the file begins with is trained, quantized and judged as it stands.

    900 samples are too few for the drop to be small each time: the verdict is not the test's.
    """
    x, y = load_digits(return_X_y=True)
    images = (x.reshape(-1, 8, 8) * 15).repeat(2 if 16 in shape else 1, axis=1)
    images = images.repeat(2 if 16 in shape else 1, axis=2).reshape(-1, *shape).astype(dtype)
    order = np.random.default_rng(1).permutation(len(y))
    images, y = images[order] / (1 if dtype == "uint8" else np.float32(240)), y[order]
    arrays = {"x_train": images[:900], "y_train": y[:900]}
    arrays |= {"x_test": images[900:], "y_test": y[900:]}
    np.savez(tmp_path / "arrays.npz", **arrays)
    _run(tmp_path, LITEGATE, "init", "--samples", "arrays.npz")
    output = _run(tmp_path, sys.executable, "-m", "pytest", "checks/", statuses=(0, 1))
    assert "litegate: 1 model:" in output
    report = json.loads((tmp_path / ".litegate/report/report.json").read_text())
    assert report["errors"] == []
    [row] = [it for it in report["verdicts"] if it["measurement"] == "accuracy drop"]
    assert (row["model"], row["recipe"], row["n"]) == ("arrays", "int8_qat", 897)


def _run(folder, *arguments, statuses=(0,)):
    done = subprocess.run(
        arguments,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "LITEGATE_DATA"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in statuses, done.stdout + done.stderr
    return done.stdout
