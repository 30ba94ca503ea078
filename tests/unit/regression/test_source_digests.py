"""A digest changes with what a function can use, and with nothing else."""

import importlib.util
import sys

import pytest

from litegate.regression.source_digests import builder_digest, function_digest

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
    """A function that gives the digest of `scaled`, or of the builder, with a replacement."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(old="", new="", *, scales=SCALES, of="scaled"):
        file = tmp_path / "prepared.py"
        file.write_text(PREPROCESSING.replace(old, new) if old else PREPROCESSING)
        (tmp_path / "scales.py").write_text(scales)
        for name in ("prepared", "scales"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        spec = importlib.util.spec_from_file_location("prepared", file)
        module = importlib.util.module_from_spec(spec)
        sys.modules["prepared"] = module
        spec.loader.exec_module(module)
        if of == "net":
            return builder_digest(module.net.build, tmp_path)
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


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("HIDDEN = 16", "HIDDEN = 32", True),
        ("Dense(HIDDEN)", "Dense(HIDDEN, 'relu')", True),
        ("kib(9)", "kib(99)", False),
        ("int8_qat", "int8_ptq", False),
        ("SCALE = 255", "SCALE = 128", False),
    ],
)
def test_of_a_builder_its_source_counts_and_not_its_declaration(digest, old, new, counts):
    assert (digest(old, new, of="net") != digest(of="net")) is counts
