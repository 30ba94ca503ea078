"""`litegate repair` on a network with one planted fragile layer, from the command line."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path

import fragile
import pytest
from needs import quantizer
from typer.testing import CliRunner

import litegate as lg
from litegate.build.toolchain.protocol import FLOAT
from litegate.build.toolchain.quantizer import FloatFile
from litegate.cli import app
from litegate.gate.repair.candidates import added_errors, candidates
from litegate.gate.repair.search import Trial, cheapest, cost_of, search
from litegate.measures.accuracy import accuracy_drop
from litegate.measures.measurement import Outcome
from litegate.spec import Data, Evaluation, Kind
from litegate.testing import artifact

pytestmark = [quantizer, pytest.mark.slow]
CHECKS = Path(__file__).resolve().parents[2] / "checks"
DROP = "accuracy_drop=lg.points(3)"


@pytest.fixture
def repair(tmp_path, monkeypatch):
    """A function that writes a project and runs the command in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LITEGATE_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("CI", raising=False)

    def run(*arguments, limits=DROP, **fields):
        if not (tmp_path / "models").exists():
            fragile.project(tmp_path, limits, **fields)
        return CliRunner().invoke(app, ["repair", "net", "static_wi8_ai8", *arguments])

    return run


def test_the_fragile_layer_alone_is_found_declared_and_then_nothing_is_to_repair(repair, tmp_path):
    result = repair("--write")
    assert result.exit_code == 0, result.output
    assert "depthwise: proven on the samples that judge" in result.output
    assert "+    recipes=[lg.recipes.static_wi8_ai8(" in result.output
    assert 'float_layers=("depthwise",)' in (tmp_path / "models" / "net.py").read_text()
    again = repair()
    assert again.exit_code == 0
    assert again.stdout == "net/static_wi8_ai8: nothing to repair, every limit is kept\n"


def test_the_gate_of_the_repaired_recipe_is_proven(repair, tmp_path):
    limits = f"{DROP}, agreement=lg.percent(97), output_error=lg.percent(15)"
    assert repair("--write", limits=limits).exit_code == 0
    shutil.copytree(CHECKS, tmp_path / "checks")
    command = [sys.executable, "-m", "pytest", "checks", "-m", "not latency", "--prove"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "net/static_wi8_ai8: the gate is proven" in done.stdout


def test_the_page_shows_the_front_until_the_network_changes(repair, tmp_path):
    """Of the recipe as it was, and as the repair declared it."""
    shutil.copytree(CHECKS, tmp_path / "checks")
    report, page = (tmp_path / ".litegate" / "report" / f"report.{it}" for it in ("json", "html"))
    command = [sys.executable, "-m", "pytest", "checks", "-m", "not latency"]

    def shown():
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        return json.loads(report.read_text())["repairs"]

    assert repair().exit_code == 0
    [before] = shown()
    assert [it["layers"] for it in before["sets"]] == [[], ["depthwise"]]
    assert [it["declared"] for it in before["sets"]] == [False, True]
    assert "Repair of static_wi8_ai8" in page.read_text()
    assert repair("--write").exit_code == 0
    [after] = shown()
    assert [it["layers"] for it in after["sets"]] == [[], ["depthwise"]]
    model = tmp_path / "models" / "net.py"
    model.write_text(model.read_text().replace("points(3)", "points(4)"))
    assert shown() == [after]
    model.write_text(model.read_text().replace('("depthwise",)', "()"))
    for file in tmp_path.glob(".litegate/history/repair-*.json"):
        file.write_text('{"model": "net"}')
    assert shown() == []


def test_a_second_run_takes_all_files_from_the_store(repair, monkeypatch):
    first = repair("--by", "macs")
    assert first.exit_code == 0
    monkeypatch.setattr("litegate.build.process.build", None)
    second = repair("--by", "macs")
    assert without_times(second.output) == without_times(first.output)


def without_times(output):
    """Return the output without the time of an invocation, which is never twice the same."""
    assert re.search(r" B +[\d.]+ (us|ms)  accuracy drop", output)
    return re.sub(r" +[\d.]+ (us|ms)  ", "", output)


def test_without_loss_there_is_nothing_to_repair(repair):
    assert "nothing to repair" in repair(factor=1.0).stdout


def test_too_few_samples_are_named_before_any_search(repair):
    result = repair(limits="accuracy_drop=lg.points(0.1)")
    assert result.exit_code == 1
    assert "no search: these limits cannot be proven" in result.stdout
    assert "4,525 samples prove it if no decision changes" in result.stdout
    assert "at most" not in result.stderr


def test_what_blocks_every_set_is_named(repair):
    """The target takes integers alone, so the fragile layer is not proposed."""
    result = repair(limits=f'{DROP}, target="edgetpu"')
    assert result.exit_code == 1
    assert "not proposed: depthwise, " in result.stdout
    assert "no set keeps the limits" in result.stdout


def test_a_size_limit_that_floats_break_is_named(repair):
    result = repair(limits=f"{DROP}, size=lg.byte(100)")
    assert result.exit_code == 1
    assert "blocked by size at most 100 B" in result.stdout


def test_no_time_is_left_for_a_second_set(repair):
    result = repair("--budget", "0.001s")
    assert result.exit_code == 1


class Deep:
    """A network of 30 layers with two fragile ones, quantized in this process."""

    def __init__(self, folder, seed):
        tflite, self.fragile = fragile.deep_network(seed)
        (folder / FLOAT).mkdir(parents=True)
        (folder / FLOAT / "model.tflite").write_bytes(tflite)
        data = Data(
            name="deep", load=len, preprocess=len, domain=(-1.0, 1.0), classes=("low", "high")
        )
        self.recipe = lg.recipes.static_wi8_ai8(calibration_samples=20)
        model = lg.prebuilt(reference="deep.tflite", recipes=[self.recipe], data=data, name="deep")
        self.file = FloatFile.read(folder / FLOAT, model)
        self.calibration, _ = fragile.deep_samples(20, seed)
        x, y = fragile.deep_samples(600, seed + 1)
        self.split = Evaluation(
            digest=str(seed), x=x, y=y, classes=data.classes, domain=(-1.0, 1.0)
        )
        self.reference = self.of(tflite, Kind.FLOAT32)
        self.builds = 0

    def of(self, tflite, kind=Kind.STATIC_WI8_AI8):
        return replace(artifact(tflite, kind), evaluation=self.split)

    def quantized(self, names):
        recipe = replace(self.recipe, float_layers=tuple(sorted(names)))
        return self.of(self.file.quantized(recipe, self.calibration, lambda: None))

    def __call__(self, names):
        self.builds += 1
        made = self.quantized(names)
        verdict = accuracy_drop(self.reference, made) <= lg.points(1)
        keeps = verdict.outcome is Outcome.PASS
        return Trial(
            layers=names,
            excess=0.0 if keeps else float(verdict.measurement.high),
            errors=partial(added_errors, self.reference, made, self.split),
        )


@pytest.mark.parametrize("seed", range(5))
def test_two_fragile_layers_of_thirty_are_found_in_46_builds(tmp_path, seed):
    """Within 1.1 times the bytes of the cheapest of all 466 sets of up to two layers.

    Sets that cost more cannot refute that, and are not built.
    """
    deep = Deep(tmp_path, seed)
    plain = deep.quantized(frozenset())
    layers = candidates(deep.reference, plain, deep.split, by="bytes", field="float_layers")
    assert len(layers) == 30
    trials = search(layers, deep)
    assert deep.builds <= 46
    best, *_ = cheapest(layers, trials)
    assert best.layers == deep.fragile
    names = [it.name for it in layers]
    sets = [frozenset(it) for count in range(3) for it in combinations(names, count)]
    assert len(sets) == 466
    limit = cost_of(layers, best.layers) / 1.1
    tried = {it.layers for it in trials}
    left = [it for it in sets if cost_of(layers, it) < limit and it not in tried]
    assert not any(deep(it).keeps for it in left)
