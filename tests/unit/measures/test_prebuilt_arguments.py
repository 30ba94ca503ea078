"""Arguments of `prebuilt(...)` for a file of another type or kind."""

import pytest

from litegate.measures.structure.prebuilt_arguments import arguments, fitting_recipe
from litegate.spec import Kind, Recipe
from litegate.spec.recipe import default_port_type
from litegate.testing import retype, tiny

INT8 = tiny(Kind.INT8_PTQ, input_type="int8", output_type="int8")


def written(tflite, kind=Kind.INT8_PTQ, input_type=None, output_type=None):
    """The arguments to write for a file that is declared so."""
    default = default_port_type(kind)
    declared = Recipe(
        name=kind, kind=kind, input_type=input_type or default, output_type=output_type or default
    )
    return arguments(fitting_recipe(tflite, declared), declared)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.FLOAT32])
def test_a_file_that_fits_needs_no_other_arguments(kind):
    assert written(tiny(kind), kind, "float32", "float32") == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("float32", "float32"), 'input_type="float32", output_type="float32"'),
        (("uint8", "int8"), 'input_type="uint8"'),
        (("int8", "float32"), 'output_type="float32"'),
    ],
)
def test_only_types_that_differ_are_named(given, expected):
    file = tiny(Kind.INT8_PTQ, input_type=given[0], output_type=given[1])
    assert written(file) == expected


def test_the_kind_comes_with_its_own_types():
    """Types that were declared by hand are replaced; those that were not follow the kind."""
    for kind in (Kind.DYNAMIC_RANGE, Kind.FLOAT16, Kind.INT16X8):
        assert written(tiny(kind)) == f'kind="{kind}"'
    assert written(tiny(Kind.FLOAT16), input_type="uint8") == 'kind="float16", input_type="float32"'
    assert written(INT8, Kind.DYNAMIC_RANGE) == 'kind="int8_ptq"'


def test_quantization_of_either_way_stays_as_it_is_called():
    """The rules are the same."""
    assert written(tiny(Kind.INT8_PTQ), Kind.INT8_QAT).startswith("input_type=")


def test_a_float_file_is_no_candidate():
    """Not even if its weights are so few that dynamic_range would leave them in float."""
    declared = Recipe(name="int8_ptq", kind=Kind.INT8_PTQ)
    assert fitting_recipe(tiny(Kind.FLOAT32), declared).kind is Kind.FLOAT32


def test_a_file_that_breaks_the_rules_of_every_kind_fits_none():
    declared = Recipe(name="int8_ptq", kind=Kind.INT8_PTQ)
    assert fitting_recipe(retype(INT8, "conv/bias", "float32"), declared) is None
