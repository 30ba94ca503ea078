"""The report of a controller of pytest-xdist has the problems that workers had with a bucket."""

import json
from types import SimpleNamespace

import pytest

from litegate.core.options import parse
from litegate.gate import hooks
from litegate.gate.hooks import GateHooks
from litegate.gate.recorder import Recorder
from litegate.gate.session import GateSession
from litegate.report.run_record import Run

pytest.importorskip("obstore")


@pytest.fixture
def process(tmp_path, monkeypatch):
    """Make the gate of a process of one run, whose store is a bucket."""
    monkeypatch.setattr(hooks, "finish", lambda *_: None)
    monkeypatch.setenv("LITEGATE_STORE", "s3://bucket/prefix")
    for name in ("CI", "LITEGATE_CACHE", "LITEGATE_DATA"):
        monkeypatch.delenv(name, raising=False)

    def make():
        session = GateSession(parse(tmp_path, {}, {}), lambda _model, _event: None, lambda _: None)
        recorder = Recorder(run=Run(environment={}, strict=False))
        return SimpleNamespace(session=session, recorder=recorder)

    return make


def send(worker, controller):
    """End a worker, and hand its output over as pytest-xdist does."""
    output = {}
    session = SimpleNamespace(config=SimpleNamespace(workeroutput=output))
    GateHooks(worker).pytest_sessionfinish(session)
    node = SimpleNamespace(workeroutput=json.loads(json.dumps(output)))
    GateHooks(controller).pytest_testnodedown(node)


def test_the_controller_has_the_rejections_of_all_workers(process):
    """Each entry once, although several workers may read it."""
    controller, *workers = (process() for _ in range(4))
    rejected = [{}, {"damaged": ["builds/1"]}, {"damaged": ["builds/1", "builds/2"], "old": ["3"]}]
    for worker, entries in zip(workers, rejected, strict=True):
        worker.session.pipeline.store.remote.incidents.rejected.update(entries)
        send(worker, controller)
    assert controller.session.pipeline.store.remote.rejections == [
        "s3://bucket/prefix: not used: builds/1, builds/2: damaged",
        "s3://bucket/prefix: not used: 3: old",
    ]


def test_the_controller_has_the_failure_of_a_worker(process):
    """The first one, as every worker fails for the same reason."""
    controller, *workers = (process() for _ in range(3))
    for worker, failure in zip(workers, ("unreachable", "unreachable, too"), strict=True):
        worker.session.pipeline.store.remote.incidents.failure = failure
        send(worker, controller)
    assert controller.session.store_incidents()["failure"] == "unreachable"


def test_a_store_without_a_bucket_has_no_incidents(process, monkeypatch):
    """A worker's output has nothing of it."""
    monkeypatch.delenv("LITEGATE_STORE")
    worker, controller = process(), process()
    send(worker, controller)
    assert controller.session.store_incidents() == {}
