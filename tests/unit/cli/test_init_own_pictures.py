"""`litegate init --pictures`: the model file of own pictures, and what it refuses."""

import ast
import struct
import zlib

import pytest
from typer.testing import CliRunner

from litegate.cli import app
from litegate.spec.loader import discover

GREY, RGB, RGBA = 0, 2, 6
"""PNG's colour types."""


def png(width, height, colours=RGB):
    """A black picture."""
    channels = {GREY: 1, RGB: 3, RGBA: 4}[colours]

    def chunk(kind, content):
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(width * channels)) * height)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, it) for kind, it in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    )


def fill(folder, *, classes=("cat", "dog"), test=None, name="1.png", content=None):
    """Put a picture into each class of both splits."""
    for split, names in (("train", classes), ("test", classes if test is None else test)):
        for it in names:
            (folder / split / it).mkdir(parents=True)
            (folder / split / it / name).write_bytes(png(20, 18) if content is None else content)
    return folder


@pytest.fixture
def init(new_project):
    """Run the command in `project` on a folder."""

    def run(folder, *options):
        return CliRunner().invoke(app, ["init", "--pictures", str(folder), *options])

    run.project = new_project
    return run


def calls(init, name="pictures"):
    """The arguments of the calls in the model's file, by function."""
    tree = ast.parse((init.project / "models" / f"{name}.py").read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        ast.unparse(it.func): {k.arg: ast.unparse(k.value) for k in it.keywords} for it in found
    }


READ = "tf.keras.utils.image_dataset_from_directory"


def test_the_model_declares_the_pictures(init):
    """Two commands more lead to a verdict, and the output names them."""
    fill(init.project / "Pictures", classes=("dog", 'a "cat"'))
    (init.project / "Pictures" / "train" / ".hidden").mkdir()
    done = init(init.project / "Pictures")
    assert done.exit_code == 0, done.output
    [model] = discover(init.project / "models", init.project).values()
    assert (model.name, model.data.classes) == ("pictures", ('a "cat"', "dog"))
    assert (model.data.domain, dict(model.data.digests)) == ((0, 1), {})
    text = (init.project / "models" / "pictures.py").read_text()
    assert '    folder = "Pictures"\n' in text
    assert max(map(len, text.splitlines())) <= 100
    steps = [line.strip() for line in done.output.splitlines()]
    first = next(number for number, line in enumerate(steps) if "litegate digests" in line)
    assert "`litegate digests pictures --write` reads the pictures and pins them" in steps[first]
    assert "`pytest checks/` trains the network of models/pictures.py" in steps[first + 1]


@pytest.mark.parametrize(
    ("name", "content", "shape"),
    [
        ("1.png", png(20, 18), (18, 20, 3)),
        ("1.PNG", png(20, 18, GREY), (18, 20, 1)),
        ("1.png", png(96, 95, RGBA), (95, 96, 3)),
        ("1.png", png(97, 20), (96, 96, 3)),
        ("1.png", png(400, 300, GREY), (96, 96, 1)),
        ("1.jpg", b"\xff\xd8\xff\xe0", (96, 96, 3)),
        ("1.png", png(20, 18)[:20], (96, 96, 3)),
        ("1.png", b"", (96, 96, 3)),
    ],
    ids=["small", "grey", "largest", "too wide", "large", "JPEG", "cut", "empty"],
)
def test_the_network_takes_small_pictures_as_they_are(init, name, content, shape):
    """The header of the first one decides; all others are resized."""
    fill(init.project / "pictures", name=name, content=content)
    assert init(init.project / "pictures").exit_code == 0
    found = calls(init)
    assert found[READ]["image_size"] == str(shape[:2])
    assert found[READ]["color_mode"] == repr("rgb" if shape[2] == 3 else "grayscale")
    assert found["layers.InputLayer"]["input_shape"] == str(shape)


def test_pictures_in_the_data_folder_are_found_there(init, tmp_path, monkeypatch):
    """As another machine finds them."""
    monkeypatch.setenv("LITEGATE_DATA", str(tmp_path / "sets"))
    assert init(fill(tmp_path / "sets" / "animals")).exit_code == 0
    text = (init.project / "models" / "animals.py").read_text()
    assert '    folder = locations.directory / "animals"\n' in text


@pytest.mark.parametrize(
    ("classes", "test", "name", "got"),
    [
        ((), (), "1.png", "train/: none; test/: none"),
        (("cat",), ("cat",), "1.png", "train/: cat; test/: cat"),
        (("cat", "dog"), ("cat",), "1.png", "train/: cat, dog; test/: cat"),
        (("cat", "dog"), ("cat", "fox"), "1.png", "train/: cat, dog; test/: cat, fox"),
        (("cat", "dog"), ("cat", "dog"), "1.txt", "train/: none; test/: none"),
    ],
)
def test_a_folder_that_is_not_sorted_is_refused(init, classes, test, name, got):
    """Before anything is written."""
    folder = init.project / "pictures"
    folder.mkdir()
    fill(folder, classes=classes, test=test, name=name)
    done = init(folder)
    assert done.exit_code == 1
    assert "is not sorted by class" in str(done.exception)
    assert got in str(done.exception)
    assert not (init.project / "models").exists()


def test_a_folder_that_is_not_there_is_refused(init):
    """As one without the two splits."""
    assert "is not sorted by class" in str(init(init.project / "none").exception)


def test_other_data_beside_the_pictures_are_refused(init):
    """Which of the two the model is of would be a guess."""
    folder = fill(init.project / "pictures")
    done = init(folder, "--samples", "arrays.npz")
    assert "give --pictures alone" in str(done.exception)
