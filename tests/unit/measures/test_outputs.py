"""Files with several outputs are held to each other by all of them; the worst decides."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from several import crossed, crossed_artifact, double, samples
from tiny import artifact

from litegate.core.errors import MeasurementError
from litegate.core.units import percent
from litegate.data.duplicates import first_indices, originals
from litegate.measures.accuracy import accuracy, accuracy_drop
from litegate.measures.accuracy.agreement import (
    agreement_with_reference,
    keras_agreement,
)
from litegate.measures.accuracy.output_error import output_error
from litegate.measures.accuracy.runtime_agreement import runtime_agreement
from litegate.measures.latency.confirmation import LatencyContest, time_in_fresh_process
from litegate.measures.latency.timing import invoke_factory, one_sample
from litegate.measures.measurement import Outcome
from litegate.measures.metrics import metric_loss
from litegate.measures.properties import PROPERTIES, property_violations
from litegate.measures.regression import agreement_with_base
from litegate.measures.regression.file_comparison import compare
from litegate.measures.verdict_text import sentence
from litegate.runtimes.inference import all_outputs
from litegate.spec import Inputs
from litegate.spec.metrics import f1

X = samples()
SOUND = crossed_artifact(output="sum")
FLIPPED = crossed_artifact(crossed(gain=-1.0), output="sum", model="flipped")
"""Its product has the other sign: another class in each sample."""


def test_agreement_is_that_of_the_worst_output():
    """The output that decides agrees in all, the other in none."""
    for measure in (agreement_with_reference, agreement_with_base):
        found = measure(SOUND, FLIPPED)
        assert found.value == 0
        assert found.evidence[0] == "output product is the worst of 2"
        assert measure(SOUND, replace(SOUND, sha256="other")).value == 1
    assert accuracy(FLIPPED).value == accuracy(SOUND).value == 1


def test_the_sentence_of_a_broken_promise_names_the_output():
    verdict = output_error(SOUND, FLIPPED) <= percent(10)
    assert verdict.outcome is Outcome.FAIL
    assert "output product is the worst of 2" in sentence(verdict)
    assert verdict.measurement.value == pytest.approx(2)


def test_nothing_is_proven_of_one_output_that_is_not_of_the_others():
    """The upper limit is the furthest of both, whichever output has the greater error."""
    close = crossed_artifact(crossed(gain=1.01), output="sum", model="close")
    found = output_error(SOUND, close)
    assert float(found.value) == pytest.approx(0.01, rel=1e-4)
    assert found.low <= 0
    assert found.high >= found.value


def keras(*, even=1.0):
    answers = all_outputs(crossed(), X)
    return {"sum": answers["sum"].real, "product": even * answers["product"].real}


def test_keras_is_compared_by_the_names_of_its_outputs():
    assert keras_agreement(replace(SOUND, keras_outputs=keras())).value == 1
    found = keras_agreement(replace(SOUND, keras_outputs=keras(even=-1)))
    assert found.value == 0
    assert found.evidence[0] == "output product is the worst of 2"


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({"sum": 0}, "its Keras network lacks the outputs product"),
        ({"sum": 0, "prduct": 0}, "did you mean 'product'"),
    ],
)
def test_outputs_that_keras_and_the_file_do_not_share_are_an_error(outputs, said):
    kept = dict.fromkeys(outputs, keras()["sum"])
    with pytest.raises(MeasurementError) as refused:
        keras_agreement(replace(SOUND, keras_outputs=kept))
    assert said in str(refused.value)


def test_outputs_that_two_files_do_not_share_are_an_error():
    other = crossed_artifact(crossed(names=("sum", "quotient")), output="sum", model="other")
    with pytest.raises(MeasurementError, match="has no output 'product'"):
        agreement_with_reference(SOUND, other)


@pytest.mark.parametrize("output", ["", "sum"])
def test_what_decides_of_two_files_must_be_the_same_output(output):
    """The first by the alphabet is another where one output has another name."""
    before = crossed_artifact(crossed(names=("sum", "times")), output=output)
    after = crossed_artifact(crossed(names=("sum", "product")), output=output, model="renamed")
    for measure in (accuracy_drop, partial(metric_loss, metric=f1(loss=0.1))):
        if output:
            assert measure(before, after).value == 0
        else:
            with pytest.raises(MeasurementError, match="judged by different outputs"):
                measure(before, after)


def test_kernels_are_compared_on_all_outputs():
    assert runtime_agreement(replace(SOUND, runtime="reference")).value == 1


def test_two_files_side_by_side_tell_each_output():
    found = compare(SOUND, FLIPPED, run=True, labelled=True, latency=False)
    told = [note for note in found.notes if note.startswith("outputs of")]
    assert [note.split()[2] for note in told] == ["product", "sum"]
    assert "by 0 at most" in told[1]


def test_copies_are_equal_in_every_input():
    """A sample that differs in one input alone is another sample."""
    left, right = X.arrays["left"], X.arrays["right"]
    x = Inputs({"left": left[[0, 0, 0, 1]], "right": right[[0, 0, 1, 1]]})
    found = originals(crossed_artifact(x=x).evaluation)
    assert found.tolist() == [0, 0, 2, 3]
    assert first_indices(found).tolist() == [0, 2, 3]


def test_an_interpreter_to_be_timed_is_fed_every_input():
    invoke_factory(SOUND.tflite, one_sample(SOUND), "it")()


@pytest.mark.slow
def test_a_contest_in_a_fresh_process_is_fed_every_input():
    found = time_in_fresh_process(
        LatencyContest(
            candidate=SOUND.tflite,
            reference=FLIPPED.tflite,
            sample=one_sample(SOUND),
            limit=None,
            budget=0.2,
            signatures=("serving", ""),
        )
    )
    assert found.ratio > 0


@pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.name)
def test_properties_hold_of_every_output(prop):
    assert property_violations(SOUND, prop, examples=10).value == 0


def test_a_property_that_one_output_breaks_names_it(tmp_path):
    """The domain of one input alone overflows the product; what is kept can be fed again."""
    split = replace(SOUND.evaluation, domain={"left": (-1.0, 1.0), "right": (-1.0, 3e38)})
    wide = crossed_artifact(crossed(gain=100), output="sum", model="wide", evaluation=split)
    found = property_violations(wide, PROPERTIES[0], examples=5, keep=tmp_path)
    (said,) = found.offenders
    assert said.endswith(
        "gives infinity in outputs 0, 1, 2 of product (kept in wide-float32-finite.npz)"
    )
    assert " in left and " in said
    with np.load(tmp_path / "wide-float32-finite.npz") as arrays:
        kept = dict(arrays)
    assert {name: kept[name].shape for name in kept} == {"x.left": (1, 3), "x.right": (1, 3)}
    assert "from -1 to 1 in left, from -1 to 3e+38 in right" in found.evidence[0]


def test_token_ids_are_drawn_as_whole_numbers():
    ids = artifact(
        double(dtype="int32"), np.arange(30).reshape(10, 3), classes=3, domain=(0.0, 29.0)
    )
    for prop in PROPERTIES:
        assert property_violations(ids, prop, examples=20).value == 0
