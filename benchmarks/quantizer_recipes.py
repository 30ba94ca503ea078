"""Every recipe of litert-quantizer on float files of litegate's own data sets, as a table.

    python benchmarks/quantizer_recipes.py digits=FLOAT.tflite mnist=FLOAT.tflite

LITEGATE_DATA names the folder with mnist.npz. A recipe that the quantizer or litegate refuses is a
line with the reason. Tensor types are checked as in every run; a type that does not hold is named.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from litegate.spec.recipe import QUANTIZER_KINDS

PROJECT = Path(__file__).resolve().parent.parent
MODEL = '''
"""A float file and one recipe."""
import litegate as lg

{data}_{recipe} = lg.prebuilt(
    reference=lg.File(path="{data}.tflite"),
    recipes=[lg.recipes.{recipe}()],
    data=lg.datasets.{data}(),
    budget=lg.Budget(accuracy=lg.percent(1), latency=lg.ms(100), arena=lg.kib(16_384)),
)
'''
CHECKS = ("accuracy", "size", "memory", "tensors", "latency")


def main() -> None:
    """Gate each recipe as a model of its own, so that a refused one does not stop the others."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "models").mkdir()
        (folder / "checks").mkdir()
        (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
        for check in CHECKS:
            shutil.copy(PROJECT / "checks" / f"test_{check}.py", folder / "checks")
        for argument in sys.argv[1:]:
            data, _, file = argument.partition("=")
            shutil.copy(file, folder / f"{data}.tflite")
            for recipe in sorted(QUANTIZER_KINDS):
                text = MODEL.format(data=data, recipe=recipe)
                (folder / "models" / f"{data}_{recipe}.py").write_text(text)
        argv = [sys.executable, "-m", "pytest", "-q", "checks/"]
        run = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
        path = folder / ".litegate" / "report" / "report.json"
        if run.returncode > 1 or not path.exists():
            sys.exit((run.stdout + run.stderr)[-4000:])
        print("\n".join(_lines(json.loads(path.read_text("utf-8")))))


def _lines(report: dict[str, Any]) -> Iterator[str]:
    """The rows of the table, then what was refused or failed."""
    yield "| model | recipe | top-1 | vs. float32 | bytes | arena | fastest time |"
    yield "|---|---|---|---|---|---|---|"
    for row in report["recipes"]:
        drop = "" if row["drop"] is None else f"{-100 * row['drop']:+.2f} points"
        time = "" if row["latency"] is None else f"{1e6 * row['latency']:.1f} us"
        cells = [row["model"].partition("_")[0], f"`{row['recipe']}`", f"{row['accuracy']:.2%}"]
        yield f"| {' | '.join(cells)} | {drop} | {row['bytes']:,} B | {row['arena']:,} B | {time} |"
    yield from dict.fromkeys(
        f"refused: {error['message'].splitlines()[0]}" for error in report["errors"]
    )
    for row in report["verdicts"]:
        if row["verdict"] == "fail":
            yield f"failed: {row['id']}"


if __name__ == "__main__":
    main()
