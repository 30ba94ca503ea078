"""The lines that report a repair which found nothing."""

from litegate.cli.repair import summary
from litegate.core.units import Unit, points
from litegate.gate.repair.repair import Judged, Result
from litegate.gate.repair.search import Layer, Trial
from litegate.gate.repair.trials import Tried
from litegate.measures.measurement import Measurement


def drop(value):
    """The verdict on a loss of accuracy, a share; the limit is half a point."""
    return Measurement(name="drop", subject="a/b", value=value, unit=Unit.POINTS) <= points(0.5)


def tried(names, value):
    """A set of layers with the loss where it is chosen."""
    trial = Trial(layers=frozenset(names), excess=value - 0.005)
    return Tried(trial=trial, quality=(drop(value),), size=1000)


def last_lines(**result):
    """The last two lines of the report."""
    layers = (Layer(name="conv", error=1.0, cost=1), Layer(name="dense", error=0.5, cost=1))
    seconds = {it.trial.layers: 1e-6 for it in result["tried"]}
    every = {"plain": (drop(0.02),), "layers": layers, "seconds": seconds, **result}
    return [*summary("a/b", Result(**every))][-2:]


def test_the_nearest_set_is_that_which_was_chosen_if_none_was_judged():
    """None kept the limit there."""
    sets = (tried([], 0.02), tried(["conv"], 0.006))
    assert last_lines(tried=sets) == [
        "no set keeps the limits",
        "  nearest: conv, drop 0.60 points, limit <= 0.50 points",
    ]


def test_the_nearest_of_the_judged_sets_is_named_with_what_it_missed():
    """It kept the limit where it was chosen, which is no reason to call that kept."""
    sets = (tried([], 0.001), tried(["conv"], 0.002))
    judged = tuple(
        Judged(tried=it, verdicts=(drop(value),))
        for it, value in zip(sets, (0.009, 0.0078), strict=True)
    )
    assert last_lines(tried=sets, judged=judged) == [
        "no set keeps the limits",
        "  nearest: conv, drop 0.78 points, limit <= 0.50 points where it was judged",
    ]
