"""Copies of this project's gate in which one thing is wrong, and what `--prove` says of each.

    pytest -m slow -n 2 tests/e2e/test_mutant_gates.py --junitxml record.xml
    python tests/e2e/mutant_gates.py record.xml

proves them all, in 20 minutes on two cores, and prints docs/reference/mutant_gates.md's tables.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from mutants import DIGITS, EDITS, GUARDS, LOOSENED, MNIST, PROJECT, RECIPE, Mutant, model, mutants

SHIPPED = "shipped/digits_cnn.tflite"
REFUSED = re.compile("is outside the metric's range|which any network keeps")
IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.com")
CACHES = shutil.ignore_patterns("__pycache__", ".litegate", ".hypothesis")


class Gate:
    """A copy of this project's gate in a repository of its own; its runs share a store."""

    def __init__(self, path: Path, store: Path):
        self.path, self.store = path, store

    @property
    def report(self) -> dict:
        """The last run's."""
        return json.loads((self.path / ".litegate/report/report.json").read_text("utf-8"))

    def weakened(self, mutant: Mutant, path: Path) -> "Gate":
        """A copy with the mutant's edit."""
        shutil.copytree(self.path, path, ignore=CACHES)
        tree = ast.parse((path / mutant.file).read_bytes())
        mutant.weaken(tree)
        copy = Gate(path, self.store)
        copy.write(mutant.file, tree)
        return copy

    def write(self, file: str, tree: ast.Module) -> None:
        """Write a module."""
        (self.path / file).write_text(ast.unparse(tree) + "\n", "utf-8")

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run the checks."""
        return self.python("-m", "pytest", "checks/", *args)

    def python(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run Python here."""
        env = {k: v for k, v in os.environ.items() if k != "CI"}
        return subprocess.run(
            [sys.executable, *args],
            cwd=self.path,
            env=env | {"LITEGATE_STORE": str(self.store), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *args: str) -> None:
        """Run git here."""
        subprocess.run(["git", *IDENTITY, *args], cwd=self.path, check=True)


def sound_gate(path: Path, store: Path) -> Gate:
    """The gate as it is, with a file that ships; committed."""
    shutil.copytree(PROJECT / "checks", path / "checks", ignore=CACHES)
    (path / "models").mkdir()
    (path / "pytest.ini").write_text("[pytest]\n")
    (path / ".gitignore").write_text(".litegate\n__pycache__\n.hypothesis\n")
    gate = Gate(path, store)
    for name in (DIGITS, MNIST):
        gate.write(f"models/{name}.py", model(name))
    _ship(gate)
    gate.git("init", "-q", "-b", "main")
    gate.git("add", "-A")
    gate.git("commit", "-qm", "sound")
    return gate


def _ship(gate: Gate) -> None:
    """Export the accepted file of `digits_cnn`, and declare that it ships."""
    cli = "from litegate.cli import main; main()"
    for command in (
        ("-m", "pytest", "checks/", "--litegate-model", DIGITS, "--litegate-recipe", RECIPE),
        ("-c", cli, "export", DIGITS, RECIPE, "--to", SHIPPED),
    ):
        done = gate.python(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    file = gate.path / "models" / f"{DIGITS}.py"
    text, before = file.read_text("utf-8"), "input_type='uint8'"
    assert text.count(before) == 1
    file.write_text(text.replace(before, f"shipped={SHIPPED!r}, {before}"), "utf-8")


def caught(gate: Gate, done: subprocess.CompletedProcess[str], mutant: Mutant) -> list[str]:
    """What a run says of what was weakened; nothing where nobody noticed.

    A limit that nothing could break is refused before anything runs.
    """
    if done.returncode == 4 and REFUSED.search(done.stderr):
        first = next(line for line in done.stderr.splitlines() if REFUSED.search(line))
        return [f"refused: {first.removeprefix('ERROR: ')}"]
    return _named(gate.report, mutant) if done.returncode == 1 else []


def _named(report: Mapping, mutant: Mutant) -> list[str]:
    """What a report says of it, by the name of its measurement or of its check."""
    proofs = report["proofs"]
    survivors = [one for proof in proofs for one in proof["survivors"]]
    alarms = [one for proof in proofs for one in proof["alarms"]]
    failed = [row for row in report["verdicts"] if row["verdict"] == "fail"]
    said = (
        *(f"survived: {s['sentence']}" for s in survivors if s["what"] == mutant.measurement),
        *(f"false alarm: {one}" for one in alarms if mutant.check in one),
        *(f"red: {row['sentence']}" for row in failed if row["check"] == mutant.check),
        *(f"red: {row['message']}" for row in report["errors"] if mutant.check in row["id"]),
    )
    return [" ".join(one.split()) for one in said]


def tables(said: Mapping[tuple[str, str, str], str]) -> str:
    """Markdown: checks by edits, then limits. `said` holds a sentence by edit, model and name."""
    of_checks = [["check", "measurement that is named", *(one.replace("_", " ") for one in EDITS)]]
    for check, (measurement, _) in GUARDS.items():
        cells = (said.get((edit, DIGITS, check), "").partition(":")[0] for edit in EDITS)
        of_checks.append([f"`{check}`", measurement, *cells])
    of_limits = [["limit, a hundred times as loose", "what `--prove` says"]]
    for (edit, name, limit), sentence in said.items():
        if edit == LOOSENED:
            of_limits.append([f"`{limit}` of {name}", sentence])
    return _markdown(of_checks) + "\n" + _markdown(of_limits)


def _markdown(rows: list[list[str]]) -> str:
    marked = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in marked)


def main(record: str) -> None:
    """Print the tables of a run of the tests, from the record that `--junitxml` wrote."""
    by_id = {mutant.id: mutant for mutant in mutants()}
    said = {}
    for case in ET.parse(record).iter("testcase"):  # noqa: S314 - our own record
        told = case.find("properties/property[@name='said']")
        if told is not None:
            mutant = by_id[case.attrib["name"].partition("[")[2].removesuffix("]")]
            said[mutant.edit, mutant.model, mutant.of] = told.attrib["value"]
    sys.stdout.write(tables(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
