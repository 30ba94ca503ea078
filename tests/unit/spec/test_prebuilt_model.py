"""What `prebuilt` declares, the samples that `npz` reads, and what the commands make of both."""

import numpy as np
import pytest
from typer.testing import CliRunner

from litegate import Budget, File, percent, points, prebuilt
from litegate.cli import app
from litegate.core.errors import ConfigError, DataError, DataUnavailable
from litegate.data import npz, prepare
from litegate.data.digests import array_digest
from litegate.spec import DataLocations, Kind
from litegate.spec.loader import discover
from litegate.testing import tiny

X, Y = np.linspace(0, 1, 12, dtype=np.float32).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])
DIGESTS = {"x_test": array_digest(X), "y_test": array_digest(Y)}
LABELLED = {"x": "x", "y": "y", "digests": DIGESTS, "classes": ("a", "b")}
BARE = {"x": "x", "digests": {"x_test": DIGESTS["x_test"]}}
MODEL = """
import litegate as lg
DATA = lg.datasets.npz("samples.npz", x="x", digests={}, domain=(0.0, 1.0))
one = lg.prebuilt(reference="r.tflite", candidate="c.tflite", data=DATA)
two = lg.prebuilt(reference="r.tflite", candidate="c.tflite", data=DATA, name="other")
again = one
"""


def data(**fields):
    return npz("samples.npz", domain=(0.0, 1.0), **(fields or BARE))


@pytest.fixture
def places(tmp_path):
    """A project whose `samples.npz` holds six samples with labels."""
    np.savez(tmp_path / "samples.npz", x=X, y=Y)
    return DataLocations(project=tmp_path)


def test_a_variable_names_its_model(tmp_path):
    """The first that holds it, unless it is named; its line is told."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.py").write_text(MODEL)
    found = discover(tmp_path / "models", tmp_path)
    assert list(found) == ["one", "other"]
    assert (found["one"].line, found["other"].line) == (4, 5)
    assert found["one"].prebuilt == {
        "float32": File(path="r.tflite"),
        "int8_ptq": File(path="c.tflite"),
    }


@pytest.mark.parametrize(
    ("kind", "port"), [("int8_qat", "int8"), ("int8_ptq", "int8"), ("dynamic_range", "float32")]
)
def test_the_kind_says_what_the_ports_are(kind, port):
    model = prebuilt(reference="r", candidate="c", data=data(), kind=kind)
    [recipe] = model.recipes
    assert (recipe.name, recipe.input_type, recipe.output_type) == (kind, port, port)
    other = prebuilt(reference="r", candidate="c", data=data(), kind=kind, output_type="float32")
    assert other.recipes[0].output_type == "float32"


@pytest.mark.parametrize("kind", ["float32", "int8", ""])
def test_a_kind_that_is_no_way_to_quantize_is_refused(kind):
    with pytest.raises(ConfigError, match="expected: int8_qat, int8_ptq, dynamic_range"):
        prebuilt(reference="r", candidate="c", data=data(), kind=kind)


def test_limits_of_accuracy_are_refused_without_labels():
    for limit in ({"accuracy": percent(1)}, {"class_drop": points(1)}):
        with pytest.raises(ConfigError, match=f"limits {next(iter(limit))}, .* has no labels"):
            prebuilt(reference="r", candidate="c", data=data(), budget=Budget(**limit))
    prebuilt(reference="r", candidate="c", data=data(), budget=Budget(agreement=percent(99)))


def test_a_single_class_is_none_to_choose():
    with pytest.raises(ConfigError, match=r"the labels 'y' of samples\.npz need class names"):
        data(x="x", y="y", digests={}, classes=("one",))


def test_labels_without_classes_have_no_accuracy():
    """They are targets or masks: metrics judge them."""
    targets = data(x="x", y="y", digests={})
    with pytest.raises(ConfigError, match=r"limits accuracy, .* has no classes"):
        prebuilt(reference="r", candidate="c", data=targets, budget=Budget(accuracy=percent(1)))


def test_samples_and_labels_are_read(places):
    splits = prepare(data(**LABELLED), places)
    assert splits.x_train is None
    np.testing.assert_array_equal(splits.x_test, X)
    np.testing.assert_array_equal(splits.y_test, Y)
    assert prepare(data(**BARE), places).y_test is None


def test_the_data_directory_comes_first(places, tmp_path):
    """Its file is the one that counts: another one there is no silent substitute."""
    folder = tmp_path / "data"
    folder.mkdir()
    locations = DataLocations(directory=folder, project=places.project)
    np.testing.assert_array_equal(prepare(data(**BARE), locations).x_test, X)
    np.savez(folder / "samples.npz", x=X[::-1], y=Y)
    with pytest.raises(DataError, match="differs from its digests"):
        prepare(data(**BARE), locations)


def test_a_file_may_be_pinned_in_place_of_a_path(places):
    file = File(path=str(places.project / "samples.npz"))
    np.testing.assert_array_equal(prepare(npz(file, domain=(0.0, 1.0), **BARE), places).x_test, X)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (BARE | {"x": "images"}, "an .npz with the arrays images"),
        (BARE | {"digests": {}}, '"x_test": "' + DIGESTS["x_test"]),
        (LABELLED | {"digests": {"x_test": DIGESTS["x_test"]}}, "y_test no digest"),
        (BARE | {"digests": DIGESTS}, "y_test no array"),
    ],
)
def test_other_arrays_than_promised_are_an_error(places, fields, text):
    with pytest.raises(DataError) as refused:
        prepare(data(**fields), places)
    assert text in str(refused.value)


@pytest.mark.parametrize("damage", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_an_error(places, damage):
    (places.project / "samples.npz").write_bytes(damage)
    with pytest.raises(DataError, match=r"samples\.npz cannot be read"):
        prepare(data(**BARE), places)


def test_a_missing_file_is_said_with_both_places(places, tmp_path):
    (places.project / "samples.npz").unlink()
    locations = DataLocations(directory=tmp_path / "data", project=places.project)
    with pytest.raises(DataUnavailable, match=r"data not found: samples\.npz") as caught:
        prepare(data(**BARE), locations)
    assert caught.value.expected == f"{tmp_path}/data/samples.npz or {places.project}/samples.npz"


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """A project with the model of `MODEL`, and litegate's command run in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.py").write_text(MODEL.replace('"c.t', '"sub/c.t'))
    (tmp_path / "r.tflite").write_bytes(tiny(Kind.FLOAT32))
    return lambda *args: CliRunner().invoke(app, args)


def test_list_says_what_is_prebuilt_though_a_file_is_missing(listed):
    done = listed("list")
    assert done.exit_code == 0
    assert "one: sub/c.tflite, prebuilt" in done.stdout
    assert "not built" in done.stdout


def test_noise_is_refused(listed):
    """Nothing is trained, so no seed moves it."""
    done = listed("noise", "one")
    assert done.exit_code == 1
    assert isinstance(done.exception, ConfigError)
    assert "one is prebuilt: litegate does not train it" in str(done.exception)
