"""The matrix of models and checks."""

import made_reports
import pytest

from litegate.report.html.check_matrix import check_matrix


def test_cells_have_a_sign_and_the_margin():
    rows = [
        made_reports.verdict("pass", model="a", check="test_a", name="drop"),
        made_reports.verdict("fail", model="a", check="test_b", name="growth"),
        made_reports.verdict("inconclusive", model="b", check="test_a", name="drop"),
        made_reports.verdict("pass", model="b", check="test_b", name="growth")
        | {"waived": {"reason": "known"}},
    ]
    matrix = check_matrix(made_reports.report(*rows))
    assert matrix.checks == ("growth", "drop")
    assert [row.name for row in matrix.problems] == ["a/int8_qat", "b/int8_qat"]
    assert [[(c.outcome, c.text) for c in row.cells] for row in matrix.problems] == [
        [("fail", "✗ -0.20 points"), ("pass", "✓ +0.40 points")],
        [("waived", "! +0.40 points"), ("inconclusive", "? +0.10 points")],
    ]
    assert [row.outcome for row in matrix.problems] == ["fail", "inconclusive"]


def test_checks_with_problems_stand_first_and_models_without_apart():
    rows = [
        made_reports.verdict("pass", model=model, check=check, name=check)
        for model in ("a", "b")
        for check in ("test_a", "test_b")
    ]
    failed = made_reports.verdict("fail", model="c", check="test_b", name="test_b")
    matrix = check_matrix(made_reports.report(*rows, failed))
    assert matrix.checks == ("test_b", "test_a")
    assert [row.name for row in matrix.problems] == ["c/int8_qat"]
    assert [cell.text for cell in matrix.problems[0].cells] == ["✗ -0.20 points", ""]
    assert [row.name for row in matrix.passed] == ["a/int8_qat", "b/int8_qat"]


def test_of_several_verdicts_of_a_check_the_worst_is_shown():
    rows = [made_reports.verdict(o, name=o) for o in ("pass", "fail", "inconclusive")]
    matrix = check_matrix(made_reports.report(*rows))
    assert matrix.checks == ("drop",)  # the check has several measurements
    assert matrix.problems[0].cells[0].text == "✗ -0.20 points"


def test_a_count_of_nothing_is_a_sign_alone():
    row = made_reports.verdict() | {"value": 0.0, "limit": 0.0, "margin": 0.0, "unit": "count"}
    assert check_matrix(made_reports.report(row)).passed[0].cells[0].text == "✓"


def test_an_error_is_a_cell_without_a_verdict():
    error = made_reports.error(check="test_b")
    matrix = check_matrix(made_reports.report(made_reports.verdict(), errors=[error]))
    assert matrix.checks == ("b", "accuracy drop")
    assert [cell.text for cell in matrix.problems[0].cells] == ["no verdict", "✓ +0.40 points"]


@pytest.mark.parametrize("recipes", [(), ("int8_qat", "int8_ptq")])
def test_a_verdict_of_a_whole_model_stands_in_each_row_of_it(recipes):
    whole = made_reports.verdict("fail", recipe="", check="test_weakened", name="weakened limits")
    rows = [made_reports.verdict(recipe=recipe) for recipe in recipes]
    matrix = check_matrix(made_reports.report(*rows, whole))
    assert [row.name for row in matrix.problems] == ([f"m/{name}" for name in recipes] or ["m"])
    assert all(row.cells[0].text == "✗ -0.20 points" for row in matrix.problems)


def test_a_model_that_was_not_gated_is_a_row_without_cells():
    matrix = check_matrix(made_reports.report(made_reports.verdict(), not_gated={"n": "no data"}))
    [row] = matrix.problems
    assert (row.name, row.outcome, [cell.text for cell in row.cells]) == ("n", "not gated", [""])


def test_an_error_of_no_check_is_in_no_cell():
    error = made_reports.error(check="", model="", recipe="")
    matrix = check_matrix(made_reports.report(made_reports.verdict(), errors=[error]))
    assert not matrix.problems
    assert len(matrix.passed) == 1
