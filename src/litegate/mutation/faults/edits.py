"""Edit one detail of a `.tflite` file; each function takes its bytes and returns new bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.mutation.faults.floats import compute_in_floats, through_floats
from litegate.tflite.editing.draft import Draft, edit
from litegate.tflite.editing.writer import QuantizationParameters


def pad(tflite: bytes, count: int) -> bytes:
    """Append `count` zero bytes to a file."""
    return tflite + bytes(count)


def retype(tflite: bytes, name: str, dtype: str) -> bytes:
    """Change the type of the tensor `name`: casts its values; a float type removes its scales."""

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
    """Change the scales and zero point of the tensor `name`, but not its integers.

    Without scales the tensor is no longer quantized.
    """

    def change(model: Any) -> None:
        steps = QuantizationParameters(scales=tuple(scales), zero_point=zero_point, axis=axis)
        Draft(model).tensor(name).quantization = steps.to_schema()

    return edit(tflite, change)


def revalue(tflite: bytes, name: str, change: Callable[[NDArray[Any]], NDArray[Any]]) -> bytes:
    """Replace the values and the type of the constant `name` by what `change` returns for them."""

    def store(model: Any) -> None:
        draft = Draft(model)
        tensor = draft.tensor(name)
        draft.store(tensor, change(draft.values(tensor)))

    return edit(tflite, store)


def round_trip(tflite: bytes, name: str) -> bytes:
    """Convert the quantized tensor `name` to float32 and back before its readers."""

    def change(model: Any) -> None:
        draft = Draft(model)
        draft.writer(name)
        through_floats(draft, draft.index(name))

    return edit(tflite, change)


def float_layer(tflite: bytes, name: str) -> bytes:
    """Compute the layer `name` of an int8 file in float32, between a DEQUANTIZE and a QUANTIZE.

    The layer must have constant weights and a constant bias, which become float32, too.
    """

    def change(model: Any) -> None:
        draft = Draft(model)
        compute_in_floats(draft, draft.graph.operators[draft.writer(name)])

    return edit(tflite, change)


def custom_operator(tflite: bytes, name: str, code: str) -> bytes:
    """Replace the operator that writes the tensor `name` by the custom operator `code`.

    A code that starts with "Flex" makes a Flex operator.
    """

    def change(model: Any) -> None:
        draft = Draft(model)
        make_custom(draft, draft.graph.operators[draft.writer(name)], code)

    return edit(tflite, change)


def make_custom(draft: Draft, operator: Any, code: str) -> None:
    """Turn an operator into the custom operator `code`, without options."""
    operator.opcodeIndex = draft.code(schema.BuiltinOperator.CUSTOM, 1, code)
    operator.builtinOptions, operator.builtinOptionsType = None, 0
