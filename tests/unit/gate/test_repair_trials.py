"""One trial of `litegate repair`: a variant is built and judged, or it does not come to that."""

import math
from types import SimpleNamespace

import pytest

import litegate as lg
from litegate.core.errors import BuildError
from litegate.gate.repair.trials import Trials
from litegate.spec import Data, Kind
from litegate.spec.cases import Case
from litegate.testing import artifact, custom_operator, evaluation, tiny

SPLIT = evaluation()
REFERENCE = artifact(tiny(Kind.FLOAT32), Kind.FLOAT32, split=SPLIT)
GOOD = artifact(tiny(Kind.STATIC_WI8_AI8), Kind.STATIC_WI8_AI8, split=SPLIT)
REFUSED = artifact(custom_operator(GOOD.tflite, "dense", "Mine"), Kind.STATIC_WI8_AI8, split=SPLIT)
DATA = Data(name="d", load=len, preprocess=len, domain=(0.0, 1.0), classes=SPLIT.classes)


def trials(tmp_path, build, lines):
    """The trials of a recipe whose variants are built by `build`."""
    recipe = lg.recipes.static_wi8_ai8()
    model = lg.prebuilt(
        reference="a",
        recipes=[recipe],
        data=DATA,
        budget=lg.Budget(accuracy_drop=lg.points(90)),
        name="net",
    )
    session = SimpleNamespace(
        artifact=build,
        with_stored_answers=lambda it: it,
        options=SimpleNamespace(project=tmp_path),
    )
    return Trials(
        session=session,
        case=Case(model=model, recipe=recipe),
        layers_field="float_layers",
        reference=REFERENCE,
        split=SPLIT,
        deadline=math.inf,
        on_line=lines.append,
        most=9,
    )


def fails(*_):
    raise BuildError("the converter refuses it")


@pytest.mark.parametrize(
    ("build", "reason"),
    [(fails, "the converter refuses it"), (lambda *_: REFUSED, "LiteRT cannot run")],
    ids=["not built", "not run"],
)
def test_a_set_that_gives_no_file_to_run_is_one_that_misses(tmp_path, build, reason):
    """The search goes on, and the line of the trial says why."""
    lines = []
    trial = trials(tmp_path, build, lines)(frozenset({"conv"}))
    assert (trial.excess, trial.keeps) == (math.inf, False)
    assert reason in trial.blocked[0]
    assert lines[0].startswith(
        f"1 of at most 9: conv, blocked by {trial.blocked[0]}; none keeps the limits"
    )


def test_a_set_that_keeps_the_limits(tmp_path):
    lines = []
    trial = trials(tmp_path, lambda *_: GOOD, lines)(frozenset({"conv"}))
    assert trial.keeps
    assert lines == [
        f"1 of at most 9: conv, limits kept; best so far {len(GOOD.tflite):,} B with conv"
    ]
