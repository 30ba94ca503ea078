"""The changes of a model that a failed comparison names."""

import pytest

from litegate.regression.declaration import declared_model
from litegate.regression.declared_changes import declared_changes
from litegate.spec.loader import discover

MODEL = """
import litegate as lg
{top}

@lg.model(data=lg.datasets.digits(), recipes=[lg.recipes.int8_qat()])
def digits(keras):
    from net import build  # the network is in a file of its own

    return build(keras, {filters})
"""
NET = "def build(keras, filters):\n    return {layers}\n"


def declared(folder, *, layers="1", filters="1", top=""):
    """Declare a model whose network is in net.py."""
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "digits.py").write_text(MODEL.format(filters=filters, top=top))
    (folder / "net.py").write_text(NET.format(layers=layers))
    model = discover(folder / "models", folder)["digits"]
    # In place of a stem, which digests all that decides a file's bytes.
    return declared_model(model, folder, str, lambda _: f"{layers} {filters} {top}")


@pytest.mark.parametrize(
    ("changed", "files"),
    [
        ({"layers": "2"}, "net.py"),
        ({"filters": "2"}, "models/digits.py"),
        ({"layers": "2", "filters": "2"}, "models/digits.py, net.py"),
    ],
)
def test_the_file_with_the_changed_network_is_named(tmp_path, changed, files):
    """Not the model's file, if that imports the network and is as before."""
    before, after = declared(tmp_path / "base"), declared(tmp_path / "head", **changed)
    assert declared_changes(before, after, "int8_qat") == [
        f"the code that builds the network in {files}"
    ]
