"""Plant faults in the placement, cycles and memory on an Ethos-U."""

from __future__ import annotations

from collections import Counter
from math import ceil

from litegate.measures.names import Name
from litegate.mutation.faults.fault import Family, Ladder, fault
from litegate.mutation.faults.floats import compute_in_floats
from litegate.mutation.faults.latency_edits import widen
from litegate.mutation.faults.layers import integer_layers
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.spec import Vela
from litegate.tflite.editing.draft import Draft

_TIMES = Ladder(2, 4, 8, unit="times as wide", must=8)
"""Ends at 8, since the file grows as much, and Vela compiles each planted one. A limit that is a
hundred times too loose misses every grade, and survives."""
_CACHED = "Dedicated_Sram"
"""The start of the names of Vela's memory modes that use SRAM as a cache, up to its size."""


@fault(
    family=Family.OPERATORS,
    # Half of the layers must be noticed, not all: with none on the NPU the share is 0, which even
    # a limit a hundred times too loose notices. Smaller grades show how tight a limit is.
    ladder=Ladder(1, 10, 50, 100, unit="% of the layers", must=50),
    noticed_by=(Name.NPU_SHARE,),
)
def layers_off_npu(scene: Scene, grade: float) -> Scene:
    """The first layers compute in floats, so that the processor runs them instead of the NPU.

    At least one layer.
    """
    _configuration(scene)

    def change(draft: Draft) -> None:
        candidates = integer_layers(draft)
        for layer in candidates[: ceil(grade / 100 * len(candidates))]:
            compute_in_floats(draft, layer.operator)

    return scene.with_edited(change)


@fault(
    family=Family.OPERATORS,
    ladder=_TIMES,
    noticed_by=(
        *(Name.NPU_CYCLES, Name.NPU_DRAM),
        *(Name.NPU_ON_CHIP_FLASH, Name.NPU_OFF_CHIP_FLASH),
    ),
)
def wider_layers_on_npu(scene: Scene, grade: float) -> Scene:
    """All layers have more channels than the next ones read; the rest is cut off behind them.

    Without depthwise convolutions, and layers that share their weights.
    """
    _configuration(scene)
    return _with_wider_layers(scene, int(grade))


@fault(family=Family.OPERATORS, ladder=_TIMES, noticed_by=(Name.NPU_SRAM,))
def wider_activations_on_npu(scene: Scene, grade: float) -> Scene:
    """Outputs of layers are wider than the next ones read, which takes memory of the activations.

    The same edit as for wider layers, if the activations are in SRAM.
    """
    if _configuration(scene).memory_mode.startswith(_CACHED):
        raise Unplantable("SRAM is a cache in this memory mode, whose size Vela keeps")
    return _with_wider_layers(scene, int(grade))


def _configuration(scene: Scene) -> Vela:
    """Return the compiler's configuration. Raises Unplantable if the budget names none."""
    vela = scene.model.budget_of(scene.recipe).vela
    if vela is None:
        raise Unplantable("the budget names no NPU")
    return vela


def _with_wider_layers(scene: Scene, times: int) -> Scene:
    def change(draft: Draft) -> None:
        # Along axis 0, repeated weights are further output channels.
        integer = integer_layers(draft)
        users = Counter(id(layer.weight) for layer in integer)
        widenable = [it for it in integer if it.channel == 0 and users[id(it.weight)] == 1]
        if not widenable:
            raise Unplantable("every layer is a depthwise convolution, or shares its weights")
        for layer in reversed(widenable):  # each inserts an operator behind its layer
            widen(draft, layer, times)

    return scene.with_edited(change)
