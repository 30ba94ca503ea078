"""Two machines share a bucket: the second gates what the first has built, without TensorFlow."""

import re
import shutil

import bucket_servers
import pytest
from projects import CHECKS, BareProject

pytest.importorskip("obstore")
pytest.importorskip("moto")
pytestmark = pytest.mark.slow
MODELS = ("mnist_cnn", "digits_cnn")
TRAINED = re.compile(r"(\w+)/\w+: train")


@pytest.fixture
def machine(tmp_path):
    """Gate both models of this repository in a clone, whose folder is a cache of its own."""
    with bucket_servers.moto(None) as server:

        def gate(name, **environment):
            clone = BareProject(tmp_path / name)
            for model in MODELS:
                file = CHECKS.parent / "models" / f"{model}.py"
                shutil.copyfile(file, clone.path / "models" / file.name)
            environment |= server.environment() | {"LITEGATE_STORE": server.url("models")}
            done = clone.gate("--litegate-store-required", **environment)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout + done.stderr, clone.report

        yield gate


def test_the_second_machine_needs_neither_tensorflow_nor_data(machine, data_directory, tmp_path):
    """It judges the same bytes, and has nothing to say about the bucket."""
    printed, first = machine("first")
    assert set(TRAINED.findall(printed)) == set(MODELS)
    for name in ("tensorflow", "tf_keras"):
        poison = tmp_path / "poison" / name
        poison.mkdir(parents=True)
        (poison / "__init__.py").write_text(f"raise ImportError('{name} was imported')\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = {"LITEGATE_DATA": str(empty), "KERAS_HOME": str(empty)}
    printed, second = machine("second", PYTHONPATH=str(tmp_path / "poison"), **nothing)
    assert not TRAINED.findall(printed)
    assert not [note for note in second["notes"] if "s3://" in note]
    judged = [
        {(row["id"], row["measurement"]): row["artifacts"] for row in report["verdicts"]}
        for report in (first, second)
    ]
    assert judged[0] == judged[1]
    assert {row["model"] for row in second["verdicts"]} >= set(MODELS)
