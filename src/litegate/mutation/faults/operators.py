"""Plant faults in the operators: kernels that LiteRT lacks, and superfluous operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.measures.names import Name
from litegate.mutation.faults.edits import make_custom
from litegate.mutation.faults.fault import Expect, Family, Ladder, fault
from litegate.mutation.faults.layers import layers
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.tflite.editing.draft import Draft

_CHANGES = Name.OPERATOR_CHANGES
_LOSS = Name.ACCURACY_REGRESSION
_BUILTIN = (Name.OPERATOR_VIOLATIONS, _LOSS)
_UNKNOWN_VERSION = 999
"""An operator version that no LiteRT has; versions in its schema are far below."""
_UNFUSED = {
    schema.ActivationFunctionType.RELU: "RELU",
    schema.ActivationFunctionType.RELU6: "RELU6",
}
"""Fused activations and the operators that compute the same."""
_ALWAYS_FUSED = schema.BuiltinOperator.SVDF
"""LiteRT's integer kernel takes it with a fused RELU alone."""


@fault(
    family=Family.OPERATORS,
    noticed_by=(*_BUILTIN, Name.RUNTIME_VIOLATIONS),
    expect=Expect.REFUSED,
)
def custom_operator(scene: Scene, _: float) -> Scene:
    """The last layer is a custom operator, which LiteRT does not include."""
    return _with_custom_last_layer(scene, "Dense")


@fault(family=Family.OPERATORS, noticed_by=_BUILTIN, expect=Expect.REFUSED)
def flex_operator(scene: Scene, _: float) -> Scene:
    """The last layer is a Flex operator, which needs TensorFlow's own kernels."""
    return _with_custom_last_layer(scene, "FlexMatMul")


@fault(family=Family.OPERATORS, noticed_by=(_LOSS,), expect=Expect.REFUSED)
def unsupported_version(scene: Scene, _: float) -> Scene:
    """The last layer has a version that LiteRT does not know."""

    def change(draft: Draft) -> None:
        operator = layers(draft)[-1].operator
        operator.opcodeIndex = draft.code(draft.builtin(operator), _UNKNOWN_VERSION)

    return scene.with_edited(change)


@fault(
    family=Family.OPERATORS,
    # a smaller `must` would call every limit a survivor that leaves room for a few operators
    ladder=Ladder(1, 4, unit="activations", must=4),
    noticed_by=(_CHANGES,),
)
def unfused_activations(scene: Scene, grade: float) -> Scene:
    """Activations are separate operators instead of fused into the layer before.

    The grade is the number of activations, starting with the first; all if there are fewer.
    """

    def change(draft: Draft) -> None:
        fused = [
            operator
            for operator in draft.graph.operators
            if _activation(operator) in _UNFUSED and draft.builtin(operator) != _ALWAYS_FUSED
        ]
        if not fused:
            raise Unplantable("no operator has a fused RELU or RELU6")
        for operator in fused[: int(grade)]:
            _unfuse(draft, operator)

    return scene.with_edited(change)


@fault(
    family=Family.OPERATORS,
    # `must` as for the activations; the grades end at 16, so that a limit of 0 loosened to 100
    # (mutant_gates.md) misses them and survives
    ladder=Ladder(1, 4, 16, unit="pairs", must=4),
    noticed_by=(_CHANGES,),
)
def useless_transposes(scene: Scene, grade: float) -> Scene:
    """A TRANSPOSE from NHWC to NCHW is followed by its inverse.

    The pairs follow one another behind the first layer.
    """

    def change(draft: Draft) -> None:
        for _ in range(int(grade)):
            _transpose_and_back(draft, layers(draft)[0].operator.outputs[0])

    return scene.with_edited(change)


@fault(family=Family.OPERATORS, noticed_by=(Name.UNSUPPORTED_OPERATORS,))
def operator_outside_target(scene: Scene, _: float) -> Scene:
    """An operator is not on the target's list: BITCAST, from a type to the same one.

    It follows the last layer. LiteRT runs it; none of litegate's own lists has it.
    """
    if scene.model.budget_of(scene.recipe).target is None:
        raise Unplantable("the model has no target")

    def change(draft: Draft) -> None:
        layer = layers(draft)[-1]
        output = layer.operator.outputs[0]
        result = draft.beside(output, "/same")
        draft.read_instead(output, result)
        draft.graph.operators.insert(layer.number + 1, draft.step("BITCAST", output, result))

    return scene.with_edited(change)


def _with_custom_last_layer(scene: Scene, code: str) -> Scene:
    return scene.with_edited(lambda draft: make_custom(draft, layers(draft)[-1].operator, code))


def _activation(operator: Any) -> int:
    options = operator.builtinOptions
    return int(getattr(options, "fusedActivationFunction", schema.ActivationFunctionType.NONE))


def _unfuse(draft: Draft, operator: Any) -> None:
    name, output = _UNFUSED[_activation(operator)], operator.outputs[0]
    operator.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.NONE
    operator.outputs = [draft.beside(output, "/unfused")]
    position = draft.graph.operators.index(operator) + 1
    draft.graph.operators.insert(position, draft.step(name, operator.outputs[0], output))


def _transpose_and_back(draft: Draft, index: int) -> None:
    """Insert a TRANSPOSE that moves the last axis to position 1, and one that moves it back."""
    rank = len(draft.graph.tensors[index].shape)
    axes = [0, rank - 1, *range(1, rank - 1)]
    transposed, back = draft.beside(index, "/turned"), draft.beside(index, "/back")
    position = 1 + next(n for n, op in enumerate(draft.graph.operators) if index in op.outputs)
    draft.read_instead(index, back)
    tensor = draft.graph.tensors[transposed]
    tensor.shape = [tensor.shape[axis] for axis in axes]
    if tensor.shapeSignature is not None:
        tensor.shapeSignature = [tensor.shapeSignature[axis] for axis in axes]
    draft.graph.operators[position:position] = [
        _transpose(draft, index, transposed, axes),
        _transpose(draft, transposed, back, np.argsort(axes).tolist()),
    ]


def _transpose(draft: Draft, source: int, result: int, axes: Sequence[int]) -> Any:
    step = draft.step("TRANSPOSE", source, result)
    step.inputs = [source, draft.constant("order", np.array(axes, np.int32))]
    step.builtinOptions = schema.TransposeOptionsT()
    step.builtinOptionsType = schema.BuiltinOptions.TransposeOptions
    return step
