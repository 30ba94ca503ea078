"""The limits that a repair judges, and the layers that it may propose."""

import pytest

import litegate as lg
from litegate.core.errors import ConfigError
from litegate.core.options import parse
from litegate.gate.repair.candidates import candidates, refused
from litegate.gate.repair.limits import (
    METRIC_MEASURES,
    OF_FILE,
    QUALITY_MEASURES,
    excess,
    file_verdicts,
    missed,
    quality_verdicts,
)
from litegate.gate.repair.repair import Repair
from litegate.gate.session import GateSession
from litegate.measures.statistics.proportions import TAIL
from litegate.spec import Data, Kind
from litegate.spec.budget import ANSWER_LIMITS
from litegate.spec.cases import Case
from litegate.spec.metric import LIMITS
from litegate.spec.targets import load
from litegate.testing import artifact, evaluation, tiny
from litegate.tflite.parser import parse as parse_file

SPLIT = evaluation()
REFERENCE = artifact(tiny(Kind.FLOAT32), Kind.FLOAT32, split=SPLIT)
CANDIDATE = artifact(tiny(Kind.STATIC_WI8_AI8), Kind.STATIC_WI8_AI8, split=SPLIT)
DATA = Data(name="d", load=len, preprocess=len, domain=(0.0, 1.0), classes=SPLIT.classes)


def case(recipe=None, **limits):
    recipe = recipe or lg.recipes.static_wi8_ai8()
    model = lg.prebuilt(
        reference="a", recipes=[recipe], data=DATA, budget=lg.Budget(**limits), name="net"
    )
    return Case(model=model, recipe=recipe)


def quality(tail=TAIL, **limits):
    return list(quality_verdicts(REFERENCE, CANDIDATE, case(**limits), tail))


def test_every_limit_of_answers_is_judged():
    """All that layers in float help; a limit against a base is the gate's."""
    assert {*QUALITY_MEASURES} == {it for it in ANSWER_LIMITS if "." not in it}
    assert {*METRIC_MEASURES} == {*LIMITS} - {"regression"}
    assert {*OF_FILE} <= {*lg.Budget().unset_limits()}


@pytest.mark.parametrize(("limit", "is_kept"), [(0, False), (0.5, False), (90, True)])
def test_only_what_is_proven_has_no_excess(limit, is_kept):
    """A limit that is kept but not proven counts as missed."""
    verdicts = quality(accuracy_drop=lg.points(limit))
    assert (excess(verdicts) <= 0) is is_kept
    assert (missed(verdicts) == []) is is_kept


def test_the_worst_limit_decides():
    limits = {"accuracy": lg.percent(1), "agreement": lg.percent(100)}
    verdicts = quality(**limits)
    assert len(verdicts) == 2
    assert excess(verdicts) == excess(verdicts[1:]) > excess(verdicts[:1])
    assert excess([]) == 0


def test_a_third_of_the_error_needs_more():
    (whole,), (third,) = (quality(tail, accuracy=lg.percent(1)) for tail in (TAIL, TAIL / 3))
    assert third.measurement.low < whole.measurement.low


def test_limits_of_the_file_are_judged_with_its_types(tmp_path):
    judged = case(size=lg.byte(10), target="edgetpu")
    verdicts = list(file_verdicts(REFERENCE, CANDIDATE, judged, tmp_path))
    names = [it.measurement.name for it in missed(verdicts)]
    assert names[0] == "size"
    wrong = list(file_verdicts(REFERENCE, REFERENCE, case(size=lg.kib(99)), tmp_path))
    assert "size saving" in " ".join(it.measurement.name for it in missed(wrong))


def test_layers_have_their_bytes_and_errors():
    made = candidates(REFERENCE, CANDIDATE, SPLIT, by="bytes", field="float_layers")
    sizes = {it.name: it.cost for it in made}
    tensors = {it.name: it.nbytes for it in parse_file(REFERENCE.tflite).main.tensors}
    assert sizes == {it: 1 + tensors[f"{it}/weight"] * 3 // 4 for it in sizes}
    assert list(sizes) == ["conv", "depthwise", "dense"]
    assert all(it.error > 0 for it in made)
    by_macs = candidates(REFERENCE, CANDIDATE, SPLIT, by="macs", field="float_layers")
    assert [it.cost for it in by_macs] != [it.cost for it in made]


def test_a_target_of_integers_refuses_every_float_layer(tmp_path):
    layers = refused(parse_file(REFERENCE.tflite), load("edgetpu", tmp_path))
    assert list(layers) == ["conv", "depthwise", "dense"]
    assert refused(parse_file(REFERENCE.tflite), load("tflm", tmp_path)) == {}


@pytest.mark.parametrize(
    ("recipe", "field", "message"),
    [
        (lg.recipes.dynamic_wi8_afp32(), "float_layers", "cannot leave out single layers"),
        (lg.recipes.static_wi8_ai16(), "int16_layers", "does not accept int16_layers"),
        (lg.recipes.static_wi8_ai8(strip=True), "float_layers", "a stripped file does not show"),
    ],
)
def test_recipes_that_cannot_leave_out_layers_are_refused(tmp_path, recipe, field, message):
    """Before anything is built."""
    session = GateSession(parse(tmp_path, {}, {}), lambda *_: None, lambda _: None)
    repair = Repair(
        session=session, case=case(recipe), field=field, deadline=0, on_line=lambda _: None
    )
    with pytest.raises(ConfigError, match=message):
        repair.run()
