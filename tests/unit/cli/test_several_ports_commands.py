"""The commands on files with several inputs, outputs and signatures."""

import json

import numpy as np
import pytest
from several import crossed, samples, two_signatures
from typer.testing import CliRunner

from litegate.cli import app

SOUND = crossed()
X = samples(60)
LABELS = (X.arrays["left"] + X.arrays["right"]).argmax(axis=1)


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run a command in a folder with `a.tflite`, `b.tflite` and `data.npz`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(name, *args, a=SOUND, b=SOUND, data=None):
        (tmp_path / "a.tflite").write_bytes(a)
        (tmp_path / "b.tflite").write_bytes(b)
        arrays = {f"x.{k}": x for k, x in X.arrays.items()} | {"y": LABELS}
        np.savez(tmp_path / "data.npz", **(arrays if data is None else data))
        return CliRunner().invoke(app, [name, "a.tflite", *args])

    return run


def test_compare_takes_an_array_for_each_input(command):
    done = command("compare", "b.tflite", "--data", "data.npz", "--output", "sum", "--json")
    assert done.exit_code == 0, done.output
    rows = {row["what"]: row for row in json.loads(done.stdout)["rows"]}
    assert (rows["accuracy"]["a"], rows["accuracy"]["b"]) == (1, 1)
    worse = command("compare", "b.tflite", "--data", "data.npz", b=crossed(gain=-1))
    assert "outputs of product" in worse.stdout


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"x": X.arrays["left"]}, "has 2 inputs, but the samples are a single array"),
        ({"x.left": X.arrays["left"]}, "samples are missing for the input right"),
        (
            {"x.left": X.arrays["left"], "x.right": X.arrays["right"][:3]},
            "same number of samples",
        ),
        ({"x.left": X.arrays["left"], "x.rigth": X.arrays["right"]}, "did you mean 'right'"),
        ({"x.left": X.arrays["left"], "x.right": np.array("a")}, "x.right is"),
    ],
)
def test_compare_says_which_arrays_are_missing(command, data, said):
    done = command("compare", "b.tflite", "--data", "data.npz", data=data)
    assert done.exit_code == 2
    assert said in done.stderr


def test_compare_runs_the_signature_that_is_named(command):
    two = two_signatures()
    data = {"x": X.arrays["left"]}
    args = ("b.tflite", "--data", "data.npz")
    done = command("compare", *args, "--signature", "twice", a=two, b=two, data=data)
    assert done.exit_code == 0, done.output
    assert "outputs of 60 samples differ by 0" in done.stdout
    unnamed = command("compare", *args, a=two, b=two, data=data)
    assert unnamed.exit_code == 2
    assert "one of add, twice" in unnamed.stderr


def test_inspect_lists_ports_and_signatures_by_name(command):
    told = json.loads(command("inspect", "--json", a=two_signatures()).stdout)
    assert [one["called"] for one in told["inputs"]] == ["x", "y"]
    assert told["signatures"] == [
        {"name": "add", "graph": 0, "inputs": {"x": 0, "y": 1}, "outputs": {"sum": 2}},
        {"name": "twice", "graph": 1, "inputs": {"x": 1}, "outputs": {"doubled": 2}},
    ]
    of_twice = ("--signature", "twice", "--json")
    told = json.loads(command("inspect", *of_twice, a=two_signatures()).stdout)
    assert [one["called"] for one in told["outputs"]] == ["doubled"]
    shown = command("inspect", a=two_signatures()).stdout
    assert "signature twice" in shown
    assert "graph 1: x to doubled" in shown


def test_inspect_refuses_a_signature_that_is_not_there(command):
    done = command("inspect", "--signature", "third", a=two_signatures())
    assert "no signature 'third'" in str(done.exception)


@pytest.mark.parametrize("tflite", [crossed(), two_signatures()])
def test_strip_proves_every_output_of_every_signature(command, tmp_path, tflite):
    done = command("strip", "--to", "out.tflite", a=tflite)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out.tflite").stat().st_size <= len(tflite)
