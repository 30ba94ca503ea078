"""Real `.tflite` files of one operator, with each operand fed or constant."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.tflite.editing.writer import ModelWriter, QuantizationParameters

QUANTIZED = ("int8", "int16", "uint8")
STEP = QuantizationParameters(scales=(0.5,))
ROWS = (1, 4, 4, 2)


def single(name, operands, result, options=None, *, scaled=True):
    """The bytes of a file; an operand is a type and a shape, or a type and values of a constant."""
    writer, indices, fed = ModelWriter("single"), [], []

    def step(dtype):
        return STEP if scaled and dtype in QUANTIZED else None

    for number, (dtype, content) in enumerate(operands):
        if isinstance(content, tuple):
            fed.append(writer.computed(f"x{number}", dtype, content, step(dtype)))
            indices.append(fed[-1])
        else:
            values = np.asarray(content, dtype)
            indices.append(writer.constant(f"c{number}", values, step(dtype)))
    output = writer.computed("y", *result, step(result[0]))
    writer.operator(name, 1, indices, output, options)
    return writer.finish(fed, [output])


def cast(before, after):
    """Conversions of plain numbers have no scales."""
    writer = ModelWriter("cast")
    x, y = (writer.computed(name, dtype, ROWS) for name, dtype in (("x", before), ("y", after)))
    writer.operator("CAST", 1, (x,), y, schema.CastOptionsT())
    return writer.finish([x], [y])


def space_to_depth(dtype):
    options = schema.SpaceToDepthOptionsT(blockSize=2)
    return single("SPACE_TO_DEPTH", [(dtype, (1, 4, 4, 1))], (dtype, (1, 2, 2, 4)), options)


def elementwise(name, dtype, *, scaled=True):
    return single(name, [(dtype, ROWS), (dtype, ROWS)], (dtype, ROWS), scaled=scaled)


def reshape(dtype):
    options = schema.ReshapeOptionsT(newShape=[4, 8])
    return single("RESHAPE", [(dtype, ROWS), ("int32", [4, 8])], (dtype, (4, 8)), options)


def quantize(before, after):
    return single("QUANTIZE", [(before, ROWS)], (after, ROWS))


def floor_mod(dtype):
    return single("FLOOR_MOD", [(dtype, ROWS), (dtype, np.ones(ROWS))], (dtype, ROWS))


def transpose(dtype):
    return single("TRANSPOSE", [(dtype, ROWS), ("int32", [0, 2, 1, 3])], (dtype, ROWS))


def mirror_pad(dtype):
    pads = [[0, 0], [1, 1], [1, 1], [0, 0]]
    options = schema.MirrorPadOptionsT(mode=0)
    return single("MIRROR_PAD", [(dtype, ROWS), ("int32", pads)], (dtype, (1, 6, 6, 2)), options)


def pad(counts):
    pads = [[0, 0], [1, 1], [1, 1], [0, 0]]
    return single("PAD", [("int8", ROWS), (counts, pads)], ("int8", (1, 6, 6, 2)))


def arg_max(result, axis="int32", over=1):
    """The greatest of eight numbers, or with `over` 0 of one number each."""
    options = schema.ArgMaxOptionsT(outputType=getattr(schema.TensorType, result.upper()))
    shape = (1,) if over else (8,)
    return single("ARG_MAX", [("int8", (1, 8)), (axis, over)], (result, shape), options)


def batch_matmul(dtype, other, *, constant=False):
    second = (other, np.ones((1, 3, 5)) if constant else (1, 3, 5))
    options = schema.BatchMatMulOptionsT()
    return single("BATCH_MATMUL", [(dtype, (1, 4, 3)), second], (dtype, (1, 4, 5)), options)


def resize_bilinear(dtype):
    options = schema.ResizeBilinearOptionsT()
    return single(
        "RESIZE_BILINEAR", [(dtype, ROWS), ("int32", [8, 8])], (dtype, (1, 8, 8, 2)), options
    )


def transpose_conv():
    """An upsampling whose output shape is an input, as a streaming network computes it."""
    options = schema.TransposeConvOptionsT(padding=0, strideW=2, strideH=2)
    operands = [("int32", (4,)), ("int8", np.ones((2, 2, 2, 2))), ("int8", ROWS)]
    return single("TRANSPOSE_CONV", operands, ("int8", (1, 8, 8, 2)), options)


def unpacked_weights():
    """A dense float layer on int8 weights behind a DEQUANTIZE."""
    writer = ModelWriter("unpacked")
    x = writer.computed("x", "float32", (1, 8))
    packed = writer.constant("packed", np.ones((2, 8), np.int8), STEP)
    weights = writer.computed("weights", "float32", (2, 8))
    y = writer.computed("y", "float32", (1, 2))
    writer.operator("DEQUANTIZE", 2, (packed,), weights)
    writer.operator("FULLY_CONNECTED", 1, (x, weights, -1), y, schema.FullyConnectedOptionsT())
    return writer.finish([x], [y])
