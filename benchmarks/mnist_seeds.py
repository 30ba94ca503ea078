"""Claim: the gate's training is the walk's: five seeds of `mnist_cnn`, float, fair control and QAT.

Builds every recipe of `models/mnist_cnn.py` with seeds 1 to 5 in a store of its own, evaluates the
files in LiteRT, and prints a table.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from litegate.core.options import parse
from litegate.gate.session import GateSession
from litegate.measures.accuracy import accuracy, accuracy_drop, flips
from litegate.spec import Artifact

PROJECT = Path(__file__).resolve().parent.parent
SEEDS = range(1, 6)
SHOWN = ("float32", "float32+1", "int8_qat", "int8_qat_scratch", "dynamic_range", "int8_ptq")


def main() -> None:
    """Print a row for each seed and recipe, and the means."""
    if "LITEGATE_DATA" not in os.environ:
        sys.exit("set LITEGATE_DATA to a folder with mnist.npz")
    with TemporaryDirectory() as name:
        found = [_build(Path(name) / str(seed), seed) for seed in SEEDS]
    print(f"{'recipe':18} {'seed':>4} {'train':>8} {'validation':>10} {'bytes':>7}")
    for recipe in SHOWN:
        made = [artifacts[recipe] for artifacts in found]
        for seed, artifact in zip(SEEDS, made, strict=True):
            shares = f"{_train(artifact):8.2f} {_top1(artifact):10.2f}"
            print(f"{recipe:18} {seed:4} {shares} {len(artifact.tflite):7,}")
        means = (statistics.mean(map(f, made)) for f in (_train, _top1))
        print("{:18} mean {:8.2f} {:10.2f}".format(recipe, *means))
    print("\ndrop of int8_qat against its fair control and against float32, points; flips")
    for seed, artifacts in zip(SEEDS, found, strict=True):
        qat, control, plain = (artifacts[n] for n in ("int8_qat", "float32+1", "float32"))
        drops = [float(accuracy_drop(r, qat).value) * 100 for r in (control, plain)]
        pairs = flips(control, qat)
        print(f"seed {seed}: {drops[0]:+.2f}, {drops[1]:+.2f}; {pairs.broken + pairs.fixed} flips")


def _build(project: Path, seed: int) -> dict[str, Artifact]:
    models = project / "models"
    models.mkdir(parents=True)
    source = (PROJECT / "models" / "mnist_cnn.py").read_text("utf-8")
    (models / "mnist_cnn.py").write_text(re.sub(r"seed=\d+", f"seed={seed}", source))
    session = GateSession(parse(project, {}, {}), lambda _model, _event: None, print)
    model = session.models["mnist_cnn"]
    return {recipe: session.artifact(model, recipe) for recipe in _together(session, SHOWN)}


def _together(session: GateSession, recipes: tuple[str, ...]) -> tuple[str, ...]:
    """Build all recipes in one run of the tool chain."""
    session.pipeline.ensure(session.models["mnist_cnn"], recipes)
    return recipes


def _train(artifact: Artifact) -> float:
    return float(artifact.training_curve[-1]["accuracy"]) * 100


def _top1(artifact: Artifact) -> float:
    return float(accuracy(artifact).value) * 100


if __name__ == "__main__":
    main()
