"""Damaged `.tflite` files through what people type: the commands, and the gate on prebuilt models.

The commands and pytest run in forks; `mutations.py` says why. A file's trial has been by then, and
is not repeated: they are told how it ended.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from shutil import copy, rmtree
from typing import Any

import numpy as np
import pytest
from judging import ALIKE, ERROR, Bench
from typer.testing import CliRunner

import litegate.build.external_files
import litegate.cli
import litegate.cli.compare
from litegate.data.digests import array_digest
from litegate.spec import Kind

CHECKS = Path(__file__).resolve().parents[1] / "checks"
_KEPT = ("accuracy", "agreement", "size")
_CHOSEN = "reaches_its_floor or as_its_reference or stays_within_budget"
_MODELS = '''
"""Damaged files, each against the sound one."""
import litegate as lg

for each in FILES:
    globals()[each["name"]] = lg.prebuilt(
        reference=f"sound/{each['source']}.tflite",
        candidate=f"damaged/{each['name']}.tflite",
        data=lg.datasets.npz(
            f"sound/{each['source']}.npz",
            x="x",
            y="y",
            digests=each["digests"],
            domain=(0.0, 255.0),
            classes=tuple(map(str, range(each["classes"]))),
        ),
        budget=lg.Budget(
            accuracy=lg.percent(ALIKE),
            agreement=lg.percent(ALIKE),
            output_error=lg.percent(ERROR),
            size=lg.byte(each["bytes"]),
        ),
        kind=each["kind"],
        input_type=each["port"],
        output_type=each["port"],
    )
'''


@dataclass(frozen=True, kw_only=True, eq=False)
class Damaged:
    """A damaged file, and what the measures made of it."""

    name: str
    source: str
    sound: Bench
    tflite: bytes
    outcome: str
    stood: bool
    """Whether LiteRT came through its trial."""


Demand = Callable[..., None]
"""As `litegate.runtimes.sandbox.run_in_sandbox`."""


class Place:
    """A project of prebuilt models in a folder, and files for the commands."""

    def __init__(self, folder: Path, benches: Mapping[str, Bench]) -> None:
        """Write what the sound files need."""
        self.folder = folder
        for name in ("models", "checks", "sound", "damaged"):
            (folder / name).mkdir()
        for name in _KEPT:
            copy(CHECKS / f"test_{name}.py", folder / "checks")
        (folder / "pytest.ini").write_text("[pytest]\n")
        for source, sound in benches.items():
            split = sound.artifact.evaluation
            (self.sound(source, "tflite")).write_bytes(sound.artifact.tflite)
            np.savez(self.sound(source, "npz"), x=split.x, y=split.y)

    def sound(self, source: str, suffix: str) -> Path:
        """A file of a sound network."""
        return self.folder / "sound" / f"{source}.{suffix}"

    def put(self, one: Damaged) -> Path:
        """Write a damaged file."""
        path = self.folder / "damaged" / f"{one.name}.tflite"
        path.write_bytes(one.tflite)
        return path

    def inspected(self, one: Damaged) -> int:
        """The exit status of `litegate inspect`, for a person and for a program by turns."""
        more = ("--json",) if int(one.name[1:]) % 2 else ()
        return command("inspect", str(self.put(one)), *more)[0]

    def compared(self, one: Damaged, demand: Demand) -> tuple[int, list[str]]:
        """The exit status of `litegate compare --data`, and what it lets pass."""
        litegate.cli.compare.run_in_sandbox = demand  # type: ignore[attr-defined]
        files = [str(self.sound(one.source, "tflite")), str(self.put(one))]
        data = str(self.sound(one.source, "npz"))
        status, said = command("compare", *files, "--data", data, "--json")
        if status == 2:
            return status, []
        rows = json.loads(said)["verdicts"]
        return status, [row["measurement"] for row in rows if row["verdict"] == "pass"]

    def gated(self, damaged: Sequence[Damaged], demand: Demand) -> dict[str, list[str]]:
        """What `pytest checks/` says of each model: what it lets pass, and "error" for errors."""
        litegate.build.external_files.run_in_sandbox = demand  # type: ignore[attr-defined]
        rmtree(self.folder / ".litegate", ignore_errors=True)
        for one in damaged:
            self.put(one)
        self._declare(damaged)
        status, printed = self._pytest()
        path = self.folder / ".litegate/report/report.json"
        if not path.exists():
            raise AssertionError(f"the gate ended with {status}, without a report: {printed}")
        report = json.loads(path.read_text("utf-8"))
        said: dict[str, list[str]] = {one.name: [] for one in damaged}
        for row in report["verdicts"]:
            word = row["measurement"] if row["verdict"] == "pass" else row["verdict"]
            said[row["model"]].append(word)
        for row in report["errors"]:
            said[row["id"].partition("[")[2].partition("-")[0]].append("error")
        red = any({"error", "fail"} & {*words} for words in said.values())
        if status != int(red):
            raise AssertionError(f"the gate ended with {status}")
        return said

    def _declare(self, damaged: Sequence[Damaged]) -> None:
        """Write the models; in Python, since a file that a model reads has to be declared."""
        text = _MODELS.replace("in FILES:", f"in {[_declared(one) for one in damaged]!r}:")
        for name, limit in (("ALIKE", ALIKE), ("ERROR", ERROR)):
            text = text.replace(f"({name})", f"({limit})")
        (self.folder / "models" / "mine.py").write_text(text)

    def _pytest(self) -> tuple[int, str]:
        """Run the gate; return its exit status and the end of what it printed."""
        os.chdir(self.folder)
        clean = {name: os.environ.pop(name, None) for name in ("CI", "LITEGATE_DATA")}
        os.environ["LITEGATE_STORE"] = str(self.folder / ".litegate" / "store")
        printed = StringIO()
        with redirect_stdout(printed), redirect_stderr(printed):
            status = pytest.main(
                ["checks/", "-q", "-p", "no:cacheprovider", "--tb=no", "-k", _CHOSEN]
            )
        os.environ |= {name: value for name, value in clean.items() if value}
        return int(status), printed.getvalue()[-2000:]


def _declared(one: Damaged) -> dict[str, Any]:
    split = one.sound.artifact.evaluation
    kept = [recipe for recipe in one.sound.recipes if recipe.kind is not Kind.FLOAT32]
    kind, port = (kept[0].kind.value, kept[0].input_type) if kept else ("dynamic_range", "float32")
    return {
        "name": one.name,
        "source": one.source,
        "digests": {"x_test": array_digest(split.x), "y_test": array_digest(split.y)},
        "classes": one.sound.outputs.shape[1],
        "bytes": len(one.sound.artifact.tflite),
        "kind": kind,
        "port": port,
    }


def command(*args: str) -> tuple[int, str]:
    """Exit status and stdout of a command; raises what is no fault that litegate foresees."""
    done = CliRunner().invoke(litegate.cli.app, args)
    if done.exception and not isinstance(done.exception, SystemExit | litegate.cli.LitegateError):
        raise done.exception
    return done.exit_code, done.stdout
