"""A file that a data set's `load` does not find is data that are not available, with the place."""

import pickle

import numpy as np
import pytest

from litegate.core.errors import DataError, DataUnavailable
from litegate.data.prepare import prepare
from litegate.spec import DataLocations
from litegate.spec.loader import load_file

MODEL = '''"""A wake word."""
from pathlib import Path

import litegate as lg


def load(locations):
    import numpy as np

    {load}


def unchanged(samples):
    import numpy as np

    return samples.astype(np.float32)


KEYWORDS = lg.Data(
    name="keywords", load=load, digests={{}}, preprocess=unchanged, domain=(0, 1), labels=False
)
kws = lg.prebuilt(candidate="int8.tflite", reference="float32.tflite", data={data})
'''
ARRAYS = 'return lg.Splits(x_test=np.load("data/kws.npz")["x"])'
STREAM = """source = (np.load(file) for file in ["data/kws.npz"])
    return lg.Splits(test=lg.Stream(source=source, batched=True))"""
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0a\nsize 9\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project without data; the tool chain runs in its root, too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "data").mkdir()
    return tmp_path


def failure(project, load=ARRAYS, data="KEYWORDS", kind=DataUnavailable):
    file = project / "models" / "kws.py"
    file.write_text(MODEL.format(load=load, data=data))
    model = load_file(file, project)["kws"]
    with pytest.raises(kind) as caught:
        prepare(model.data, DataLocations(project=project), project / "out")
    return caught.value


@pytest.mark.parametrize(
    "load",
    [
        ARRAYS,
        'return lg.Splits(x_test=np.load(locations.project / "data" / "kws.npz")["x"])',
        STREAM,
    ],
    ids=["arrays", "absolute path", "stream"],
)
def test_a_missing_file_is_named_with_the_line_that_reads_it(project, load):
    error = failure(project, load)
    assert error.what == "data not found: data/kws.npz (models/kws.py:10)"
    assert "correct the path" in error.remedy


FOLDERS = [
    'sorted(Path("data/shapes").glob("*.png"))',
    'sorted(Path("data").glob("shapes/*.png"))',
    'sorted(Path("data/shapes").rglob("*.png"))',
    '__import__("glob").glob("data/shapes/*.png")',
    '[name for *_, names in __import__("os").walk("data/shapes") for name in names]',
    '__import__("os").listdir("data/shapes")',
]


@pytest.mark.parametrize("files", FOLDERS, ids=["glob", "below", "rglob", "module", "walk", "list"])
def test_a_missing_folder_is_named_whatever_the_code_makes_of_it(project, files):
    """A pattern finds nothing in it, so that the error is about no arrays."""
    load = f"return lg.Splits(x_test=np.stack([np.zeros(1) for file in {files}]))"
    error = failure(project, load)
    assert error.what == "data not found: data/shapes (models/kws.py:10)"
    (project / "data" / "shapes").mkdir()
    assert "at least one array" in str(failure(project, load, kind=Exception))


def test_a_missing_folder_of_the_import_path_is_no_data(project, monkeypatch):
    """Imports list such folders."""
    monkeypatch.syspath_prepend(str(project / "gone"))
    load = '[*Path("gone").glob("*")]; raise ValueError("no arrays")'
    assert "no arrays" in str(failure(project, load, kind=Exception))


def test_a_file_outside_of_the_project_is_named_whole(project):
    error = failure(project, 'return open("/no/such/kws.npz")')
    assert error.what == "data not found: /no/such/kws.npz (models/kws.py:10)"


def test_the_words_of_the_users_own_error_are_kept(project):
    error = failure(project, 'raise FileNotFoundError("ask the lab for the recordings")')
    assert error.what == "data not found: ask the lab for the recordings (models/kws.py:10)"


def test_a_folder_that_tensorflow_does_not_find_is_missing_data(project):
    """Its exception is a class of its own, told by its name: TensorFlow may not be imported."""
    error = failure(
        project,
        'raise type("NotFoundError", (Exception,), {"__module__": '
        '"tensorflow.python.framework.errors_impl"})("Could not find directory data/test")',
    )
    assert error.what == "data not found: Could not find directory data/test (models/kws.py:10)"


def test_dvc_is_named_where_it_knows_the_file(project):
    (project / "data" / "kws.npz.dvc").write_text("outs: []\n")
    assert failure(project).remedy == "run `dvc pull data/kws.npz`"


def test_a_pointer_of_git_lfs_is_no_file(project):
    """NumPy says that it is no archive; that pointers must be pulled is what helps."""
    (project / "data" / "kws.npz").write_text(POINTER)
    error = failure(project)
    assert error.what == "data not found: data/kws.npz (models/kws.py:10)"
    assert error.got == "a Git LFS pointer instead of the file"
    assert error.remedy == "run `git lfs pull`"


def test_another_error_beside_a_whole_file_stays_what_it_is(project):
    (project / "data" / "kws.npz").write_bytes(pickle.dumps("no archive"))
    file = project / "models" / "kws.py"
    file.write_text(MODEL.format(load=ARRAYS, data="KEYWORDS"))
    data = load_file(file, project)["kws"].data
    with pytest.raises(ValueError, match="pickle"):
        prepare(data, DataLocations(project=project), project / "out")


def test_a_missing_npz_is_named_with_the_line_that_declares_it(project):
    error = failure(
        project,
        data='lg.datasets.npz("data/kws.npz", x="x", digests={}, domain=(0, 1))',
    )
    assert error.what == "data not found: data/kws.npz (models/kws.py:22)"
    assert "LITEGATE_DATA" in error.remedy


def test_an_npz_that_is_a_pointer_of_git_lfs_is_no_file(project):
    (project / "data" / "kws.npz").write_text(POINTER)
    error = failure(
        project,
        data='lg.datasets.npz("data/kws.npz", x="x", digests={}, domain=(0, 1))',
    )
    assert error.remedy == "run `git lfs pull`"


def test_data_that_lack_digests_are_no_missing_data(project):
    np.savez(project / "data" / "kws.npz", x=np.zeros((3, 2), np.float32))
    assert "no digests yet" in failure(project, kind=DataError).what
