"""A recipe with strip=True: its file is kept only where it answers as the converted one does."""

import numpy as np
import pytest

from litegate import recipes
from litegate.build.build_request import BuildRequest
from litegate.build.store import BUILDS
from litegate.build.toolchain.protocol import CONVERTED
from litegate.build.toolchain.strip import stripped
from litegate.core.errors import BuildError
from litegate.core.options import parse
from litegate.gate.session import GateSession
from litegate.mutation.faults.edits import revalue
from litegate.spec import Kind
from litegate.testing import tiny
from litegate.testing.artifacts import evaluation

RECIPE = "int8_ptq"


class Built:
    """What the tool chain left in its staging folder, and the pipeline that takes it in."""

    def __init__(self, tmp_path):
        session = GateSession(parse(tmp_path, {}, {}, {}), lambda _model, _event: None, print)
        self.pipeline, self.staging = session.pipeline, tmp_path / "staging"
        self.target = BuildRequest(
            model="tiny",
            file=tmp_path / "tiny.py",
            project=tmp_path,
            keys={RECIPE: "a" * 64},
            stems={RECIPE: "b" * 64},
            data_key="c" * 64,
        )

    def leave(self, converted, final):
        """Lay out what a build of the recipe writes."""
        split, folder = evaluation(), self.staging / RECIPE
        folder.mkdir(parents=True)
        (self.staging / "evaluation").mkdir()
        for name, values in (("x", split.x), ("y", split.y)):
            np.save(self.staging / "evaluation" / f"{name}.npy", values)
        np.save(folder / "keras_outputs.npy", np.zeros(3))
        (folder / "history.json").write_text("[]")
        (folder / "certificate.json").write_text("{}")
        (folder / "model.tflite").write_bytes(final)
        (folder / CONVERTED).write_bytes(converted)
        return self

    def take(self):
        """As the pipeline does when the child says that the recipe is ready."""
        self.pipeline.child._put(self.target, RECIPE, self.staging)


@pytest.fixture
def built(tmp_path):
    return Built(tmp_path)


def test_a_file_with_the_same_answers_is_kept(built):
    built.leave(tiny(), stripped(tiny())).take()
    kept = built.pipeline.store.get(BUILDS, "a" * 64, ["model.tflite"])
    assert kept["model.tflite"] == stripped(tiny())


def test_a_file_with_other_answers_is_not(built):
    """The error is the recipe's own: others of the model are built all the same."""
    faulty = stripped(revalue(tiny(), "dense/bias", lambda held: held + 400))
    with pytest.raises(BuildError, match="changed its outputs") as caught:
        built.leave(tiny(), faulty).take()
    assert (caught.value.recipe, caught.value.shared) == (RECIPE, False)
    assert not built.pipeline.store.has(BUILDS, "a" * 64)


@pytest.mark.parametrize(
    "make",
    [recipes.int8_qat, recipes.int8_ptq, recipes.dynamic_range, recipes.float16, recipes.int16x8],
)
def test_stripping_is_part_of_what_makes_the_bytes(make):
    """Of a recipe that does not ask for it, the key stays as it was."""
    assert make(strip=True).spec() == make().spec() | {"strip": True}
    assert "strip" not in make().spec()
    assert make(strip=True).reference == make().reference


def test_the_reference_is_never_stripped():
    assert not recipes.int8_qat(strip=True).reference.strip
    assert recipes.float32().kind is Kind.FLOAT32
