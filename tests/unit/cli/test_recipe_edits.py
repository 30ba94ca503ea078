"""Layers written into the call that declares a recipe; all else of the file stays."""

from pathlib import Path

import pytest

import litegate as lg
from litegate.cli.model_source import ModelSource, NotFound
from litegate.cli.recipe_edits import diff, with_layers

RECIPE = lg.recipes.static_wi8_ai8(float_layers=("conv", 'a"b'))
HEAD = "import litegate as lg\n\nRECIPES = [  # a comment\n    "
TAIL = ",\n]\n"


def edited(folder, call, recipe=RECIPE, field="float_layers"):
    file = folder / "net.py"
    file.write_text(f"{HEAD}{call}{TAIL}")
    source = with_layers(ModelSource(file, (folder,)), recipe, field).decode()
    assert source.startswith(HEAD)
    assert source.endswith(TAIL)
    return source.removeprefix(HEAD).removesuffix(TAIL)


LAYERS = 'float_layers=("conv", "a\\"b")'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("lg.recipes.static_wi8_ai8()", f"lg.recipes.static_wi8_ai8({LAYERS})"),
        ("static_wi8_ai8(gate=False)", f"static_wi8_ai8(gate=False, {LAYERS})"),
        ("static_wi8_ai8( strip=True )", f"static_wi8_ai8( strip=True, {LAYERS} )"),
        (
            "static_wi8_ai8(\n        gate=False,\n    )",
            f"static_wi8_ai8(\n        gate=False,\n        {LAYERS},\n    )",
        ),
        (
            'static_wi8_ai8(float_layers="dense", gate=False)',
            f"static_wi8_ai8({LAYERS}, gate=False)",
        ),
        (
            'static_wi8_ai8(name="static_wi8_ai8")',
            f'static_wi8_ai8(name="static_wi8_ai8", {LAYERS})',
        ),
    ],
)
def test_the_argument_is_added_or_replaced(tmp_path, before, after):
    assert edited(tmp_path, before) == after


def test_a_single_layer_is_a_tuple_in_the_recipe_of_that_name(tmp_path):
    recipe = lg.recipes.static_wi8_ai8(name="small", int16_layers="dense")
    call = 'a.static_wi8_ai8(), a.static_wi8_ai8(name="small")'
    after = 'a.static_wi8_ai8(), a.static_wi8_ai8(name="small", int16_layers=("dense",))'
    assert edited(tmp_path, call, recipe, "int16_layers") == after


def test_the_half_that_chose_is_declared_too(tmp_path):
    recipe = lg.recipes.static_wi8_ai8(float_layers="conv", chosen_on_half=True)
    after = 'static_wi8_ai8(float_layers=("conv",), chosen_on_half=True)'
    assert edited(tmp_path, "static_wi8_ai8()", recipe) == after
    assert edited(tmp_path, "static_wi8_ai8(chosen_on_half=False)", recipe) == (
        'static_wi8_ai8(chosen_on_half=True, float_layers=("conv",))'
    )


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("lg.recipes.int8_ptq()", "no call does"),
        ("lg.recipes.static_wi8_ai8(name=NAME)", "no call does"),
        ("static_wi8_ai8(), static_wi8_ai8()", "2 calls do, on lines 4, 4"),
    ],
)
def test_a_declaration_that_is_not_clear_is_not_edited(tmp_path, call, reason):
    with pytest.raises(NotFound, match=reason):
        edited(tmp_path, call)


def test_the_diff_can_be_applied():
    assert diff(b"a\nb\n", b"a\nc\n", Path("models/net.py")).splitlines() == [
        "--- a/models/net.py",
        "+++ b/models/net.py",
        "@@ -1,2 +1,2 @@",
        " a",
        "-b",
        "+c",
    ]
