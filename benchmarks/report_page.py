"""Claim: the page of ten models of MNIST's size, 10,000 samples each, takes at most 5 s.

Each candidate stands beside a reference and a base. A new process makes the page from a report and
a store, as `litegate report` does: warm, after a run, which keeps what the files answered; and
cold, when nobody has asked any of the thirty files yet, which adds at most 1.1 times what LiteRT's
own `invoke` takes on them. No TensorFlow: one that raises stands in its place. The files are
`mnist_cnn`'s with other biases, so that one class of each candidate is worse; the samples are
MNIST's test split in another order for each model. Prints seconds and bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from invocations import invoked

from litegate.build.store import ANSWERS, BUILDS, EVALUATIONS, Store
from litegate.core.options import parse
from litegate.gate.evidence import Comparison
from litegate.gate.page import rows
from litegate.gate.session import GateSession
from litegate.spec import Artifact, Evaluation
from litegate.testing import revalue
from litegate.tflite.parser import parse as graph

PROJECT = Path(__file__).resolve().parent.parent
MODELS, ROUNDS = 10, 5
MOST_SECONDS, MOST_BYTES = 5.0, 1_000_000
MOST_ADDED = 1.1
"""Times the invocations."""
NO_TENSORFLOW = "raise ImportError('the page imports TensorFlow')\n"
LOWERED = 3.0
"""By how much the logit of a candidate's worse class is lowered."""


def main() -> None:
    """Write ten models into a store, and time the page."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        told = _judged(folder)
        compared = _compared()
        for one in compared:
            _put(Store(folder / "store"), one, folder)
        (folder / "report.json").write_text(json.dumps(_multiplied(told) | rows(compared)), "utf-8")
        (folder / "tensorflow.py").write_text(NO_TENSORFLOW)
        cold = [_made(folder, forget=True) for _ in range(ROUNDS)]
        first = (folder / "report.html").read_bytes()
        warm = [_made(folder) for _ in range(ROUNDS)]
        same = (folder / "report.html").read_bytes() == first
        invoking = sum(invoked(file) for one in compared for file in one.sides.values())
    samples = len(compared[0].candidate.evaluation.x)
    print(f"{MODELS} models x {samples:,} samples, three files each; at most {MOST_SECONDS} s")
    late, asking = _told("warm", warm), _told("cold", cold)
    added = (asking - late) / invoking
    print(f"asking adds {added:.2f} times the {invoking:.2f} s of their invocations")
    print(f"page {len(first):,} B, at most {MOST_BYTES:,} B; the same both times: {same}")
    large = len(first) > MOST_BYTES
    raise SystemExit(late > MOST_SECONDS or added > MOST_ADDED or large or not same)


def _told(name: str, rounds: list[tuple[float, float]]) -> float:
    """The median of the seconds, which are printed."""
    seconds, spent = (median(each) for each in zip(*rounds, strict=True))
    slowest = max(rounds)[0]
    print(f"{name}: {seconds:.2f} s, slowest {slowest:.2f} s; of one processor {spent:.2f} s")
    return seconds


def _judged(folder: Path) -> dict[str, Any]:
    """The report of a run of `mnist_cnn`, which builds it where the store does not have it."""
    argv = [sys.executable, "-m", "pytest", "-q", "checks/", "-m", "not latency"]
    argv += ["-k", "not property and not kernels", "--litegate-model=mnist_cnn"]
    subprocess.run([*argv, f"--litegate-report={folder}"], cwd=PROJECT, check=True)
    told: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    return told


def _multiplied(told: dict[str, Any]) -> dict[str, Any]:
    """The report with the rows of `mnist_cnn` for every model."""
    names = [f"model_{number}" for number in range(MODELS)]
    both = ("verdicts", "recipes")
    return told | {k: [row | {"model": name} for name in names for row in told[k]] for k in both}


def _compared() -> list[Comparison]:
    session = GateSession(parse(PROJECT, {}, {}), lambda _model, _event: None, print)
    files = session.stored(session.models["mnist_cnn"])
    good, reference = files["int8_qat"], files["float32+1"]
    return [_comparison(number, good, reference) for number in range(MODELS)]


def _comparison(number: int, good: Artifact, reference: Artifact) -> Comparison:
    split = _shuffled(good.evaluation, number)
    sides = {
        "candidate": _biased(good, number, -LOWERED, split),
        "base": _biased(good, number, 0.02 * number, split),
        "reference": _biased(reference, number, 1e-4 * number, split),
    }
    return Comparison(model=f"model_{number}", recipe="int8_qat", **sides)


def _shuffled(split: Evaluation, number: int) -> Evaluation:
    order = np.random.default_rng(number).permutation(len(split.x))
    digest = hashlib.sha256(f"split {number}".encode()).hexdigest()
    return replace(split, digest=digest, x=split.x[order], y=split.y[order])


def _biased(artifact: Artifact, label: int, by: float, split: Evaluation) -> Artifact:
    """The artifact with the logit of one class moved, on other samples."""
    [bias] = [t for t in graph(artifact.tflite).main.tensors if t.shape == (10,) and t.is_constant]
    steps = by / bias.scales[label % len(bias.scales)] if bias.scales else by

    def moved(values: np.ndarray) -> np.ndarray:
        change = np.zeros(len(values))
        change[label] = steps
        return (values + change).astype(values.dtype)

    tflite = revalue(artifact.tflite, bias.name, moved)
    digest = hashlib.sha256(tflite).hexdigest()
    return replace(artifact, tflite=tflite, sha256=digest, evaluation=split)


def _put(store: Store, one: Comparison, folder: Path) -> None:
    split = one.candidate.evaluation
    np.save(folder / "x.npy", split.x)
    np.save(folder / "y.npy", split.y)
    store.put(EVALUATIONS, split.digest, {name: folder / name for name in ("x.npy", "y.npy")})
    for artifact in one.sides.values():
        (folder / "model.tflite").write_bytes(artifact.tflite)
        (folder / "history.json").write_text(json.dumps(artifact.training_curve))
        files = {name: folder / name for name in ("model.tflite", "history.json")}
        store.put(BUILDS, artifact.sha256, files)


def _made(folder: Path, *, forget: bool = False) -> tuple[float, float]:
    """Seconds of a new process from its start to the written page, and those of one processor.

    It forgets what the files answered, if it should.
    """
    if forget:
        shutil.rmtree(folder / "store" / ANSWERS, ignore_errors=True)
    command = "from litegate.cli import main; main()"
    argv = [sys.executable, "-c", command, "report", "--report", str(folder / "report.json")]
    places = {"LITEGATE_STORE": str(folder / "store"), "PYTHONPATH": str(folder)}
    before, started = sum(os.times()[2:4]), perf_counter()  # of children that have ended
    subprocess.run(argv, cwd=folder, check=True, env=os.environ | places, stdout=subprocess.DEVNULL)
    return perf_counter() - started, sum(os.times()[2:4]) - before


if __name__ == "__main__":
    main()
