"""The line of a limit is found in the model's file: the recipe's own, the model's, or none."""

from dataclasses import replace

import pytest

from litegate.spec.limit_lines import limit_line
from litegate.spec.loader import load_file

MODEL = """import litegate as lg

COMMON = lg.Budget(
    size=lg.kib(3),
)
CHANGE = lg.Regression(
    size=lg.percent(2),
)


@lg.model(
    data=lg.datasets.digits(),
    recipes=[
        lg.recipes.int8_qat(),
        lg.recipes.int8_ptq(
            name="small", budget=lg.Budget(
                arena=lg.kib(1),
                size=None,
                regression=lg.Regression(accuracy=lg.points(1)),
            )
        ),
        lg.recipes.dynamic_range(budget=COMMON),
    ],
    budget=lg.Budget(
        size=lg.kib(12),
        arena=lg.kib(2),
        metrics=(
            lg.metrics.f1(least=0.9),
            lg.metrics.top_k(2, name="second",
                             least=lg.percent(99)),
        ),
        regression=CHANGE,
    ),
)
def digits(keras):
    "A network."
"""
FILES = "lg.prebuilt(reference='a', candidate='b', data=lg.datasets.digits(), budget={})"


def declared(folder, text):
    file = folder / "file.py"
    file.write_text(text)
    (model,) = load_file(file, folder).values()
    return model


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return declared(tmp_path_factory.mktemp("models"), MODEL)


@pytest.mark.parametrize(
    ("recipe", "owner", "field", "start"),
    [
        ("int8_qat", "budget", "size", "        size=lg.kib(12)"),
        ("int8_qat", "budget", "latency", None),
        ("int8_qat", "regression", "size", "    size=lg.percent(2)"),
        ("int8_qat", "regression", "accuracy", None),
        ("int8_qat", "f1", "least", "            lg.metrics.f1(least=0.9)"),
        ("int8_qat", "second", "least", "                             least="),
        ("int8_qat", "second", "loss", None),
        ("small", "budget", "arena", "                arena=lg.kib(1)"),
        ("small", "budget", "size", "        size=lg.kib(12)"),
        ("small", "regression", "accuracy", "                regression=lg.Regression(acc"),
        ("small", "regression", "size", None),
        ("dynamic_range", "budget", "size", "    size=lg.kib(3)"),
        ("dynamic_range", "budget", "arena", "        arena=lg.kib(2)"),
        (None, "budget", "arena", "        arena=lg.kib(2)"),
    ],
)
def test_the_line_sets_the_limit(digits, recipe, owner, field, start):
    line = limit_line(digits, recipe and digits.recipe(recipe), owner, field)
    assert (line is None) is (start is None)
    assert line is None or MODEL.splitlines()[line - 1].startswith(start)


@pytest.mark.parametrize(
    ("budget", "line"),
    [("lg.Budget(\n    size=lg.kib(1))", 5), ("lg.Budget(**LIMITS)", None), ("limits()", None)],
)
def test_ready_made_files_are_declared_by_a_call(tmp_path, budget, line):
    helpers = "LIMITS = dict(size=lg.kib(1))\ndef limits(): return lg.Budget(**LIMITS)\n"
    text = f"import litegate as lg\n{helpers}ready = {FILES.format(budget)}"
    model = declared(tmp_path, text)
    assert limit_line(model, model.recipes[0], "budget", "size") == line


def test_a_file_that_changed_since_has_no_line(digits, tmp_path):
    for content in (b"size = (", b"\x00", b"\xff", b"x = 1"):
        file = tmp_path / "other.py"
        file.write_bytes(content)
        assert limit_line(replace(digits, file=file), None, "budget", "size") is None
    assert limit_line(replace(digits, file=tmp_path / "gone.py"), None, "budget", "size") is None


def test_names_that_refer_to_each_other_end(digits, tmp_path):
    file = tmp_path / "other.py"
    file.write_text(MODEL.replace("COMMON = lg.Budget(", "A = B\nB = A\nCOMMON = A\nlg.Budget("))
    model = replace(digits, file=file, line=digits.line + 3)
    assert limit_line(model, model.recipe("dynamic_range"), "budget", "size") == 28
