"""Data sets of several inputs and outputs: verified, preprocessed, kept, compared."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from several import crossed, crossed_artifact, samples

from litegate.build.store_arrays import stored_keras_outputs, stored_labels, stored_samples
from litegate.core.errors import ConfigError, DataError, StoreCorrupt
from litegate.data import npz, prepare
from litegate.data.array_files import arrays_by_file, load, names_in, samples_from, save
from litegate.data.digests import array_digest
from litegate.data.prepare import save_evaluation
from litegate.gate.evidence.pictures import picture_of
from litegate.gate.page import _split
from litegate.regression.weakening.models import _data as weakened_data
from litegate.report.html.page_data import Image, Numbers
from litegate.spec import Data, DataLocations, Inputs, Splits
from litegate.spec.artifact_keys import data_key
from litegate.spec.authoring import prebuilt
from litegate.spec.recipes import int8_ptq, int16x8

PICTURES = np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2)
SPEEDS = np.arange(6.0)
KINDS = {"kind": np.array([0, 1, 0, 1, 0, 1]), "speed": SPEEDS}
RAW = Splits(
    x_train={"picture": PICTURES[:4], "speed": SPEEDS[:4]},
    y_train={name: labels[:4] for name, labels in KINDS.items()},
    x_test={"picture": PICTURES[4:], "speed": SPEEDS[4:]},
    y_test={name: labels[4:] for name, labels in KINDS.items()},
)
HERE = DataLocations()


def scaled(arrays):
    return {"picture": arrays["picture"] / 32, "speed": arrays["speed"]}


def digests_of(splits):
    return {name: array_digest(array) for name, array in splits.arrays().items()}


def data(splits=RAW, **changes):
    made = {
        "name": "moving",
        "load": lambda _: splits,
        "digests": digests_of(splits),
        "preprocess": scaled,
        "domain": {"picture": (0, 1), "speed": (0, 6)},
        "classes": ("car", "bus"),
        "output": "kind",
    }
    return Data(**(made | changes))


def test_each_array_is_verified_and_preprocessed_by_name():
    made = prepare(data(), HERE)
    assert isinstance(made.x_train, Inputs)
    assert made.x_test.arrays["picture"].dtype == np.float32
    assert np.array_equal(made.x_test.arrays["picture"], PICTURES[4:] / np.float32(32))
    assert np.array_equal(made.y_train["speed"], SPEEDS[:4])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"digests": digests_of(RAW) | {"x_test.speed": "0" * 64}},
            "differs from its digests: x_test.speed",
        ),
        ({"digests": {}}, '"x_train.picture"'),
        ({"output": ""}, "but no deciding one"),
        ({"output": "knid"}, "did you mean 'kind'"),
        ({"output": "speed"}, "not class numbers"),
        ({"domain": {"picture": (0, 1)}}, "no range for the input 'speed'"),
        ({"domain": {"picture": (0, 1), "speed": (0, 2)}}, "for the input speed"),
        ({"domain": {"picture": (0, 1), "speed": (0, 6), "x": (0, 1)}}, "different inputs"),
        ({"preprocess": lambda raw: raw["speed"]}, "no range for the input ''"),
        ({"preprocess": lambda raw: {"picture": raw["picture"] / 32}}, "different inputs"),
        (
            {"preprocess": lambda raw: {**scaled(raw), "speed": raw["speed"][:1]}},
            "number of samples",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes, said):
    with pytest.raises(DataError) as refused:
        prepare(data(**changes), HERE)
    assert said in str(refused.value)


def test_one_domain_may_hold_for_all_inputs():
    assert len(prepare(data(domain=(0, 6)), HERE).x_test) == 2


@pytest.mark.parametrize("split", ["x_test", "y_test"])
def test_arrays_of_different_lengths_are_refused(split):
    arrays = dict(getattr(RAW, split))
    arrays["speed"] = arrays["speed"][:1]
    short = dataclasses.replace(RAW, **{split: arrays})
    with pytest.raises(
        DataError, match=r"test split of moving: (1 or 2 samples, 2|2 samples, 1 or 2) labels"
    ):
        prepare(data(short), HERE)


def test_what_is_kept_comes_back(tmp_path):
    """A file for each array, whatever its name holds."""
    kept = save_evaluation(prepare(data(), HERE), tmp_path / "evaluation")
    assert sorted(kept) == ["x.picture.npy", "x.speed.npy", "y.kind.npy", "y.speed.npy"]
    files = {name: path.read_bytes() for name, path in kept.items()}
    back = stored_samples(files)
    assert np.array_equal(back.arrays["speed"], SPEEDS[4:])
    assert np.array_equal(stored_labels(files, "kind"), [0, 1])
    with pytest.raises(StoreCorrupt, match="the labels of 'knid'"):
        stored_labels(files, "knid")
    with pytest.raises(StoreCorrupt, match=r"not list x\.npy"):
        stored_samples({})
    assert stored_keras_outputs(files) is None


def test_names_that_are_no_file_names_are_kept(tmp_path):
    odd = Inputs({"a/b:0": np.zeros(2), "..": np.ones(2)})
    save(tmp_path, "x", odd)
    assert {*load(tmp_path, "x").arrays} == {"a/b:0", ".."}
    assert [*arrays_by_file("x", np.zeros(1))] == ["x.npy"]
    assert names_in("x", ["x.npy", "xy.npy", "x.a.npy", "y.npy", "x.txt"]) == {
        "": "x.npy",
        "a": "x.a.npy",
    }
    assert samples_from({"": 1}) == 1


def test_the_key_holds_what_is_judged():
    base = data()
    others = (
        data(output="speed"),
        data(domain=(0, 6)),
        data(domain={**base.domain, "speed": (0, 7)}),
    )
    keys = {
        data_key(dataclasses.replace(one, preprocess=save_evaluation), Path())
        for one in (base, *others)
    }
    assert len(keys) == 4


def declared(**changes):
    found = {
        "digests": {"x_train.a": "1", "x_test.a": "2"},
        "preprocessing": "p",
        "domain": {"a": [0, 1], "b": [0, 2]},
        "classes": ["x", "y"],
        "output": "kind",
    }
    return found | changes


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, []),
        ({"digests": {"x_train.a": "3", "x_test.a": "2"}}, []),
        ({"digests": {"x_train.a": "1", "x_test.a": "3"}}, ["x_test.a"]),
        ({"domain": {"a": [0, 1], "b": [0, 1]}}, ["of b"]),
        ({"domain": {"a": [0, 1]}}, ["of b"]),
        ({"domain": [0, 2]}, []),
        ({"domain": [0, 1]}, ["of b"]),
        ({"output": "speed"}, ["output"]),
    ],
)
def test_what_a_change_loosens_is_told_by_input_and_output(changes, fields):
    assert [one.field for one in weakened_data(declared(), declared(**changes))] == fields


def test_npz_names_an_array_for_each_input(tmp_path):
    np.savez(tmp_path / "moving.npz", p=PICTURES, s=SPEEDS, k=KINDS["kind"])
    digests = {
        "x_test.picture": array_digest(PICTURES),
        "x_test.speed": array_digest(SPEEDS),
        "y_test": array_digest(KINDS["kind"]),
    }
    named = {"picture": "p", "speed": "s"}
    settings = {"digests": digests, "domain": (0, 23), "classes": ("car", "bus"), "output": "kind"}
    made = npz("moving.npz", x=named, y="k", **settings)
    found = prepare(made, DataLocations(project=tmp_path))
    assert {name: array.shape for name, array in found.x_test.arrays.items()} == {
        "picture": (6, 2, 2),
        "speed": (6,),
    }
    wrong = npz("moving.npz", x={"picture": "p", "speed": "gone"}, y="k", **settings)
    with pytest.raises(DataError, match="p and gone and k"):
        prepare(wrong, DataLocations(project=tmp_path))


def test_a_report_keeps_the_domain_of_each_input():
    one = crossed_artifact(output="sum")
    ends = {"left": (-1.0, 1.0), "right": (-2.0, 1.0)}
    split = dataclasses.replace(one.evaluation, domain=ends)
    told = _split(split)
    assert told["domain"] == [-2, 1]
    assert told["domains"] == {"left": [-1, 1], "right": [-2, 1]}
    assert told["output"] == "sum"


def test_a_page_shows_the_first_input_that_is_a_picture():
    x = Inputs({"speed": np.zeros((3, 2)), "picture": np.zeros((3, 8, 8, 1))})
    split = dataclasses.replace(crossed_artifact().evaluation, x=x, domain=(0, 1))
    assert isinstance(picture_of(split, 1), Image)
    numbers = dataclasses.replace(split, x=samples())
    assert isinstance(picture_of(numbers, 1), Numbers)


def test_int16_is_for_int16x8_alone():
    assert int16x8(input_type="int16", output_type="int16").input_type == "int16"
    with pytest.raises(ConfigError, match="cannot have int16 as input_type"):
        int8_ptq(input_type="int16")


def test_a_ready_made_model_says_which_signature_is_judged():
    data_set = npz("x.npz", x={"left": "l"}, digests={}, domain=(0, 1))
    made = prebuilt(reference="a", candidate="b", data=data_set, signature="serve", name="m")
    assert made.signature == "serve"
    assert crossed()
