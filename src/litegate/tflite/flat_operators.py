"""An operator of a file: its kind, what it reads and writes, its options."""

from __future__ import annotations

from typing import Any

from litegate.tflite.flatbuffer import File, indices, name_of, text, within
from litegate.tflite.graph import Operator

_OPTIONS = {
    "StrideD": "stride_d",
    "StrideH": "stride_h",
    "StrideW": "stride_w",
    "DilationDFactor": "dilation_d",
    "DilationHFactor": "dilation_h",
    "DilationWFactor": "dilation_w",
    "FilterHeight": "filter_h",
    "FilterWidth": "filter_w",
    "DepthMultiplier": "depth_multiplier",
    "AdjX": "adj_x",
    "AdjY": "adj_y",
}
"""The schema's accessors of an operator's options, and what they are called here."""


def kind_of(schema: Any, raw: Any) -> tuple[str, int, str]:
    """An operator's name, version and custom code; codes below 127 stand in the older field too."""
    number = max(raw.DeprecatedBuiltinCode(), raw.BuiltinCode())
    name = name_of(schema.BuiltinOperator, number, "an operator")
    return name, raw.Version(), text(raw.CustomCode())


def operator_of(
    schema: Any, file: File, index: int, raw: Any, kinds: list[tuple[str, int, str]], tensors: int
) -> Operator:
    """One operator of a graph with so many `tensors`; MalformedError for what it cannot be."""
    what = f"operator {index}"
    name, version, custom_code = kinds[within(raw.OpcodeIndex(), len(kinds), f"kind of {what}")]
    inputs, outputs = raw.InputsAsNumpy(), raw.OutputsAsNumpy()
    options = _options(schema, raw)
    return Operator(
        index=index,
        name=name,
        version=version,
        custom_code=custom_code,
        inputs=indices(file, inputs, tensors, f"input of {what}", optional=True),
        outputs=indices(file, outputs, tensors, f"output of {what}", optional=True),
        activation=_activation(schema, options),
        options=_numbered(options),
    )


def _options(schema: Any, operator: Any) -> Any:
    """The table of an operator's options, as the class of its kind; None where it has none."""
    kind = name_of(schema.BuiltinOptions, operator.BuiltinOptionsType(), "an operator's options")
    table = operator.BuiltinOptions()
    if table is None or not hasattr(schema, kind):
        return None
    options = getattr(schema, kind)()
    options.Init(table.Bytes, table.Pos)
    return options


def _activation(schema: Any, options: Any) -> str:
    if not hasattr(options, "FusedActivationFunction"):
        return "NONE"
    number = options.FusedActivationFunction()
    return name_of(schema.ActivationFunctionType, number, "a fused activation")


def _numbered(options: Any) -> tuple[tuple[str, int], ...]:
    """Those of `_OPTIONS` that an operator's kind has."""
    return tuple(
        (name, int(getattr(options, field)()))
        for field, name in _OPTIONS.items()
        if hasattr(options, field)
    )
