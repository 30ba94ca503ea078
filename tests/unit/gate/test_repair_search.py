"""The search for the cheapest layers to leave out, against all sets of up to two layers."""

import random
from itertools import combinations

import pytest

from litegate.gate.repair.search import (
    SPARE_TRIALS,
    Layer,
    OutOfTrials,
    Trial,
    cheapest,
    cost_of,
    likely_sets,
    nearest,
    search,
)

COUNT = 30


class Planting:
    """A network whose layers have random costs and losses, two of which are large.

    The loss of a file is the sum of its quantized layers' losses, or the largest of them.
    """

    def __init__(self, seed, *, is_sum):
        self.random = random.Random(seed)
        self.names = [f"layer{number}" for number in range(COUNT)]
        self.costs = {it: int(10 ** self.random.uniform(1, 4)) for it in self.names}
        self.losses = {it: min(10 ** self.random.gauss(-1, 0.6), 3) for it in self.names}
        fragile = self.random.sample(self.names, 2)
        self.losses |= {it: self.random.uniform(5, 30) for it in fragile}
        self.is_sum, self.tried = is_sum, []
        largest = sum(sorted(self.losses.values())[-2:])
        share = self.random.uniform(0.7, 1)
        self.limit = sum(self.losses.values()) - share * largest if is_sum else 4.0

    def layers(self, spread):
        """The layers with measured errors: losses times random factors, 10^spread in SD."""
        return [
            Layer(
                name=it,
                cost=self.costs[it],
                error=self.losses[it] * 10 ** self.random.gauss(0, spread),
            )
            for it in self.names
        ]

    def excess(self, names):
        left = [loss for name, loss in self.losses.items() if name not in names]
        return (sum(left) if self.is_sum else max(left)) - self.limit

    def __call__(self, names):
        self.tried.append(names)
        return Trial(layers=names, excess=self.excess(names))

    def least_cost(self):
        """The cost of the cheapest of the 466 sets of up to two layers that keeps the limit."""
        sets = [frozenset(it) for count in range(3) for it in combinations(self.names, count)]
        assert len(sets) == 466
        return min(sum(self.costs[name] for name in it) for it in sets if self.excess(it) <= 0)


@pytest.mark.parametrize("is_sum", [True, False])
@pytest.mark.parametrize("spread", [0, 0.5])
def test_the_cheapest_of_all_pairs_is_found_in_46_trials(is_sum, spread):
    """Also if the measured errors are three times too large or too small."""
    for seed in range(25):
        planting = Planting(seed, is_sum=is_sum)
        layers = planting.layers(spread)
        best, *_ = cheapest(layers, search(layers, planting))
        assert cost_of(layers, best.layers) <= 1.1 * planting.least_cost()
        assert len(planting.tried) == len(set(planting.tried)) <= COUNT + SPARE_TRIALS == 46


def layers_of(*costs):
    return [Layer(name=f"l{n}", cost=it, error=1 / (n + 1)) for n, it in enumerate(costs)]


def test_what_keeps_its_limits_is_tried_once():
    trials = search(layers_of(1, 2), lambda names: Trial(layers=names, excess=0.0))
    assert [it.layers for it in trials] == [frozenset()]
    assert cheapest(layers_of(1, 2), trials) == trials


def test_where_nothing_helps_one_layer_stays_quantized():
    """The nearest miss is named; a set of all layers is never tried."""
    layers = layers_of(5, 1, 1)
    trials = search(layers, lambda names: Trial(layers=names, excess=1.0 - len(names) / 10))
    assert cheapest(layers, trials) == []
    assert max(len(it.layers) for it in trials) == 2
    assert nearest(layers, trials).layers == frozenset({"l0", "l1"})


def test_a_limit_that_floats_break_blocks_a_set():
    layers = layers_of(5, 3)

    def tried(names):
        blocked = ("size",) if "l0" in names else ()
        return Trial(layers=names, excess=0.0 if names else 1.0, blocked=blocked)

    trials = search(layers, tried)
    assert [it.layers for it in cheapest(layers, trials)] == [frozenset({"l1"})]


def test_time_that_runs_out_leaves_what_was_tried():
    layers, left = layers_of(*range(1, 9)), iter(range(3))

    def tried(names):
        if next(left, None) is None:
            raise OutOfTrials
        return Trial(layers=names, excess=1.0)

    assert len(search(layers, tried)) == 3


@pytest.mark.parametrize("count", [1, 2, 3])
def test_no_more_sets_are_tried_than_allowed(count):
    layers = layers_of(*range(1, 9))
    trials = search(layers, lambda names: Trial(layers=names, excess=1.0), most=count)
    assert len(trials) == count


def test_a_network_of_one_layer_cannot_be_repaired():
    trials = search(layers_of(1), lambda names: Trial(layers=names, excess=1.0))
    assert [it.layers for it in trials] == [frozenset()]


def test_sets_to_confirm_are_the_cheapest_and_then_the_ranking_s():
    """Neither no layer nor all layers; the first of the ranking if no trial kept the limits."""
    layers = layers_of(9, 5, 5, 1)
    every, none = frozenset({"l0", "l1", "l2", "l3"}), frozenset()
    kept = [Trial(layers=it, excess=0.0) for it in (none, frozenset({"l2", "l3"}), every)]
    expected = [{"l2", "l3"}, {"l0"}, {"l0", "l1"}]
    assert likely_sets(layers, kept, 3) == expected
    assert likely_sets(layers, [], 3) == [{"l0"}, {"l0", "l1"}]
    assert likely_sets(layers[:1], [], 3) == []


def test_errors_are_measured_again_where_a_layer_hid_those_after_it():
    """The first fragile layer leaves nothing of the second one's error to see."""
    layers = [Layer(name=f"l{n}", cost=1, error=1e-12) for n in range(30)]
    layers[4] = Layer(name="l4", cost=1, error=1.0)

    def tried(names):
        hidden = {} if "l4" not in names else {"l20": 1.0}
        missing = len({"l4", "l20"} - names)
        return Trial(layers=names, excess=float(missing), errors=lambda: hidden)

    trials = search(layers, tried)
    assert [it.layers for it in trials][:3] == [set(), {"l4"}, {"l4", "l20"}]
    assert cheapest(layers, trials)[0].layers == {"l4", "l20"}
