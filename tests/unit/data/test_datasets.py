"""Data is looked for in order, verified by digest, and missing within a bounded time."""

import ast
import dataclasses
import http.server
import io
import threading
import time

import numpy as np
import pytest

from litegate.core.errors import DataError, DataUnavailable
from litegate.data import prepare
from litegate.data.digests import array_digest, verify
from litegate.data.download import download
from litegate.data.labels import check_labels
from litegate.data.mnist import DIGESTS, mnist
from litegate.data.validation import check_shapes, preprocess
from litegate.spec import Data, DataLocations, Splits

SMALL = Splits(
    x_train=np.zeros((3, 2), np.uint8),
    y_train=np.array([0, 1, 0]),
    x_test=np.ones((2, 2), np.uint8),
    y_test=np.array([1, 0]),
)


def _halves(samples):
    return samples / 2


def _data(splits=SMALL, **changes):
    digests = {name: array_digest(array) for name, array in splits.arrays().items()}
    made = Data(
        name="small",
        load=lambda _: splits,
        digests=digests,
        preprocess=_halves,
        domain=(0.0, 0.5),
        classes=("no", "yes"),
    )
    return dataclasses.replace(made, **changes)


def _as_npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.fixture
def serve():
    """Start a local HTTP server that answers as it is told; gives its URL."""
    started = []

    def start(answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                answer(self)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_port}/mnist.npz"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def _sends(body):
    def answer(request):
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No data directory, an empty Keras cache, a cache of our own."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return DataLocations(cache=tmp_path / "cache")


@pytest.fixture
def real_mnist(data_directory):
    """The bytes of the real file."""
    return (data_directory / "mnist.npz").read_bytes()


def test_samples_come_preprocessed_as_float32():
    """Both splits by the same function, labels untouched."""
    made = prepare(_data(), DataLocations())
    assert made.x_test.dtype == np.float32
    assert made.x_test.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert made.y_test is SMALL.y_test


def test_training_samples_that_only_calibrate_need_no_labels():
    """A network that is trained refuses them, in the tool chain."""
    made = prepare(_data(dataclasses.replace(SMALL, y_train=None)), DataLocations())
    assert made.x_train.dtype == np.float32
    assert made.y_train is None


@pytest.mark.parametrize("name", ["x_train", "y_train", "x_test", "y_test"])
def test_a_lone_number_is_no_array_of_samples(name):
    """Shape (): it has no length, which is said of its split."""
    lone = dataclasses.replace(SMALL, **{name: np.array(1, np.uint8)})
    with pytest.raises(DataError, match=rf"{name[2:]} split .* \d samples, \d labels"):
        prepare(_data(lone), DataLocations())


@pytest.mark.parametrize("made", [lambda x: x.max(), lambda x: x[:-1], lambda x: x[:0]])
def test_preprocessing_keeps_the_number_of_samples(made):
    """A label each: one that folds, drops or forgets samples is refused."""
    with pytest.raises(DataError, match="changes the number of samples"):
        prepare(_data(preprocess=made), DataLocations())


@pytest.mark.parametrize("name", ["x_train", "y_train", "x_test", "y_test"])
def test_every_array_is_verified(name):
    """One changed value anywhere is found and named."""
    wrong = getattr(SMALL, name).copy()
    wrong.flat[0] += 1
    with pytest.raises(DataError, match=f"differs from its digests: {name}"):
        verify(_data(), dataclasses.replace(SMALL, **{name: wrong}))


def test_an_array_without_a_digest_is_refused_and_its_digest_told():
    """A new data set: the message holds the line to paste."""
    with pytest.raises(DataError, match=array_digest(SMALL.x_test)):
        prepare(_data(digests={}), DataLocations())


@pytest.mark.parametrize(
    ("digests", "said"),
    [({}, "has no digests yet"), ({"x_test": "0" * 64}, "differs from")],
)
def test_the_error_holds_the_code_to_paste(digests, said):
    """Put into the data set as it is printed, it makes the next load succeed."""
    with pytest.raises(DataError, match=said) as caught:
        prepare(_data(digests=digests), DataLocations())
    code = str(caught.value).partition("    digests=")[2].removesuffix(",")
    prepare(_data(digests=ast.literal_eval(code)), DataLocations())


@pytest.mark.parametrize("domain", [(0.0, 0.49), (0.01, 0.5)])
def test_samples_outside_the_declared_domain_are_refused(domain):
    """The properties are searched for in the domain; it must be true."""
    with pytest.raises(DataError, match="domain"):
        prepare(_data(domain=domain), DataLocations())


def _to_nan(samples):
    return samples * np.float32("nan")


def test_samples_that_are_no_numbers_are_refused():
    """NaN in the data would be trained on without a word."""
    with pytest.raises(DataError, match="3 of 3 preprocessed samples of small contain NaN"):
        prepare(_data(preprocess=_to_nan), DataLocations())


@pytest.mark.parametrize(
    ("labels", "fine"),
    [
        ([0, 1], True),
        ([0, 2], False),
        ([-1, 0], False),
        ([[1, 0], [0, 1]], False),
        ([0.0, 1.0], False),
    ],
    ids=["numbers", "above", "below", "one-hot", "floats"],
)
@pytest.mark.parametrize("name", ["y_train", "y_test"])
def test_labels_are_numbers_of_classes(name, labels, fine):
    """Known before TensorFlow is imported, and not by a message of its own."""
    labels = np.array(labels)
    samples = np.zeros((2, 2), np.uint8)
    splits = dataclasses.replace(SMALL, **{name: labels, f"x{name[1:]}": samples})
    if fine:
        assert prepare(_data(splits), DataLocations()).y_test.ndim == 1
        return
    with pytest.raises(DataError, match=rf"{name} of small[^$]*from 0 to 1[^$]*argmax"):
        prepare(_data(splits), DataLocations())


def test_unequal_lengths_are_refused():
    """A label for each sample."""
    short = dataclasses.replace(SMALL, y_test=SMALL.y_test[:1])
    with pytest.raises(DataError, match="2 samples, 1 labels"):
        prepare(_data(short), DataLocations())


def test_mnist_is_taken_from_the_data_directory(data_directory, nowhere):
    """The setting comes first; the arrays are the published ones."""
    made = prepare(mnist(url="http://127.0.0.1:9/"), DataLocations(directory=data_directory))
    assert made.x_train.shape == (60_000, 28, 28)
    assert made.x_test.max() == 1.0


def test_mnist_is_taken_from_the_keras_cache(data_directory, nowhere, tmp_path):
    """Whoever ran a Keras tutorial has it already."""
    place = tmp_path / "keras" / "datasets"
    place.mkdir(parents=True)
    (place / "mnist.npz").symlink_to(data_directory / "mnist.npz")
    assert len(mnist(url="http://127.0.0.1:9/").load(nowhere).y_test) == 10_000


def test_mnist_is_downloaded_once(serve, real_mnist, nowhere):
    """A right answer is verified, kept and found again."""
    asked = []
    url = serve(lambda request: (asked.append(1), _sends(real_mnist)(request)))
    for _ in range(2):
        verify(mnist(), mnist(url=url).load(nowhere))
    assert asked == [1]
    assert [p.name for p in nowhere.cache.iterdir()] == ["mnist.npz"]


def test_a_download_of_other_arrays_is_refused_and_not_kept(serve, nowhere):
    """The digests decide, not the name."""
    arrays = {name: np.zeros(3, np.uint8) for name in DIGESTS}
    with pytest.raises(DataError, match="is not MNIST"):
        mnist(url=serve(_sends(_as_npz(**arrays)))).load(nowhere)
    assert not list(nowhere.cache.iterdir())


@pytest.mark.parametrize("body", [b"", b"<html>", b"PK\x03\x04 cut off"])
def test_a_download_that_is_no_npz_is_refused(serve, nowhere, body):
    """A login page or a cut file is no data."""
    with pytest.raises(DataError, match="is not MNIST"):
        mnist(url=serve(_sends(body))).load(nowhere)
    assert not list(nowhere.cache.iterdir())


def test_a_hanging_server_counts_as_none(serve, tmp_path):
    """No byte for the patience that was given: told, and nothing left behind."""
    release = threading.Event()
    url = serve(lambda _: release.wait(20))
    began = time.monotonic()
    with pytest.raises(DataUnavailable, match=r"no response .* for 0\.3 s|timed out"):
        download(url, tmp_path / "file", patience=0.3)
    assert time.monotonic() - began < 10
    assert not list(tmp_path.iterdir())
    release.set()


def test_a_server_that_stops_half_way_counts_as_none(serve, tmp_path):
    """Half a file is no file."""
    release = threading.Event()

    def half(request):
        request.send_response(200)
        request.send_header("Content-Length", "100")
        request.end_headers()
        request.wfile.write(b"x" * 50)
        request.wfile.flush()
        release.wait(20)

    with pytest.raises(DataUnavailable):
        download(serve(half), tmp_path / "file", patience=0.3)
    assert not list(tmp_path.iterdir())
    release.set()


def test_a_server_that_refuses_counts_as_none(serve, nowhere):
    """The remedy says where to put the file."""
    url = serve(lambda request: request.send_error(404))
    with pytest.raises(DataUnavailable, match=r"404[\s\S]*LITEGATE_DATA"):
        mnist(url=url).load(nowhere)


def test_a_damaged_file_in_the_data_directory_is_an_error(tmp_path, nowhere):
    """What the user named is used or refused, never passed over."""
    (tmp_path / "mnist.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="cannot be read as MNIST"):
        mnist().load(DataLocations(directory=tmp_path, cache=nowhere.cache))


def test_no_cache_forbids_downloading(nowhere, serve):
    """Without a place to keep it, nothing is fetched."""
    url = serve(lambda _: pytest.fail("asked"))
    with pytest.raises(DataUnavailable, match="not on this machine"):
        mnist(url=url).load(dataclasses.replace(nowhere, cache=None))


TARGETS = np.array([[0.5, 1.5], [2.5, -3.0], [0.0, 1.0]], np.float32)


@pytest.mark.parametrize(
    ("y_train", "y_test", "classes"),
    [
        (TARGETS, TARGETS[:2], ()),
        (TARGETS[:, 0], TARGETS[:2, 0], ()),
        (np.zeros((3, 2, 2)), np.array([0, 1]), ("normal", "anomaly")),
        (np.ones((3, 4, 4), np.uint8), np.zeros((2, 4, 4), np.uint8), ("paper", "ink")),
        (np.array([True, False, True]), np.array([True, False]), ()),
    ],
    ids=["targets", "numbers", "autoencoder", "masks", "flags"],
)
def test_labels_may_be_no_classes(y_train, y_test, classes):
    """Targets, masks, and what an anomaly detector is not trained towards."""
    splits = dataclasses.replace(SMALL, y_train=y_train, y_test=y_test)
    made = prepare(_data(splits, classes=classes), DataLocations())
    np.testing.assert_array_equal(made.y_test, y_test)


@pytest.mark.parametrize("labels", [np.array([0.0, np.nan]), np.array(["a", "b"])])
def test_labels_are_finite_numbers(labels):
    splits = dataclasses.replace(SMALL, y_test=labels)
    with pytest.raises(DataError, match="y_test of small contains values that are not numbers"):
        prepare(_data(splits, classes=()), DataLocations())


def test_slices_are_verified_like_any_array():
    night = np.array([True, False])
    splits = dataclasses.replace(SMALL, slices={"night": night})
    data = _data(splits)
    assert data.slices == ("night",)
    assert prepare(data, DataLocations()).slices["night"].tolist() == [True, False]
    other = dataclasses.replace(SMALL, slices={"night": ~night})
    with pytest.raises(DataError, match=r"differs from its digests: slices\.night"):
        prepare(dataclasses.replace(data, load=lambda _: other), DataLocations())


@pytest.mark.parametrize(
    ("name", "mask", "text"),
    [
        ("night", [False, False], "the slice 'night' of small is empty"),
        ("night", [True, False, True], "is not a mask"),
        ("night", [1, 0], "is not a mask"),
        ("", [True, False], "is not a mask"),
    ],
)
def test_a_slice_is_a_mask_of_some_samples(name, mask, text):
    splits = dataclasses.replace(SMALL, slices={name: np.array(mask)})
    with pytest.raises(DataError, match=text):
        prepare(_data(splits), DataLocations())


def _nothing(_locations):
    """As without a return."""


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (lambda: None, "cannot be called"),
        (lambda _locations, _more: None, "cannot be called"),
        (_nothing, "does not return Splits[^$]*NoneType, as without a return statement"),
        (lambda _locations: ((1, 2), (3, 4)), "does not return Splits[^$]*tuple"),
    ],
)
def test_a_loader_takes_one_argument_and_gives_splits(load, said):
    """Keras's own loaders give pairs."""
    with pytest.raises(DataError, match=said):
        prepare(dataclasses.replace(_data(), load=load), DataLocations())


@pytest.mark.parametrize(
    ("train", "test", "fine"),
    [
        ((4, 8, 8, 1), (3, 8, 8, 1), True),
        ((4, 8, 8), (3, 8, 8, 1), False),
        ((4, 8, 8, 3), (3, 8, 8, 1), False),
        ((4, 50, 6), (3, 40, 6), True),
        ((4, 50), (3, 40), True),
    ],
)
def test_both_splits_are_samples_of_one_kind(train, test, fine):
    """Lengths may differ; what they are lengths of may not."""
    made = {"x_train": np.zeros(train, np.float32), "x_test": np.zeros(test, np.float32)}
    if fine:
        check_shapes(_data(), made)
    else:
        with pytest.raises(DataError, match="samples of different shapes"):
            check_shapes(_data(), made)


def test_labels_in_a_column_are_refused_with_the_data():
    """Not after a training."""
    given = Splits(x_test=np.zeros((3, 2), np.float32), y_test=np.zeros((3, 1), np.int64))
    with pytest.raises(DataError, match=r"y_test of small is a column[^$]*reshape\(-1\)"):
        check_labels(_data(), given)


@pytest.mark.parametrize(
    ("number", "columns", "dtype", "fine"),
    [
        (-1, 5, np.float32, True),
        (1, 6, np.float64, True),
        (2, 5, np.float32, False),
        (-2, 5, np.float32, False),
        (0.5, 5, np.float32, False),
        (1, 4, np.float32, False),
        (1, 7, np.float32, False),
    ],
)
def test_boxes_are_labels_if_their_classes_exist(number, columns, dtype, fine):
    boxes = np.zeros((3, 2, columns), dtype)
    boxes[0, 1, -1 if columns < 5 else 4] = number
    given = Splits(x_test=np.zeros((3, 2), np.float32), y_test=boxes)
    if fine:
        check_labels(_data(), given)
    else:
        with pytest.raises(DataError, match="not class numbers"):
            check_labels(_data(), given)


def test_what_is_amiss_with_data_is_told_before_they_are_pinned():
    """Nobody pins labels that the next run refuses."""
    one_hot = dataclasses.replace(SMALL, y_test=np.eye(2)[[1, 0]].astype(np.int64))
    given = _data(load=lambda _: one_hot, digests={})
    with pytest.raises(DataError, match="not class numbers"):
        prepare(given, DataLocations())
    with pytest.raises(DataError, match="has no digests yet"):
        prepare(_data(digests={}), DataLocations())


def _no_return(_samples):
    """As without a return."""


def test_a_preprocessing_that_gives_nothing_is_told():
    with pytest.raises(DataError, match=r"returns None[^$]*None, as without a return statement"):
        prepare(_data(preprocess=_no_return), DataLocations())


def test_no_samples_are_no_samples_that_are_not_finite():
    assert len(preprocess(_data(), np.zeros((0, 2), np.uint8))) == 0
