"""Edits that plant one fault each in a `.tflite`: bytes in, bytes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.mutation.faults.floats import compute_in_floats, through_floats
from litegate.tflite.editing.draft import Draft, edit
from litegate.tflite.editing.writer import Steps


def pad(tflite: bytes, count: int) -> bytes:
    """The same model with `count` zeros after it."""
    return tflite + bytes(count)


def retype(tflite: bytes, name: str, dtype: str) -> bytes:
    """Give the tensor `name` another type: values are cast, a float type takes the scales away."""

    def change(model: Any) -> None:
        draft = Draft(model)
        tensor = draft.tensor(name)
        if draft.holds(tensor):
            draft.store(tensor, draft.values(tensor).astype(dtype))
        tensor.type = getattr(schema.TensorType, dtype.upper())
        if dtype.startswith("float"):
            tensor.quantization = None

    return edit(tflite, change)


def requantize(
    tflite: bytes, name: str, *, scales: Sequence[float], zero_point: int = 0, axis: int = 0
) -> bytes:
    """Give the tensor `name` other scales and zero points; its integers stay as they are.

    Without scales it is no longer quantized.
    """

    def change(model: Any) -> None:
        steps = Steps(scales=tuple(scales), zero_point=zero_point, axis=axis)
        Draft(model).tensor(name).quantization = steps.written()

    return edit(tflite, change)


def revalue(tflite: bytes, name: str, change: Callable[[NDArray[Any]], NDArray[Any]]) -> bytes:
    """Give the constant `name` the values that `change` makes of its own, type included."""

    def store(model: Any) -> None:
        draft = Draft(model)
        tensor = draft.tensor(name)
        draft.store(tensor, change(draft.values(tensor)))

    return edit(tflite, store)


def round_trip(tflite: bytes, name: str) -> bytes:
    """Send the quantized tensor `name` through float32 and back before its readers see it."""

    def change(model: Any) -> None:
        draft = Draft(model)
        draft.writer(name)
        through_floats(draft, draft.index(name))

    return edit(tflite, change)


def float_layer(tflite: bytes, name: str) -> bytes:
    """Compute the layer `name` of an int8 file in float32, between a DEQUANTIZE and a QUANTIZE.

    The layer has constant weights and a constant bias, which become float32 too.
    """

    def change(model: Any) -> None:
        draft = Draft(model)
        compute_in_floats(draft, draft.graph.operators[draft.writer(name)])

    return edit(tflite, change)


def custom_operator(tflite: bytes, name: str, code: str) -> bytes:
    """Let a custom operator called `code` write the tensor `name`; "Flex..." makes a Flex one."""

    def change(model: Any) -> None:
        draft = Draft(model)
        make_custom(draft, draft.graph.operators[draft.writer(name)], code)

    return edit(tflite, change)


def make_custom(draft: Draft, operator: Any, code: str) -> None:
    """Make an operator the custom one called `code`, without options."""
    operator.opcodeIndex = draft.code(schema.BuiltinOperator.CUSTOM, 1, code)
    operator.builtinOptions, operator.builtinOptionsType = None, 0
