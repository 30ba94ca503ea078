"""MLPerf Tiny's ready-made pairs, judged without training and without TensorFlow."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from projects import BareProject

CHECKS = Path(__file__).resolve().parents[2] / "checks"
RESNET8 = '''
"""MLPerf Tiny's image classification, from elsewhere."""
import litegate as lg

resnet8 = lg.prebuilt(
    reference="files/resnet8_float32.tflite",
    candidate="files/resnet8_int8.tflite",
    data=lg.datasets.npz(
        "cifar10_test.npz",
        x="x_test",
        y="y_test",
        digests={
            "x_test": "a3b2839d9dbb41ed89354609fe299a693ad351e6163167593a441960d0230a0b",
            "y_test": "0bf73979cbe237e43a42ec03823f147a669d7bcf03e72b9c481df9b9d2669352",
        },
        domain=(0.0, 255.0),
        classes=tuple("airplane automobile bird cat deer dog frog horse ship truck".split()),
    ),
    budget=lg.Budget(
        accuracy=lg.percent(74),
        accuracy_drop=lg.points(1),
        agreement=lg.percent(94),
        runtime_agreement=lg.percent(92),
        size=lg.kib(97),
        size_ratio=0.32,
    ),
)
'''
AD01 = '''
"""MLPerf Tiny's anomaly detection: an autoencoder, and no labels."""
import litegate as lg

ad01 = lg.prebuilt(
    reference="files/ad01_float32.tflite",
    candidate="files/ad01_int8.tflite",
    data=lg.datasets.npz(
        "spectra.npz", x="x", digests={{"x_test": "{digest}"}}, domain=(-83.0, 14.0)
    ),
    budget=lg.Budget(output_error=lg.percent({output_error}), size_ratio=0.27),
)
'''


@pytest.fixture
def project(tmp_path, data_directory, forks):
    """A project of ready-made files, and pytest run on it with a TensorFlow that cannot be had."""
    return Project(tmp_path / "project", data_directory)


class Project(BareProject):
    """A project of ready-made files, whose gate has no TensorFlow."""

    def __init__(self, path, data):
        super().__init__(path)
        self.data = data
        (path / "files").mkdir()
        poison = path / "poison"
        for name in ("tensorflow", "tf_keras", "keras", "tensorflow_model_optimization"):
            (poison / name).mkdir(parents=True)
            text = f"raise ImportError('{name} was imported')\n"
            (poison / name / "__init__.py").write_text(text)

    def pair(self, name):
        """Copy a pair of MLPerf Tiny's files."""
        for kind in ("float32", "int8"):
            shutil.copy(self.data / "mlperf_tiny" / f"{name}_{kind}.tflite", self.path / "files")
        return self

    def model(self, name, text):
        (self.path / "models" / f"{name}.py").write_text(text)
        return self

    def run(self, *args, module="pytest", **env):
        """Run a module of Python's; by default the gate, without latency."""
        ours = {"LITEGATE_DATA": str(self.data), "PYTHONPATH": str(self.path / "poison")} | env
        if module == "pytest":
            return self.gate(*args, **ours)
        return self.python("-m", module, *args, **ours)


@pytest.mark.slow
def test_resnet8_has_the_accuracies_that_are_published_for_these_images(project):
    """Float 75.48 %, int8 75.42 %, to the hundredth, without TensorFlow."""
    done = project.pair("resnet8").model("resnet8", RESNET8).run()
    assert done.returncode == 0, done.stdout + done.stderr
    report = project.report
    rows = {row["recipe"]: row for row in report["recipes"]}
    assert rows["float32"]["accuracy"] == 0.7548
    assert rows["int8_ptq"]["accuracy"] == 0.7542
    assert {row["verdict"] for row in report["verdicts"]} == {"pass"}
    [born] = [report["artifacts"][rows["int8_ptq"]["artifact"]]]
    told = {
        "prebuilt": {"path": "files/resnet8_int8.tflite"},
        "sha256": rows["int8_ptq"]["artifact"],
    }
    assert born == told


def spectra(project, samples=300):
    """Write samples like a microphone's log spectra; gives the digest of their bytes."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(0, 0.6, (samples, 640)), axis=1)
    x = (rng.normal(-10, 6, (samples, 1)) + walk).clip(-83, 14).astype(np.float32)
    np.savez(project.path / "spectra.npz", x=x)
    from litegate.data.digests import array_digest

    return array_digest(x)


@pytest.mark.parametrize(("output_error", "status"), [(10, 0), (5, 1)])
def test_an_autoencoder_without_labels_is_held_to_its_reference(project, output_error, status):
    """Its outputs are compared; the report says that accuracy was not measured, and why."""
    text = AD01.format(digest=spectra(project), output_error=output_error)
    done = project.pair("ad01").model("ad01", text).run()
    assert done.returncode == status, done.stdout + done.stderr
    assert "ad01: accuracy was not measured: its evaluation split has no labels" in done.stdout
    report = project.report
    assert "accuracy" not in {row["measurement"] for row in report["verdicts"]}
    [row] = [row for row in report["verdicts"] if row["measurement"] == "output error"]
    assert row["verdict"] == ("fail" if status else "pass")
    assert 0.06 < row["interval"]["low"] < row["value"] < row["interval"]["high"] < 0.09
    assert [row["accuracy"] for row in report["recipes"]] == [None, None]
