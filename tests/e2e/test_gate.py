"""The whole gate on real models: real training, real conversion, real LiteRT."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.resources import files

import jsonschema
import pytest

DIGITS = ("--litegate-model", "digits_cnn")
QUICK = ("-m", "not latency")


@pytest.fixture
def no_network(tmp_path):
    """An environment in which no download can succeed and no cache is found."""
    closed = "http://127.0.0.1:9"
    return {"https_proxy": closed, "http_proxy": closed, "KERAS_HOME": str(tmp_path / "keras")}


def test_digits_are_gated_without_network_or_data(gate, no_network):
    """A fresh machine offline runs the whole gate on the embedded default."""
    done = gate(*DIGITS, **no_network)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "litegate: 1 model: " in done.stdout
    assert "PASS     digits_cnn/int8_qat  accuracy" in done.stdout
    report = json.loads(gate.report.read_text("utf-8"))
    schema = json.loads((files("litegate.report") / "report.schema.json").read_text("utf-8"))
    jsonschema.validate(report, schema)
    assert report["exit_status"] == 0
    assert {row["verdict"] for row in report["verdicts"]} <= {"pass", "inconclusive"}
    measured = {row["measurement"] for row in report["verdicts"]}
    assert {"accuracy", "size", "latency", "latency ratio"} <= measured
    born = report["artifacts"][report["verdicts"][0]["artifacts"][0]]
    assert born["versions"]["tensorflow"] == "2.21.0"


def test_a_second_run_needs_no_tensorflow(gate, tmp_path):
    """Nothing changed: nothing is built and TensorFlow, poisoned here, is not imported."""
    gate(*DIGITS, *QUICK)
    poison = tmp_path / "poison" / "tensorflow"
    poison.mkdir(parents=True)
    (poison / "__init__.py").write_text("raise ImportError('TensorFlow was imported')\n")
    done = gate(*DIGITS, *QUICK, PYTHONPATH=str(poison.parent))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "train" not in done.stdout


def test_missing_data_is_loud_on_a_laptop(gate, no_network):
    """NOT GATED, with what to do, and the other models decide the exit status."""
    done = gate(*QUICK, "-k", "accuracy_reaches", **no_network)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mnist_cnn was NOT GATED" in done.stdout
    assert "MNIST is not on this machine" in done.stdout
    assert "LITEGATE_DATA" in done.stdout
    assert "PASS     digits_cnn/int8_qat" in done.stdout


def test_missing_data_is_an_error_in_ci(gate, no_network):
    """There, a model that was not gated must not look like one that passed."""
    done = gate(*QUICK, "-k", "accuracy_reaches", CI="true", **no_network)
    assert done.returncode == 1
    assert "MNIST is not on this machine" in done.stdout
    assert "1 without a verdict" in done.stdout


def test_a_run_that_gated_nothing_is_an_error(gate, no_network):
    """Also on a laptop: exit status 0 would be read as a pass."""
    done = gate("--litegate-model", "mnist_cnn", *QUICK, "-k", "accuracy_reaches", **no_network)
    assert done.returncode == 1
    assert "nothing was gated, which is no pass" in done.stdout


def test_a_flipped_byte_is_reported_and_rebuilt(gate, tmp_path, shared_store):
    """The store is verified on reading; the same bytes come back."""
    gate(*DIGITS, *QUICK)
    store = tmp_path / "store"
    subprocess.run(["cp", "-r", str(shared_store), str(store)], check=True)
    digest = json.loads(gate.report.read_text("utf-8"))["verdicts"][0]["artifacts"][0]
    victim = store / "objects" / digest[:2] / digest
    healthy = victim.read_bytes()
    victim.write_bytes(healthy[:1000] + bytes([healthy[1000] ^ 1]) + healthy[1001:])
    done = gate(*DIGITS, *QUICK, "-k", "accuracy", store=store)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is damaged: digits_cnn/int8_qat is built again" in done.stdout
    assert victim.read_bytes() == healthy


def test_xdist_workers_build_once(gate, tmp_path):
    """Two workers, an empty store: each artifact is trained for once, every check passes."""
    store = tmp_path / "store"
    done = gate(*DIGITS, *QUICK, "-n", "2", store=store)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("digits_cnn/int8_qat: quantize") == 1
    assert done.stderr.count("waiting for another run") <= 1
    assert json.loads(gate.report.read_text("utf-8"))["verdict"] in ("pass", "inconclusive")


def test_latency_is_no_pass_under_xdist(gate):
    """Other checks run beside it: an error that says how to run it."""
    done = gate(*DIGITS, "-m", "latency", "-n", "2")
    assert done.returncode == 1
    assert "latency was not measured" in done.stdout
    assert "without a verdict" in done.stdout


def test_latency_may_be_left_out_on_request(gate):
    """An omission that was asked for is said, and is no pass."""
    done = gate(*DIGITS, "--benchmark-disable", "-k", "latency or accuracy_reaches")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT MEASURED checks/test_latency.py" in done.stdout
    assert not [line for line in done.stdout.splitlines() if "PASS" in line and "latency" in line]


def test_benchmark_options_keep_working(gate, tmp_path):
    """pytest-benchmark's own JSON holds the samples that the verdict rests on."""
    done = gate(*DIGITS, "-m", "latency", f"--benchmark-json={tmp_path / 'bench.json'}")
    assert done.returncode == 0, done.stdout + done.stderr
    bench = json.loads((tmp_path / "bench.json").read_text("utf-8"))["benchmarks"][0]
    assert bench["name"] == "test_latency_stays_within_budget[digits_cnn-int8_qat]"
    assert bench["stats"]["rounds"] > 100


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
