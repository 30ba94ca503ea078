"""`litegate init --samples` alone: the model file of own arrays, and what it refuses."""

import ast
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from litegate.cli import app
from litegate.core.errors import LitegateError
from litegate.data.digests import array_digest
from litegate.spec import DataLocations
from litegate.spec.loader import discover

RANDOM = np.random.default_rng(3)


def arrays_of(shape, dtype="uint8", classes=3, n=30):
    """Samples to train on and to judge with, and their labels."""
    x = (RANDOM.random((2 * n, *shape)) * (255 if dtype == "uint8" else 4)).astype(dtype)
    y = np.resize(np.arange(classes), 2 * n).astype("uint8")
    return {"x_train": x[:n], "y_train": y[:n], "x_test": x[n:], "y_test": y[n:]}


@pytest.fixture
def init(new_project):
    """Run the command in `project`, below the folder that holds the arrays."""

    def run(*options, name="Key words.npz", folder=new_project, **arrays):
        np.savez(folder / name, **arrays)
        return CliRunner().invoke(app, ["init", "--samples", str(folder / name), *options])

    run.project = new_project
    return run


def declared(init):
    [model] = discover(init.project / "models", init.project).values()
    return model


@pytest.mark.parametrize(
    ("shape", "layers"),
    [
        ((17, 16, 3), ["InputLayer", "Conv2D", "Conv2D", "Flatten", "Dense"]),
        ((20, 15, 3), ["InputLayer", "Conv2D", "Flatten", "Dense"]),
        ((8, 8), ["InputLayer", "Reshape", "Conv2D", "Flatten", "Dense"]),
        ((7, 40), ["InputLayer", "Flatten", "Dense", "Dense"]),
        ((20,), ["InputLayer", "Dense", "Dense"]),
        ((4, 3, 2, 2), ["InputLayer", "Flatten", "Dense", "Dense"]),
    ],
)
def test_the_network_fits_the_samples(init, shape, layers):
    done = init(**arrays_of(shape))
    assert done.exit_code == 0, done.output
    tree = ast.parse((init.project / "models" / "key_words.py").read_text())
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    owned = (it.attr for it in calls if ast.unparse(it).startswith("layers."))
    assert sorted(owned) == sorted(layers)


def test_the_arrays_are_pinned_and_read(init):
    """The digests are those that a run compares with, so no second command is needed."""
    arrays = arrays_of((8, 8))
    done = init(**arrays)
    model = declared(init)
    assert model.name == "key_words"
    assert model.data.digests == {name: array_digest(array) for name, array in arrays.items()}
    splits = model.data.load(DataLocations(project=init.project))
    assert all((getattr(splits, name) == array).all() for name, array in arrays.items())
    assert model.data.classes == ("0", "1", "2")
    assert (model.data.domain, model.data.preprocess(np.uint8([255]))) == ((0, 1), [1])
    assert "`pytest checks/` trains the network of models/key_words.py and gates it" in done.output
    assert "put your own network in its place" in done.output
    assert not (init.project / "models" / "my_model.py").exists()
    text = (init.project / "models" / "key_words.py").read_text()
    assert max(map(len, text.splitlines())) <= 100


def test_features_in_floats_keep_their_range(init):
    """Nothing is made up for them but the type."""
    arrays = arrays_of((20,), "float32")
    arrays["x_test"][0, 0] = -2.5
    assert init(**arrays).exit_code == 0
    data = declared(init).data
    assert data.domain == (-3, 4)
    assert data.preprocess(np.float64([7])).tolist() == [7]


@pytest.mark.parametrize("is_set", [True, False])
def test_arrays_outside_of_the_project_are_read_there(init, tmp_path, monkeypatch, is_set):
    if is_set:
        monkeypatch.setenv("LITEGATE_DATA", str(tmp_path))
    assert init(folder=tmp_path, **arrays_of((20,))).exit_code == 0
    text = (init.project / "models" / "key_words.py").read_text()
    path = 'locations.directory / "Key words.npz"' if is_set else '"../Key words.npz"'
    assert f"np.load({path})" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_test": None}, "does not have the arrays x_train, y_train, x_test, y_test"),
        ({"y_test": np.zeros((30, 3))}, "y_test of .* are not class numbers"),
        ({"y_train": np.zeros(30)}, "y_train of .* are not class numbers"),
        ({"y_train": np.full(30, -1)}, "y_train of .* are not class numbers"),
        ({"y_train": np.full(30, 30)}, "y_train of .* are not class numbers"),
        ({"y_test": np.full(30, 2**40)}, "y_test of .* are not class numbers"),
        ({"y_train": np.zeros(29, int)}, "y_train of .* are not class numbers"),
        ({"x_test": np.full((30, 8, 8), np.nan)}, "not all finite"),
        ({"x_test": np.zeros((30, 8, 9), np.uint8)}, "do not have one shape"),
        ({"x_train": np.zeros((0, 8, 8), np.uint8), "y_train": np.zeros(0, int)}, "not all finite"),
        ({"x_train": np.zeros(30), "x_test": np.zeros(30)}, "do not have one shape"),
    ],
)
def test_other_arrays_are_refused_before_anything_is_written(init, change, message):
    arrays = arrays_of((8, 8)) | change
    done = init(**{name: array for name, array in arrays.items() if array is not None})
    assert isinstance(done.exception, LitegateError)
    assert done.exception.args
    with pytest.raises(LitegateError, match=message):
        raise done.exception
    assert [path.name for path in init.project.iterdir()] == ["Key words.npz"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such file names")
@pytest.mark.parametrize(
    "name", ['"""\nraise SystemExit.npz', "back\\x.npz", 'a"b.npz', "line\nend.npz", "\udcff.npz"]
)
def test_a_hostile_name_stays_a_name(init, name):
    """It stands in a docstring and in a path of the file that is written."""
    arrays = arrays_of((20,))
    done = init(name=name, **arrays)
    assert done.exit_code == 0, done.output
    splits = declared(init).data.load(DataLocations(project=init.project))
    assert (splits.x_test == arrays["x_test"]).all()


def test_a_file_that_is_no_archive_is_refused(init, tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK")
    done = CliRunner().invoke(app, ["init", "--samples", str(tmp_path / "a.npz")])
    assert isinstance(done.exception, LitegateError)


def test_a_model_file_that_is_there_stays(init):
    (init.project / "models").mkdir()
    (init.project / "models" / "key_words.py").write_text("import litegate as lg\n")
    done = init(**arrays_of((8, 8)))
    assert "left   models/key_words.py: it exists already, and differs" in done.output


def test_one_of_two_files_is_refused(init):
    done = init("--reference", "a.tflite", **arrays_of((8, 8)))
    assert "two ready-made files need --reference, --candidate" in str(done.exception)
