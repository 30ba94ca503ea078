"""Evaluation samples that are also in the training split are counted when splits are prepared."""

from itertools import permutations

import numpy as np
import pytest

from litegate.build.store_arrays import stored_leaked_samples
from litegate.core.errors import StoreCorrupt
from litegate.data import prepare
from litegate.data.digests import array_digest
from litegate.data.duplicates import are_distinct, count_shared, sample_digests
from litegate.data.prepare import LEAKED, save_evaluation
from litegate.spec import Data, DataLocations, Splits, Stream

TRAIN = np.arange(60, dtype=np.uint8).reshape(20, 3)
OTHER = np.arange(100, 130, dtype=np.uint8).reshape(10, 3)


def in_place(samples):
    """A preprocessing that destroys what it is shown."""
    single = samples if isinstance(samples, np.ndarray) else next(iter(samples.values()))
    single[...] = 0
    return {k: np.float32(v) for k, v in samples.items()} if single is not samples else samples


def leaked(tmp_path, **splits):
    """The count of a data set, by way of the files that a store keeps."""
    raw = Splits(**splits)
    arrays = {k: v for k, v in raw.arrays().items() if k[0] in "xy"}
    for split in (raw.train, raw.test):
        name = "train" if split is raw.train else "test"
        if split:
            x, y = (np.concatenate(parts) for parts in zip(*split.items(), strict=True))
            arrays |= {f"x_{name}": x, f"y_{name}": y}
    data = Data(
        name="d",
        load=lambda _: raw,
        digests={name: array_digest(array) for name, array in arrays.items()},
        preprocess=in_place,
        domain=(0, 255),
        classes=("a", "b"),
    )
    made = prepare(data, DataLocations(), tmp_path)
    return stored_leaked_samples(save_evaluation(made, tmp_path))


def labels(x):
    first = next(iter(x.values())) if isinstance(x, dict) else x
    return np.arange(len(first), dtype=np.uint8) % 2


def as_arrays(train, test):
    train, test = ({k: v.copy() for k, v in s.items()} if isinstance(s, dict) else s.copy()
                   for s in (train, test))  # fmt: skip
    return {"x_train": train, "y_train": labels(train), "x_test": test, "y_test": labels(test)}


def as_streams(train, test):
    def stream(x):
        parts = (np.array_split(x, 3), np.array_split(labels(x), 3))
        return Stream(source=lambda: zip(*(list(p) for p in parts), strict=True), batched=True)

    return {"train": stream(train.copy()), "test": stream(test.copy())}


@pytest.mark.parametrize("form", [as_arrays, as_streams])
@pytest.mark.parametrize("count", [0, 1, 5, 20])
def test_each_sample_in_both_splits_counts(tmp_path, form, count):
    test = np.concatenate([OTHER, TRAIN[:count]])
    assert leaked(tmp_path, **form(TRAIN, test)) == count


def test_copies_count_once(tmp_path):
    train, test = np.concatenate([TRAIN, TRAIN]), np.concatenate([TRAIN[:2], TRAIN[:2], OTHER])
    assert leaked(tmp_path, **as_arrays(train, test)) == 2


def test_a_split_that_is_all_in_the_other_is_all_leaked(tmp_path):
    """x_test concatenated to x_train."""
    train = np.concatenate([TRAIN, OTHER])
    assert leaked(tmp_path, **as_arrays(train, OTHER)) == len(OTHER)


def test_a_sample_that_differs_in_one_bit_is_another(tmp_path):
    test = TRAIN.copy()
    test[1:, -1] ^= 1
    assert leaked(tmp_path, **as_arrays(TRAIN, test)) == 1


def test_a_sample_of_several_inputs_is_all_of_them(tmp_path):
    """In whatever order the splits name them."""
    train = {"a": TRAIN, "b": TRAIN[::-1]}
    half = {"b": np.concatenate([TRAIN[::-1][:4], OTHER]), "a": np.concatenate([TRAIN[:4], OTHER])}
    assert leaked(tmp_path, **as_arrays(train, half)) == 4
    apart = {"a": TRAIN[:4], "b": TRAIN[:4]}
    assert leaked(tmp_path / "apart", **as_arrays(train, apart)) == 0


def test_without_a_training_split_the_count_is_unknown(tmp_path):
    assert leaked(tmp_path, x_test=OTHER.copy(), y_test=labels(OTHER)) is None
    assert not (tmp_path / LEAKED).exists()


def test_the_order_and_the_parts_do_not_matter(monkeypatch):
    """Splits larger than memory are walked over a part at a time."""
    many = np.random.default_rng(0).integers(0, 1 << 32, (5000, 2))
    whole = sample_digests(many)
    monkeypatch.setattr("litegate.data.disk_arrays.PART", 1000)
    assert (sample_digests(many) == whole).all()
    assert count_shared(sample_digests(many[::-1][:1234]), whole) == 1234


@pytest.mark.parametrize("text", ["", "-1", "1.0", "null", "[]", "\udcff", "²"])
def test_a_count_in_the_store_that_is_none_is_damage(tmp_path, text):
    (tmp_path / LEAKED).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(StoreCorrupt, match="is not a number"):
        stored_leaked_samples({LEAKED: tmp_path / LEAKED})


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int64"])
def test_sums_prove_that_samples_are_distinct(dtype):
    """Each with its values in another order than the next; a copy, of any place, ends the proof."""
    samples = np.array(list(permutations(range(8)))[:5000], dtype)
    assert are_distinct(samples)
    assert not are_distinct(np.concatenate([samples, samples[4321:4322]]))


@pytest.mark.parametrize(
    "samples",
    [
        np.arange(12, dtype=np.uint8).reshape(4, 3),
        np.zeros((0, 8), np.float32),
        np.zeros((3, 0), np.float32),
        {"a": np.arange(16.0).reshape(2, 8)},
    ],
    ids=["no whole words", "no samples", "no values", "several inputs"],
)
def test_other_samples_have_no_proof_by_sums(samples):
    assert not are_distinct(samples)
