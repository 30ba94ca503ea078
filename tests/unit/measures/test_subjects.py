"""A measurement must be of the artifacts of its check's case."""

import pytest

from litegate.core.units import Unit
from litegate.measures.measurement import Measurement
from litegate.measures.names import Name, since_anchor_name
from litegate.measures.subjects import wrong_subject
from litegate.spec.metrics import f1

DIGESTS = {
    role: f"digest of {role}" for role in ("candidate", "reference", "base", "anchor", "baseline")
}
PAIR = ("reference", "candidate")


def problem(name, roles, digests=DIGESTS):
    measurement = Measurement(
        name=name,
        subject="m/r",
        value=0,
        unit=Unit.COUNT,
        artifacts=tuple(DIGESTS.get(role, "unknown") for role in roles),
    )
    return wrong_subject(measurement, digests, [f1(loss=0.1)])


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        (Name.ACCURACY, ["candidate"]),
        (Name.ACCURACY_DROP, PAIR),
        (Name.SIZE_RATIO, PAIR[::-1]),
        (Name.REFERENCE_VIOLATIONS, ["reference"]),
        (Name.SIZE_GROWTH, ("base", "candidate")),
        (since_anchor_name(Name.SIZE_GROWTH), ("anchor", "candidate")),
        ("f1 drop", PAIR),
        ("f1", ["candidate"]),
        ("of my own", ["candidate"]),
        ("of my own", PAIR),
        ("of my own", []),
        (Name.WEAKENED_LIMITS, []),
    ],
)
def test_the_case_itself_is_right(name, roles):
    assert problem(name, roles) == ""


@pytest.mark.parametrize(
    ("name", "roles", "said"),
    [
        (Name.ACCURACY, ["reference"], "of the reference, not of the candidate"),
        (Name.ACCURACY, ["baseline"], "of the baseline, not of the candidate"),
        (Name.ACCURACY, ["other"], "of another artifact, not of the candidate"),
        (
            Name.ACCURACY_DROP,
            ("baseline", "candidate"),
            "of the baseline and the candidate, not of the reference and the candidate",
        ),
        (
            Name.ACCURACY_DROP,
            ("base", "candidate"),
            "of the base and the candidate, not",
        ),
        (Name.ACCURACY_DROP, ("candidate", "candidate"), "not of the reference and the candidate"),
        (Name.REFERENCE_VIOLATIONS, ["candidate"], "not of the reference"),
        (Name.SIZE_GROWTH, ("base", "reference"), "not of the candidate"),
        (Name.SIZE_GROWTH, ("baseline", "candidate"), "of the baseline and the candidate"),
        ("f1 drop", ("baseline", "candidate"), "not of the reference and the candidate"),
        ("of my own", ["reference"], "not of the candidate"),
    ],
)
def test_another_artifact_is_named(name, roles, said):
    assert said in problem(name, roles)


def test_a_baseline_that_is_the_reference_is_right():
    digests = DIGESTS | {"baseline": DIGESTS["reference"]}
    assert problem(Name.ACCURACY_DROP, PAIR, digests) == ""
