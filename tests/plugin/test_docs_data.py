"""docs/data.md does what it says: what its blocks load is loaded."""

import runpy
import subprocess
import sys

import numpy as np
import pytest
from documents import PROJECT, blocks

from litegate.data.digests import array_digest
from litegate.data.prepare import prepare
from litegate.spec import Data, DataLocations

PAGE = PROJECT / "docs" / "data.md"
DECLARED, DIGEST, TENSORS, HUB, TFDS = blocks("python", pages=[PAGE])

LOADED = """
import runpy, sys
from litegate.spec import DataLocations

data = runpy.run_path(sys.argv[1])["FOLDERS"]
raw = data.load(DataLocations())
items = [(x.numpy(), y.numpy()) for x, y in raw.test.source]
print([(x.shape, y.tolist()) for x, y in items])
"""
WRITTEN = """
import tensorflow as tf
for number, name in enumerate(["cat", "dog"]):
    image = tf.fill([96, 96, 3], tf.constant(100 * number, tf.uint8))
    tf.io.write_file(f"data/test/{name}/one.png", tf.io.encode_png(image))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_digest_of_an_array_is_as_described(folder):
    (folder / "block.py").write_text(DIGEST.text)
    digest = runpy.run_path("block.py")["digest"]
    for dtype in (">f4", "<i8", "u1", "?"):
        array = np.asfortranarray(np.arange(6).reshape(2, 3), dtype)
        assert digest(array) == array_digest(array)


def test_files_of_parts_are_a_data_set(folder):
    x = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(6, 2, 2, 1)
    y = np.array([0, 1, 1, 0, 1, 0])
    (folder / "data").mkdir()
    for number in range(3):
        part = slice(2 * number, 2 * number + 2)
        np.savez(folder / "data" / f"part-{number}.npz", x=x[part], y=y[part])
    (folder / "block.py").write_text(DECLARED.text)
    data = runpy.run_path("block.py")["IMAGES"]
    pinned = Data(
        **{
            name: getattr(data, name)
            for name in ("name", "load", "preprocess", "domain", "classes")
        },
        digests={"x_test": array_digest(x), "y_test": array_digest(y)},
    )
    made = prepare(pinned, DataLocations(), folder / "out")
    np.testing.assert_array_equal(made.x_test, x.astype(np.float32) / 255)


@pytest.mark.slow
def test_a_folder_of_images_is_a_stream(folder):
    (folder / "block.py").write_text(TENSORS.text)
    for code in (WRITTEN, LOADED):
        argv = [sys.executable, "-c", code, "block.py"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("[((2, 96, 96, 3), [0, 1])]\n")


@pytest.mark.parametrize("block", [HUB, TFDS], ids=str)
def test_what_needs_a_package_that_is_not_here_says_so_and_is_read(block, folder):
    """It defines `load`, whose package is missing: which shows that nobody has run it."""
    assert "which litegate does not install" in block.not_run
    (folder / "block.py").write_text(block.text)
    load = runpy.run_path("block.py")["load"]
    with pytest.raises(ModuleNotFoundError, match=r"'(datasets|tensorflow_datasets)'"):
        load(DataLocations())
