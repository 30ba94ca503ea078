"""Model files are loaded by path; what is wrong with one is told with its file and line."""

import os
import sys

import pytest

from litegate.discovery import discover
from litegate.errors import ConfigError

GOOD = """
import litegate as lg

@lg.model(data=lg.datasets.digits(), recipes=[lg.recipes.int8_qat()])
def {name}(keras):
    "A network."
"""


@pytest.fixture
def models(tmp_path):
    """An empty folder of models."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def test_models_are_found_by_name(models):
    """One file a model, or several; files that begin with an underscore are helpers."""
    (models / "a.py").write_text(GOOD.format(name="one") + GOOD.format(name="two"))
    (models / "_helper.py").write_text("raise RuntimeError")
    found = discover(models, models.parent)
    assert list(found) == ["one", "two"]
    assert found["one"].summary == "A network."
    assert found["one"].line == 4


def test_a_name_used_twice_is_refused(models):
    """The name is the test id: both places are told."""
    for file in ("a.py", "b.py"):
        (models / file).write_text(GOOD.format(name="one"))
    with pytest.raises(ConfigError, match=r"a\.py:4 and .*b\.py:4"):
        discover(models, models.parent)


def test_a_file_that_raises_is_told_with_its_line(models):
    """The user's own line, not the loader's."""
    (models / "bad.py").write_text("x = 1\ny = x / 0\n")
    with pytest.raises(ConfigError, match=r"ZeroDivisionError[\s\S]*bad\.py:2"):
        discover(models, models.parent)


def test_a_syntax_error_is_told_with_its_line(models):
    """Also where nothing ran yet."""
    (models / "bad.py").write_text("x = (\n")
    with pytest.raises(ConfigError, match=r"SyntaxError[\s\S]*bad\.py:1"):
        discover(models, models.parent)


def test_a_missing_folder_is_told(tmp_path):
    """The remedy names the setting."""
    with pytest.raises(ConfigError, match="litegate_models"):
        discover(tmp_path / "nowhere", tmp_path)


def test_two_recipes_of_one_name_are_refused(models):
    """Recipe names are unique in a model."""
    text = GOOD.format(name="one").replace("int8_qat()", "int8_qat(), lg.recipes.int8_qat()")
    (models / "a.py").write_text(text)
    with pytest.raises(ConfigError, match="two recipes named int8_qat"):
        discover(models, models.parent)


def test_a_helper_beside_the_file_can_be_imported(models):
    """And the path is as before afterwards."""
    (models / "_beside_it.py").write_text("FILTERS = 3\n")
    (models / "a.py").write_text("import _beside_it\n" + GOOD.format(name="one"))
    before = list(sys.path)
    assert discover(models, models.parent)
    assert sys.path == before


def test_a_file_changed_within_a_second_is_read_anew(models, monkeypatch):
    """Python's own cache goes by time and size; a gate must not judge yesterday's model."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = models / "a.py"
    file.write_text(GOOD.format(name="one"))
    stamp = file.stat().st_mtime
    assert list(discover(models, models.parent)) == ["one"]
    file.write_text(GOOD.format(name="two"))
    os.utime(file, (stamp, stamp))
    assert list(discover(models, models.parent)) == ["two"]
