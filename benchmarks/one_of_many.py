"""Claim: a project of a hundred models costs a change of one what that model costs alone.

On an empty clone with a warm bucket, at most 1.3 times the time and 10 ms for each other model, and
at most 1.5 times the memory. The changed model is gated against the commit before, in turn, in a
project of 100 models of MNIST's size, and in one that contains no other.

    python benchmarks/one_of_many.py FLOAT.tflite [MODELS]

LITEGATE_DATA names the folder with mnist.npz. The bucket is moto's, in this process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from side_by_side import Command, compare, peak_memory

from litegate.tflite.editing.draft import edit

PROJECT = Path(__file__).resolve().parent.parent
sys.path.append(str(PROJECT / "tests"))
ROUNDS = int(os.environ.get("ROUNDS", "11"))
CHANGED = 0
EACH = 0.010
"""Seconds for each other model."""
MODEL = '''
"""A ready-made float file to quantize, number {number}."""
import litegate as lg

net_{number} = lg.prebuilt(
    reference=lg.File(path="net_{number}.tflite"),
    recipes=[lg.recipes.dynamic_wi8_afp32()],
    data=lg.datasets.mnist(),
    budget=lg.Budget(accuracy=lg.percent(90), accuracy_drop=lg.points(2)),
)
'''
CHECKS = (
    "test_accuracy.py",
    "test_size.py",
    "test_tensors.py",
    "test_regression.py",
    "test_weakened_limits.py",
)


def main() -> None:
    """Fill the bucket from the project of all models; then time, and measure memory."""
    from bucket_servers import moto

    tflite = Path(sys.argv[1]).read_bytes()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    with moto(None) as server, TemporaryDirectory() as name:
        folder = Path(name)
        cache = folder / "cache"
        env = {
            **os.environ,
            **server.environment(),
            "LITEGATE_STORE": server.url("team"),
            "LITEGATE_CACHE": str(cache),
        }
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        many = _project(folder / "many", tflite, range(count))
        alone = _project(folder / "alone", tflite, [CHANGED])
        argv = [sys.executable, "-m", "pytest", "-q", "checks/", "--against", "main"]
        chosen = [*argv, "--litegate-changed"]
        subprocess.run(argv, cwd=many, env=env, check=True, stdout=subprocess.DEVNULL)

        def forget() -> None:
            shutil.rmtree(cache, ignore_errors=True)

        ours = Command(f"one changed model of {count}", chosen, env, str(many), forget)
        theirs = Command("the changed model alone", chosen, env, str(alone), forget)
        compare(ours, theirs, rounds=ROUNDS)
        memory = [peak_memory(command)[0] for command in (ours, theirs)]
        print(
            f"peak memory {memory[0]:.0f} and {memory[1]:.0f} MB: {memory[0] / memory[1]:.2f} times"
        )
        print(f"the claim allows {EACH * (count - 1):.2f} s besides 1.3 times the time")


def _project(folder: Path, tflite: bytes, numbers: Iterable[int]) -> Path:
    """Write a project of these models, in git, with a commit on top that changes one."""
    (folder / "models").mkdir(parents=True)
    (folder / "checks").mkdir()
    for check in CHECKS:
        shutil.copy(PROJECT / "checks" / check, folder / "checks")
    for number in numbers:
        _write(folder, tflite, number, "before")
        (folder / "models" / f"net_{number}.py").write_text(MODEL.format(number=number))
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (folder / ".gitignore").write_text(".litegate/\n__pycache__/\n")
    _git(folder, "init", "-qb", "main")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-qm", "all models")
    _git(folder, "checkout", "-qb", "topic")
    _write(folder, tflite, CHANGED, "after")
    _git(folder, "commit", "-qam", "one model")
    return folder


def _write(folder: Path, tflite: bytes, number: int, state: str) -> None:
    """Write a file with bytes of its own, by its description."""

    def describe(model: object) -> None:
        model.description = f"{number} {state}"  # type: ignore[attr-defined]

    (folder / f"net_{number}.tflite").write_bytes(edit(tflite, describe))


def _git(folder: Path, *args: str) -> None:
    identity = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    subprocess.run(["git", *identity, *args], cwd=folder, check=True)


if __name__ == "__main__":
    main()
