"""Int8 models that break one promise each, and the sentences that name what broke.

The cause comes first, then what follows from it.
"""

import math

from graphs import tensor

from litegate.spec import Kind
from litegate.testing import requantize, retype, tiny
from litegate.tflite.parser import parse

MODEL = tiny(Kind.INT8_QAT)


def scales(name):
    """The scales of a tensor of the unbroken model."""
    return tensor(parse(MODEL), name).scales


CONV, DENSE = "operator 1 CONV_2D v3", "operator 7 FULLY_CONNECTED v4"
ORPHAN = (
    "tensor 6 'depthwise/bias', bias of operator 2 DEPTHWISE_CONV_2D v3, has 4 scales beside "
    "no scale of the input and 4 scales of the weight; expected their product"
)
DATA_SCALE, WEIGHT_SCALES = scales("input/quantized")[0], scales("conv/weight")
PRODUCT = DATA_SCALE * WEIGHT_SCALES[0]

BROKEN = {
    "float activation": (
        retype(MODEL, "conv", "float32"),
        f"tensor 4 'conv', activation of {CONV}, is float32; expected int8 or uint8",
        ORPHAN,
    ),
    "activation without scale": (
        requantize(MODEL, "conv", scales=()),
        f"tensor 4 'conv', activation of {CONV}, is int8 with no scale; expected one scale",
        ORPHAN,
    ),
    "int16 activation": (
        retype(MODEL, "flat", "int16"),
        "tensor 14 'flat', activation of operator 6 RESHAPE v1, is int16; expected int8 or uint8",
    ),
    "float weight": (
        retype(retype(MODEL, "dense/weight", "float32"), "dense/bias", "float32"),
        f"tensor 15 'dense/weight', weight of {DENSE}, is float32; expected int8",
        f"tensor 16 'dense/bias', bias of {DENSE}, is float32; expected int32",
    ),
    "uint8 weight": (
        retype(MODEL, "dense/weight", "uint8"),
        f"tensor 15 'dense/weight', weight of {DENSE}, is uint8; expected int8",
    ),
    "weight off centre": (
        requantize(MODEL, "conv/weight", scales=WEIGHT_SCALES, zero_point=3),
        f"tensor 2 'conv/weight', weight of {CONV}, has the zero point 3; expected 0",
    ),
    "weight of a scale that is no number": (
        requantize(MODEL, "dense/weight", scales=[math.nan, 1, 1, 1]),
        (
            f"tensor 15 'dense/weight', weight of {DENSE}, has the scale nan; "
            "expected a finite one, not below 0"
        ),
        (
            f"tensor 16 'dense/bias', bias of {DENSE}, has the scale "
            f"{scales('dense/bias')[0]:.8g} in channel 0; "
            "expected nan, the input's times the weight's"
        ),
    ),
    "convolution per tensor": (
        requantize(
            requantize(MODEL, "conv/weight", scales=WEIGHT_SCALES[:1]),
            "conv/bias",
            scales=[PRODUCT],
        ),
        (
            f"tensor 2 'conv/weight', weight of {CONV}, is int8 with one scale; "
            "expected one scale for each channel (dimension 0: 4)"
        ),
    ),
    "depthwise per tensor": (
        requantize(
            requantize(MODEL, "depthwise/weight", scales=[0.5], axis=3),
            "depthwise/bias",
            scales=[0.5 * scales("conv")[0]],
        ),
        (
            "tensor 5 'depthwise/weight', weight of operator 2 DEPTHWISE_CONV_2D v3, is int8 with "
            "one scale; expected one scale for each channel (dimension 3: 4)"
        ),
    ),
    "depthwise along another dimension": (
        requantize(MODEL, "depthwise/weight", scales=[0.5] * 3, axis=1),
        (
            "tensor 5 'depthwise/weight', weight of operator 2 DEPTHWISE_CONV_2D v3, is int8 with "
            "3 scales along dimension 1; expected one scale for each channel (dimension 3: 4)"
        ),
        (
            "tensor 6 'depthwise/bias', bias of operator 2 DEPTHWISE_CONV_2D v3, has 4 scales "
            "beside one scale of the input and 3 scales of the weight; expected their product"
        ),
    ),
    "bias of another scale": (
        requantize(MODEL, "conv/bias", scales=[1.0, *scales("conv/bias")[1:]]),
        (
            f"tensor 3 'conv/bias', bias of {CONV}, has the scale 1 in channel 0; "
            f"expected {PRODUCT:.8g}, the input's times the weight's"
        ),
    ),
    "bias per tensor": (
        requantize(MODEL, "dense/bias", scales=[0.5]),
        (
            f"tensor 16 'dense/bias', bias of {DENSE}, has one scale beside one scale of the input "
            "and 4 scales of the weight; expected their product"
        ),
    ),
    "bias off centre": (
        requantize(MODEL, "conv/bias", scales=scales("conv/bias"), zero_point=1),
        f"tensor 3 'conv/bias', bias of {CONV}, has the zero point 1; expected 0",
    ),
    "64-bit bias": (
        retype(MODEL, "dense/bias", "int64"),
        f"tensor 16 'dense/bias', bias of {DENSE}, is int64; expected int32",
    ),
    "float constant": (
        retype(MODEL, "flat/first", "float32"),
        (
            "tensor 9 'flat/first', shape or constant of operator 4 STRIDED_SLICE v1, is float32; "
            "expected int8 or uint8 or int32 or int64 or bool"
        ),
        (
            "tensor 11 'flat/batch', activation of operator 4 STRIDED_SLICE v1, is int32; "
            "expected int8 or uint8"
        ),
        (
            "tensor 13 'flat/shape', activation of operator 5 PACK v1, is int32; "
            "expected int8 or uint8"
        ),
    ),
    "shape arithmetic in floats": (
        retype(MODEL, "flat/shape", "float32"),
        (
            "tensor 13 'flat/shape', activation of operator 5 PACK v1, is float32; "
            "expected int8 or uint8"
        ),
    ),
}
