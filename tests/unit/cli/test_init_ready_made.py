"""`litegate init` with two ready-made files: the model file that it writes, and what it refuses."""

import hashlib
import shutil

import numpy as np
import pytest
from documents import blocks
from typer.testing import CliRunner

from litegate.cli import app
from litegate.cli.ready_made import ReadyMade
from litegate.core.errors import LitegateError
from litegate.spec import Kind
from litegate.spec.loader import discover
from litegate.testing import evaluation, tiny

SPLIT = evaluation()
X, Y = SPLIT.x, SPLIT.y
NAMES = ("reference", "candidate", "samples")


@pytest.fixture
def init(new_project):
    """Run the command in `project`, below the folder that holds the three files."""

    def run(*options, folder=new_project, candidate=None, reference=None, **arrays):
        files = dict(zip(NAMES, ("tiny_f32.tflite", "tiny_i8.tflite", "tiny.npz"), strict=True))
        (folder / files["reference"]).write_bytes(reference or tiny(Kind.FLOAT32))
        (folder / files["candidate"]).write_bytes(candidate or tiny(Kind.INT8_PTQ))
        np.savez(folder / files["samples"], **(arrays or {"x": X, "y": Y}))
        given = (f"--{name}={folder / files[name]}" for name in NAMES)
        return CliRunner().invoke(app, ["init", *given, *options])

    run.project = new_project
    return run


def declared(init):
    [model] = discover(init.project / "models", init.project).values()
    return model


def refusal(done):
    """The message of the error that the command prints."""
    assert isinstance(done.exception, LitegateError)
    return str(done.exception)


def text_of(init):
    return (init.project / "models" / "tiny.py").read_text()


@pytest.mark.parametrize(
    ("kind", "port"),
    [
        (Kind.INT8_PTQ, "float32"),
        (Kind.INT8_PTQ, "int8"),
        (Kind.INT8_PTQ, "uint8"),
        (Kind.INT16X8, "float32"),
        (Kind.DYNAMIC_RANGE, "float32"),
        (Kind.FLOAT16, "float32"),
    ],
)
def test_the_candidate_is_declared_with_its_kind_and_types(init, kind, port):
    done = init(candidate=tiny(kind, input_type=port, output_type=port))
    assert done.exit_code == 0, done.output
    [recipe] = [it for it in declared(init).recipes if it.kind is not Kind.FLOAT32]
    assert (recipe.kind, recipe.input_type, recipe.output_type) == (kind, port, port)


def test_files_of_the_project_are_named_and_the_data_are_pinned(init):
    done = init(folder=init.project)
    assert done.exit_code == 0, done.output
    lines = text_of(init).splitlines()
    assert '    reference="tiny_f32.tflite",' in lines
    assert '    candidate="tiny_i8.tflite",' in lines
    assert '        "tiny.npz",' in lines
    assert "        domain=(0, 1),  # what the device can produce" in lines
    model = declared(init)
    assert [*model.data.digests] == ["x_test", "y_test"]
    assert model.data.classes == ("0", "1", "2", "3")
    assert "accuracy_drop" not in model.budget.unset_limits()
    assert max(map(len, lines)) <= 100
    assert "next:  1. `pytest checks/` gates the models of models/" in done.output
    assert "2. name the classes and choose the limits in models/tiny.py" in done.output
    assert not (init.project / "models" / "my_model.py").exists()


def test_files_outside_of_the_project_get_a_digest(init, tmp_path):
    assert init(folder=tmp_path).exit_code == 0
    sha256 = hashlib.sha256(tiny(Kind.INT8_PTQ)).hexdigest()
    assert f'path="../tiny_i8.tflite",\n        sha256="{sha256}",' in text_of(init)
    assert '"../tiny.npz"' in text_of(init)


def test_samples_in_the_data_folder_are_named_from_there(init, tmp_path, monkeypatch):
    """Through a link to that folder, too."""
    link = tmp_path / "some" / "where" / "link"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path)
    monkeypatch.setenv("LITEGATE_DATA", str(link))
    assert init(folder=tmp_path).exit_code == 0
    assert '        "tiny.npz",' in text_of(init).splitlines()


def test_samples_without_labels_limit_the_agreement(init):
    assert init(x=X).exit_code == 0
    model = declared(init)
    assert not model.data.labels
    assert "agreement" not in model.budget.unset_limits()


@pytest.mark.parametrize("names", [("x", "y"), ("x_test", "y_test"), ("pictures", "digits")])
def test_arrays_are_found_by_their_shapes(init, names):
    arrays = dict(zip(names, (X, Y), strict=True))
    assert init(**arrays, other=np.zeros((3, 4))).exit_code == 0
    assert [f'x="{names[0]}"' in text_of(init), f'y="{names[1]}"' in text_of(init)] == [True, True]


@pytest.mark.parametrize(
    ("dtype", "scale", "domain"),
    [("uint8", 255, (0, 255)), ("int8", 100, (-128, 127)), ("float32", 2.5, (0, 3))],
)
def test_the_domain_is_that_of_the_type_or_of_the_values(init, dtype, scale, domain):
    x = np.clip(X * scale, 0, scale).astype(dtype)
    x.flat[0] = scale
    assert init(x=x, y=Y).exit_code == 0
    assert tuple(declared(init).data.domain) == domain


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X[:, :5], "y": Y}, "has no arrays of samples for the reference's input"),
        ({"a": X, "b": X}, "has 2 arrays of samples"),
        ({"x": np.full_like(X, np.nan), "y": Y}, "not all finite"),
        ({"x": X[:0], "y": Y[:0]}, "not all finite"),
        ({"x": X, "y": np.where(Y == 3, 4, Y)}, "expected: numbers from 0 to 3"),
        ({"x": X, "y": np.array(["a"] * len(X), dtype=object)}, "does not contain samples"),
    ],
)
def test_data_that_do_not_fit_are_an_error_and_nothing_is_written(init, arrays, message):
    assert message in refusal(init(**arrays))
    assert not (init.project / "models").exists()
    assert not (init.project / "checks").exists()


def test_a_candidate_in_floats_is_an_error(init):
    done = init(candidate=tiny(Kind.FLOAT32))
    assert "give the quantized file as --candidate" in refusal(done)


def test_a_file_that_is_none_is_an_error(init):
    for damaged in ({"candidate": b"no file"}, {"reference": b"no file"}):
        assert ".tflite" in refusal(init(**damaged))
        assert not (init.project / "models").exists()


@pytest.mark.parametrize("left_out", NAMES)
def test_the_three_options_belong_together(init, left_out):
    given = [f"--{name}=file" for name in NAMES if name != left_out]
    done = CliRunner().invoke(app, ["init", *given])
    assert "need --reference, --candidate and --samples" in refusal(done)


@pytest.mark.parametrize(
    ("reference", "candidate", "name"),
    [
        ("resnet8_float32", "resnet8_int8", "resnet8"),
        ("kws-f32", "kws-i8", "kws"),
        ("a", "b", "b"),
        ("float", "Wake Word (int8)", "wake_word_int8"),
        ("2x_f", "2x_q", "model_2x"),
        ("f", "class", "model_class"),
        ("f", "ß", "model"),
    ],
)
def test_the_model_is_named_after_its_files(tmp_path, reference, candidate, name):
    files = ReadyMade(
        reference=tmp_path / f"{reference}.tflite",
        candidate=tmp_path / f"{candidate}.tflite",
        samples=tmp_path / "samples.npz",
    )
    assert files.name == name


@pytest.mark.parametrize(
    ("host", "workflow"),
    [("--github", ".github/workflows/gate.yml"), ("--gitlab", ".gitlab-ci.yml")],
)
def test_the_workflow_installs_no_tensorflow(init, host, workflow):
    assert init(host).exit_code == 0
    [line] = [it for it in (init.project / workflow).read_text().splitlines() if "pip i" in it]
    assert line.endswith("pip install litegate")


def test_another_workflow_for_ready_made_files_installs_no_tensorflow_either(init):
    assert init("--github").exit_code == 0
    done = CliRunner().invoke(app, ["init", "--gitlab"])
    assert done.exit_code == 0, done.output
    assert "    - pip install litegate\n" in (init.project / ".gitlab-ci.yml").read_text()
    (init.project / "models" / "mine.py").write_text("import litegate as lg\n@lg.model()\n")
    (init.project / ".gitlab-ci.yml").unlink()
    assert CliRunner().invoke(app, ["init", "--gitlab"]).exit_code == 0
    assert "litegate[train]" in (init.project / ".gitlab-ci.yml").read_text()


def test_the_line_that_installs_is_to_be_corrected_before_the_first_commit(init):
    done = init()
    steps = done.output.partition("next:")[2].splitlines()
    assert steps[2].startswith("       3. correct the workflow's line `pip install`")
    assert steps[3].startswith("       4. commit the files")


@pytest.mark.parametrize(
    ("fewest", "line"), [(59, "# class_drop takes 60"), (60, "class_drop=lg.")]
)
def test_the_loss_of_a_class_is_limited_if_its_samples_can_decide(init, fewest, line):
    labels = np.repeat(np.arange(4), (60, 60, 60, fewest))
    assert init(x=np.resize(X, (len(labels), *X.shape[1:])), y=labels).exit_code == 0
    assert line in text_of(init)
    assert declared(init).budget.class_drop is None or fewest == 60


def test_the_page_shows_the_file_that_is_written(data_directory, tmp_path, monkeypatch):
    """That of docs/how-to/prebuilt.md, of real files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LITEGATE_DATA", str(data_directory))
    (tmp_path / "files").mkdir()
    names = {"reference": "resnet8_float32.tflite", "candidate": "resnet8_int8.tflite"}
    for name in names.values():
        shutil.copy(data_directory / "mlperf_tiny" / name, tmp_path / "files")
    given = [f"--{option}=files/{name}" for option, name in names.items()]
    samples = f"--samples={data_directory / 'cifar10_test.npz'}"
    assert CliRunner().invoke(app, ["init", *given, samples]).exit_code == 0
    shown = next(block.text for block in blocks("python") if block.page.name == "prebuilt.md")
    assert shown == (tmp_path / "models" / "resnet8.py").read_text("utf-8")
