"""Plant faults in the types: files that decide as before, but not with the types of the recipe."""

from __future__ import annotations

from litegate.measures.names import Name
from litegate.mutation.faults.fault import Expect, Family, Ladder, fault
from litegate.mutation.faults.floats import compute_in_floats, through_floats
from litegate.mutation.faults.layers import Layer, integer_layers
from litegate.mutation.faults.packing import hybrid, merge_scales, weight_only
from litegate.mutation.faults.ports import change_input, change_output, rename_input
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.spec import Kind
from litegate.spec.recipe import STATIC_KINDS
from litegate.tflite.editing.draft import Draft

_TENSORS = Name.TENSOR_VIOLATIONS
_OPERATORS = Name.OPERATOR_VIOLATIONS
_LOST = Name.LOST_TYPES
_INTEGER = (Kind.INT8_QAT, Kind.INT8_PTQ, Kind.INT16X8, *STATIC_KINDS)
_LAYERS = Ladder(1, 4, unit="layers", must=1)
"""The first layers of the model; all if it has fewer. A single layer must be noticed, because the
checks of types allow no violation. The grades end at 4, so that a limit of 0 loosened to 100
(mutant_gates.md) misses them and survives."""


@fault(family=Family.TYPES, ladder=_LAYERS, noticed_by=(_TENSORS, _OPERATORS, _LOST))
def float_layers(scene: Scene, grade: float) -> Scene:
    """Layers are left in float32, between a DEQUANTIZE and a QUANTIZE."""

    def change(draft: Draft) -> None:
        for layer in integer_layers(draft)[: int(grade)]:
            compute_in_floats(draft, layer.operator)

    return scene.with_edited(change)


@fault(
    family=Family.TYPES,
    ladder=Ladder(1, 4, unit="islands", must=1),  # as _LAYERS
    noticed_by=(_TENSORS, _OPERATORS),
)
def float_islands(scene: Scene, grade: float) -> Scene:
    """Operators compute in float32 between integer ones: outputs of layers are negated twice.

    One island follows each of the first layers.
    """

    def change(draft: Draft) -> None:
        for layer in integer_layers(draft)[: int(grade)]:
            through_floats(draft, layer.operator.outputs[0], "NEG", "NEG")

    return scene.with_edited(change)


@fault(
    family=Family.TYPES,
    ladder=Ladder(1, 4, unit="pairs", must=1),  # as _LAYERS
    noticed_by=(_TENSORS, _OPERATORS),
)
def round_trips(scene: Scene, grade: float) -> Scene:
    """A DEQUANTIZE and a QUANTIZE are inserted that change no value.

    One pair follows each of the first layers.
    """

    def change(draft: Draft) -> None:
        for layer in integer_layers(draft)[: int(grade)]:
            through_floats(draft, layer.operator.outputs[0])

    return scene.with_edited(change)


@fault(family=Family.TYPES, ladder=_LAYERS, noticed_by=(_TENSORS,))
def per_tensor_weights(scene: Scene, grade: float) -> Scene:
    """Convolutions have one scale for all weights instead of one for each channel."""

    def change(draft: Draft) -> None:
        convolutions = [
            layer for layer in _convolutions(draft) if len(layer.weight.quantization.scale) > 1
        ]
        if not convolutions:
            raise Unplantable("no convolution has a scale for each channel")
        for layer in convolutions[: int(grade)]:
            merge_scales(draft, layer)

    return scene.with_edited(change)


@fault(
    family=Family.TYPES,
    # The check tolerates 0.001 %, because the converter rounds its bias scales
    # (`tensor_types.BIAS_SCALE_TOLERANCE`). So it must miss 0.0001 % and notice 0.01 %.
    ladder=Ladder(0.0001, 0.01, 1, 100, unit="%", must=0.01),
    noticed_by=(_TENSORS,),
)
def wrong_bias_scale(scene: Scene, grade: float) -> Scene:
    """A bias has a scale other than the input's times the weight's.

    The scales of the first bias are too large by the grade, in per cent.
    """

    def change(draft: Draft) -> None:
        quantization = _first_with_bias(draft).bias.quantization
        quantization.scale = [scale * (1 + grade / 100) for scale in quantization.scale]

    return scene.with_edited(change)


@fault(family=Family.TYPES, noticed_by=(_TENSORS, Name.INTERFACE_CHANGES))
def wrong_input_type(scene: Scene, _: float) -> Scene:
    """The input is uint8 where int8 or float32 was declared, or int8 where uint8 was."""
    return scene.with_edited(change_input)


@fault(family=Family.TYPES, noticed_by=(_TENSORS, Name.INTERFACE_CHANGES))
def wrong_output_type(scene: Scene, _: float) -> Scene:
    """The output is uint8 where int8 or float32 was declared, or int8 where uint8 was."""
    return scene.with_edited(change_output)


@fault(family=Family.TYPES, noticed_by=(Name.INTERFACE_CHANGES,))
def renamed_input(scene: Scene, _: float) -> Scene:
    """The input has a name other than in the base, so that applications do not find it."""
    return scene.with_edited(rename_input)


@fault(family=Family.TYPES, noticed_by=(_TENSORS, _OPERATORS, _LOST))
def dynamic_range_model(scene: Scene, _: float) -> Scene:
    """The candidate is the float reference with int8 weights and hybrid kernels."""
    _check_integer_recipe(scene)
    return scene.with_candidate(hybrid(scene.reference.tflite))


@fault(family=Family.TYPES, noticed_by=(_TENSORS, _OPERATORS, _LOST))
def weight_only_model(scene: Scene, _: float) -> Scene:
    """The candidate is the float reference with int8 weights that are unpacked to compute."""
    _check_integer_recipe(scene)
    return scene.with_candidate(weight_only(scene.reference.tflite))


@fault(family=Family.TYPES, noticed_by=(_TENSORS, _OPERATORS, _LOST, Name.SIZE_SAVING))
def float_model(scene: Scene, _: float) -> Scene:
    """The candidate is its own float reference."""
    _check_integer_recipe(scene)
    return scene.with_candidate(scene.reference.tflite)


@fault(family=Family.TYPES, ladder=_LAYERS, noticed_by=(Name.REFERENCE_VIOLATIONS,))
def hybrid_reference(scene: Scene, grade: float) -> Scene:
    """The float reference has layers with int8 weights, so that quantizing seems to cost less."""
    return scene.with_reference(hybrid(scene.reference.tflite, int(grade)))


@fault(family=Family.TYPES, noticed_by=(_TENSORS,), expect=Expect.REFUSED)
def weights_off_centre(scene: Scene, _: float) -> Scene:
    """The weights of the first layer have the zero point 1, but kernels require 0."""

    def change(draft: Draft) -> None:
        quantization = integer_layers(draft)[0].weight.quantization
        quantization.zeroPoint = [1] * len(quantization.scale)

    return scene.with_edited(change)


def _check_integer_recipe(scene: Scene) -> None:
    """Raise Unplantable if the recipe does not compute in integers."""
    if scene.recipe.kind not in _INTEGER:
        raise Unplantable(f"{scene.recipe.kind} does not guarantee integer arithmetic")


def _convolutions(draft: Draft) -> tuple[Layer, ...]:
    return tuple(layer for layer in integer_layers(draft) if layer.kind != "FULLY_CONNECTED")


def _first_with_bias(draft: Draft) -> Layer:
    """Return the first integer layer with a bias. Raises Unplantable if there is none."""
    for layer in integer_layers(draft):
        if layer.bias is not None:
            return layer
    raise Unplantable("no layer has a bias")
