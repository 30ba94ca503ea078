"""README.md, the tutorial and a how-to: a newcomer can follow them to the letter."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from documents import PROJECT, blocks

README = PROJECT / "README.md"
TUTORIAL = PROJECT / "docs" / "tutorial" / "first_gate.md"
KERAS3 = PROJECT / "docs" / "how-to" / "keras3.md"
MICROCONTROLLER = PROJECT / "docs" / "how-to" / "microcontroller.md"


@pytest.fixture
def newcomer(tmp_path):
    """Run a block of shell in a newcomer's folder, or one below it."""
    dropped = ("CI", "LITEGATE_STORE", "LITEGATE_DATA", "PYTEST_ADDOPTS")
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    env |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}", "COLUMNS": "200"}
    for role in ("GIT_AUTHOR", "GIT_COMMITTER"):
        env |= {f"{role}_NAME": "a", f"{role}_EMAIL": "a@example.com"}

    def run(block, folder=".", status=0):
        argv = ["bash", "-euo", "pipefail", "-c", block.text]
        done = subprocess.run(
            argv,
            cwd=tmp_path / folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_the_first_verdict_of_the_readme(newcomer, tmp_path):
    """A newcomer's arrays, and the network that the model file begins with."""
    subprocess.run([sys.executable, "-c", ARRAYS], cwd=tmp_path, check=True)
    [block] = (it for it in blocks("sh", pages=[README]) if "ARRAYS.npz" in it.text)
    # The environment is this one.
    _, pip, commands = block.text.partition('"litegate[edit,train]"\n')
    assert pip
    assert "PASS     arrays/int8_qat" in newcomer(replace(block, text=commands))


ARRAYS = """
import numpy as np
rng = np.random.default_rng(0)
splits = {}
for split, n in (("train", 1200), ("test", 600)):
    y = rng.integers(0, 10, n)
    x = rng.integers(0, 100, (n, 20, 20)) + 150 * (np.arange(20) == 2 * y[:, None])[:, None]
    splits |= {f"x_{split}": x.astype(np.uint8), f"y_{split}": y}
np.savez("ARRAYS.npz", **splits)
"""
PICTURES = """
import numpy as np, tensorflow as tf
rng = np.random.default_rng(0)
for split in ("train", "test"):
    for number, name in enumerate(("go", "stop")):
        for index in range(64):
            image = rng.integers(0, 100, (32, 32, 3)) + 150 * np.eye(3, dtype=int)[number]
            png = tf.io.encode_png(image.astype(np.uint8))
            tf.io.write_file(f"signs/{split}/{name}/{index}.png", png)
"""
NETWORK = """
def sign_net():
    import keras

    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.MaxPooling2D(4),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )
"""


@pytest.mark.slow
def test_pictures_and_a_keras_3_network_are_gated(newcomer, tmp_path):
    """Red noise is to go, green noise is to stop."""
    start, gate, *_ = (block for block in blocks("sh", pages=[KERAS3]))
    builder, *_ = blocks("python", pages=[KERAS3])
    (tmp_path / "write.py").write_text(PICTURES)
    subprocess.run([sys.executable, "write.py"], cwd=tmp_path, check=True)
    newcomer(start)
    assert "PASS     signs/int8_qat" in newcomer(gate)
    model = tmp_path / "models" / "signs.py"
    declared, _, _ = model.read_text("utf-8").partition("def signs(")
    model.write_text(f"{declared}{builder.text}\n", "utf-8")
    (tmp_path / "network.py").write_text(NETWORK)
    assert "PASS     signs/int8_qat" in newcomer(gate)


@pytest.mark.slow
def test_the_first_verdict_on_pictures_of_the_readme(newcomer, tmp_path):
    """With the network that the model file begins with."""
    [verdict] = (it for it in blocks("sh", pages=[README]) if "--pictures" in it.text)
    (tmp_path / "write.py").write_text(PICTURES)
    subprocess.run([sys.executable, "write.py"], cwd=tmp_path, check=True)
    commands = verdict.text.replace("FOLDER", "signs")
    assert "PASS     signs/int8_qat" in newcomer(replace(verdict, text=commands))


def _failures(*pages):
    """The lines of failures that the pages quote, apart from what they leave out."""
    quoted = (block.text for block in blocks("", pages=pages) if block.text.startswith("FAIL"))
    for text in quoted:
        yield [line for line in text.splitlines() if line.strip() != "..."]


def _apply(diff, file):
    """Replace the line that a diff removes by the one that it adds."""
    old, new = (line[1:] for line in diff.text.splitlines())
    text = file.read_text("utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), "utf-8")


@pytest.mark.slow
def test_the_tutorial_goes_from_nothing_to_a_red_and_a_green_pull_request(newcomer, tmp_path):
    project = tmp_path / "keyword"
    script, declaration = blocks("python", pages=[TUTORIAL])
    wider, coarser = blocks("diff", pages=[TUTORIAL])
    start, gate, commit, red, green, export = blocks("sh", pages=[TUTORIAL])

    assert "wrote  models/my_model.py" in newcomer(start)
    (project / "make_data.py").write_text(script.text, "utf-8")
    model = project / "models" / "keyword.py"
    model.write_text(declaration.text, "utf-8")

    assert "litegate: 1 model: 12 pass" in newcomer(gate, "keyword")
    newcomer(commit, "keyword")

    _apply(wider, model)
    told = newcomer(red, "keyword", status=1)
    for failure in _failures(README, TUTORIAL):
        assert [line for line in failure if line not in told] == []

    _apply(coarser, model)
    assert "litegate: 1 model: 19 pass" in newcomer(green, "keyword")

    exported = newcomer(export, "keyword")
    shipped = (project / "app" / "keyword.tflite").read_bytes()
    assert hashlib.sha256(shipped).hexdigest() in exported


@pytest.mark.slow
def test_the_model_of_the_microcontroller_is_within_its_limits(newcomer, tmp_path):
    """Only the file in the firmware is missing, until the page's last command writes it."""
    [declaration] = blocks("python", pages=[MICROCONTROLLER])
    *_, export = blocks("sh", pages=[MICROCONTROLLER])
    newcomer(replace(export, text="litegate init && rm models/my_model.py"))
    (tmp_path / "models" / "digits.py").write_text(declaration.text, "utf-8")
    gate = replace(export, text="pytest checks/")
    assert f"run `{export.text.strip()}`" in newcomer(gate, status=1)
    newcomer(export)
    newcomer(gate)
