"""Claim: a run in which nothing changed costs at most 1.3 times a bare pytest and LiteRT process.

Ours is `pytest checks/ --litegate-model mnist_cnn --litegate-runtime xnnpack` on a warm store: once
without latency, property and reference-kernel checks, which the claim is about, and once with them.
Theirs is a bare pytest process that reads MNIST and scores the same six files in batches of 100, on
XNNPACK. CPU time, pairs in turn. A `tensorflow` package that raises on import is first on the path.

On a laptop the run takes what the files answered in the last run from the store. With CI=true it
runs every file anew; set it to time that.

LITEGATE_DATA names the folder with mnist.npz.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from side_by_side import Command, compare

from litegate.core.options import parse
from litegate.gate.session import GateSession

PROJECT = Path(__file__).resolve().parent.parent
MODEL = "mnist_cnn"
ROUNDS = int(os.environ.get("ROUNDS", "30"))
CHEAP = ["-m", "not latency", "-k", "not property and not runtimes"]
BARE = """
import os
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

BATCH = 100


def test_top1():
    with np.load(Path(os.environ["LITEGATE_DATA"]) / "mnist.npz") as arrays:
        samples = arrays["x_test"] / np.float32(255)
        labels = arrays["y_test"]
    for file in sorted(Path(__file__).parent.glob("*.tflite")):
        interpreter = Interpreter(model_path=str(file), num_threads=1)
        source = interpreter.get_input_details()[0]
        shape = (BATCH, *source["shape"][1:])
        interpreter.resize_tensor_input(source["index"], shape)
        interpreter.allocate_tensors()
        sink = interpreter.get_output_details()[0]["index"]
        right = 0
        for start in range(0, len(samples), BATCH):
            part = slice(start, start + BATCH)
            interpreter.set_tensor(source["index"], samples[part].reshape(shape))
            interpreter.invoke()
            right += int((interpreter.get_tensor(sink).argmax(1) == labels[part]).sum())
        assert right / len(samples) > 0.9
"""


def main() -> None:
    """Warm the store, write the bare test beside the files, and time both in turn."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        poison = folder / "poison" / "tensorflow"
        poison.mkdir(parents=True)
        (poison / "__init__.py").write_text("raise ImportError('TensorFlow was imported')\n")
        argv = [sys.executable, "-m", "pytest", "-q"]
        gate = [*argv, "checks/", "--litegate-model", MODEL, "--litegate-runtime", "xnnpack"]
        subprocess.run(gate, cwd=PROJECT, check=True)
        print(f"files scored by both: {', '.join(_export(folder / 'bare'))}")
        env = os.environ | {"PYTHONPATH": str(poison.parent)}
        bare = Command("bare", [*argv, "-p", "no:litegate", "."], env, str(folder / "bare"))
        for title, chosen in (("without timing and searches", CHEAP), ("whole", [])):
            ours = Command(f"checks, {title}", [*gate, *chosen], env, str(PROJECT))
            compare(ours, bare, rounds=1)  # compiles the bytecode
            compare(ours, bare, rounds=ROUNDS, cpu=True)


def _export(folder: Path) -> list[str]:
    """Write every artifact that the run evaluates out of the store."""
    folder.mkdir()
    session = GateSession(parse(PROJECT, {}, {}), lambda _model, _event: None, print)
    names = []
    for recipe, artifact in session.stored(session.models[MODEL]).items():
        (folder / f"{recipe}.tflite").write_bytes(artifact.tflite)
        names.append(artifact.name)
    (folder / "test_bare.py").write_text(BARE)
    return names


if __name__ == "__main__":
    main()
