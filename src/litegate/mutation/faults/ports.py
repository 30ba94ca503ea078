"""Change the type of a model's input or output between int8 and uint8, or an input's name."""

from __future__ import annotations

from copy import copy
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from litegate.mutation.faults.scene import Unplantable
from litegate.tflite.editing.draft import Draft

_INT8, _UINT8 = schema.TensorType.INT8, schema.TensorType.UINT8
_SHIFT = {_INT8: -128, _UINT8: 128}
"""The shift of the zero point in a conversion to each type from the other."""


def change_input(draft: Draft) -> None:
    """Make the input uint8, or int8 if it is uint8, and convert it back with a QUANTIZE.

    Raises Unplantable if the model's first tensor is neither int8 nor uint8.
    """
    port = draft.graph.inputs[0]
    if draft.graph.tensors[port].type in _SHIFT:
        inner = draft.beside(port, "/inner")
        draft.read_instead(port, inner)
        draft.graph.operators.insert(0, draft.step("QUANTIZE", port, inner))
    else:
        inner = _converter(draft, "QUANTIZE", reads=port).outputs[0]
    _exchange(draft, port, inner)


def change_output(draft: Draft) -> None:
    """Make the output uint8, or int8 if it is uint8, with a QUANTIZE at the end.

    Raises Unplantable if the model's last tensor is neither int8 nor uint8.
    """
    port = draft.graph.outputs[0]
    if draft.graph.tensors[port].type in _SHIFT:
        inner = draft.beside(port, "/inner")
        for operator in draft.graph.operators:
            operator.inputs = [inner if index == port else index for index in operator.inputs]
            operator.outputs = [inner if index == port else index for index in operator.outputs]
        draft.graph.operators.append(draft.step("QUANTIZE", inner, port))
    else:
        last = _converter(draft, "DEQUANTIZE", writes=port)
        inner = last.inputs[0]
        last.opcodeIndex = draft.step("QUANTIZE", inner, port).opcodeIndex
        last.builtinOptions, last.builtinOptionsType = None, 0
    _exchange(draft, port, inner)


def rename_input(draft: Draft) -> None:
    """Rename the first input: its tensor, and its port in every signature."""
    port = draft.graph.inputs[0]
    tensor = draft.graph.tensors[port]
    tensor.name = _renamed(tensor.name)
    for signature in draft.model.signatureDefs or ():
        for named in signature.inputs:
            if draft.model.subgraphs[signature.subgraphIndex] is draft.graph:
                named.name = _renamed(named.name) if named.tensorIndex == port else named.name


def _renamed(name: bytes | None) -> bytes:
    return (name or b"") + b"_renamed"


def _converter(draft: Draft, kind: str, *, reads: int = -1, writes: int = -1) -> Any:
    """Return the only operator at a float port. Raises Unplantable if it is not of this kind."""
    operators = [op for op in draft.graph.operators if reads in op.inputs or writes in op.outputs]
    if len(operators) != 1 or draft.builtin(operators[0]) != getattr(schema.BuiltinOperator, kind):
        raise Unplantable(f"a float port of the model is not next to a {kind} alone")
    return operators[0]


def _exchange(draft: Draft, port: int, inner: int) -> None:
    """Give a port the other type and the quantization of the tensor `inner`, its counterpart."""
    tensor, source = draft.graph.tensors[port], draft.graph.tensors[inner]
    if source.type not in _SHIFT:
        raise Unplantable("the model computes in other types than int8 and uint8 at its port")
    tensor.type = _INT8 if tensor.type == _UINT8 else _UINT8
    shift = 0 if tensor.type == source.type else _SHIFT[tensor.type]
    tensor.quantization = copy(source.quantization)
    tensor.quantization.zeroPoint = [zero + shift for zero in source.quantization.zeroPoint]
