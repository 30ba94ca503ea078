"""Claim: a run in which nothing changed costs at most 1.5 times a bare pytest evaluation.

Ours is `pytest checks/` on a warm store without latency, property and reference-kernel checks, with
a `tensorflow` package first on the path that raises on import. Theirs is a bare pytest process that
loads the same artifacts in LiteRT and evaluates the same samples.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from side_by_side import Command, compare

from litegate.core.options import parse
from litegate.gate.session import GateSession

PROJECT = Path(__file__).resolve().parent.parent
ROUNDS = 15
SELECT = ["-m", "not latency", "-k", "not property and not kernels"]
BARE = """
from pathlib import Path
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

FILES = sorted(Path(__file__).parent.glob("*/*.tflite"))

@pytest.mark.parametrize("file", FILES, ids=lambda f: f.parent.name + "-" + f.stem)
def test_top1(file):
    x, y = np.load(file.parent / "x.npy"), np.load(file.parent / "y.npy")
    interpreter = Interpreter(model_path=str(file), num_threads=1)
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    right, size = 0, 1000
    for start in range(0, len(x), size):
        part = x[start:start + size]
        interpreter.resize_tensor_input(source["index"], part.shape)
        interpreter.allocate_tensors()
        if source["dtype"] != np.float32:
            scale, zero = source["quantization"]
            part = np.round(part / scale + zero).astype(source["dtype"])
        interpreter.set_tensor(source["index"], part)
        interpreter.invoke()
        answers = interpreter.get_tensor(sink["index"]).argmax(1)
        right += int((answers == y[start:start + size]).sum())
    assert right / len(x) > 0.9
"""


def main() -> None:
    """Warm the store, write the bare test beside its artifacts, and time both in turn."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        poison = folder / "poison" / "tensorflow"
        poison.mkdir(parents=True)
        (poison / "__init__.py").write_text("raise ImportError('TensorFlow was imported')\n")
        argv = [sys.executable, "-m", "pytest", "-q"]
        subprocess.run([*argv, "checks/", *SELECT], cwd=PROJECT, check=True)
        evaluated = _export(folder / "bare")
        env = os.environ | {"PYTHONPATH": str(poison.parent)}
        print(f"artifacts evaluated by both: {', '.join(evaluated)}")
        compare(
            Command("pytest checks/, warm", [*argv, "checks/", *SELECT], env, str(PROJECT)),
            Command("bare pytest", [*argv, "-p", "no:litegate", "."], env, str(folder / "bare")),
            rounds=ROUNDS,
        )


def _export(folder: Path) -> list[str]:
    """Write every artifact that the run evaluates, and its samples, out of the store."""
    options = parse(PROJECT, {}, {})
    session = GateSession(options, lambda _model, _event: None, print)
    names = []
    for model in session.models.values():
        place = folder / model.name
        place.mkdir(parents=True)
        for recipe, artifact in session.stored(model).items():
            (place / f"{recipe}.tflite").write_bytes(artifact.tflite)
            names.append(artifact.name)
        np.save(place / "x.npy", artifact.evaluation.x)
        np.save(place / "y.npy", artifact.evaluation.y)
    (folder / "test_bare.py").write_text(BARE)
    return names


if __name__ == "__main__":
    main()
