"""Names of measurements: defined once, written nowhere else, and old ones translated."""

import ast
from pathlib import Path

import pytest

import litegate
from litegate.core.units import Unit
from litegate.measures import names
from litegate.measures.measurement import Measurement
from litegate.measures.names import (
    ALL_NAMES,
    COUNTEREXAMPLES,
    OLD_NAMES,
    Name,
    bounded_by,
    is_plural,
    renamed,
    since_anchor_name,
    without_runtime,
    worst_name,
)
from litegate.measures.verdict_text import sentence
from litegate.spec.metric import Better, Metric

SOURCE = Path(litegate.__file__).parent
FILES = [file for file in sorted(SOURCE.rglob("*.py")) if file != Path(names.__file__)]
MEASURING = {"Measurement", "violations", "share", "drop", "fault"}
"""Functions that take the name of a measurement."""


def literals(tree):
    """Yield the texts of a module's code, without its docstrings."""
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node


def named_by_hand(tree):
    """Yield the texts that are given to a function as the name of a measurement."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if not isinstance(call.func, ast.Name) or call.func.id not in MEASURING:
            continue
        given = [key.value for key in call.keywords if key.arg in ("name", "noticed_by")]
        for argument in (*call.args[:1], *given):
            yield from literals(argument)


def test_a_name_of_several_words_is_written_nowhere_else():
    several_words = {name for name in ALL_NAMES if " " in name}
    assert len(several_words) > 20
    found = [
        f"{file.relative_to(SOURCE)}:{node.lineno}: {node.value}"
        for file in FILES
        for node in literals(ast.parse(file.read_text("utf-8")))
        if node.value in several_words or any(old in node.value for old in OLD_NAMES)
    ]
    assert found == []


def test_a_measurement_gets_its_name_from_the_module():
    found = [
        f"{file.relative_to(SOURCE)}:{node.lineno}: {node.value}"
        for file in FILES
        for node in named_by_hand(ast.parse(file.read_text("utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        'violations("tensor type violations", x)',
        'Measurement(name="size")',
        '@fault(noticed_by=("size",))\ndef f(): ...',
    ],
)
def test_a_name_written_by_hand_is_found(code):
    assert list(named_by_hand(ast.parse(code)))


def test_no_two_measurements_have_one_name():
    assert len({*ALL_NAMES}) == len(ALL_NAMES) > 30
    assert Name.CLASS_DROP == worst_name("class", Name.ACCURACY_DROP)
    assert Name.SLICE_DROP == worst_name("slice", Name.ACCURACY_DROP)


def test_names_are_plain_text():
    """pytest-xdist's workers send plain types only, in rows and in properties of reports."""
    assert {type(name) for name in (*ALL_NAMES, *OLD_NAMES, *OLD_NAMES.values())} == {str}


@pytest.mark.parametrize(
    ("better", "limit", "name"),
    [
        (Better.HIGHER, "least", "auc"),
        (Better.HIGHER, "loss", "auc drop"),
        (Better.LOWER, "loss", "auc rise"),
        (Better.HIGHER, "class_loss", "worst class's auc drop"),
        (Better.LOWER, "slice_loss", "worst slice's auc rise"),
        (Better.HIGHER, "regression", "auc regression"),
        (Better.LOWER, "regression", "auc regression"),
    ],
)
def test_each_limit_of_a_metric_bounds_a_measurement(better, limit, name):
    metric = object.__new__(Metric)
    object.__setattr__(metric, "name", "auc")
    object.__setattr__(metric, "better", better)
    assert bounded_by(metric, limit) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (Name.SIZE_GROWTH, "size growth since the anchor"),
        (Name.OPERATOR_CHANGES, "operator changes since the anchor"),
        (Name.LOST_TYPES, "tensors and operators no longer integer since the anchor"),
        ("f1 regression", "f1 regression since the anchor"),
    ],
)
def test_a_comparison_with_the_anchor_has_a_name_of_its_own(name, expected):
    assert since_anchor_name(name) == expected


@pytest.mark.parametrize(
    ("name", "verb"),
    [
        (Name.SIZE, "is"),
        (Name.ACCURACY_DROP, "is"),
        (Name.KERAS_AGREEMENT, "is"),
        (Name.KERAS_DIFFERENCE, "is"),
        (Name.ACCURACY_REGRESSION, "is"),
        (since_anchor_name(Name.SIZE_GROWTH), "is"),
        ("f1 drop", "is"),
        ("number of a project's own things", "is"),
        (Name.EXTRA_ERRORS, "are"),
        (Name.DETERMINISM, "are"),
        (Name.TENSOR_VIOLATIONS, "are"),
        (Name.REFERENCE_VIOLATIONS, "are"),
        (Name.UNSUPPORTED_OPERATORS, "are"),
        (Name.LEAKED_SAMPLES, "are"),
        (Name.UNIQUE_WEIGHTS, "are"),
        (Name.MACS, "are"),
        (Name.LOST_TYPES, "are"),
        (since_anchor_name(Name.LOST_TYPES), "are"),
        (Name.OPERATOR_CHANGES, "are"),
        (Name.SHIPPED_DIFFERENCES, "are"),
        (Name.WEAKENED_LIMITS, "are"),
    ],
)
def test_a_sentence_agrees_with_its_subject(name, verb):
    found = Measurement(name=name, subject="kws/int8_qat", value=3, unit=Unit.COUNT)
    expected = f"{name} of kws/int8_qat {verb} 3, must be at most 0 (over by 3)"
    assert sentence(found <= 0) == expected
    assert is_plural(name) is (verb == "are")


def test_searches_for_counterexamples_say_so():
    assert all(name.endswith(": counterexamples") for name in COUNTEREXAMPLES)
    assert [name for name in ALL_NAMES if "counterexamples" in name] == [*COUNTEREXAMPLES]


def test_no_old_name_is_in_use_and_each_new_one_is():
    drifts = {since_anchor_name(name) for name in ALL_NAMES}
    assert not OLD_NAMES.keys() & {*ALL_NAMES, *drifts}
    assert {without_runtime(name) for name in OLD_NAMES.values()} <= {*ALL_NAMES, *drifts}
    assert not any(map(renamed, ALL_NAMES))
    assert not [name for name in ALL_NAMES if " on " in name]  # it begins a runtime's name


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *OLD_NAMES.items(),
        ("f1 drop against the base", "f1 regression"),
        ("mse rise against the base", "mse regression"),
        ("f1 drop since the anchor", "f1 regression since the anchor"),
        ("f1 drop", ""),
        ("my own drop against the base", ""),
        ("size growth since the anchor", ""),
        ("a measurement of a project's own", ""),
    ],
)
def test_an_old_name_gives_todays(old, new):
    assert renamed(old) == new
