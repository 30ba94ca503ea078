"""Tiny real `.tflite` files with several inputs, outputs and signatures."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tiny import artifact

from litegate.spec import Inputs

_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "bool": schema.TensorType.BOOL,
}
OPTIONS = {
    "ADD": schema.AddOptionsT,
    "MUL": schema.MulOptionsT,
    "CAST": schema.CastOptionsT,
    "FULLY_CONNECTED": schema.FullyConnectedOptionsT,
}


class Graph:
    """One graph, written tensor by tensor; the model's inputs and outputs are named later."""

    def __init__(self):
        self.tensors, self.steps = [], []

    def tensor(self, name, *shape, dtype="float32", scale=None, data=None):
        """A tensor; -1 stands for a free size."""
        self.tensors.append((name, shape, dtype, scale, data))
        return len(self.tensors) - 1

    def step(self, kind, inputs, output):
        self.steps.append((kind, inputs, output))
        return output


def write(*graphs, signatures=()):
    """A file of graphs, each `(graph, inputs, outputs)` by tensor; the bytes.

    A signature is `(name, graph number, inputs by name, outputs by name)`.
    """
    model = schema.ModelT()
    model.version, model.subgraphs = 3, []
    model.buffers, model.operatorCodes = [schema.BufferT()], []
    for graph, inputs, outputs in graphs:
        model.subgraphs.append(_graph(model, graph, inputs, outputs))
    model.signatureDefs = [_signature(*each) for each in signatures] or None
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _graph(model, graph, inputs, outputs):
    found = schema.SubGraphT()
    found.inputs, found.outputs = list(inputs), list(outputs)
    found.tensors = [_tensor(model, *each) for each in graph.tensors]
    found.operators = [_operator(model, *each) for each in graph.steps]
    return found


def _tensor(model, name, shape, dtype, scale, data):
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.buffer = name, _TYPES[dtype], len(model.buffers)
    tensor.shape = [1 if size == -1 else size for size in shape]
    tensor.shapeSignature = list(shape) if -1 in shape else None
    if scale is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
    model.buffers.append(schema.BufferT())
    if data is not None:
        model.buffers[-1].data = np.frombuffer(data.tobytes(), np.uint8)
    return tensor


def _operator(model, kind, inputs, output):
    code, step = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
    step.opcodeIndex = len(model.operatorCodes)
    step.inputs, step.outputs = list(inputs), [output]
    if kind in OPTIONS:
        step.builtinOptions = OPTIONS[kind]()
        step.builtinOptionsType = getattr(
            schema.BuiltinOptions, type(step.builtinOptions).__name__.removesuffix("T")
        )
    model.operatorCodes.append(code)
    return step


def _signature(name, graph, inputs, outputs):
    found = schema.SignatureDefT()
    found.signatureKey, found.subgraphIndex = name, graph
    found.inputs, found.outputs = _named(inputs), _named(outputs)
    return found


def _named(tensors):
    found = []
    for name, index in tensors.items():
        one = schema.TensorMapT()
        one.name, one.tensorIndex = name, index
        found.append(one)
    return found


def crossed(*, free=True, signed=True, names=("sum", "product"), gain=1.0):
    """Takes `left` and `right`, shape (n, 3); gives their sum and `gain` times their product.

    The file lists `right` before `left`, and the product before the sum.
    """
    graph, batch = Graph(), -1 if free else 1
    right, left = (graph.tensor(f"in_{side}", batch, 3) for side in ("right", "left"))
    times = graph.tensor("times", data=np.float32(gain))
    bare, product = graph.tensor("bare", batch, 3), graph.tensor("out_product", batch, 3)
    total = graph.tensor("out_sum", batch, 3)
    graph.step("MUL", [left, right], bare)
    graph.step("MUL", [bare, times], product)
    graph.step("ADD", [left, right], total)
    called = ("serving", 0, {"left": left, "right": right}, {names[0]: total, names[1]: product})
    return write((graph, [right, left], [product, total]), signatures=[called] if signed else ())


def double(*, dtype="float32", length=3, out="float32", scale=None):
    """Takes one input of a type, (n, length), and gives it as another."""
    graph = Graph()
    given = graph.tensor("given", -1, length, dtype=dtype, scale=scale)
    cast = graph.tensor("cast", -1, length, dtype=out)
    graph.step("CAST", [given], cast)
    return write((graph, [given], [cast]))


def two_signatures():
    """`add` gives a sum of `x` and `y` by the first graph, `twice` 2 x by the second."""
    add, twice = Graph(), Graph()
    x, y, total = (add.tensor(name, -1, 3) for name in ("add_x", "add_y", "add_out"))
    add.step("ADD", [x, y], total)
    unused = twice.tensor("factor", data=np.float32(2))
    given, out = twice.tensor("twice_x", -1, 3), twice.tensor("twice_out", -1, 3)
    twice.step("MUL", [given, unused], out)
    return write(
        (add, [x, y], [total]),
        (twice, [given], [out]),
        signatures=[
            ("add", 0, {"x": x, "y": y}, {"sum": total}),
            ("twice", 1, {"x": given}, {"doubled": out}),
        ],
    )


def second_graph_signed():
    """The only signature, `twice`, names the second graph, 2 x; the first, unsigned, gives -x."""
    minus, twice = Graph(), Graph()
    x, negated = minus.tensor("minus_x", -1, 3), minus.tensor("minus_out", -1, 3)
    minus.step("MUL", [x, minus.tensor("sign", data=np.float32(-1))], negated)
    given, out = twice.tensor("twice_x", -1, 3), twice.tensor("twice_out", -1, 3)
    twice.step("MUL", [given, twice.tensor("factor", data=np.float32(2))], out)
    signed = ("twice", 1, {"x": given}, {"doubled": out})
    return write((minus, [x], [negated]), (twice, [given], [out]), signatures=[signed])


def samples(n=40, *, seed=3):
    """Samples of both inputs, shape (n, 3), between -1 and 1."""
    rng = np.random.default_rng(seed)
    sides = ("left", "right")
    return Inputs({side: rng.uniform(-1, 1, (n, 3)).astype(np.float32) for side in sides})


def crossed_artifact(tflite=None, x=None, *, output="", **fields):
    """An artifact of `crossed` over `samples`; each is in the class of its highest sum."""
    x = samples() if x is None else x
    y = (x.arrays["left"] + x.arrays["right"]).argmax(axis=1)
    made = artifact(tflite or crossed(), x.arrays["left"], y, classes=3, domain=(-1.0, 1.0))
    split = type(made.evaluation)(
        digest="crossed", x=x, y=y, classes=tuple("abc"), domain=(-1.0, 1.0), output=output
    )
    kept = {name: getattr(made, name) for name in ("recipe", "tflite", "sha256", "certificate")}
    return type(made)(**({"model": "crossed", "evaluation": split} | kept | fields))


def two_layers():
    """Takes `left` and `right`; a dense layer on each, their sum, and a layer for each output.

    The outputs are `small`, of two values, and `wide`, of four; the file lists `wide` first.
    """
    graph, rng = Graph(), np.random.default_rng(0)
    left, right = (graph.tensor(name, -1, 3) for name in ("left_in", "right_in"))

    def dense(name, source, width, rows):
        weight = rng.normal(size=(rows, width)).astype(np.float32)
        held = graph.tensor(name, rows, width, data=weight)
        bias = graph.tensor(f"{name}/bias", rows, data=np.zeros(rows, np.float32))
        out = graph.tensor(f"{name}/out", -1, rows)
        return graph.step("FULLY_CONNECTED", [source, held, bias], out)

    narrow = dense("of_left", left, 3, 1)
    hidden = dense("of_right", right, 3, 5)
    both = graph.step("ADD", [hidden, narrow], graph.tensor("both", -1, 5))
    small, wide = dense("to_small", both, 5, 2), dense("to_wide", both, 5, 4)
    named = ("serving", 0, {"left": left, "right": right}, {"small": small, "wide": wide})
    return write((graph, [left, right], [wide, small]), signatures=[named])
