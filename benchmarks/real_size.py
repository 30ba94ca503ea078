"""The cost of a network of real size: a cold build, a warm run, and the proof of its gate.

MobileNetV2 with drawn weights, quantized after training, on made images. Prints the wall time of
each run, without latency checks, and what the proof left out for want of time.

    python benchmarks/real_size.py [--alpha 0.35] [--size 96] [--samples 600] [--no-proof]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
LITEGATE = (sys.executable, "-c", "from litegate.cli import main; main()")
MODEL = '''
"""MobileNetV2 with drawn weights, on made images."""
import numpy as np

import litegate as lg

SIZE, SAMPLES = {size}, {samples}


def load(_locations):
    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (2, SAMPLES, SIZE, SIZE, 3), np.uint8)
    labels = rng.integers(0, 10, (2, SAMPLES))
    return lg.Splits(x_train=images[0], y_train=labels[0], x_test=images[1], y_test=labels[1])


def scaled(images):
    return images.astype(np.float32) / 127.5 - 1


@lg.model(
    data=lg.Data(
        name="made", load=load, digests={{}}, preprocess=scaled, domain=(-1, 1),
        classes=tuple("0123456789"),
    ),
    training=lg.Training(epochs=1, batch_size=32, seed=7),
    recipes=[lg.recipes.int8_ptq()],
    budget=lg.Budget(agreement=lg.percent(5), output_error=lg.percent(200), size=lg.kib(20_480)),
)
def mobilenet(keras):
    return keras.applications.MobileNetV2(
        input_shape=(SIZE, SIZE, 3), alpha={alpha}, weights=None, classes=10,
        classifier_activation=None,
    )
'''


def main() -> None:
    """Run the gate on a new project: cold, warm, and with its proof."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--alpha", type=float, default=0.35, help="width of the network")
    parser.add_argument("--size", type=int, default=96, help="pixels of a side")
    parser.add_argument("--samples", type=int, default=600, help="images of each split")
    parser.add_argument("--no-proof", action="store_true", help="only the cold and the warm run")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "models").mkdir()
        shutil.copytree(PROJECT / "checks", folder / "checks")
        (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
        (folder / "models" / "mobilenet.py").write_text(
            MODEL.format(size=options.size, samples=options.samples, alpha=options.alpha)
        )
        subprocess.run([*LITEGATE, "digests", "mobilenet", "--write"], cwd=folder, check=True)
        for run in ("cold", "warm"):
            print(f"{run:6} {_seconds(folder):7.1f} s", flush=True)
        if not options.no_proof:
            print(f"proof  {_seconds(folder, '--prove'):7.1f} s")
            for row in _report(folder)["proofs"]:
                planted = sum(bool(fault["played"]) for fault in row["faults"])
                print(f"  of {row['recipe']}: {row['seconds']:.1f} s, {planted} faults planted,")
                print(f"  {len(row['unproven'])} left out for want of time,")
                print(f"  {len(row['survivors'])} survivors, {len(row['alarms'])} false alarms")


def _seconds(folder: Path, *more: str) -> float:
    """Wall time of the gate; its verdicts do not matter, only that it came to them."""
    argv = [sys.executable, "-m", "pytest", "-q", "checks/", "-m", "not latency", *more]
    began = time.perf_counter()
    run = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    spent = time.perf_counter() - began
    if run.returncode > 1 or (_report(folder)["errors"] and not more):
        sys.exit(
            f"the gate ended with {run.returncode}:\n{run.stdout[-4000:]}\n{run.stderr[-4000:]}"
        )
    return spent


def _report(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(
        (folder / ".litegate/report/report.json").read_text("utf-8")
    )
    return report


if __name__ == "__main__":
    main()
