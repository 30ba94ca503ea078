"""Stores of several machines behind a bucket of moto's S3 server."""

import logging
import urllib.request
from itertools import count

import pytest

from litegate.build.bucket import Bucket
from litegate.build.remote_store import RemoteStore
from litegate.build.store import EVALUATIONS, Store

KEY, OTHER = "1" * 64, "2" * 64
_NAMES = count()


@pytest.fixture(scope="session")
def s3():
    """The address of an S3 server."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def url(s3, monkeypatch):
    """A new bucket with a prefix, and the environment with which it is reached."""
    name = f"bucket{next(_NAMES)}"
    request = urllib.request.Request(f"{s3}/{name}", method="PUT")  # noqa: S310
    urllib.request.urlopen(request).close()  # noqa: S310
    use(monkeypatch, s3)
    return f"s3://{name}/a/prefix"


def use(monkeypatch, endpoint):
    """Let the next store reach this server."""
    environment = {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ENDPOINT_URL": endpoint,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


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
