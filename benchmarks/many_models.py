"""Claim: memory grows by a fraction of a split for each further model on the same data.

On a warm store, gates 1, 16 and 48 pairs of ready-made files of MNIST's size on its 10,000 test
images, each pair declared in a file of its own, and prints peak memory and CPU time of each run.
With 16 pairs it compares the time of two workers of pytest-xdist with that of one process, too;
there each file has bytes of its own, since a process runs equal files once.

    python benchmarks/many_models.py FLOAT.tflite INT8.tflite

LITEGATE_DATA names the folder with mnist.npz.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from side_by_side import Command, compare, peak_memory

from litegate.tflite.editing.draft import edit

PROJECT = Path(__file__).resolve().parent.parent
COUNTS = (1, 16, 48)
SHARED = 16
"""The number of models for pytest-xdist."""
MODEL = '''
"""A pair of ready-made files, number {number}."""
import litegate as lg

pair_{number} = lg.prebuilt(
    reference=lg.File(path="{folder}float.tflite"),
    candidate=lg.File(path="{folder}int8.tflite"),
    data=lg.datasets.mnist(),
    budget=lg.Budget(accuracy=lg.percent(90), accuracy_drop=lg.points(2)),
)
'''
ARGV = (sys.executable, "-m", "pytest", "-q", "checks/")
CHECKS = ("test_accuracy.py", "test_size.py", "test_tensors.py")


def main() -> None:
    """Print a row for each number of models."""
    files = [Path(name).resolve() for name in sys.argv[1:3]]
    print("models  peak memory  CPU time")
    for count in COUNTS:
        with TemporaryDirectory() as name:
            folder = Path(name)
            _write(folder, files, count)
            _run(folder)  # prepares the splits, once for all later runs
            peak, cpu = _run(folder)
            print(f"{count:6}  {peak:8.0f} MB  {cpu:6.1f} s")
            if count == SHARED:
                _share(folder)


def _write(folder: Path, files: list[Path], count: int) -> None:
    (folder / "models").mkdir()
    (folder / "checks").mkdir()
    for check in CHECKS:
        shutil.copy(PROJECT / "checks" / check, folder / "checks")
    for file, name in zip(files, ("float.tflite", "int8.tflite"), strict=True):
        shutil.copy(file, folder / name)
    for number in range(count):
        text = MODEL.format(number=number, folder="")
        (folder / "models" / f"pair_{number}.py").write_text(text)
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")


def _run(folder: Path) -> tuple[float, float]:
    return peak_memory(Command("pytest checks/", ARGV, os.environ, str(folder)), worst=1)


def _share(folder: Path) -> None:
    """Time two workers against one process, where every file runs, as on a new commit."""
    for number in range(SHARED):
        (folder / f"{number}").mkdir()
        for name in ("float.tflite", "int8.tflite"):
            described = partial(_describe, text=f"pair {number}")
            tflite = edit((folder / name).read_bytes(), described)
            (folder / f"{number}" / name).write_bytes(tflite)
        text = MODEL.format(number=number, folder=f"{number}/")
        (folder / "models" / f"pair_{number}.py").write_text(text)
    _run(folder)
    env = os.environ | {"CI": "true"}
    workers = Command("pytest checks/ -n 2", [*ARGV, "-n", "2"], env, str(folder))
    compare(workers, Command("pytest checks/", ARGV, env, str(folder)), rounds=5)


def _describe(model: object, text: str) -> None:
    model.description = text  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
