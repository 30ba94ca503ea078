"""docs/how-to/data*.md: their blocks load data as they say, and their downloads arrive."""

import csv
import hashlib
import os
import re
import runpy
import stat
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from documents import PROJECT, blocks
from ruamel.yaml import YAML

from litegate.core.errors import DataError
from litegate.data.digests import array_digest
from litegate.data.prepare import prepare
from litegate.data.validation import preprocess
from litegate.spec import Data, DataLocations, Splits

DOCS = PROJECT / "docs" / "how-to"
ARRAYS, PICTURES, HELD_OUT, CSV_OF_PNG, WAVES = blocks("python", pages=[DOCS / "data.md"])
STANDARDIZED, DIGEST = blocks("python", pages=[DOCS / "data_domain.md"])
DECLARED, TENSORS, HUB, TFDS = blocks("python", pages=[DOCS / "data_streams.md"])
LFS, BUCKET, DOWNLOAD, CACHE = blocks("yaml", pages=[DOCS / "data_ci.md"])
PACK, UNPACK = blocks("sh", pages=[DOCS / "data_ci.md"])

STREAMED = """
import runpy, sys
from litegate.spec import DataLocations

data = runpy.run_path(sys.argv[1])["FOLDERS"]
raw = data.load(DataLocations())
items = [(x.numpy(), y.numpy()) for x, y in raw.test.source]
print([(x.shape, y.tolist()) for x, y in items])
"""
LOADED = """
import runpy, sys
from litegate.spec import DataLocations

(data,) = [v for v in runpy.run_path(sys.argv[1]).values() if type(v).__name__ == "Data"]
raw = data.load(DataLocations())
print([(x.shape, str(x.dtype)) for x in (raw.x_train, raw.x_test)], raw.y_test.tolist())
"""
WRITTEN = """
import tensorflow as tf
for split in ("train", "test"):
    for number, name in enumerate(["cat", "dog"]):
        image = tf.fill([96, 96, 3], tf.constant(100 * number, tf.uint8))
        tf.io.write_file(f"data/{split}/{name}/one.png", tf.io.encode_png(image))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path


def written(block):
    path = Path("block.py").resolve()
    path.write_text(block.text, "utf-8")
    return path


def declared(block, name):
    return runpy.run_path(str(written(block)))[name]


def prepared(data, folder):
    """The splits of a data set, pinned by the digests of what it loads."""
    locations = DataLocations(project=folder)
    raw = data.load(locations).arrays()
    digests = {name: array_digest(array) for name, array in raw.items()}
    return prepare(replace(data, digests=digests), locations, folder / "out")


def test_the_digest_of_an_array_is_as_described(folder):
    digest = declared(DIGEST, "digest")
    for dtype in (">f4", "<i8", "u1", "?"):
        array = np.asfortranarray(np.arange(6).reshape(2, 3), dtype)
        assert digest(array) == array_digest(array)


def test_arrays_of_a_file_are_a_data_set(folder):
    """In the project's folder, else in the one that LITEGATE_DATA names."""
    x, y = np.arange(24, dtype=np.uint8).reshape(4, 6), np.array([0, 1, 1, 0])
    arrays = {"x_train": x, "y_train": y, "x_test": x[:2], "y_test": y[:2]}
    np.savez(folder / "data" / "keywords.npz", **arrays)
    made = prepared(declared(ARRAYS, "KEYWORDS"), folder)
    np.testing.assert_array_equal(made.x_test, x[:2].astype(np.float32) / 255)
    elsewhere = DataLocations(project=folder / "none", directory=folder / "data")
    assert declared(ARRAYS, "KEYWORDS").load(elsewhere).x_train.shape == (4, 6)


def test_wav_files_are_a_data_set(folder):
    for split in ("train", "test"):
        for number, word in enumerate(("no", "yes")):
            file = folder / "data" / split / word / "one.wav"
            file.parent.mkdir(parents=True)
            with wave.open(str(file), "wb") as recording:
                recording.setparams((1, 2, 16000, 0, "NONE", ""))
                recording.writeframes(np.full(100, 16384 * number, "<i2").tobytes())
    made = prepared(declared(WAVES, "WORDS"), folder)
    assert made.x_test.tolist() == [[0.0] * 100, [0.5] * 100]
    assert made.y_test.tolist() == [0, 1]


def test_files_without_a_split_are_held_out_by_name(folder):
    """About a fifth; a new file moves no other, and a missing folder is an error."""
    split = declared(HELD_OUT, "split")
    with pytest.raises(FileNotFoundError):
        split(Path("data"), ("no", "yes"))
    for word in ("no", "yes"):
        (folder / "data" / word).mkdir()
        for number in range(200):
            (folder / "data" / word / f"{number}.wav").touch()
    train, test = split(Path("data"), ("no", "yes"))
    assert len(train) + len(test) == 400
    assert 60 <= len(test) <= 100
    assert {label for _, label in test} == {0, 1}
    (folder / "data" / "no" / "new.wav").touch()
    for before, after in zip((train, test), split(Path("data"), ("no", "yes")), strict=True):
        assert set(before) <= set(after)


@pytest.mark.parametrize("served", ["whole", "damaged", "missing"])
def test_many_files_arrive_in_one_archive_or_the_step_fails(served, folder):
    server, picture = folder / "server", folder / "data" / "pictures" / "a.png"
    server.mkdir()
    picture.parent.mkdir()
    picture.write_bytes(b"picture")
    subprocess.run(["bash", "-e", "-c", PACK.text], check=True)
    picture.unlink()
    archive = Path("pictures.tar").rename(server / "pictures.tar")
    if served == "damaged":
        archive.write_bytes(archive.read_bytes().replace(b"picture", b"pictura"))
    elif served == "missing":
        archive.unlink()
    script = UNPACK.text.replace("https://example.com", server.as_uri()).replace("--retry 3", "")
    done = subprocess.run(["bash", "-e", "-c", script], capture_output=True, check=False)
    assert (done.returncode == 0) is picture.is_file() is (served == "whole"), done.stderr


def test_standardized_features_stay_in_their_domain(folder):
    """Whatever a sensor gives; without the clip the first of these is an error."""
    names = runpy.run_path(str(written(STANDARDIZED)))
    data = Data(
        name="weather",
        load=lambda _: Splits(x_test=[]),
        digests={},
        preprocess=names["standardize"],
        domain=names["DOMAIN"],
    )
    samples = np.array([[1e6, 48.2, 0.0], [20.9, -1e6, 1013.0]])
    standardized = preprocess(data, samples)
    np.testing.assert_allclose(standardized, [[6, 0, -6], [0, -6, 0]], atol=1e-6)
    with pytest.raises(DataError, match="are outside their declared domain"):
        preprocess(replace(data, preprocess=lambda x: x), samples)


def test_files_of_parts_are_a_data_set(folder):
    x = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(6, 2, 2, 1)
    y = np.array([0, 1, 1, 0, 1, 0])
    for number in range(3):
        part = slice(2 * number, 2 * number + 2)
        np.savez(folder / "data" / f"part-{number}.npz", x=x[part], y=y[part])
    digests = {"x_test": array_digest(x), "y_test": array_digest(y)}
    data = replace(declared(DECLARED, "IMAGES"), digests=digests)
    made = prepare(data, DataLocations(), folder / "out")
    np.testing.assert_array_equal(made.x_test, x.astype(np.float32) / 255)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("block", "code", "printed"),
    [
        (TENSORS, STREAMED, "[((2, 96, 96, 3), [0, 1])]"),
        (PICTURES, LOADED, "[((2, 96, 96, 3), 'uint8'), ((2, 96, 96, 3), 'uint8')] [0, 1]"),
        (CSV_OF_PNG, LOADED, "[((2, 96, 96, 1), 'uint8'), ((2, 96, 96, 1), 'uint8')] [0, 1]"),
    ],
    ids=["stream", "folders", "csv"],
)
def test_pictures_are_loaded(block, code, printed, folder):
    written(block)
    with (folder / "data" / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "label", "split"))
        for split in ("train", "test"):
            rows.writerow((f"{split}/cat/one.png", "good", split))
            rows.writerow((f"{split}/dog/one.png", "scratched", split))
    for source in (WRITTEN, code):
        argv = [sys.executable, "-c", source, "block.py"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(printed + "\n")


@pytest.mark.parametrize("block", [HUB, TFDS], ids=str)
def test_what_needs_a_package_that_is_not_here_says_so_and_is_read(block, folder):
    """It defines `load`, whose package is missing: which shows that nobody has run it."""
    assert "which litegate does not install" in block.not_run
    load = declared(block, "load")
    with pytest.raises(ModuleNotFoundError, match=r"'(datasets|tensorflow_datasets)'"):
        load(DataLocations())


def _steps(block):
    (job,) = YAML(typ="safe").load(block.text)["jobs"].values()
    return job["steps"]


@pytest.mark.parametrize("block", [LFS, BUCKET, DOWNLOAD, CACHE], ids=str)
def test_a_workflow_pins_what_others_wrote_and_gates_last(block):
    for line in re.findall(r"uses: (.+)", block.text):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|OWNER/litegate@COMMIT", line)
    assert _steps(block)[-1] == {"uses": "OWNER/litegate@COMMIT"}
    assert _steps(block)[0]["with"]["fetch-depth"] == 0


AWS = """#!/bin/sh
test "$1 $2 $5 $6" = "s3 cp s3://my-bucket/keywords/ data/" && cp -r "$SERVED/." data/
"""


@pytest.mark.parametrize("served", ["whole", "damaged", "missing"])
@pytest.mark.parametrize("block", [BUCKET, DOWNLOAD, CACHE], ids=["bucket", "download", "cache"])
def test_the_steps_of_a_workflow_bring_the_data_or_fail(block, served, folder, monkeypatch):
    """Its commands are run as they stand, on a server in a folder, as on an empty cache."""
    server = folder / "server"
    server.mkdir()
    if served != "missing":
        (server / "keywords.npz").write_bytes(served.encode())
    sha256 = hashlib.sha256(b"whole").hexdigest()
    (folder / "data.sha256").write_text(f"{sha256}  data/keywords.npz\n")
    aws = folder / "bin" / "aws"
    aws.parent.mkdir()
    aws.write_text(AWS)
    aws.chmod(aws.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{aws.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SERVED", str(server))
    commands = "\n".join(step["run"] for step in _steps(block) if "run" in step)
    script = commands.replace("https://example.com", server.as_uri()).replace("--retry 3", "")
    done = subprocess.run(["bash", "-e", "-c", script], capture_output=True, check=False)
    arrived = (folder / "data" / "keywords.npz").is_file()
    if block is BUCKET:  # which has no checksum of its own: the digests of the model's file judge
        assert arrived is (served != "missing")
    else:
        assert (done.returncode == 0) is (served == "whole"), done.stderr
