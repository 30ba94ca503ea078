"""Plant faults in the latency: files that answer as before and compute more.

An operator reads everything that is added, because LiteRT skips operators whose results are unused.
"""

from __future__ import annotations

from functools import lru_cache

from litegate.measures.latency.timing import clocks, fastest_invocation, invoke_factory, one_sample
from litegate.measures.names import Name
from litegate.mutation.faults.fault import Family, Ladder, fault
from litegate.mutation.faults.latency_edits import repeat, widen, with_maxima
from litegate.mutation.faults.layers import layers
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.spec import Regression
from litegate.tflite.editing.draft import Draft

_PRICED_OPERATORS = 32
"""Operators added to time one of them: many, so that their time exceeds the clock's noise; more
make a larger file and a longer timing. Thirty-two of 20 ns, the least there are, take 0.6 us."""
_TIMED_SECONDS = 0.05
"""Seconds for which each file is timed: longer is more precise, and delays every proof. The number
is a choice."""
_DEFAULTS = Regression()
_LEAST_INVOCATION = float(_DEFAULTS.latency_floor.value) / float(_DEFAULTS.latency.value)
"""Seconds of an invocation of which the default limit is the default floor: that of a faster model
allows more than its share. Of the defaults, so that a floor which is far too high is noticed."""
_LEAST_SECONDS = 20e-9
"""No operator takes less time, so a smaller price is the clock's noise. This also bounds the number
of operators that are added."""


@fault(
    family=Family.LATENCY,
    # The default limit of 2.5 % finds +5 % in small models. If an invocation takes 5 to 10 ms, some
    # runs at +5 % stay inconclusive (latency.md), so the fault must be noticed from 10 % on. A
    # limit that is a hundred times too loose (250 %) misses every grade and survives, if an
    # invocation takes 4 us or more. One below 40 us counts as 40 us, of which the limit is the
    # default `latency_floor` of 1 us.
    ladder=Ladder(2, 5, 10, 25, 100, unit="%", must=10),
    noticed_by=(Name.LATENCY_GROWTH,),
)
def added_operators(scene: Scene, grade: float) -> Scene:
    """Operators without an effect follow a layer: maxima of a tensor and itself.

    They follow the layer with the largest output. The grade is the time that they add, in per cent
    of an invocation of at least 40 us, calculated from the time of one operator on this machine; at
    least one operator.
    """
    invocation_seconds, operator_seconds = _time_costs(scene)
    whole_seconds = max(invocation_seconds, _LEAST_INVOCATION)
    count = max(1, round(grade / 100 * whole_seconds / operator_seconds))
    return scene.with_candidate(with_maxima(scene.candidate.tflite, count))


@fault(
    family=Family.LATENCY,
    # Twice the work must be noticed. The latency budgets of digits_cnn notice 50 times at the
    # earliest (kill_matrix.md); those that are a hundred times too loose miss 200
    # (mutant_gates.md).
    ladder=Ladder(1, 3, 10, 50, 200, unit="times more", must=1),
    noticed_by=(
        *(Name.LATENCY_GROWTH, Name.LATENCY_RATIO, Name.LATENCY, Name.REAL_TIME_FACTOR),
        Name.MACS,
    ),
)
def repeated_work(scene: Scene, grade: float) -> Scene:
    """The model computes its scores repeatedly, without an effect."""

    def change(draft: Draft) -> None:
        repeat(draft, int(grade))

    return scene.with_edited(change)


@fault(
    family=Family.LATENCY,
    # The latency growth of both this project's models notices 2 times, their latency budgets 32
    # (kill_matrix.md). Of a network of 10 us, 8 times adds 1 us, the default floor; so
    # that 32 must be noticed. Budgets of operations and arena that are a hundred times too loose
    # miss it (mutant_gates.md).
    ladder=Ladder(2, 8, 32, unit="times as wide", must=32),
    noticed_by=(Name.LATENCY_GROWTH, Name.MACS, Name.ARENA),
)
def wider_layer(scene: Scene, grade: float) -> Scene:
    """A layer has more channels than the next one reads; the rest is cut off behind it.

    The first layer that is not a depthwise convolution. Its weights grow with it.
    """

    def change(draft: Draft) -> None:
        # along axis 0, repeated weights are further output channels
        widenable = [layer for layer in layers(draft) if layer.channel == 0]
        if not widenable:
            raise Unplantable("every layer is a depthwise convolution")
        quantization = widenable[0].weight.quantization
        if quantization is not None and quantization.details is not None:
            raise Unplantable("the layer has a scale for each block of its weights")
        widen(draft, widenable[0], int(grade))

    return scene.with_edited(change)


# one entry: the grades of a fault are planted in the same sound scene, one after the other
@lru_cache(maxsize=1)
def _time_costs(scene: Scene) -> tuple[float, float]:
    """Time an invocation of the sound file and one added operator, both in seconds."""
    tflite = scene.candidate.tflite
    sound_seconds = _invocation_seconds(scene, tflite)
    longer_seconds = _invocation_seconds(scene, with_maxima(tflite, _PRICED_OPERATORS))
    operator_seconds = (longer_seconds - sound_seconds) / _PRICED_OPERATORS
    return sound_seconds, max(operator_seconds, _LEAST_SECONDS)


def _invocation_seconds(scene: Scene, tflite: bytes) -> float:
    """Return the seconds of the fastest invocation, after one that is not timed."""
    invoke = invoke_factory(
        tflite, one_sample(scene.candidate), scene.name, scene.candidate.signature
    )()
    invoke()
    return fastest_invocation(invoke, clocks().deciding, _TIMED_SECONDS)
