"""A network with one fragile layer, and the project that quantizes it.

A depthwise convolution scales one channel by 1,000, since the input carries it that small. With
one scale for both channels, the quantized input loses it; a float layer reads it unharmed.
"""

import hashlib

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.data.digests import array_digest
from litegate.runtimes.inference import outputs
from litegate.tflite.editing.writer import ModelWriter

SIDE, FILTERS, CLASSES = 6, 8, 4
MODEL = """
import litegate as lg


def load(locations):
    import numpy as np

    with np.load(locations.project / "samples.npz") as arrays:
        return lg.Splits(**arrays)


def unchanged(x):
    return x


net = lg.prebuilt(
    reference=lg.File(path="net.tflite", sha256="SHA256"),
    recipes=[lg.recipes.static_wi8_ai8(calibration_samples=50)],
    data=lg.Data(
        name="small channel",
        load=load,
        digests=DIGESTS,
        preprocess=unchanged,
        domain=(-2.0, 2.0),
        classes=("a", "b", "c", "d"),
    ),
    budget=lg.Budget(LIMITS),
)
"""


def network(factor=1000.0):
    """Two convolutions behind the depthwise one, and a dense layer, all with random weights."""
    generator = np.random.default_rng(3)
    writer = ModelWriter("fragile")
    x = writer.computed("x", "float32", (1, SIDE, SIDE, 2))
    first = _convolution(writer, "depthwise", x, np.float32([0.1, factor]).reshape(1, 1, 1, 2), 2)
    kernels = [generator.normal(size=(FILTERS, 3, 3, it)) / it for it in (2, FILTERS)]
    second = _convolution(writer, "spread", first, kernels[0].astype(np.float32), FILTERS)
    third = _convolution(writer, "mixed", second, kernels[1].astype(np.float32), FILTERS)
    flat = writer.computed("flat", "float32", (1, SIDE * SIDE * FILTERS))
    shape = writer.constant("shape", np.int32([1, SIDE * SIDE * FILTERS]))
    writer.operator("RESHAPE", 1, (third, shape), flat, schema.ReshapeOptionsT())
    weight = generator.normal(size=(CLASSES, SIDE * SIDE * FILTERS)).astype(np.float32)
    dense = writer.constant("dense/weight", weight / SIDE)
    y = writer.computed("dense", "float32", (1, CLASSES))
    writer.operator("FULLY_CONNECTED", 1, (flat, dense, -1), y, schema.FullyConnectedOptionsT())
    return writer.finish([x], [y])


def _convolution(writer, name, source, weight, channels):
    kernel = writer.constant(f"{name}/weight", weight)
    values = np.linspace(-0.2, 0.2, channels) * (name != "depthwise")  # so that the scale matters
    bias = writer.constant(f"{name}/bias", values.astype(np.float32))
    result = writer.computed(name, "float32", (1, SIDE, SIDE, channels))
    if name == "depthwise":
        options = schema.DepthwiseConv2DOptionsT(strideW=1, strideH=1, depthMultiplier=1)
        kind = "DEPTHWISE_CONV_2D"
    else:
        options, kind = schema.Conv2DOptionsT(strideW=1, strideH=1), "CONV_2D"
    writer.operator(kind, 1, (source, kernel, bias), result, options)
    return result


def samples(count, seed, factor=1000.0):
    """Samples that the float network puts clearly into one class; channel 1 is tiny.

    Clearly: of three times as many, those whose highest score is farthest above the next.
    """
    generator = np.random.default_rng(seed)
    x = generator.uniform(-1, 1, (3 * count, SIDE, SIDE, 2)).astype(np.float32)
    x[..., 1] /= factor
    scores = outputs(network(factor), x).real
    lower, higher = np.sort(scores, axis=1)[:, -2:].T
    clear = np.sort(np.argsort(lower - higher)[:count])
    return x[clear], scores[clear].argmax(axis=1)


def project(folder, limits, *, factor=1000.0, count=600):
    """Write a project whose recipe has these limits, and go there."""
    arrays = {}
    for split, seed in (("train", 1), ("test", 2)):
        arrays[f"x_{split}"], arrays[f"y_{split}"] = samples(count, seed, factor)
    np.savez(folder / "samples.npz", **arrays)
    tflite = network(factor)
    (folder / "net.tflite").write_bytes(tflite)
    digests = {name: array_digest(array) for name, array in arrays.items()}
    text = MODEL.replace("SHA256", hashlib.sha256(tflite).hexdigest())
    text = text.replace("DIGESTS", repr(digests)).replace("LIMITS", limits)
    (folder / "models").mkdir()
    (folder / "models" / "net.py").write_text(text)


CHANNELS, LAYERS = 4, 30


def deep_network(seed):
    """A network of 30 layers with its layers that are fragile, two of them.

    Channel 0 is always 0, and a fragile layer has a huge weight on it, so that the scale of its
    quantized weights leaves nothing of the others. Kernels of 1, 9 or 25 values give layers
    different sizes.
    """
    generator = np.random.default_rng(seed)
    fragile = set(generator.choice(LAYERS - 1, 2, replace=False).tolist())
    writer = ModelWriter("deep")
    shape = (1, SIDE, SIDE, CHANNELS)
    x = tensor = writer.computed("x", "float32", shape)
    for number in range(LAYERS - 1):
        size = int(generator.choice([1, 3, 5]))
        weight = np.zeros((CHANNELS, size, size, CHANNELS), np.float32)
        weight[np.arange(CHANNELS), size // 2, size // 2, np.arange(CHANNELS)] = 1
        if number in fragile:
            weight[:, size // 2, size // 2, 0] = 1000
        kernel = writer.constant(f"layer{number}/weight", weight)
        bias = writer.constant(f"layer{number}/bias", np.zeros(CHANNELS, np.float32))
        result = writer.computed(f"layer{number}", "float32", shape)
        options = schema.Conv2DOptionsT(strideW=1, strideH=1)
        writer.operator("CONV_2D", 1, (tensor, kernel, bias), result, options)
        tensor = result
    size = SIDE * SIDE * CHANNELS
    flat = writer.computed("flat", "float32", (1, size))
    target = writer.constant("shape", np.int32([1, size]))
    writer.operator("RESHAPE", 1, (tensor, target), flat, schema.ReshapeOptionsT())
    sums = np.zeros((SIDE * SIDE, CHANNELS), np.float32)
    sums[:, 1:] = 1 / SIDE**2
    weight = writer.constant("dense/weight", np.stack([-sums.ravel(), sums.ravel()]))
    y = writer.computed("dense", "float32", (1, 2))
    writer.operator("FULLY_CONNECTED", 1, (flat, weight, -1), y, schema.FullyConnectedOptionsT())
    return writer.finish([x], [y]), {f"layer{number}" for number in fragile}


def deep_samples(count, seed):
    """Samples for `deep_network`, with the sign of their mean as the class."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, count)
    signs = np.where(y, 1, -1)[:, np.newaxis, np.newaxis, np.newaxis]
    x = signs * generator.uniform(0.1, 1, (count, SIDE, SIDE, CHANNELS)).astype(np.float32)
    x[..., 0] = 0
    return x.astype(np.float32), y
