"""The whole gate on real models: real training, real conversion, real LiteRT."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.resources import files

import jsonschema
import pytest

DIGITS = ("--litegate-model", "digits_cnn")
QUICK = ("-m", "not latency")


def test_digits_are_gated_without_network_or_data(fresh):
    """A fresh machine offline runs the whole gate on the embedded default."""
    assert fresh.returncode == 0, fresh.stdout + fresh.stderr
    assert "litegate: 1 model: " in fresh.stdout
    assert "PASS     digits_cnn/int8_qat  accuracy" in fresh.stdout
    report = json.loads(fresh.report.read_text("utf-8"))
    schema = json.loads((files("litegate.report") / "report.schema.json").read_text("utf-8"))
    jsonschema.validate(report, schema)
    assert report["exit_status"] == 0
    assert {row["verdict"] for row in report["verdicts"]} <= {"pass", "inconclusive"}
    measured = {row["measurement"] for row in report["verdicts"]}
    assert {"accuracy", "size", "latency", "latency ratio"} <= measured
    born = report["artifacts"][report["verdicts"][0]["artifacts"][0]]
    assert born["versions"]["tensorflow"] == "2.21.0"


def test_benchmark_options_keep_working(fresh):
    """pytest-benchmark's own JSON holds the samples that the verdict rests on."""
    assert fresh.returncode == 0, fresh.stdout + fresh.stderr
    bench = json.loads(fresh.bench.read_text("utf-8"))["benchmarks"][0]
    assert bench["name"] == "test_latency_stays_within_budget[digits_cnn-int8_qat]"
    assert bench["stats"]["rounds"] > 100


def test_a_second_run_needs_no_tensorflow(gate, fresh, tmp_path):
    """Nothing changed: nothing is built and TensorFlow, poisoned here, is not imported."""
    poison = tmp_path / "poison" / "tensorflow"
    poison.mkdir(parents=True)
    (poison / "__init__.py").write_text("raise ImportError('TensorFlow was imported')\n")
    done = gate(*DIGITS, *QUICK, PYTHONPATH=str(poison.parent))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "digits_cnn/int8_qat: train" in fresh.stdout
    assert "digits_cnn/int8_qat: train" not in done.stdout


def test_missing_data_is_loud_on_a_laptop(gate, fresh, no_network):
    """NOT GATED, with what to do, and the other models decide the exit status."""
    done = gate(*QUICK, "-k", "accuracy_reaches", **no_network)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mnist_cnn was NOT GATED" in done.stdout
    assert "MNIST is not on this machine" in done.stdout
    assert "LITEGATE_DATA" in done.stdout
    assert "PASS     digits_cnn/int8_qat" in done.stdout


def test_missing_data_is_an_error_in_ci(gate, fresh, no_network):
    """There, a model that was not gated must not look like one that passed."""
    done = gate(*QUICK, "-k", "accuracy_reaches", CI="true", **no_network)
    assert done.returncode == 1
    assert "MNIST is not on this machine" in done.stdout
    assert "2 without a verdict" in done.stdout  # of both runtimes


def test_a_run_that_gated_nothing_is_an_error(gate, no_network):
    """Also on a laptop: exit status 0 would be read as a pass."""
    done = gate("--litegate-model", "mnist_cnn", *QUICK, "-k", "accuracy_reaches", **no_network)
    assert done.returncode == 1
    assert "nothing was gated, which is not a pass" in done.stdout


@pytest.mark.slow
def test_a_flipped_byte_is_reported_and_rebuilt(gate, quick, tmp_path):
    """The store is verified on reading; the same bytes come back."""
    store = tmp_path / "store"
    shutil.copytree(quick.store, store)
    recipes = json.loads(quick.report.read_text("utf-8"))["recipes"]
    [digest] = [row["artifact"] for row in recipes if row["recipe"] == "int8_qat"]
    victim = store / "objects" / digest[:2] / digest
    healthy = victim.read_bytes()
    victim.write_bytes(healthy[:1000] + bytes([healthy[1000] ^ 1]) + healthy[1001:])
    done = gate(*DIGITS, *QUICK, "-k", "accuracy", store=store, cwd=quick.project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is damaged: digits_cnn/int8_qat is built again" in done.stdout
    assert victim.read_bytes() == healthy


@pytest.mark.slow
def test_xdist_workers_build_once(quick):
    """Two workers, an empty store: each artifact is trained for once, every check passes."""
    assert quick.returncode == 0, quick.stdout + quick.stderr
    assert quick.stderr.count("digits_cnn/int8_qat: quantize") == 1
    assert quick.stderr.count("waiting for another run") <= 1
    assert json.loads(quick.report.read_text("utf-8"))["verdict"] in ("pass", "inconclusive")


def test_latency_is_no_pass_under_xdist(gate, fresh):
    """Other checks run beside it: an error that says how to run it."""
    done = gate(*DIGITS, "-m", "latency", "-n", "2")
    assert done.returncode == 1
    assert "latency was not measured" in done.stdout
    assert "without a verdict" in done.stdout


def test_latency_may_be_left_out_on_request(gate, fresh):
    """An omission that was asked for is said, and is no pass."""
    done = gate(*DIGITS, "--benchmark-disable", "-k", "latency or accuracy_reaches")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT MEASURED checks/test_latency.py" in done.stdout
    assert not [line for line in done.stdout.splitlines() if "PASS" in line and "latency" in line]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_ends_cleanly(tmp_path):
    """The child is gone, nothing half-built is in the store, pytest's exit status is 2."""
    store = tmp_path / "store"
    env = os.environ | {"LITEGATE_STORE": str(store)}
    argv = [sys.executable, "-m", "pytest", "checks/", *DIGITS, f"--litegate-report={tmp_path}"]
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if "train" in line:
                break
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(60) == 2
    assert not list(store.glob("builds/*"))
    assert not list(store.glob("tmp/*"))
    assert str(store) not in _commands()


def _commands():
    """The command lines and stdin requests of every process of this machine."""
    time.sleep(0.2)
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
