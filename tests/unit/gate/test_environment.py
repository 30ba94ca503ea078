"""The header of a run: what its numbers depend on."""

from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from litegate.build.toolchain.pins import PINS
from litegate.gate import environment
from litegate.runtimes.runtime import described
from litegate.spec.runtimes import REFERENCE, XNNPACK

ENVIRONMENT = {
    "litegate": "0",
    "litert": "2",
    "kernels": "XNNPACK",
    "threads": 1,
    "processor": "p",
    "toolchain": dict(PINS),
    "store": "s",
    "data": None,
}


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        (PINS, "tool chain: " + ", ".join(f"{name} {pin}" for name, pin in PINS.items())),
        ({}, "tool chain: not installed (needed only to build)"),
        ({"keras": "3.0.0"}, "tool chain: keras 3.0.0 (pinned: {keras}); not installed: {others}"),
    ],
)
def test_the_header_names_the_tool_chain_that_is_installed(versions, said, monkeypatch):
    """Not the pins: with ready-made files nobody installs TensorFlow."""
    monkeypatch.setattr(environment, "installed", lambda name: versions.get(name, ""))
    others = ", ".join(name for name in PINS if name not in versions)
    assert said.format(keras=PINS["keras"], others=others) in environment.header(ENVIRONMENT)


def test_report_header_and_evidence_name_the_installed_litert():
    """Any version of the range may be installed, so that the numbers must say which it was."""
    installed = version("ai-edge-litert")
    described_run = environment.describe(SimpleNamespace(store=Path("s"), data=None, remote=""))
    assert described_run["litert"] == installed
    assert f"LiteRT {installed}, XNNPACK" in environment.header(described_run)[0]
    assert f"LiteRT {installed}" in described(XNNPACK)
    assert f"LiteRT {installed}" in described(REFERENCE)
