"""Streams: the same digests and the same samples as arrays, in whatever parts they come."""

import subprocess
import sys

import numpy as np
import pytest

import litegate as lg
from litegate.core.errors import ConfigError, DataError
from litegate.data import disk_arrays, prepare, streams
from litegate.data.digests import array_digest
from litegate.data.disk_arrays import DiskArray
from litegate.data.prepare import save_evaluation
from litegate.spec import Data, DataLocations, Splits, Stream

X = np.random.default_rng(0).integers(0, 256, (10, 4, 4, 1), np.uint8)
Y = (np.arange(10) % 2).astype(np.uint8)
DIGESTS = {"x_test": array_digest(X), "y_test": array_digest(Y)}


def scaled(samples):
    return samples.astype(np.float32) / 255


def data(splits, **changes):
    made = {
        "name": "made",
        "load": lambda _: splits,
        "digests": DIGESTS,
        "preprocess": scaled,
        "domain": (0.0, 1.0),
        "classes": ("even", "odd"),
    }
    return Data(**(made | changes))


def batched(*cuts, x=X, y=Y):
    return Stream(
        source=lambda: zip(np.split(x, cuts), np.split(y, cuts), strict=True), batched=True
    )


def one_by_one(x=X, y=Y):
    return Stream(source=lambda: zip(x, y, strict=True), batched=False)


STREAMS = {
    "whole": batched(),
    "cut": batched(3, 7),
    "an empty batch": batched(3, 3),
    "one by one": one_by_one(),
    "a list": Stream(source=[(X[:5], Y[:5]), (X[5:], Y[5:])], batched=True),
    "lists of lists": Stream(source=[[X[:5], Y[:5]], [X[5:], Y[5:]]], batched=True),
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("small", [True, False])
def test_a_stream_is_the_array_it_is_made_of(stream, small, tmp_path, monkeypatch):
    """By digest, by samples, and by the very file that the store keeps."""
    monkeypatch.setattr(disk_arrays, "IN_MEMORY", 1 << 20 if small else 1)
    made = prepare(data(Splits(test=stream)), DataLocations(), tmp_path / "a")
    assert isinstance(made.x_test, np.ndarray if small else DiskArray)
    np.testing.assert_array_equal(made.x_test[:], scaled(X))
    assert isinstance(made.y_test, np.ndarray if small else DiskArray)
    np.testing.assert_array_equal(made.y_test[:], Y)
    kept = save_evaluation(made, tmp_path / "a")
    whole = prepare(data(Splits(x_test=X, y_test=Y)), DataLocations())
    for name, path in save_evaluation(whole, tmp_path / "b").items():
        assert kept[name].read_bytes() == path.read_bytes()


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_without_a_folder_it_is_held_in_memory(stream):
    made = prepare(data(Splits(test=stream)), DataLocations())
    np.testing.assert_array_equal(made.x_test, scaled(X))


@pytest.mark.parametrize("folder", [True, False])
def test_without_labels_an_item_is_x_alone(folder, tmp_path):
    stream = Stream(source=lambda: iter([X[:4], X[4:]]), batched=True)
    bare = data(
        Splits(test=stream), digests={"x_test": DIGESTS["x_test"]}, classes=(), labels=False
    )
    made = prepare(bare, DataLocations(), tmp_path if folder else None)
    np.testing.assert_array_equal(made.x_test, scaled(X))
    assert made.y_test is None


def test_a_training_stream_is_gathered(tmp_path):
    splits = Splits(train=one_by_one(), test=batched(5))
    twice = DIGESTS | {name.replace("test", "train"): each for name, each in DIGESTS.items()}
    made = prepare(data(splits, digests=twice), DataLocations(), tmp_path)
    np.testing.assert_array_equal(made.x_train, scaled(X))
    np.testing.assert_array_equal(made.y_train, Y)


@pytest.mark.parametrize("folder", [True, False])
def test_a_long_stream_gives_signs_of_life(folder, tmp_path):
    """One a part, so that nobody takes the tool chain for hanging."""
    told = []
    twice = DIGESTS | {name.replace("test", "train"): each for name, each in DIGESTS.items()}
    made = data(Splits(train=batched(5), test=batched(3, 7)), digests=twice)
    prepare(made, DataLocations(), tmp_path if folder else None, lambda: told.append(1))
    assert len(told) == 2 + 3


def test_single_samples_are_gathered_into_parts_of_the_size_allowed(monkeypatch):
    monkeypatch.setattr(streams, "PART", 3 * X[0].nbytes)
    found = streams.stream_parts(one_by_one(), "made.test", labels=True)
    assert [len(x) for x, _ in found] == [3, 3, 3, 1]


def test_a_large_array_is_preprocessed_in_parts(tmp_path, monkeypatch):
    seen = []

    def noted(samples):
        seen.append(len(samples))
        return scaled(samples)

    for name in (disk_arrays, streams):
        monkeypatch.setattr(name, "IN_MEMORY", 4 * X.size - 1)
    monkeypatch.setattr(disk_arrays, "PART", 4 * X[0].size)
    splits = Splits(x_test=X, y_test=Y)
    made = prepare(data(splits, preprocess=noted), DataLocations(), tmp_path)
    assert seen == [4, 1, 3, 4, 1, 2, 1]
    np.testing.assert_array_equal(made.x_test[:], scaled(X))


def halved(samples):
    samples //= 2
    return samples


@pytest.mark.parametrize("cuts", [(), (5,), (1, 2, 6)])
def test_a_preprocessing_in_place_changes_each_sample_once(cuts, tmp_path):
    """Samples are tried together and apart; what is tried must be what came."""
    made = prepare(
        data(Splits(test=batched(*cuts)), preprocess=halved, domain=(0, 255)),
        DataLocations(),
        tmp_path,
    )
    np.testing.assert_array_equal(made.x_test[:], X // 2)


def test_nor_twice_in_a_large_array(tmp_path, monkeypatch):
    for name in (disk_arrays, streams):
        monkeypatch.setattr(name, "IN_MEMORY", 4 * X.size - 1)
    splits = Splits(x_test=X.copy(), y_test=Y)
    made = prepare(data(splits, preprocess=halved, domain=(0, 255)), DataLocations(), tmp_path)
    np.testing.assert_array_equal(made.x_test[:], X // 2)


def test_an_array_that_fits_is_preprocessed_as_a_whole(tmp_path, monkeypatch):
    """As ever: a preprocessing that looks at all samples keeps its answers there."""
    monkeypatch.setattr(streams, "IN_MEMORY", 4 * X.size)

    def centred(samples):
        return samples - samples.mean(dtype=np.float32)

    wide = data(Splits(x_test=X, y_test=Y), preprocess=centred, domain=(-255.0, 255.0))
    made = prepare(wide, DataLocations(), tmp_path)
    np.testing.assert_array_equal(made.x_test, centred(X))


@pytest.mark.parametrize("mix", [np.mean, np.std, lambda x: x[-1]])
def test_a_preprocessing_that_mixes_samples_is_refused(mix, tmp_path):
    def mixed(samples):
        return (samples - np.float32(mix(samples.astype(np.float32)).mean())) / 255

    wide = data(Splits(test=batched(5)), preprocess=mixed, domain=(-2.0, 2.0))
    with pytest.raises(DataError, match="the preprocessing of made mixes samples"):
        prepare(wide, DataLocations(), tmp_path)


BLACK = np.concatenate([np.zeros_like(X[:4]), X[4:]])


@pytest.mark.parametrize(
    ("cuts", "x"),
    [((1,), X), (tuple(range(1, 10)), X), ((4,), BLACK)],
    ids=["a first part of one sample", "parts of one sample", "a first part that shows nothing"],
)
def test_samples_that_are_mixed_in_a_later_part_are_found(cuts, x, tmp_path):
    """What comes out must not depend on how a stream is cut: its digests do not."""

    def centred(samples):
        return (samples - samples.mean()) / 255

    held = Splits(test=batched(*cuts, x=x))
    digests = DIGESTS | {"x_test": array_digest(x)}
    given = data(held, preprocess=centred, domain=(-1, 1), digests=digests)
    with pytest.raises(DataError, match="the preprocessing of made mixes samples"):
        prepare(given, DataLocations(), tmp_path)


@pytest.mark.parametrize("value", [256.0, -1.0, np.nan, np.inf])
def test_a_value_out_of_the_domain_is_found_in_the_last_part(value, tmp_path):
    x = X.astype(np.float32)
    x[-1, -1, -1] = value
    with pytest.raises(DataError, match=r"outside their declared domain|contain NaN or infinity"):
        prepare(data(Splits(test=batched(5, 9, x=x))), DataLocations(), tmp_path)


def test_another_stream_is_told_with_its_digest(tmp_path):
    """The last label of the last part differs."""
    y = Y.copy()
    y[-1] = 1 - y[-1]
    with pytest.raises(DataError, match=array_digest(y)) as told:
        prepare(data(Splits(test=batched(5, y=y))), DataLocations(), tmp_path)
    assert "x_test" not in str(told.value).split("what to do")[0]


def test_no_digests_yet_are_told_as_code(tmp_path):
    with pytest.raises(DataError, match="no digests yet") as told:
        prepare(data(Splits(test=batched(5)), digests={}), DataLocations(), tmp_path)
    assert all(f'"{name}": "{each}"' in str(told.value) for name, each in DIGESTS.items())


WRONG = {
    "x alone": (
        Stream(source=[X], batched=True),
        r"item 0 of made\.test does not have the form .*declares",
    ),
    "three": (Stream(source=[(X, Y, Y)], batched=True), "tuple of 3"),
    "a mapping": (Stream(source=[{"x": X, "y": Y}], batched=True), "dict of 2"),
    "text": (Stream(source=[(X, ["a"] * 10)], batched=True), "does not contain numbers"),
    "objects": (Stream(source=[([None], [1])], batched=True), "does not contain numbers"),
    "ragged": (Stream(source=[([[1], [1, 2]], [1, 2])], batched=True), "is not an array"),
    "fewer labels": (Stream(source=[(X, Y[:-1])], batched=True), "do not fit together"),
    "a sample as a batch": (Stream(source=[(X[0], Y[0])], batched=True), "batched=False"),
    "other shapes": (
        Stream(source=[(X, Y), (X[:, :2], Y)], batched=True),
        "differ in type or shape",
    ),
    "other types": (
        Stream(source=[(X, Y), (X, Y.astype(int))], batched=True),
        "differ in type or shape",
    ),
    "other sizes": (
        Stream(source=[(X[0], 1), (X[0, :2], 1)], batched=False),
        "differ in type or shape",
    ),
    "nothing": (Stream(source=[], batched=True), r"the stream made\.test has no samples"),
    "empty batches": (Stream(source=[(X[:0], Y[:0])], batched=True), "has no samples"),
    "no class": (batched(5, y=Y + np.uint8(1)), "not class numbers"),
}


@pytest.mark.parametrize(("stream", "text"), WRONG.values(), ids=WRONG)
def test_what_is_no_such_stream_is_told(stream, text, tmp_path):
    digests = DIGESTS | {"y_test": array_digest(Y + np.uint8(1))}
    with pytest.raises(DataError, match=text):
        prepare(data(Splits(test=stream), digests=digests), DataLocations(), tmp_path)


def test_a_source_does_not_end_the_process(tmp_path):
    """`litegate digests` ended with status 0 and without a word, a run with pytest's own error."""

    def ending():
        yield X, Y
        raise SystemExit(0)

    ended = data(Splits(test=Stream(source=ending, batched=True)))
    with pytest.raises(DataError, match=r"the code that loads made calls sys\.exit"):
        prepare(ended, DataLocations(), tmp_path)


def test_pairs_are_refused_where_there_are_no_labels(tmp_path):
    bare = data(Splits(test=batched()), classes=(), labels=False)
    with pytest.raises(DataError, match=r"x alone, for lg\.Data\(labels=False\)"):
        prepare(bare, DataLocations(), tmp_path)


def test_a_generator_that_was_used_up_is_told(tmp_path):
    splits = Splits(test=Stream(source=iter([(X, Y)]), batched=True))
    prepare(data(splits), DataLocations(), tmp_path / "a")
    with pytest.raises(DataError, match=r"exhausted .* pass the function itself to lg\.Stream"):
        prepare(data(splits), DataLocations(), tmp_path / "b")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"x_train": X, "y_train": Y},
        {"test": batched(), "x_test": X},
        {"test": batched(), "y_test": Y},
        {"test": batched(), "train": batched(), "x_train": X},
    ],
)
def test_a_split_is_given_in_one_way(given):
    with pytest.raises(ConfigError, match=r"Splits\(\.\.\.\) needs the t"):
        lg.Splits(**given)


FULL = """
import resource, signal, sys
import numpy as np
import litegate as lg
from pathlib import Path
from litegate.build.external_files import ExternalFiles
from litegate.spec import Data, DataLocations, Splits, Stream
from litegate.build.store import EVALUATIONS, Store

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
parts = [np.zeros((1000, 64), np.float32)] * 8  # 2 MB
data = Data(
    name="made", load=lambda _: Splits(test=Stream(source=parts, batched=True)), digests={},
    preprocess=lambda x: x, domain=(0.0, 1.0), classes=(), labels=False,
)
store = Store(Path(sys.argv[1]))
intake = ExternalFiles(store=store, locations=DataLocations(), timeout=9, on_notice=print)
try:
    intake.store_split(data, "k")
except lg.datasets.errors.StoreError as error:
    print(error)
print(store.has(EVALUATIONS, "k"), [path.name for path in store.root.rglob("*") if path.is_file()])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE is of POSIX")
def test_a_disk_that_fills_up_is_told_and_leaves_nothing(tmp_path):
    """The system's own refusal of a file that grows too large; a full disk says it likewise."""
    code = FULL.replace("lg.datasets.errors.StoreError", "litegate.core.errors.StoreError")
    code = code.replace("import litegate as lg", "import litegate.core.errors")
    argv = [sys.executable, "-c", code, str(tmp_path / "store")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    told, last = done.stdout.rstrip().rsplit("\n", 1)
    assert told.startswith("cannot write x.npy after 4,000 samples"), told
    assert "free disk space in" in told
    assert last == "False ['litegate-store']"  # the marker alone


MASKS = (X[..., 0] > 99).astype(np.uint8)
OF_MASKS = {"x_test": DIGESTS["x_test"], "y_test": array_digest(MASKS)}


def test_masks_of_a_stream_stay_on_disk(tmp_path, monkeypatch):
    """They are as large as its samples."""
    monkeypatch.setattr(disk_arrays, "IN_MEMORY", 1)
    made = prepare(
        data(Splits(test=batched(3, y=MASKS)), digests=OF_MASKS), DataLocations(), tmp_path
    )
    assert isinstance(made.y_test, DiskArray)
    np.testing.assert_array_equal(made.y_test[:], MASKS)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.where(MASKS, 2, MASKS), "got: uint8 from 0 to 2"),
        (MASKS.astype(np.int8) - 1, "got: int8 from -1 to 0"),
        (np.where(Y, np.nan, Y), "contains values that are not numbers"),
        (np.eye(2, dtype=np.uint8)[Y], "convert one-hot labels"),
    ],
)
@pytest.mark.parametrize("large", [True, False])
def test_labels_of_a_stream_that_say_nothing_are_refused(
    labels, said, large, tmp_path, monkeypatch
):
    """In whatever part they are."""
    monkeypatch.setattr(disk_arrays, "IN_MEMORY", 1 if large else 1 << 20)
    monkeypatch.setattr(disk_arrays, "PART", 1)
    digests = {"x_test": DIGESTS["x_test"], "y_test": array_digest(labels)}
    with pytest.raises(DataError, match=said):
        prepare(data(Splits(test=batched(4, y=labels)), digests=digests), DataLocations(), tmp_path)


def test_other_labels_of_a_stream_are_told_by_their_digest(tmp_path):
    other = Y.copy()
    other[7] = 1 - other[7]
    with pytest.raises(DataError, match="differs from its digests: y_test"):
        prepare(data(Splits(test=batched(3, y=other))), DataLocations(), tmp_path)
