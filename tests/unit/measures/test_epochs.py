"""Epochs on a machine whose clock moves only where the test says so."""

import gc
import math
from itertools import islice, pairwise

import numpy as np
import pytest

from litegate.core.errors import MeasurementError
from litegate.measures.latency.interleaved_epochs import Epoch, record_epochs
from litegate.measures.latency.timing import (
    Clocks,
    Pace,
    TimedPair,
    clocks,
    fastest_invocation,
    garbage_collection_off,
    measure_pace,
)


class Machine:
    """A clock, and models that move it by their own time; the first invocation is slower."""

    def __init__(self):
        self.now = 0
        self.invoked = []
        self.created = []
        self.clocks = Clocks(name="fake", deciding=lambda: self.now // 2, wall=lambda: self.now)

    def model(self, name, microseconds):
        """A way to create interpreters that take so long."""

        def create():
            self.created.append(name)
            self.now += 1_000_000

            def invoke():
                self.invoked.append(name)
                self.now += microseconds * 1000

            return invoke

        return create

    def pair(self, candidate, reference):
        """Both models, by their microseconds."""
        return TimedPair(candidate=self.model("c", candidate), reference=self.model("r", reference))

    def epochs(self, pair, count, seed=0):
        """The first epochs of a recording that starts now."""
        cost = Pace(create=0.002, candidate=2e-3, reference=2e-3)
        started = self.clocks.deciding()
        recording = record_epochs(pair, cost, self.clocks, np.random.default_rng(seed), started)
        return list(islice(recording, count))


def test_an_epoch_holds_the_median_of_each_model_by_each_clock():
    """Candidate and reference are not swapped, nor the deciding clock with the wall's."""
    machine = Machine()
    for epoch in machine.epochs(machine.pair(3000, 2000), 6):
        assert (epoch.candidate_wall, epoch.reference_wall) == (3e-3, 2e-3)
        assert (epoch.candidate, epoch.reference) == (1.5e-3, 1e-3)
        assert epoch.log_ratio == epoch.wall_log_ratio == pytest.approx(math.log(1.5))


def test_both_interpreters_are_created_anew_for_every_epoch():
    """The pair is the unit of inference, so nothing of it may outlive its epoch."""
    machine = Machine()
    machine.epochs(machine.pair(3000, 2000), 20)
    pairs = [tuple(machine.created[i : i + 2]) for i in range(0, 40, 2)]
    assert set(pairs) == {("c", "r"), ("r", "c")}


def test_the_order_alternates_between_abba_and_baab():
    """Each model is as often first as the other, inside a quad and across quads."""
    machine = Machine()
    machine.epochs(machine.pair(1000, 1000), 1)
    quads = ["".join(machine.invoked[i : i + 4]) for i in range(2, len(machine.invoked), 4)]
    assert set(quads) == {"crrc", "rccr"}
    assert all(a != b for a, b in pairwise(quads))


def test_the_first_quad_starts_with_either_model():
    """The coin that chooses it is tossed for every epoch."""
    starts = set()
    for seed in range(12):
        machine = Machine()
        machine.epochs(machine.pair(6000, 6000), 1, seed)
        starts.add(machine.invoked[2])
    assert starts == {"c", "r"}


@pytest.mark.parametrize(("microseconds", "quads"), [(500, 8), (1249, 4), (1250, 3), (9000, 3)])
def test_an_epoch_lasts_15_ms_and_three_quads(microseconds, quads):
    """It ends with the first quad at or after 15 ms, but never before the third."""
    machine = Machine()
    machine.epochs(machine.pair(microseconds, microseconds), 1)
    assert (len(machine.invoked) - 2) / 4 == quads


def test_an_epochs_elapsed_time_counts_creation_and_warm_up():
    """The budget is spent on everything, not on what is timed alone."""
    machine = Machine()
    first, second = machine.epochs(machine.pair(5000, 5000), 2)
    assert first.elapsed == pytest.approx((0.002 + 0.010 + 0.060) / 2)  # of CPU time
    assert second.elapsed == pytest.approx(2 * first.elapsed)


@pytest.mark.parametrize("wrong", [0.0, math.nan, math.inf, -1e-6])
def test_a_median_that_is_no_time_is_an_error(wrong):
    """A clock too coarse for the model gives zero, and zero is no measurement."""
    epoch = Epoch(
        candidate=1e-6, reference=wrong, candidate_wall=1e-6, reference_wall=1e-6, elapsed=1.0
    )
    with pytest.raises(MeasurementError, match="not a positive number"):
        _ = epoch.log_ratio


@pytest.mark.parametrize(
    ("milliseconds", "warm_ups"), [(0.01, 19), (0.0375, 19), (0.1, 7), (0.75, 1), (0.751, 0)]
)
def test_warm_ups_fill_a_millisecond_and_a_half(milliseconds, warm_ups):
    """At most nineteen, and none where one pair takes longer."""
    assert Pace(create=0, candidate=milliseconds / 1e3, reference=milliseconds / 1e3).warm_ups == (
        warm_ups
    )


@pytest.mark.parametrize(("seconds", "quads"), [(0.0599, 3), (0.060, 3), (0.0601, 1)])
def test_a_long_invocation_is_timed_in_one_quad(seconds, quads):
    """Beyond 60 ms three quads would leave no room for eight epochs."""
    assert Pace(create=0, candidate=seconds, reference=seconds).quads == quads


def test_the_pace_is_what_a_pair_costs():
    """Creation with the first invocations, then each model by itself.

    By the deciding clock: this machine's wall clock runs twice as fast, as if another process had
    half of the core.
    """
    machine = Machine()
    found = measure_pace(machine.pair(600, 400), machine.clocks)
    assert found.create == pytest.approx(0.0015)
    assert (found.candidate, found.reference) == (3e-4, 2e-4)
    assert found.epoch == pytest.approx(0.0015 + 2 * 3 * 2.5e-4 + 0.015)


def test_a_slow_first_creation_does_not_plan_the_epochs():
    """LiteRT takes memory and time that no later interpreter of the process needs."""
    machine = Machine()
    pair = machine.pair(600, 400)

    def create():
        machine.now += 500_000_000 if not machine.created else 0
        return pair.candidate()

    first = TimedPair(candidate=create, reference=pair.reference)
    assert measure_pace(first, machine.clocks).create == pytest.approx(0.0015)


def test_the_quickest_invocation_counts_and_a_long_one_is_run_once():
    """A trial is as short as the model allows."""
    machine = Machine()
    steps = iter([900_000, 300_000, 900_000, 5_000_000])

    def invoke():
        machine.now += next(steps)

    assert fastest_invocation(invoke, machine.clocks.wall, 0.002) == 3e-4
    assert fastest_invocation(invoke, machine.clocks.wall, 0.002) == 5e-3


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_left_as_it_was_found(was_on):
    """It is off while timing, and an error does not leave it off."""
    before = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        with pytest.raises(KeyError, match="False"), garbage_collection_off():
            raise KeyError(gc.isenabled())
        assert gc.isenabled() is was_on
    finally:
        (gc.enable if before else gc.disable)()


def test_the_clock_that_decides_names_itself():
    """What is printed beside a ratio is the clock that it was taken by."""
    chosen = clocks()
    assert chosen.name in {"thread CPU clock", "wall clock"}
    assert (chosen.deciding is chosen.wall) == (chosen.name == "wall clock")
