"""Runs of the checks whose store is a bucket."""

import bucket_servers
import pytest

from litegate.gate import store_access

pytest.importorskip("obstore")
pytest.importorskip("moto")
ACCURACY = ("checks/", "-k", "accuracy_reaches")


@pytest.fixture(scope="module")
def server():
    """A server with an empty bucket."""
    with bucket_servers.moto(None) as server:
        yield server


@pytest.fixture
def in_bucket(project, server, monkeypatch):
    """The project with planted artifacts in its folder, and a bucket behind it."""
    project.model("accuracy=lg.percent(1)").real_checks()
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LITEGATE_STORE", server.url(project.path.name))
    return project


def test_the_settings_of_the_base_are_read_once(in_bucket, monkeypatch):
    """Git is asked for each file that may have them."""
    reads, read = [], store_access.committed_settings
    monkeypatch.setattr(
        store_access, "committed_settings", lambda *args: reads.append(args) or read(*args)
    )
    done = in_bucket.as_base().run(*ACCURACY, "--against", "main")
    assert done.ret == 0
    assert len(reads) == 1
