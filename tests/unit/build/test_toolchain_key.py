"""Artifact keys cover the tool chain: whatever decides bytes must change every key."""

import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

import litegate
from litegate.build.toolchain import pins, protocol, strip
from litegate.core.errors import ConfigError
from litegate.regression.declaration import declared_toolchain

PACKAGE = Path(litegate.__file__).parent
MODEL = """
import litegate as lg

@lg.model(
    data=lg.datasets.digits(),
    training=lg.Training(epochs=1, batch_size=32, seed=7),
    recipes=[lg.recipes.dynamic_range()],
)
def net(keras):
    return keras.Sequential()
"""
KEY = """
import sys
from pathlib import Path
from litegate.spec.loader import discover
from litegate.build.pipeline import Pipeline
from litegate.spec import DataLocations
from litegate.build.store import Store

project = Path(sys.argv[1])
pipeline = Pipeline(
    store=Store(project / "store"),
    project=project,
    locations=DataLocations(directory=None, cache=project / "data", project=project),
    timeout=1,
    on_event=print,
    on_notice=print,
)
model = discover(project / "models", project)["net"]
print(*(pipeline.key(model, recipe) for recipe in ("float32", "dynamic_range")))
"""


@pytest.fixture
def keys(tmp_path):
    """Both keys of a small model, computed by a copy of litegate with one module changed."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.py").write_text(MODEL)
    copy = tmp_path / "copy" / "litegate"
    copytree(PACKAGE, copy)  # with its bytecode, else all of it would be compiled

    def compute(module=None, change=str):
        if module:
            file = copy / Path(module.__file__).relative_to(PACKAGE)
            source = file.read_text()
            file.write_text(change(source))
            assert file.read_text() != source
        command = [sys.executable, "-c", KEY, str(tmp_path)]
        environment = {"PYTHONPATH": str(copy.parent), "PATH": ""}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return run.stdout.split()

    return compute


def _raise_pin(source):
    return source.replace('"tensorflow": "', '"tensorflow": "9.')


def _add_constant(source):
    return f"{source}\nCHANGED = True\n"


@pytest.mark.parametrize(
    ("module", "change"),
    [(pins, _raise_pin), (strip, _add_constant), (protocol, _add_constant)],
    ids=["pins", "strip", "protocol"],
)
def test_a_change_of_what_decides_bytes_changes_every_key(keys, module, change):
    """A pinned version, the stripping and the protocol: stale builds must not pass."""
    before = keys()
    after = keys(module, change)
    assert len(before) == len(after) == 2
    assert not set(before) & set(after)


@pytest.fixture
def checkout(tmp_path):
    """A checkout of litegate itself, without its tool chain."""
    (tmp_path / "src" / "litegate").mkdir(parents=True)
    (tmp_path / "src" / "litegate" / "__init__.py").write_text("")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    return tmp_path


@pytest.mark.parametrize("folder", ["build/toolchain", "toolchain"])
def test_a_checkouts_tool_chain_is_its_source_wherever_it_stands(checkout, folder):
    """In today's folder, or where it was before: a change of the source changes the digest."""
    toolchain = checkout / "src" / "litegate" / folder
    toolchain.mkdir(parents=True)
    (toolchain / "convert.py").write_text("x = 1\n")
    before = declared_toolchain(checkout)
    (toolchain / "convert.py").write_text("x = 2\n")
    assert declared_toolchain(checkout) != before


def test_a_checkout_of_litegate_without_its_tool_chain_is_an_error(checkout):
    """Its pins alone would say that nothing changed."""
    with pytest.raises(ConfigError, match=r"tool chain is missing(?s:.*)build/toolchain"):
        declared_toolchain(checkout)


def test_a_project_that_uses_litegate_declares_its_pins(tmp_path):
    """It holds no tool chain of its own."""
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    before = declared_toolchain(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\ndependencies = ['tensorflow==2.99.0']\n")
    assert declared_toolchain(tmp_path) != before
