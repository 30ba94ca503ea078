"""What of a module's source its digest covers, and which modules."""

import textwrap

import pytest

from litegate.core.errors import ConfigError
from litegate.spec.relevant_source import module_digest, source_digest


def test_import_cycles_end(tmp_path):
    """Two modules that import each other are each read once."""
    (tmp_path / "a.py").write_text("import b\n")
    (tmp_path / "b.py").write_text("import a\n")
    assert module_digest(tmp_path / "a.py", tmp_path)


def test_layout_is_no_content():
    """Formatting a file builds nothing again."""
    tidy = textwrap.dedent("def f(a):\n    return (a,\n        1)\n")
    assert source_digest(tidy) == source_digest("def f( a ): return (a, 1)\n")


def test_a_file_that_does_not_parse_is_a_clear_error(tmp_path):
    """The file is named."""
    (tmp_path / "a.py").write_text("def f(:\n")
    with pytest.raises(ConfigError, match=r"a\.py is not valid Python"):
        module_digest(tmp_path / "a.py", tmp_path)


@pytest.mark.parametrize("changed", ["_help.py", "sub/_help.py"])
def test_two_modules_of_one_name_both_count(tmp_path, changed):
    """In two of the folders in which imports are looked up."""
    (tmp_path / "sub").mkdir()
    for name in ("_help.py", "sub/_help.py"):
        (tmp_path / name).write_text("FACTOR = 1\n")
    model = tmp_path / "sub" / "model.py"
    model.write_text("import _help\n")
    before = module_digest(model, tmp_path)
    (tmp_path / changed).write_text("FACTOR = 0\n")
    assert module_digest(model, tmp_path) != before
