"""Runs of the checks whose store is a bucket."""

import json

import bucket_servers
import pytest
from bucket_proxy import proxy

from litegate.gate import trusted_store

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


def test_a_required_store_that_takes_no_answers_fails_the_run(in_bucket, server, monkeypatch):
    """Every check passes: only what a later run could have used is missing."""
    with proxy(server.address, lambda it: 503 if it.command == "PUT" else None) as address:
        monkeypatch.setenv(server.address_variable, address)
        assert in_bucket.run(*ACCURACY).ret == 0
        (in_bucket.path / ".litegate" / "store" / "answers").rename(in_bucket.path / "answers")
        done = in_bucket.run(*ACCURACY, "--litegate-store-required")
    assert done.ret == 1
    report = json.loads((in_bucket.path / ".litegate/report/report.json").read_text("utf-8"))
    assert report["exit_status"] == 1
    assert report["verdict"] == "error"
    assert {row["verdict"] for row in report["verdicts"]} == {"pass"}
    [error] = report["errors"]
    assert "cannot be written to" in error["message"]
    assert "--litegate-store-required" in error["message"]


def test_the_settings_of_the_base_are_read_once(in_bucket, monkeypatch):
    """Git is asked for each file that may have them."""
    reads, read = [], trusted_store.committed_settings
    monkeypatch.setattr(
        trusted_store, "committed_settings", lambda *args: reads.append(args) or read(*args)
    )
    done = in_bucket.as_base().run(*ACCURACY, "--against", "main")
    assert done.ret == 0
    assert len(reads) == 1
