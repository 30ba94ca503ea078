"""What each kind of recipe promises: one table for tensors by role, one for operators."""

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
"""What counts, indexes and masks are made of."""

WEIGHT8 = Form(dtype="int8", grain=Grain.EITHER, symmetric=True)
BIAS32 = Form(dtype="int32", grain=Grain.EITHER, symmetric=True, product=True)
BIAS64 = Form(dtype="int64", grain=Grain.EITHER, symmetric=True, product=True)
SMALL_FLOAT32 = Form(dtype="float32", fewer_than=1024)
"""The converter leaves weights below 1,024 elements as they are."""
PACKED8 = Form(dtype="int8", grain=Grain.TENSOR, read_by="DEQUANTIZE")
"""Rows of an int8 embedding on their way to float."""

Promises = Mapping[Role, tuple[Form, ...]]

_INT8: Promises = {
    Role.WEIGHT: (WEIGHT8,),
    Role.BIAS: (BIAS32,),
    Role.ACTIVATION: (INT8, UINT8),
    Role.CONSTANT: (INT8, UINT8, *PLAIN),
}

PROMISES: Mapping[Kind, Promises] = {
    Kind.FLOAT32: {
        Role.WEIGHT: (FLOAT32,),
        Role.BIAS: (FLOAT32,),
        Role.ACTIVATION: (FLOAT32, *PLAIN),
        Role.CONSTANT: (FLOAT32, *PLAIN),
    },
    Kind.INT8_QAT: _INT8,
    Kind.INT8_PTQ: _INT8,
    Kind.INT16X8: {
        Role.WEIGHT: (WEIGHT8,),
        Role.BIAS: (BIAS64,),
        Role.ACTIVATION: (INT16,),
        Role.CONSTANT: (INT16, INT8, *PLAIN),
    },
    Kind.DYNAMIC_RANGE: {
        Role.WEIGHT: (WEIGHT8, SMALL_FLOAT32),
        Role.BIAS: (FLOAT32,),
        Role.ACTIVATION: (FLOAT32, PACKED8, *PLAIN),
        Role.CONSTANT: (FLOAT32, INT8, *PLAIN),
    },
    Kind.FLOAT16: {
        Role.WEIGHT: (FLOAT16,),
        Role.BIAS: (FLOAT16,),
        Role.ACTIVATION: (FLOAT32, *PLAIN),
        Role.CONSTANT: (FLOAT16, FLOAT32, *PLAIN),
    },
}
"""Recipe kind x role: the forms that are allowed. Inputs and outputs are as the recipe declares."""

_PORTS = {"float32": FLOAT32, "int8": INT8, "uint8": UINT8, "int16": INT16}


def promised(recipe: Recipe, role: Role) -> tuple[Form, ...]:
    """The forms that a recipe allows for a role.

    An input or output that counts, such as token ids or the number of a class, is plain beside
    those of the declared type.
    """
    declared = {Role.INPUT: recipe.input_type, Role.OUTPUT: recipe.output_type}
    if role in declared:
        return (_PORTS[declared[role]], *PLAIN)
    return PROMISES[recipe.kind][role]


class Place(StrEnum):
    """Where an operator that converts types may stand; the value is how it reads in a sentence."""

    NOWHERE = "nowhere"
    PORTS = "only on an input or output of the model"
    CONSTANTS = "only on a constant"
    ANYWHERE = "anywhere"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPromise:
    """What a kind of recipe allows its operators; none is allowed to be custom or Flex."""

    floats: bool
    """Operators may compute in floats."""
    hybrid: bool = False
    """Operators may read integer weights and give floats."""
    quantize: Place = Place.NOWHERE
    dequantize: Place = Place.NOWHERE


_INTEGER = OperatorPromise(floats=False, quantize=Place.PORTS, dequantize=Place.PORTS)

OPERATORS: Mapping[Kind, OperatorPromise] = {
    Kind.FLOAT32: OperatorPromise(floats=True),
    Kind.INT8_QAT: _INTEGER,
    Kind.INT8_PTQ: _INTEGER,
    Kind.INT16X8: _INTEGER,
    Kind.DYNAMIC_RANGE: OperatorPromise(floats=True, hybrid=True, dequantize=Place.ANYWHERE),
    Kind.FLOAT16: OperatorPromise(floats=True, dequantize=Place.CONSTANTS),
}
