"""Which format a file has, and what is said of damaged ones; without TensorFlow."""

import json
import random
import zipfile

import h5py
import pytest

from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.pretrained.formats import is_saved_model, read_network

CONFIG = {"class_name": "Sequential", "config": {"name": "net", "layers": []}}


def archive(path, *, version="3.15.1", config=CONFIG):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", json.dumps(config))
        file.writestr("metadata.json", json.dumps({"keras_version": version}))
    return path


def hdf5(path, **attributes):
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes)
    return path


@pytest.mark.parametrize(
    ("version", "keras3"), [("3.15.1", True), ("2.21.0", False), ("30", False)]
)
def test_an_archive_is_told_by_its_bytes(tmp_path, version, keras3):
    """Whatever it is called: a file out of a URL has no name of its own."""
    found = read_network(archive(tmp_path / "0123abc", version=version), "net")
    assert (found.suffix, found.keras3, found.config) == (".keras", keras3, CONFIG)


@pytest.mark.parametrize(("version", "keras3"), [("3.0.0", True), ("2.2.4-tf", False), ("", False)])
def test_hdf5_is_told_by_its_bytes(tmp_path, version, keras3):
    path = hdf5(tmp_path / "net", model_config=json.dumps(CONFIG), keras_version=version)
    found = read_network(path, "net")
    assert (found.suffix, found.keras3, found.config) == (".h5", keras3, CONFIG)


def test_a_saved_model_is_a_folder_with_a_graph(tmp_path):
    assert not is_saved_model(tmp_path)
    (tmp_path / "saved_model.pb").touch()
    assert is_saved_model(tmp_path)


def test_weights_alone_are_no_network(tmp_path):
    with pytest.raises(ToolchainError, match="got: only weights"):
        read_network(hdf5(tmp_path / "net", keras_version="2.21.0"), "net")


@pytest.mark.parametrize("data", [b"", b"PK", b"\x89HDF", b"TFL3", b"\x80\x04pickle"])
def test_other_files_are_refused(tmp_path, data):
    (tmp_path / "net").write_bytes(data)
    with pytest.raises(ToolchainError, match="a file that begins with"):
        read_network(tmp_path / "net", "net")


@pytest.mark.parametrize(
    "make", [archive, lambda path: hdf5(path, model_config=json.dumps(CONFIG))]
)
def test_damage_is_refused_in_words_or_leaves_a_written_form(tmp_path, make):
    """Cut anywhere, and with bytes flipped by a seeded choice: never another exception."""
    rng, whole = random.Random(7), make(tmp_path / "whole").read_bytes()
    path, refused = tmp_path / "damaged", 0
    cut = [whole[:length] for length in range(0, len(whole), 1 + len(whole) // 150)]
    for data in cut + [_flipped(whole, rng) for _ in range(300)]:
        path.write_bytes(data)
        try:
            read_network(path, "net")
        except ToolchainError:
            refused += 1
    assert refused >= len(cut)


def _flipped(data, rng):
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def test_a_written_form_that_nests_without_end_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "net", "w") as file:
        file.writestr("config.json", "[" * 100_000)
    with pytest.raises(ToolchainError, match="RecursionError"):
        read_network(tmp_path / "net", "net")
