"""Properties of stateful files: over thousands of frames, after a reset, and in any order."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from recurrent import remembering
from streaming import growing, streaming
from tiny import artifact, selector

from litegate.measures.properties import (
    PROPERTIES,
    batch_invariant,
    finite,
    in_range,
    property_violations,
    repeatable,
)
from litegate.measures.properties.carried_state import FRAMES, carried_violations
from litegate.measures.properties.probe import Probe
from litegate.runtimes.litert import Runner

X = np.random.default_rng(2).random((20, 1)).astype(np.float32)


def subject(tflite, size):
    return artifact(tflite, np.random.default_rng(2).random((20, size)).astype(np.float32))


SOUND = {
    "variable tensor": subject(remembering(), 2),
    "resource": subject(streaming(), 4),
}
GROWING = subject(growing(), 1)


@pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.name)
@pytest.mark.parametrize("candidate", SOUND.values(), ids=SOUND)
def test_a_sound_stateful_file_keeps_every_property(prop, candidate):
    measurement = property_violations(candidate, prop, examples=20)
    assert measurement.offenders == ()
    carried = f"{FRAMES:,} frames of extremes with the state carried on"
    assert (carried in measurement.evidence) is (prop is not batch_invariant)


def test_the_order_of_the_samples_is_judged_where_a_batch_cannot_be():
    measurement = property_violations(SOUND["resource"], batch_invariant, examples=20)
    assert "5 samples one after another: the model takes one sample at a time" in (
        measurement.evidence
    )
    assert not any("tolerance" in fact for fact in measurement.evidence), "every bit counts"


@pytest.mark.parametrize("prop", [finite, in_range], ids=lambda prop: prop.name)
def test_a_state_that_overflows_after_many_frames_is_found(prop):
    """No single sample shows it, and no batch."""
    (found,) = property_violations(GROWING, prop, examples=20).offenders
    # Of the first extreme, every value 0, the sum stays 0; 2^128 is beyond float32.
    assert found.startswith(f"frame 1,128 of {FRAMES:,} of extremes, every value 1, gives inf")


@pytest.mark.parametrize(("factor", "found"), [(1.001, False), (1.05, True)])
def test_slow_growth_is_found_if_it_overflows_within_the_frames(factor, found):
    violations = carried_violations(subject(growing(factor), 1))
    assert violations.keys() == ({"finite", "in_range"} if found else set())


def test_a_file_without_state_is_not_carried():
    stateless = artifact(selector(1, [0]), X)
    assert carried_violations(stateless) == {}
    evidence = property_violations(stateless, finite, examples=5).evidence
    assert not any("carried" in fact for fact in evidence)


def test_a_state_that_survives_a_reset_is_found(monkeypatch):
    """As by a runtime whose reset does nothing: the first frames get other answers later."""
    monkeypatch.setattr(Runner, "reset", lambda _: None)
    candidate = subject(growing(0.9), 1)
    (found,) = property_violations(candidate, repeatable, examples=20).offenders[-1:]
    words = f"the same 6 frames give other outputs after {FRAMES:,} frames of extremes and a reset"
    assert found.startswith(words)


def test_answers_that_depend_on_later_frames_are_found(monkeypatch):
    """As by a runtime that normalizes the frames of a message together."""
    answer = Runner.answer

    def normalized(runner, ready, reset="each"):
        raw = answer(runner, ready, reset)
        return {name: values - values.max(axis=0) for name, values in raw.items()}

    monkeypatch.setattr(Runner, "answer", normalized)
    violations = carried_violations(subject(growing(0.9), 1))
    assert violations["repeatable"].startswith(
        "the same 3 frames give other outputs if no more frames follow: "
    )


@pytest.mark.parametrize("runtime", ["xnnpack", "reference"])
def test_a_probe_carries_the_state_over_its_parts(runtime):
    one = np.ones(1, np.float32)
    with closing(Probe(replace(subject(growing(1.0), 1), runtime=runtime))) as probe:
        parts = [part["y"].ravel() for part in probe.carry([one], [0] * 70)]
        assert np.array_equal(np.concatenate(parts), np.arange(1, 71))
        (again,) = probe.carry([one], [0])
    assert again["y"].ravel().tolist() == [1.0]
