"""Define the rules of each kind of recipe: allowed tensor forms by role, and allowed operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from litegate.measures.structure.tensor_roles import Role
from litegate.measures.structure.tensor_types import Form, Grain
from litegate.spec import Kind, Recipe

FLOAT32 = Form(dtype="float32")
FLOAT16 = Form(dtype="float16")
INT8 = Form(dtype="int8", grain=Grain.TENSOR)
UINT8 = Form(dtype="uint8", grain=Grain.TENSOR)
INT16 = Form(dtype="int16", grain=Grain.TENSOR, symmetric=True)
PLAIN = tuple(Form(dtype=dtype) for dtype in ("int32", "int64", "bool"))
"""Types of counts, indices and masks, which are not quantized."""

CHANNELS8 = Form(dtype="int8", grain=Grain.CHANNEL, symmetric=True)
CHANNELS4 = Form(dtype="int4", grain=Grain.CHANNEL, symmetric=True)
BLOCKS4 = Form(dtype="int4", grain=Grain.BLOCK)
"""Weights of litert-quantizer, which has a scale for each channel of every layer."""
TABLE8 = Form(dtype="int8", grain=Grain.CHANNEL, symmetric=True, read_by="EMBEDDING_LOOKUP")
TABLE4 = Form(dtype="int4", grain=Grain.CHANNEL, symmetric=True, read_by="EMBEDDING_LOOKUP")
BLOCK_TABLE4 = Form(dtype="int4", grain=Grain.BLOCK, read_by="EMBEDDING_LOOKUP")
"""Its embeddings, with a scale for each row or block."""
WEIGHT8 = Form(dtype="int8", grain=Grain.EITHER, symmetric=True)
BIAS32 = Form(dtype="int32", grain=Grain.EITHER, symmetric=True, product=True)
BIAS64 = Form(dtype="int64", grain=Grain.EITHER, symmetric=True, product=True)
SMALL_FLOAT32 = Form(dtype="float32", fewer_than=1024)
"""TensorFlow's converter does not quantize weights of fewer than 1,024 elements.

It is the default of `minimum_elements_for_weights` in the converter's `QuantizationSpecs`, since
small tensors gain little speed. TensorFlow 2.21.0, the pinned version, reports what it skips by
this name; a pin of another version has to check it again."""
PACKED8 = Form(dtype="int8", grain=Grain.TENSOR, read_by="DEQUANTIZE")
"""Rows of an int8 embedding before their DEQUANTIZE."""

HANDLE = Form(dtype="resource")
"""The handle of a variable; reading it gives an activation, which is judged."""

TensorRules = Mapping[Role, tuple[Form, ...]]

_INT8_RULES: TensorRules = {
    Role.WEIGHT: (WEIGHT8,),
    Role.BIAS: (BIAS32,),
    Role.ACTIVATION: (INT8, UINT8),
    # LiteRT's int8 LSTM keeps its cell state in 16 bits, and so does an older int8 SVDF.
    Role.STATE: (INT8, UINT8, INT16, HANDLE),
    Role.CONSTANT: (INT8, UINT8, *PLAIN),
}

_INT16_RULES: TensorRules = {
    Role.WEIGHT: (WEIGHT8,),
    Role.BIAS: (BIAS64,),
    Role.ACTIVATION: (INT16,),
    Role.STATE: (INT16, HANDLE),
    Role.CONSTANT: (INT16, INT8, *PLAIN),
}


def _float_rules(weight: Form, *tables: Form) -> TensorRules:
    """Return the rules of quantized weights in a file that computes in floats."""
    return {
        Role.WEIGHT: (weight,),
        Role.BIAS: (FLOAT32,),
        Role.ACTIVATION: (FLOAT32, *PLAIN),
        Role.STATE: (FLOAT32, HANDLE),
        Role.CONSTANT: (FLOAT32, *tables, *PLAIN),
    }


TENSOR_RULES: Mapping[Kind, TensorRules] = {
    Kind.FLOAT32: {
        Role.WEIGHT: (FLOAT32,),
        Role.BIAS: (FLOAT32,),
        Role.ACTIVATION: (FLOAT32, *PLAIN),
        Role.STATE: (FLOAT32, HANDLE),
        Role.CONSTANT: (FLOAT32, *PLAIN),
    },
    Kind.INT8_QAT: _INT8_RULES,
    Kind.INT8_PTQ: _INT8_RULES,
    Kind.INT16X8: _INT16_RULES,
    Kind.DYNAMIC_RANGE: {
        Role.WEIGHT: (WEIGHT8, SMALL_FLOAT32),
        Role.BIAS: (FLOAT32,),
        Role.ACTIVATION: (FLOAT32, PACKED8, *PLAIN),
        Role.STATE: (FLOAT32, HANDLE),
        Role.CONSTANT: (FLOAT32, INT8, *PLAIN),
    },
    Kind.FLOAT16: {
        Role.WEIGHT: (FLOAT16,),
        Role.BIAS: (FLOAT16,),
        Role.ACTIVATION: (FLOAT32, *PLAIN),
        Role.STATE: (FLOAT32, HANDLE),
        Role.CONSTANT: (FLOAT16, FLOAT32, *PLAIN),
    },
    Kind.STATIC_WI8_AI8: {
        **_INT8_RULES,
        Role.WEIGHT: (CHANNELS8,),
        Role.ACTIVATION: (INT8,),
        Role.CONSTANT: (INT8, *PLAIN),
    },
    Kind.STATIC_WI8_AI16: {**_INT16_RULES, Role.WEIGHT: (CHANNELS8,)},
    Kind.DYNAMIC_WI8_AFP32: _float_rules(CHANNELS8, TABLE8),
    Kind.WEIGHT_ONLY_WI8_AFP32: _float_rules(CHANNELS8, TABLE8),
    Kind.WEIGHT_ONLY_WI4_AFP32: _float_rules(CHANNELS4, TABLE4),
    Kind.DYNAMIC_WI4B32_AFP32: _float_rules(BLOCKS4, BLOCK_TABLE4),
}
"""The allowed forms by recipe kind and role; the recipe itself declares those of its ports."""

_WI8_LAYERS = frozenset(
    {"BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
)
QUANTIZED_LAYERS: Mapping[Kind, frozenset[str]] = {
    Kind.DYNAMIC_WI8_AFP32: _WI8_LAYERS,
    Kind.WEIGHT_ONLY_WI8_AFP32: _WI8_LAYERS,
    Kind.WEIGHT_ONLY_WI4_AFP32: frozenset({"BATCH_MATMUL", "CONV_2D", "FULLY_CONNECTED"}),
    Kind.DYNAMIC_WI4B32_AFP32: frozenset({"FULLY_CONNECTED"}),
}
"""The layers that a kind quantizes; the weights of all others stay float32.

By litert-quantizer 0.11.0, `DEFAULT_JSON_POLICY` in default_policy.py."""

_PORT_FORMS = {"float32": FLOAT32, "int8": INT8, "uint8": UINT8, "int16": INT16}


def allowed_forms(recipe: Recipe, role: Role) -> tuple[Form, ...]:
    """Return the forms that a recipe allows for a role.

    Inputs and outputs may have the declared type, or be plain counts such as token ids or a class
    number.
    """
    declared = {Role.INPUT: recipe.input_type, Role.OUTPUT: recipe.output_type}
    if role in declared:
        return (_PORT_FORMS[declared[role]], *PLAIN)
    return TENSOR_RULES[recipe.kind][role]


class Placement(StrEnum):
    """The places allowed for an operator that converts types; the value is used in messages."""

    NOWHERE = "nowhere"
    PORTS = "only on an input or output of the model"
    CONSTANTS = "only on a constant"
    ANYWHERE = "anywhere"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRule:
    """The operators that a kind of recipe allows; no kind allows custom or Flex operators."""

    floats: bool
    """Operators may compute in floats."""
    hybrid: bool = False
    """Operators may read integer weights and write floats."""
    quantize: Placement = Placement.NOWHERE
    dequantize: Placement = Placement.NOWHERE


_INTEGER_RULE = OperatorRule(floats=False, quantize=Placement.PORTS, dequantize=Placement.PORTS)

OPERATOR_RULES: Mapping[Kind, OperatorRule] = {
    Kind.FLOAT32: OperatorRule(floats=True),
    Kind.INT8_QAT: _INTEGER_RULE,
    Kind.INT8_PTQ: _INTEGER_RULE,
    Kind.INT16X8: _INTEGER_RULE,
    Kind.DYNAMIC_RANGE: OperatorRule(floats=True, hybrid=True, dequantize=Placement.ANYWHERE),
    Kind.FLOAT16: OperatorRule(floats=True, dequantize=Placement.CONSTANTS),
    Kind.STATIC_WI8_AI8: _INTEGER_RULE,
    Kind.STATIC_WI8_AI16: _INTEGER_RULE,
    Kind.DYNAMIC_WI8_AFP32: OperatorRule(floats=True, hybrid=True),
    Kind.WEIGHT_ONLY_WI8_AFP32: OperatorRule(floats=True, dequantize=Placement.CONSTANTS),
    Kind.WEIGHT_ONLY_WI4_AFP32: OperatorRule(floats=True, dequantize=Placement.CONSTANTS),
    Kind.DYNAMIC_WI4B32_AFP32: OperatorRule(floats=True, hybrid=True),
}
