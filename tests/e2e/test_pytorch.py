"""A network of PyTorch through docs/how-to/pytorch.md, in an environment of its own.

Which index pip asks for packages, and where it has the CPU wheel of torch, is this machine's own
configuration (pip.conf or PIP_*), never the project's.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
from documents import blocks, name
from needs import quantizer
from projects import BareProject

from litegate.data.digests import array_digest

pytestmark = [pytest.mark.slow, pytest.mark.torch, quantizer]

REQUIREMENTS = ("litert-torch==0.10.*", "torch==2.13.*")
PAGE = "docs/how-to/pytorch.md"
NETWORK = '''
import torch


class Keywords(torch.nn.Module):
    """Two convolutions, a mean over each map, a dense layer: enough weights to get smaller."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, 3, stride=2),
            torch.nn.ReLU(),
            torch.nn.Conv2d(8, 32, 3, stride=2),
            torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(32, 3),
        )

    def forward(self, x):
        return self.layers(x)


if __name__ == "__main__":
    torch.manual_seed(7)
    torch.save(Keywords().state_dict(), "export/keywords.pt")
'''
MODEL = """
import numpy as np

import litegate as lg


def load(_locations):
    with np.load("data/keywords.npz") as arrays:
        return lg.Splits(**arrays)


def unchanged(samples):
    return samples


keywords = lg.prebuilt(
    reference=lg.File(path="export/out/keywords_float32.tflite", command={COMMAND}),
    recipes=[lg.recipes.static_wi8_ai8()],
    data=lg.Data(
        name="keywords",
        load=load,
        preprocess=unchanged,
        digests={DIGESTS},
        domain=(0, 1),
        classes=("yes", "no", "other"),
    ),
    budget=lg.Budget(output_error=lg.percent(10)),
)
"""


def pip(*arguments, python=sys.executable):
    return subprocess.run(
        [python, "-m", "pip", *arguments], capture_output=True, text=True, check=False, timeout=1800
    )


def missing_torch():
    """Say why this machine cannot have the environment; empty if it can. Installs nothing."""
    options = ("--dry-run", "--ignore-installed", "--quiet", "--report", "-")
    asked = pip("install", *options, "--only-binary", ":all:", *REQUIREMENTS)
    if asked.returncode:
        return f"pip does not find {', '.join(REQUIREMENTS)}"
    rows = json.loads(asked.stdout)["install"]
    names = {row["metadata"]["name"].lower() for row in rows}
    if any(it.startswith("nvidia-") for it in names):
        return "pip finds only the CUDA build of torch, 3 GB"
    return ""


@pytest.fixture(scope="module")
def torch_python(tmp_path_factory):
    """The Python of an environment with torch and litert-torch."""
    if reason := missing_torch():
        pytest.skip(f"NOT RUN: {reason}")
    folder = tmp_path_factory.mktemp("torch")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    done = pip("install", "--quiet", *REQUIREMENTS, python=python)
    assert done.returncode == 0, done.stderr
    return python


def page_blocks():
    """The export script and the check of the page."""
    texts = [block.text for block in blocks("python") if name(block.page) == PAGE]
    (script,) = [text for text in texts if "litert_torch.convert" in text]
    (check,) = [text for text in texts if "def test_the_float_file" in text]
    return script, check


def test_the_page_has_a_script_and_a_check_that_agree_on_the_file():
    script, check = page_blocks()
    assert "keywords_eager.npy" in script
    assert "keywords_eager.npy" in check


@pytest.fixture(scope="module")
def project(tmp_path_factory, torch_python):
    """The page's project; its network has drawn weights, and its own answers are the labels."""
    project = BareProject(tmp_path_factory.mktemp("pytorch"))
    script, check = page_blocks()
    for folder in ("export", "data"):
        (project.path / folder).mkdir()
    (project.path / "export" / "network.py").write_text(NETWORK)
    (project.path / "export" / "convert.py").write_text(script)
    (project.path / "checks" / "test_exporter.py").write_text(check)
    rng = np.random.default_rng(3)
    arrays = {
        "x_train": rng.random((60, 1, 49, 40), np.float32),
        "x_test": rng.random((100, 1, 49, 40), np.float32),
        "y_test": rng.integers(3, size=100),
    }
    np.savez(project.path / "data" / "keywords.npz", **arrays)
    weights = [torch_python, "export/network.py"]
    subprocess.run(weights, cwd=project.path, check=True, timeout=300)
    digests = {key: str(array_digest(array)) for key, array in arrays.items()}
    text = MODEL.replace("{DIGESTS}", repr(digests))
    text = text.replace("{COMMAND}", repr(f"{torch_python} export/convert.py"))
    (project.path / "models" / "keywords.py").write_text(text)
    return project


def test_the_exported_file_is_judged_and_answers_as_pytorch(project):
    done = project.gate()
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["measurement"]: row for row in project.report["verdicts"]}
    assert rows["exporter difference"]["verdict"] == "pass"
    assert rows["output error"]["verdict"] == "pass"


def test_a_network_that_was_not_the_exported_one_is_noticed(project):
    """The saved answers are those of other weights."""
    eager = project.path / "export" / "out" / "keywords_eager.npy"
    script = project.path / "export" / "convert.py"
    script.write_text(script.read_text().replace("eager.numpy()", "eager.numpy() + 0.1"))
    done = project.gate("-k", "exporter or float_file")
    assert np.load(eager).shape == (100, 3)
    assert done.returncode == 1
    assert "exporter difference" in done.stdout
