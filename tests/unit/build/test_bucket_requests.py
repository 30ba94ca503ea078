"""Requests of a run to a bucket: they grow with what is copied, not with what is looked up."""

import hashlib

import pytest
from bucket_proxy import proxy

from litegate.build import bucket, bucket_listing
from litegate.build.bucket import PAGE, Bucket
from litegate.build.bucket_listing import Listing
from litegate.build.manifest import Manifest
from litegate.build.remote_store import RemoteStore, manifest_path, object_path
from litegate.build.store import BUILDS, EVALUATIONS, Store

pytest.importorskip("obstore")
pytest.importorskip("moto")
SHARED = b"an evaluation split that all models are judged on"


def digest(content):
    return hashlib.sha256(content).hexdigest()


def wanted(number):
    """The entries of a model, by group and key, with their file."""
    name = f"model {number}"
    builds = [((BUILDS, digest(f"{name}/{it}".encode())), f"{name} as {it}") for it in "ab"]
    return dict(builds) | {(EVALUATIONS, digest(name.encode())): SHARED.decode()}


@pytest.fixture
def filled(url):
    """A bucket with the entries of 49 models, of the numbers 1 to 49."""
    bucket, files = Bucket(url), {}
    for number in range(1, 50):
        for (group, key), text in wanted(number).items():
            content = text.encode()
            manifest = Manifest(key=key, stem="", files={"file": digest(content)})
            files[object_path(digest(content))] = content
            files[manifest_path(group, key)] = manifest.encode()
    for path, content in files.items():
        bucket.create(path, content)
    return url


def look_up(folder, url, models):
    """Look up all entries of some models, as often as a run does; return the number found."""
    store = Store(folder, remote=RemoteStore(url, on_notice=pytest.fail))
    entries = [entry for number in models for entry in wanted(number)]
    for _ in range(2):
        is_found = [store.has(*entry) for entry in entries]
    return sum(is_found)


def test_one_changed_model_costs_as_much_among_fifty(filled, server, reach, tmp_path):
    """Model 0 is new. A second run on a machine asks for its three entries alone."""
    requests, empty, warm = [], {}, {}
    with proxy(server.address, lambda it: requests.append(it.command)) as address:
        reach(address)
        for size in (1, 10, 50):
            for counts in (empty, warm):
                requests.clear()
                assert look_up(tmp_path / str(size), filled, range(size)) == 3 * (size - 1)
                counts[size] = len(requests)
        requests.clear()
        assert look_up(tmp_path / "new", filled, range(100, 150)) == 0
        assert len(requests) == 4  # for each of two groups: one key, and one list
    # Of each model three manifests and two files, and the file that they share.
    copied = {size: 5 * (size - 1) + (size > 1) for size in empty}
    assert warm == dict.fromkeys(warm, 3)
    assert {size: empty[size] - copied[size] for size in empty} == {1: 3, 10: 4, 50: 4}


class Pages:
    """A bucket with paths; counts the pages that are read."""

    def __init__(self, paths):
        self.paths, self.read = paths, 0

    def pages(self, _group):
        for start in range(0, len(self.paths), PAGE):
            self.read += 1
            yield self.paths[start : start + PAGE]


@pytest.mark.parametrize("size", [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
def test_a_listing_decides_what_it_has_read(size):
    """The first look-up reads nothing; then each may read one page more."""
    bucket = Pages([f"{number:08}" for number in range(size)])
    listing = Listing(bucket, "builds")
    assert listing.has("00000000") is None
    assert bucket.read == 0
    for _ in range(5):
        listing.has("99999999")
    assert listing.has("99999999") is False
    assert listing.has("00000000") is (size > 0)
    assert listing.has(f"{size - 1:08}") is (size > 0)
    assert bucket.read == -(-size // PAGE)


def test_a_large_bucket_is_not_listed_to_its_end():
    """Beyond the limit each path is asked for; before it, the listing decides."""
    most = bucket_listing.MOST_PAGES
    bucket = Pages([f"{number:08}" for number in range(0, 2 * (most + 1) * PAGE, 2)])
    listing, last = Listing(bucket, "builds"), 2 * (most * PAGE - 1)
    for _ in range(most + 2):
        assert listing.has("99999999") is None
    assert bucket.read == most
    paths = (f"{last - 1:08}", f"{last:08}", f"{last + 1:08}", f"{last + 2:08}")
    assert [listing.has(path) for path in paths] == [False, True, None, None]


def test_a_listing_without_order_decides_no_absence():
    """Directory buckets of S3 list as they like."""
    listing = Listing(Pages(["b", "a"]), "builds")
    listing.has("c")
    assert listing.has("0") is None
    assert listing.has("a") is True


def test_a_listing_that_ends_with_the_process_ends_quietly(monkeypatch):
    """Python has emptied the modules by then, and would print a traceback."""
    exceptions = pytest.importorskip("obstore.exceptions")
    errors = bucket._errors()
    errors.__enter__()
    monkeypatch.setattr(exceptions, "AlreadyExistsError", None)
    stop = GeneratorExit()
    assert errors.__exit__(GeneratorExit, stop, None) is False
