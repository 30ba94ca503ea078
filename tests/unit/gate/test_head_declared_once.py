"""One process declares this checkout, however many workers pytest-xdist starts."""

from types import SimpleNamespace

from litegate.gate import state
from litegate.gate.hooks import GateHooks


def test_a_worker_gets_the_declaration_of_its_controller(monkeypatch):
    """As JSON in what pytest-xdist gives it; the controller alone starts a process."""
    declared, started = {"models": {}, "checks": {"a::b": {"lines": [], "imports": []}}}, []
    monkeypatch.setattr(state, "read_head", lambda *_: started.append(1) or declared)
    monkeypatch.setattr(state, "collect_arguments", lambda *_: [])
    head = state._read_head(SimpleNamespace(rootpath="."), None)
    worker = SimpleNamespace(workerinput={})
    GateHooks(SimpleNamespace(head=head)).pytest_configure_node(worker)
    assert state._read_head(worker, None) == declared
    assert started == [1]
