"""Stores of several machines behind a bucket."""

from itertools import count

import bucket_servers
import pytest

from litegate.build.bucket import Bucket
from litegate.build.remote_store import RemoteStore
from litegate.build.store import EVALUATIONS, Store

KEY, OTHER = "1" * 64, "2" * 64
_PREFIXES = count()


@pytest.fixture(
    scope="session",
    params=[
        bucket_servers.moto,
        pytest.param(bucket_servers.seaweedfs, marks=pytest.mark.slow),
        pytest.param(bucket_servers.azurite, marks=pytest.mark.slow),
    ],
    ids=lambda start: start.__name__,
)
def server(request, tmp_path_factory):
    """A server; each test runs on all of them."""
    with request.param(tmp_path_factory.mktemp(request.param.__name__)) as server:
        yield server


@pytest.fixture
def reach(server, monkeypatch):
    """Let the next store reach the server, at its own address or a proxy's."""

    def set_environment(address=""):
        for name, value in server.environment(address).items():
            monkeypatch.setenv(name, value)

    return set_environment


@pytest.fixture
def url(server, reach):
    """A new prefix of the bucket, and the environment with which it is reached."""
    reach()
    return server.url(next(_PREFIXES))


@pytest.fixture
def machine(tmp_path, url):
    """Make a store with a cache of its own and the bucket; its notices are in `notices`."""

    def make(name, **options):
        notices = []
        remote = RemoteStore(url, on_notice=notices.append, **options)
        store = Store(tmp_path / name, remote=remote)
        return store, notices

    return make


@pytest.fixture
def put(tmp_path):
    """Put an entry with one file of these bytes, and another one."""

    def into(store, content, key=KEY, group=EVALUATIONS):
        source = tmp_path / "source.bin"
        source.write_bytes(content)
        (tmp_path / "other.json").write_bytes(b"{}")
        store.put(group, key, {"a": source, "b": tmp_path / "other.json"}, stem="stem")

    return into


def objects(url):
    """The objects of the bucket by path, without the marker."""
    bucket = Bucket(url)
    listed = [info.path for folder in ("objects", EVALUATIONS) for info in bucket.objects(folder)]
    return {path: b"".join(bucket.read(path)[0]) for path in listed}


def overwrite(url, path, content):
    """Replace an object, as a damaged disk or somebody with write access can."""
    bucket = Bucket(url)
    assert bucket.replace(content, bucket.info(path))


def object_with(url, content):
    """The path of the object with these bytes."""
    return next(path for path, stored in objects(url).items() if stored == content)
