"""Properties: faults are found, shrunk, said and kept; sound models are left alone."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import artifact, rounder, selector

from litegate.core.errors import ArtifactError, MeasurementError
from litegate.measures.measurement import Outcome
from litegate.measures.properties import (
    PROPERTIES,
    TOLERANCE,
    Property,
    batch_invariant,
    finite,
    in_range,
    property_violations,
    repeatable,
)
from litegate.measures.properties.probe import ROWS, Probe
from litegate.measures.properties.strategies import (
    TOP,
    Canvas,
    Constant,
    Hot,
    Noise,
    Perturbed,
    Stripes,
    extremes,
    families,
    random_patterns,
)
from litegate.measures.verdict_text import sentence
from litegate.spec import Kind
from litegate.spec.recipes import float32, int8_ptq
from litegate.testing import revalue, tiny_artifact

X = np.random.default_rng(2).random((20, 4)).astype(np.float32)
SOUND = artifact(selector(4, [0, 1, 2, 3]), X)


def prop(fault, inputs=1):
    """A property whose fault looks at the inputs alone."""
    return Property(
        name="told",
        title="number of faults",
        inputs=inputs,
        violation=lambda _, given: fault(*given),
    )


@pytest.mark.parametrize("each", PROPERTIES, ids=lambda each: each.name)
@pytest.mark.parametrize(
    "tflite",
    [
        selector(4, [0, 1, 2, 3]),
        selector(4, [0, 1, 2, 3], free=False),
        rounder(4, scale=1 / 255, zero_point=-128),
    ],
    ids=["float", "one sample at a time", "quantized"],
)
def test_sound_models_keep_every_property(each, tflite):
    """Nothing is found in a model that only moves numbers about."""
    verdict = property_violations(artifact(tflite, X), each) <= 0
    assert verdict.outcome is Outcome.PASS
    assert verdict.measurement.n == 100 + len(extremes())


@pytest.mark.parametrize("each", PROPERTIES, ids=lambda each: each.name)
@pytest.mark.parametrize("name", ["ad01_float32", "ad01_int8", "resnet8_float32", "resnet8_int8"])
def test_real_networks_keep_every_property(each, name, data_directory):
    """The published networks, on what saturates them too."""
    shape, domain = ((640,), (-60.0, 60.0)) if "ad01" in name else ((32, 32, 3), (0.0, 255.0))
    kind = int8_ptq(input_type="int8", output_type="int8") if "int8" in name else float32()
    x = np.random.default_rng(4).uniform(*domain, (10, *shape))
    tflite = (data_directory / f"mlperf_tiny/{name}.tflite").read_bytes()
    candidate = artifact(tflite, x, recipe=kind, domain=domain, classes=10)
    assert (property_violations(candidate, each, examples=20) <= 0).outcome is Outcome.PASS


def test_nan_bias_is_found_by_the_simplest_input():
    """A bias that is NaN shows on any input, so on the least value everywhere."""
    broken = artifact(selector(4, [0, 1, 2, 3], bias=[0, 0, 0, np.nan]), X)
    verdict = property_violations(broken, finite) <= 0
    assert verdict.outcome is Outcome.FAIL
    assert verdict.measurement.offenders == ("every value 0 gives NaN in outputs 3",)
    assert "finite outputs: counterexamples" in sentence(verdict)


def test_overflow_is_found_at_the_end_of_the_domain():
    """Outputs that are finite on every sample overflow where the domain ends."""
    tall = artifact(selector(4, [0, 1], gain=1e38), X, domain=(0.0, 10.0))
    found = property_violations(tall, finite)
    assert found.offenders == ("every value 10 gives infinity in outputs 0, 1",)
    narrow = artifact(selector(4, [0, 1], gain=1e38), X, domain=(0.0, 1.0))
    assert property_violations(narrow, finite).value == 0


def test_failing_input_is_shrunk_to_the_edge_of_the_fault(tmp_path):
    """Of all inputs with a mean from 0.3 to 0.45, one just above 0.3 is reported.

    Hypothesis chooses which one, by the constants of the modules that are loaded.
    """
    grey = prop(lambda x: "is grey" if 0.3 < x.mean() < 0.45 else "")
    found = property_violations(SOUND, grey, keep=tmp_path)
    (kept,) = (np.load(file, allow_pickle=False) for file in tmp_path.iterdir())
    assert 0.3 < kept.mean() < 0.3 + 1 / 255
    assert found.offenders[0].startswith("every value ")


def test_failing_spot_is_shrunk_to_one_value():
    """A fault of one bright value on dark ground is told by its place."""
    spot = prop(lambda x: "flares" if x[2] > 0.9 and x.sum() < 1.01 else "")
    found = property_violations(SOUND, spot, examples=500)
    assert found.offenders == ("every value 0 but 1 at [2] flares",)


def test_failing_input_is_kept_and_fails_again(tmp_path):
    """The kept array is what was fed, ready to be fed again."""
    tall = artifact(selector(4, [0, 1], gain=1e38), X, domain=(0.0, 10.0), model="m")
    found = property_violations(tall, finite, keep=tmp_path / "failing")
    assert found.offenders[0].endswith("(kept in m-float32-finite.npy)")
    kept = np.load(tmp_path / "failing" / "m-float32-finite.npy", allow_pickle=False)
    assert kept.shape == (1, 4)
    assert kept.dtype == np.float32
    assert 0 <= kept.min() <= kept.max() <= 10
    assert finite.violation(Probe(tall), kept) in found.offenders[0]
    assert "infinity" in finite.violation(Probe(tall), kept)


def test_nothing_is_kept_where_nothing_failed(tmp_path):
    """A passing property leaves no folder behind."""
    property_violations(SOUND, finite, keep=tmp_path / "failing")
    assert not (tmp_path / "failing").exists()


def test_search_is_the_same_every_time():
    """Two searches try the same inputs in the same order, the extremes first."""

    def inputs():
        seen = []
        property_violations(SOUND, prop(lambda x: seen.append(x.tobytes()) or ""), examples=30)
        return seen

    first = inputs()
    assert first == inputs()
    assert first[0] == np.zeros(4, np.float32).tobytes()
    assert first[1] == np.ones(4, np.float32).tobytes()
    assert len(set(first)) > 15


def test_random_patterns_are_of_every_kind_and_in_the_domain():
    """Twenty of each kind, the simplest kind first."""
    patterns = random_patterns(4, 20, 100)
    kinds = [Constant, Hot, Stripes, Perturbed, Noise]
    assert [type(pattern) for pattern in patterns] == [kind for kind in kinds for _ in range(20)]
    canvas = Canvas(shape=(4,), low=-1.0, high=2.0, samples=X)
    for pattern in patterns:
        drawn = pattern.draw(canvas)
        assert drawn.shape == (4,)
        assert -1 <= drawn.min() <= drawn.max() <= 2


def test_random_patterns_do_not_depend_on_the_loaded_modules():
    """Hypothesis would draw other ones after an import of a module with constants of its own."""
    code = (
        "from litegate.measures.properties.strategies import random_patterns;"
        "print(random_patterns(784, 10_000, 100))"
    )
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert alone.stdout.strip() == str(random_patterns(784, 10_000, 100))


@pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.name)
def test_passing_search_does_not_import_hypothesis(prop):
    code = f"""
import sys
from litegate.measures.properties import PROPERTIES, property_violations
from litegate.testing import tiny_artifact
prop, = (prop for prop in PROPERTIES if prop.name == {prop.name!r})
assert property_violations(tiny_artifact(), prop).value == 0
assert not {{"hypothesis", "sortedcontainers"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_fault_that_does_not_come_back_is_a_fault():
    """A model that fails once and not again is reported, not taken for sound."""
    calls = []
    flaky = prop(lambda _: calls.append(1) or ("fails once" if len(calls) == 12 else ""))
    found = property_violations(SOUND, flaky)
    assert found.value == 1
    assert found.offenders[0].endswith("fails once")


def test_error_of_the_interpreter_is_an_error():
    """A candidate that LiteRT cannot run is no counterexample and no pass."""

    def crash(_):
        raise ArtifactError("LiteRT cannot run it")

    with pytest.raises(ArtifactError, match="cannot run"):
        property_violations(SOUND, prop(crash))


@pytest.mark.parametrize("domain", [(0.0, 0.5), (0.5, 1.0), (1.0, 0.0), (0.0, np.nan)])
def test_domain_that_does_not_hold_its_samples_is_an_error(domain):
    """Searching a domain that the data leaves would prove too little."""
    with pytest.raises(MeasurementError, match="does not contain its own samples"):
        property_violations(artifact(selector(4, [0]), X, domain=domain), finite)


def test_empty_split_is_an_error():
    """No samples, no canvas."""
    with pytest.raises(MeasurementError, match="empty"):
        property_violations(artifact(selector(4, [0]), X[:0]), finite)


def test_outputs_of_another_type_than_declared():
    """int8 outputs where the recipe declares float32 break the range."""
    integers = artifact(rounder(4, scale=0.1, floats=False), X)
    found = property_violations(integers, in_range)
    assert found.offenders == (
        "every value 0 gives int8 outputs where the recipe declares float32",
    )
    declared = int8_ptq(input_type="int8", output_type="int8")
    sound = artifact(rounder(4, scale=0.1, floats=False), X, recipe=declared)
    assert property_violations(sound, in_range).value == 0


def answering(*answers, **more):
    """A bench that gives these outputs, one after another."""
    rows = [np.asarray(answer, np.float32) for answer in answers]
    settings = {"grids": {"out": object()}, "real": lambda _, raw: raw, "batches": True}
    return SimpleNamespace(alone=lambda _: {"out": rows.pop(0)[None]}, **(settings | more))


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        (-1.0, ""),
        (1.0, ""),
        (1.0005, ""),
        (1.01, "gives 1.01 in outputs 1, outside -1.001 to 1.001"),
        (-1.01, "gives -1.01 in outputs 1, outside -1.001 to 1.001"),
        (np.nan, "gives nan in outputs 1, outside -1.001 to 1.001"),
    ],
)
def test_range_of_a_quantized_output(output, fault):
    """The ends of the grid are in, a step beyond is out; NaN is never in."""
    grid = SimpleNamespace(quantum=1.0, low=-1.0, high=1.0)
    bench = answering([0, output], grids={"out": grid}, artifact=SOUND)
    assert in_range.violation(bench, [X[0]]) == fault


def test_range_of_a_float_output():
    """Any finite float32 is in range."""
    assert (
        in_range.violation(answering([3.4e38], grids={"out": None}, artifact=SOUND), [X[0]]) == ""
    )
    assert in_range.violation(
        answering([np.inf], grids={"out": None}, artifact=SOUND), [X[0]]
    ).startswith("gives inf")


@pytest.mark.parametrize(
    ("again", "bits"), [(0.5, True), (np.nextafter(0.5, 1, dtype="f4"), False)]
)
def test_repeatable_means_every_bit(again, bits):
    """The last bit of one output is enough."""
    fault = repeatable.violation(answering([1, 0.5], [9, 9], [1, again]), [X[0], X[1]])
    assert (fault == "") is bits
    assert bits or fault.startswith("gives other outputs the second time: 0.5 for 0.5 in outputs 1")


def test_nan_repeats():
    """NaN twice is repeatable; that it is NaN is another property's matter."""
    assert repeatable.violation(answering([np.nan], [0], [np.nan]), [X[0], X[1]]) == ""


@pytest.mark.parametrize(
    ("moved", "floats", "found"),
    [
        (0.0, False, False),
        (1e-6, False, True),
        (0.9 * TOLERANCE * 4, True, False),
        (1.1 * TOLERANCE * 4, True, True),
    ],
)
def test_batch_changes_nothing(moved, floats, found):
    """Bit for bit on a grid; for floats within a share of the largest output, here 4."""
    batch = np.tile(np.float32([1, 4]), (ROWS, 1))
    batch[3, 0] += moved
    grids = {"out": None if floats else object()}
    bench = answering([1, 4], [1, 4], grids=grids, together=lambda _: {"out": batch})
    fault = batch_invariant.violation(bench, [X[0], X[1]])
    assert fault.startswith("gives other outputs in row 3 of a batch than alone") is found
    assert found or not fault


def test_samples_one_after_another_change_no_bit():
    """Nothing is added in another order: what differs comes from a sample before."""
    rows = np.tile(np.float32([1, 4]), (ROWS, 1))
    rows[3, 0] += 1e-6
    bench = answering([1, 4], [1, 4], grids={"out": None}, together=lambda _: {"out": rows})
    bench.batches = False
    fault = batch_invariant.violation(bench, [X[0], X[1]])
    assert fault.startswith("gives other outputs as sample 4 of 5 than alone: 1 for 1 in outputs 0")


def test_a_batch_answered_in_reverse_is_found():
    """The order of the two inputs in a batch is no palindrome."""
    bench = answering([1, 4], [2, 3], together=lambda rows: {"out": np.stack(rows)[::-1]})
    fault = batch_invariant.violation(bench, [np.float32([1, 4]), np.float32([2, 3])])
    assert fault.startswith("gives other outputs in row 0 of a batch than alone")


@pytest.mark.filterwarnings("error")
def test_nan_in_floats_is_compared_without_a_warning():
    """Finite outputs set the share that others may move by; NaN equals NaN."""
    batch = np.tile(np.float32([np.nan, 4]), (ROWS, 1))
    bench = answering(
        [np.nan, 4], [np.nan, 4], grids={"out": None}, together=lambda _: {"out": batch}
    )
    assert not batch_invariant.violation(bench, [X[0], X[1]])


def test_batch_is_answered_row_by_row():
    """A network that folds its batch into one answer breaks the promise; it does not crash."""
    bench = answering([1, 4], [1, 4], together=lambda _: {"out": np.ones((1, 2), np.float32)})
    fault = batch_invariant.violation(bench, [X[0], X[1]])
    assert fault == "gives 1 answers to a batch of 5"


def test_evidence_says_how_a_batch_was_made():
    """A model that takes one sample at a time is asked for several in a row, bit for bit."""
    batched = property_violations(SOUND, batch_invariant).evidence
    assert "batches of 5" in batched
    tolerance = "tolerance 1e-05 of the largest output"
    assert tolerance in batched
    single = artifact(selector(4, [0, 1], free=False), X)
    told = property_violations(single, batch_invariant).evidence
    assert "5 samples one after another: the model takes one sample at a time" in told
    assert tolerance not in told


CANVAS = Canvas(shape=(3, 5), low=-1.5, high=2.0, samples=np.full((4, 3, 5), 1.9, np.float32))


@given(st.data())
def test_patterns_stay_in_the_domain(data):
    """Whatever is drawn has the sample's shape, and every value lies in the domain."""
    drawn = data.draw(st.one_of(families(*CANVAS.sizes))).draw(CANVAS)
    assert drawn.shape == (3, 5)
    assert drawn.dtype == np.float32
    assert CANVAS.low <= drawn.min() <= drawn.max() <= CANVAS.high


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (Constant(0), "every value -1.5"),
        (Hot(0, ((7, TOP), (0, 0))), "every value -1.5 but 2 at [1, 2], -1.5 at [0, 0]"),
        (Stripes(0, TOP, 2), "the values -1.5 and 2 alternating every 2"),
        (Noise(3, ends=True), "noise of seed 3, only -1.5 and 2,"),
        (Noise(3, ends=False), "noise of seed 3, between -1.5 and 2,"),
        (Perturbed(2, 0, 9), "evaluation sample 2"),
        (Perturbed(2, TOP, 9), "evaluation sample 2 with noise up to 3.5 (seed 9)"),
    ],
)
def test_patterns_say_what_they_look_like(pattern, words):
    """Places as indices, values in the domain's own units."""
    assert pattern.describe(CANVAS) == words


def test_patterns_draw_what_they_say():
    """Each pattern's values, where they can be told beforehand."""
    assert (Constant(TOP).draw(CANVAS) == 2).all()
    hot = Hot(0, ((7, TOP),)).draw(CANVAS)
    assert hot[1, 2] == 2
    assert (hot == -1.5).sum() == 14
    stripes = Stripes(0, TOP, 2).draw(CANVAS).reshape(-1)
    assert stripes[:6].tolist() == [-1.5, -1.5, 2, 2, -1.5, -1.5]
    assert set(np.unique(Noise(1, ends=True).draw(CANVAS))) == {-1.5, 2.0}
    assert (Perturbed(0, 0, 5).draw(CANVAS) == np.float32(1.9)).all()
    digests = {hashlib.sha256(Noise(s, ends=False).draw(CANVAS)).digest() for s in range(9)}
    assert len(digests) == 9


def test_search_says_nothing_itself(capsys):
    """What is found is told by the verdict, not printed on the way."""
    property_violations(SOUND, prop(lambda x: "is bright" if x.max() > 0.5 else ""))
    assert capsys.readouterr() == ("", "")


def test_a_counterexample_on_one_runtime_is_found_there_and_kept_apart(tmp_path):
    """The runtime runs another file in place of this one, which is sound."""
    sound = tiny_artifact(Kind.FLOAT32)
    broken = revalue(sound.tflite, "dense/weight", lambda values: values * np.float32(np.nan))
    candidate = replace(sound, elsewhere=broken, evaluation=replace(sound.evaluation))
    assert property_violations(candidate, finite, examples=5).value == 0
    there = replace(candidate, runtime="reference")
    found = property_violations(there, finite, examples=5, keep=tmp_path)
    assert found.value == 1
    assert "gives NaN" in found.offenders[0]
    (kept,) = tmp_path.iterdir()
    assert kept.name == f"{sound.model}-{sound.recipe.name}-reference-finite.npy"
