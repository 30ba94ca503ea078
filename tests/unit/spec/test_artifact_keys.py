"""Keys change with what makes an artifact, and with nothing else."""

import sys
from pathlib import Path

import pytest

import litegate as lg
from litegate.core.errors import ConfigError
from litegate.spec.artifact_keys import artifact_stem, data_key, toolchain_digest
from litegate.spec.loader import load_file

MODEL = '''
"""A model."""
import litegate as lg
import layers

@lg.model(
    data=lg.datasets.digits(),
    training=lg.Training(epochs=2),
    recipes=[lg.recipes.int8_qat(), lg.recipes.dynamic_range()],
    budget=lg.Budget(size=lg.kib(9)),
)
def net(keras):
    """A network."""
    return layers.build(keras, 16)  # filters
'''
LAYERS = "def build(keras, filters):\n    return keras.Sequential([keras.layers.Dense(filters)])\n"


@pytest.fixture
def key(tmp_path):
    """A function that gives the key of the model as written, with replacements."""
    (tmp_path / "models").mkdir()

    def make(old="", new="", *, layers=LAYERS, recipe="int8_qat"):
        file = tmp_path / "models" / "net.py"
        file.write_text(MODEL.replace(old, new) if old else MODEL)
        (tmp_path / "models" / "layers.py").write_text(layers)
        sys.modules.pop("layers", None)
        model = load_file(file, tmp_path)["net"]
        return artifact_stem(model, model.recipe(recipe), tmp_path)

    return make


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kib(9)", "kib(10)"),
        ("# filters", "# so many filters"),
        ("A network.", "Another text."),
        (", lg.recipes.dynamic_range()", ""),
        ("int8_qat()", "int8_qat(gate=False)"),
        ("int8_qat()", "int8_qat(budget=lg.Budget(size_ratio=0.4))"),
    ],
)
def test_what_does_not_make_the_bytes_leaves_the_key(key, old, new):
    """Limits, other recipes, comments and docstrings build nothing again."""
    assert key(old, new) == key()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("16", "17"),
        ("epochs=2", "epochs=3"),
        ("int8_qat()", "int8_qat(fine_tune_epochs=2)"),
        ("int8_qat()", 'int8_qat(input_type="uint8")'),
    ],
)
def test_what_makes_the_bytes_changes_the_key(key, old, new):
    """The network, the training and the recipe are part of it."""
    assert key(old, new) != key()


def test_an_imported_local_module_is_part_of_the_key(key):
    """A layer in a module beside the model's file makes the bytes too."""
    assert key(layers=LAYERS + "# more\n") == key()
    assert key(layers=LAYERS.replace("Dense", "Conv1D")) != key()


def test_a_file_that_the_builder_reads_is_part_of_the_key(key, tmp_path):
    """Its bytes, once it is named; another model's key stays as it is."""
    reads = ("recipes=", 'files=["weights.h5"], recipes=')
    weights = tmp_path / "models" / "weights.h5"
    keys = [key()]
    for content in (b"1", b"2"):
        weights.write_bytes(content)
        keys.append(key(*reads))
    assert len(set(keys)) == 3
    weights.write_bytes(b"1")
    assert key(*reads) == keys[1]


def test_a_file_that_the_builder_reads_and_that_is_missing_is_named(key):
    """With the model's name and what to correct."""
    with pytest.raises(ConfigError, match=r"builder of net reads(?s:.*)none\.h5(?s:.*)files="):
        key("recipes=", 'files=["none.h5"], recipes=')


def test_one_file_in_place_of_a_list_is_refused(key):
    """A string is no list of letters."""
    with pytest.raises(ConfigError, match=r"expected: \['weights\.h5'\]"):
        key("recipes=", 'files="weights.h5", recipes=')


def test_the_tool_chains_digest_covers_its_folders(tmp_path):
    """A changed module in a package below it changes the digest; its name counts too."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.py").write_text("x = 1\n")
    before = toolchain_digest(tmp_path)
    (tmp_path / "inner" / "a.py").write_text("x = 2\n")
    after = toolchain_digest(tmp_path)
    (tmp_path / "inner" / "a.py").rename(tmp_path / "a.py")
    assert len({before, after, toolchain_digest(tmp_path)}) == 3


def test_two_recipes_have_two_keys(key):
    """Each recipe's artifact is its own."""
    assert key(recipe="int8_qat") != key(recipe="dynamic_range") != key(recipe="float32")


def test_the_key_does_not_depend_on_where_the_checkout_lies(key, tmp_path_factory):
    """Everyone who shares a store finds the same entry."""
    here = key()
    elsewhere = tmp_path_factory.mktemp("other")
    (elsewhere / "models").mkdir()
    for name, text in (("net.py", MODEL), ("layers.py", LAYERS)):
        (elsewhere / "models" / name).write_text(text)
    model = load_file(elsewhere / "models" / "net.py", elsewhere)["net"]
    assert artifact_stem(model, model.recipe("int8_qat"), elsewhere) == here


def _made(factor):
    def scaled(samples):
        return samples * factor

    return scaled


@pytest.mark.parametrize("preprocess", [_made(2), lambda samples: samples, print, "x".join])
def test_a_preprocessing_whose_source_is_not_all_of_it_is_refused(preprocess):
    """What a closure holds would be in no key."""
    data = lg.Data(
        name="d", load=print, digests={}, preprocess=preprocess, domain=(0, 1), classes=("a", "b")
    )
    with pytest.raises(ConfigError, match="preprocessing of d cannot be read"):
        data_key(data, Path())
