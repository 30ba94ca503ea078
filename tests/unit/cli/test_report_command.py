"""`litegate report --open`: which page it hands to the browser."""

import json
import webbrowser

import pytest
from made_reports import report
from typer.testing import CliRunner

from litegate.cli import app


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """The addresses that the browser was asked to open; the folder has a report."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my reports"
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(report()))
    addresses = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not addresses.append(address))
    return addresses


def _report(*args):
    done = CliRunner().invoke(app, ["report", "--report", "my reports", *args])
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    return done


def test_the_page_is_opened_on_request_only(opened, tmp_path):
    _report()
    assert opened == []
    _report("--open")
    assert opened == [(tmp_path / "my reports" / "report.html").as_uri()]
    assert "my%20reports" in opened[0]


def test_a_machine_without_a_browser_is_told_and_the_page_is_there(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    done = _report("--open", "--to", "page.html")
    assert "cannot start a browser here" in done.stderr
    assert (tmp_path / "page.html").is_file()
