"""Files as a compiler for an accelerator leaves them: one custom operator, and its own tensors."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.testing import edit
from litegate.tflite.editing.writer import ModelWriter, QuantizationParameters

STEP = QuantizationParameters(scales=(0.5,))


def vela(code="ethos-u", *, fast=False):
    """A file in the form that Vela writes: commands, constants, scratch tensors, then the input."""
    writer = ModelWriter("Vela Optimised")
    commands = writer.constant("ethos_u_command_stream", np.arange(64, dtype=np.uint8))
    constants = writer.constant("read_only", np.arange(2048).astype(np.uint8))
    scratch = writer.computed("scratch", "uint8", (4096,))
    second = writer.computed("scratch_fast", "uint8", (512,)) if fast else scratch
    x = writer.computed("x", "int8", (1, 4, 4, 3), STEP)
    y = writer.computed("y", "int8", (1, 10), STEP)
    writer.operator("CUSTOM", 1, (commands, constants, scratch, second, x), y)

    def name(model):
        model.operatorCodes[0].customCode = code

    return edit(writer.finish([x], [y]), name)


def old_bias():
    """A convolution whose bias has several scales along dimension 3, as old converters wrote it."""
    writer = ModelWriter("TOCO Converted.")
    x = writer.computed("x", "int8", (1, 4, 4, 1), STEP)
    per_channel = QuantizationParameters(scales=(0.5, 0.25), axis=3)
    weights = writer.constant("weights", np.ones((1, 3, 3, 2), np.int8), per_channel)
    bias = writer.constant("bias", np.ones(2, np.int32), per_channel)
    y = writer.computed("y", "int8", (1, 4, 4, 2), STEP)
    options = schema.DepthwiseConv2DOptionsT(
        strideH=1, strideW=1, depthMultiplier=2, dilationHFactor=1, dilationWFactor=1
    )
    writer.operator("DEPTHWISE_CONV_2D", 3, (x, weights, bias), y, options)
    return writer.finish([x], [y])
