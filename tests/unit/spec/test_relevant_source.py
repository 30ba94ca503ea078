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
