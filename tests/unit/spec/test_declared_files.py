"""What a model's functions read must be declared in files=..., or a change of it goes unseen."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from litegate.core.errors import ConfigError
from litegate.spec.declared_files import demand_declared, watched
from litegate.spec.loader import load_file

MODEL = '''
import functools
from pathlib import Path
import litegate as lg

HERE = Path(__file__).parent

def read(name):
    return (HERE / name).read_text()

def scale(samples):
    READ_BY_PREPROCESS
    return samples

def annotate(network, tfmot):
    READ_BY_ANNOTATE
    return network

def load(locations):
    READ_BY_LOAD
    return lg.Splits(x_test=1)

READ_BY_FILE

DATA = lg.Data(name="d", load=load, digests={}, preprocess=scale, domain=(0, 1)DATA_FILES)

@lg.model(data=DATA, recipes=[lg.recipes.int8_qat(annotate=annotate)]FILES)
def net(keras):
    """A network."""
    READ_BY_BUILDER
    return "network"
'''
ALL = ("FILE", "PREPROCESS", "ANNOTATE", "LOAD", "BUILDER")


@pytest.fixture
def model(tmp_path):
    """Writes a model of which one function reads models/config.json."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "config.json").write_text("16")
    (folder / "other.json").write_text("")

    def write(reader, files="", data_files=""):
        text = MODEL
        for name in ALL:
            read = "read('config.json')" if name == reader else "pass"
            text = text.replace(f"READ_BY_{name}", read)
        text = text.replace("DATA_FILES", data_files).replace("FILES", files)
        (folder / "net.py").write_text(text)
        return load_file(folder / "net.py", tmp_path)["net"]

    yield write
    sys.modules.pop("litegate_models_net", None)


def use(model, project):
    """Call what is watched, as a build does."""
    demand_declared(model, model.reads, project)
    model = watched(model, project)
    model.data.preprocess("samples")
    assert model.build("keras") == "network"
    assert model.recipes[0].annotate("network", "tfmot") == "network"


@pytest.mark.parametrize(
    ("reader", "subject"),
    [("FILE", "the file"), ("ANNOTATE", "annotate"), ("BUILDER", "the builder")],
)
def test_a_file_that_no_declaration_names_is_an_error(tmp_path, model, reader, subject):
    with pytest.raises(ConfigError) as error:
        use(model(reader), tmp_path)
    assert (
        error.value.what == f"{subject} of net reads models/config.json, which no files=... names"
    )
    assert error.value.remedy == 'write @litegate.model(..., files=["config.json"])'


def test_the_preprocessing_has_files_of_its_own(tmp_path, model):
    """Those of the model are no part of the evaluation data's key."""
    with pytest.raises(ConfigError, match="the preprocessing of d reads models/config") as error:
        use(model("PREPROCESS", files=', files=["config.json"]'), tmp_path)
    assert error.value.remedy == 'write litegate.Data(..., files=("models/config.json",))'
    use(model("PREPROCESS", data_files=', files=("models/config.json",)'), tmp_path)


@pytest.mark.parametrize("reader", ["FILE", "ANNOTATE", "BUILDER"])
@pytest.mark.parametrize(
    "declared",
    [
        {"files": ', files=["config.json"]'},
        {"files": ', files=["../models/config.json"]'},
        {"files": ', files=[HERE / "config.json"]'},
        {"data_files": ', files=("models/config.json",)'},
    ],
)
def test_a_declared_file_may_be_read(tmp_path, model, reader, declared):
    use(model(reader, **declared), tmp_path)


def test_the_line_to_write_keeps_what_is_declared(tmp_path, model):
    for written, line in [
        ({"files": ', files=["other.json"]'}, 'files=["other.json", "config.json"])'),
        ({"files": ', files=["../a/b"]'}, 'files=["../a/b", "config.json"])'),
    ]:
        with pytest.raises(ConfigError, match="which no files=") as error:
            use(model("BUILDER", **written), tmp_path)
        assert error.value.remedy.endswith(line)
    with pytest.raises(ConfigError, match="which no files=") as error:
        use(model("PREPROCESS", data_files=', files=("models/other.json",)'), tmp_path)
    assert 'files=("models/other.json", "models/config.json"))' in error.value.remedy


def test_the_line_to_write_is_all_that_it_takes(tmp_path, model):
    for reader in ("FILE", "PREPROCESS", "ANNOTATE", "BUILDER"):
        with pytest.raises(ConfigError) as error:
            use(model(reader), tmp_path)
        files = re.search(r", files=.*(?=\)$)", error.value.remedy)[0]
        place = "data_files" if "Data" in error.value.remedy else "files"
        use(model(reader, **{place: files}), tmp_path)


def test_a_model_without_a_builder_declares_files_with_its_data(tmp_path, model):
    """`trained` and `prebuilt` take none."""
    started = replace(model("FILE"), start="file")
    with pytest.raises(ConfigError) as error:
        demand_declared(started, started.reads, tmp_path)
    assert error.value.remedy == 'write litegate.Data(..., files=("models/config.json",))'


def test_what_load_reads_is_the_data(tmp_path, model):
    """The digests of what it returns declare it."""
    loaded = watched(model("LOAD"), tmp_path)
    loaded.data.load(None)
    use(loaded, tmp_path)


def test_an_exception_of_the_function_itself_is_passed_on(tmp_path, model):
    (Path(tmp_path) / "models" / "config.json").unlink()
    with pytest.raises(FileNotFoundError):
        watched(model("BUILDER"), tmp_path).build("keras")
