"""What `--help` and `--version` print."""

import re
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from litegate.cli import app
from litegate.core.options import OPTIONS


@pytest.fixture
def litegate(monkeypatch):
    """Run the command; the lines that it printed."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*args):
        done = CliRunner().invoke(app, args)
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def test_options_say_what_they_take(litegate):
    helped = litegate("compare", "--help")
    assert re.search(r"--data +FILE +An \.npz file", helped)
    assert re.search(r"--json +.*Print JSON\.", helped)
    assert "no-latency" not in helped
    assert "[default" not in litegate("store", "prune", "--help")


def test_a_report_is_called_alike_by_every_command(litegate):
    for command in ("report", "summary", "annotate", "badge", "comment", "accept"):
        assert re.search(
            r"--report +PATH +A report.json or its folder", litegate(command, "--help")
        )


def test_the_version_is_told(litegate):
    assert litegate("--version") == f"litegate {version('litegate')}\n"


def test_the_budget_of_a_proof_says_what_becomes_of_the_rest():
    [option] = [one for one in OPTIONS if one.name == "litegate_prove_budget"]
    assert option.help.endswith("faults not tried by then are reported as a failure")
