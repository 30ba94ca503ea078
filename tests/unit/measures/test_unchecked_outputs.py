"""Outputs that could change unnoticed are named."""

import pytest
from several import crossed_artifact

from litegate import Budget, Regression, metrics, percent, points, quanta
from litegate.measures.lints.unchecked_outputs import unchecked_output_notes
from litegate.testing import tiny_artifact

TWO = crossed_artifact(output="sum")


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"accuracy": percent(90), "accuracy_drop": points(1)},
        {"metrics": (metrics.f1(least=0.5),)},
        {"runtime_agreement": percent(99)},
        {"regression": Regression()},
    ],
)
def test_limits_of_the_deciding_output_hold_no_other(limits):
    (note,) = unchecked_output_notes(Budget(**limits), TWO)
    assert note.startswith(
        "no limit covers product: most limits apply only to sum, the deciding output"
    )
    assert not unchecked_output_notes(Budget(**limits), tiny_artifact())


@pytest.mark.parametrize(
    "limits",
    [
        {"output_error": percent(5)},
        {"keras_difference": quanta(1)},
        {"agreement": percent(99)},
        {"keras_agreement": percent(99)},
        {"metrics": (metrics.map_voc(least=0.5),)},
        {"regression": Regression(agreement=percent(99))},
    ],
)
def test_limits_of_every_output_hold_it(limits):
    assert not unchecked_output_notes(Budget(**limits), TWO)
