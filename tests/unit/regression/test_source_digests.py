"""A digest changes with what a function or a check can use, and with nothing else."""

import importlib.util
import sys

import pytest

from litegate.regression.source_digests import check_digest, function_digest

PREPROCESSING = '''
import numpy as np
import litegate as lg
from scales import BITS

SCALE = 255
OFFSETS = {"mean": 0}
OFFSETS["mean"] = 1
HIDDEN = 16

def _shift(samples):
    return samples - OFFSETS["mean"]

def scaled(samples: lg.spec.Array) -> lg.spec.Array:
    """From bytes."""
    return _shift(samples).astype(np.float32) / SCALE * BITS

QAT = lg.recipes.int8_qat()

@lg.model(data=lg.datasets.digits(), recipes=[QAT], budget=lg.Budget(size=lg.kib(9)))
def net(keras):
    return keras.Sequential([keras.layers.Dense(HIDDEN)])
'''
SCALES = "BITS = 8\n"


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """A function that gives the digest of `scaled` as written, with a replacement."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(old="", new="", *, scales=SCALES):
        file = tmp_path / "prepared.py"
        file.write_text(PREPROCESSING.replace(old, new) if old else PREPROCESSING)
        (tmp_path / "scales.py").write_text(scales)
        for name in ("prepared", "scales"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        spec = importlib.util.spec_from_file_location("prepared", file)
        module = importlib.util.module_from_spec(spec)
        sys.modules["prepared"] = module
        spec.loader.exec_module(module)
        return function_digest(module.scaled, tmp_path)

    return make


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SCALE = 255", "SCALE = 128"),
        ("SCALE = 255", "if True:\n    SCALE = 255"),
        ('OFFSETS["mean"] = 1', 'OFFSETS["mean"] = 2'),
        ('OFFSETS["mean"] = 1', "OFFSETS.update(mean=2)"),
        ("HIDDEN = 16", "HIDDEN = 16\nSCALE = 1"),
        ("HIDDEN = 16", "HIDDEN = 16\ndef _other():\n    global SCALE\n    SCALE = 1\n_other()"),
        ("HIDDEN = 16", "HIDDEN = 16\nfrom scales import *"),
        ("samples - OFFSETS", "samples + OFFSETS"),
        ("/ SCALE", "* SCALE"),
        ("import numpy as np", "import numpy.ma as np"),
    ],
)
def test_what_the_function_uses_counts(digest, old, new):
    """Its constants, what alters them, its helpers, its imports; directly or not."""
    assert digest(old, new) != digest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("HIDDEN = 16", "HIDDEN = 32"),
        ("Dense(HIDDEN)", "Dense(HIDDEN, 'relu')"),
        ("kib(9)", "kib(99)"),
        ("int8_qat", "int8_ptq"),
        ("From bytes.", "From bytes to floats."),
        ("lg.spec.Array", "object"),
        ("SCALE = 255", "SCALE = 255  # a byte"),
    ],
)
def test_what_it_does_not_use_does_not_count(digest, old, new):
    """The network in the same file, limits, types, comments."""
    assert digest(old, new) == digest()


def test_a_local_module_that_it_imports_counts_as_a_whole(digest):
    """Comments aside."""
    assert digest(scales="BITS = 7\n") != digest()
    assert digest(scales=f"{SCALES}# more\n") == digest()


@pytest.fixture
def check(tmp_path):
    """A function that gives the digest of a check in a folder of the project."""
    folder = tmp_path / "checks" / "deep"
    folder.mkdir(parents=True)

    def make(body, *, others=(), paths=(), **helpers):
        for name, text in helpers.items():
            (tmp_path / name.replace("__", "/")).with_suffix(".py").write_text(text)
        (folder / "test_a.py").write_text(body)
        return check_digest(folder / "test_a.py", others, tmp_path, *paths)

    return make


@pytest.mark.parametrize(
    ("line", "helper"),
    [
        ("import _limits", "checks__deep___limits"),
        ("from _limits import MOST", "checks___limits"),
        ("from checks._limits import MOST", "checks___limits"),
        ("import _limits", "_limits"),
        ("from ._limits import MOST", "checks__deep___limits"),
        ("from . import _limits", "checks__deep___limits"),
        ("from .._limits import MOST", "checks___limits"),
        ("def f():\n    import _limits", "checks__deep___limits"),
    ],
)
def test_a_helper_is_part_of_a_check(check, line, helper):
    """Beside it, above it, from the root, or relative; at the top or where it is used."""
    assert check(line, **{helper: "MOST = 1"}) != check(line, **{helper: "MOST = 2"})


def test_a_helper_of_a_helper_is_part_of_a_check(check):
    """Imports are followed."""
    one, other = ({"_limits": "import _deeper", "_deeper": f"MOST = {n}"} for n in (1, 2))
    assert check("import _limits", **one) != check("import _limits", **other)


def test_a_folder_that_pytest_puts_on_the_path_is_looked_at(check, tmp_path):
    """The setting `pythonpath`."""
    (tmp_path / "tools").mkdir()
    found = {
        (paths, n): check("import _limits", paths=paths, tools___limits=f"MOST = {n}")
        for paths in ((), (tmp_path / "tools",))
        for n in (1, 2)
    }
    assert found[(), 1] == found[(), 2]
    assert found[(tmp_path / "tools",), 1] != found[(tmp_path / "tools",), 2]


def test_other_checks_do_not_count(check):
    """Those that have a digest of their own; a helper by whatever name does."""
    text = "def test_a():\n    '''It holds.'''\n    assert test_helper() == 1\n"
    text += "def test_b():\n    assert {}\ndef test_helper():\n    return {}\n"
    before = check(text.format(1, 1), others={"test_b"})
    assert check(text.format(2, 1), others={"test_b"}) == before
    assert check(text.format(1, 2), others={"test_b"}) != before
