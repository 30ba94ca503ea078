"""A streaming `.tflite` file: a variable keeps the last samples, and CALL_ONCE sets it at first."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.testing import edit
from litegate.tflite.editing.writer import ModelWriter

KEPT, NEW = 8, 4


def streaming():
    """Joins four new values to the eight that it keeps, and gives the sum of a dense layer."""
    writer = ModelWriter("streaming")
    x = writer.computed("x", "float32", (1, NEW))
    nothing = writer.computed("nothing", "float32", (0,))
    writer.operator("CALL_ONCE", 1, (), nothing, schema.CallOnceOptionsT(initSubgraphIndex=1))
    handle = _handle(writer)
    old = writer.computed("old", "float32", (1, KEPT))
    writer.operator("READ_VARIABLE", 1, (handle,), old)
    joined = writer.computed("joined", "float32", (1, KEPT + NEW))
    writer.operator("CONCATENATION", 1, (old, x), joined, schema.ConcatenationOptionsT(axis=1))
    begin, size = (
        writer.constant(name, np.array(value, np.int32))
        for name, value in (("begin", [0, NEW]), ("size", [1, KEPT]))
    )
    new = writer.computed("new", "float32", (1, KEPT))
    writer.operator("SLICE", 1, (joined, begin, size), new)
    writer.operator("ASSIGN_VARIABLE", 1, (handle, new), nothing)
    weights = writer.constant("weights", np.ones((1, KEPT + NEW), np.float32))
    y = writer.computed("y", "float32", (1, 1))
    options = schema.FullyConnectedOptionsT()
    writer.operator("FULLY_CONNECTED", 1, (joined, weights, -1), y, options)
    return edit(writer.finish([x], [y]), lambda model: _add_first_values(model, nothing))


def _handle(writer):
    handle = writer.computed("handle", "resource", ())
    options = schema.VarHandleOptionsT(container="", sharedName="kept")
    return writer.operator("VAR_HANDLE", 1, (), handle, options)


def _add_first_values(model, nothing):
    """Add the graph that CALL_ONCE runs: it computes the first values in two steps."""
    writer = ModelWriter("first values")
    ones = writer.constant("ones", np.ones((1, KEPT), np.float32))
    handle = _handle(writer)
    rows = writer.computed("rows", "float32", (2 * KEPT, KEPT))
    values = writer.computed("values", "float32", (1, KEPT))
    begin, size = (
        writer.constant(name, np.array(value, np.int32))
        for name, value in (("begin", [0, 0]), ("size", [1, KEPT]))
    )
    many = writer.constant("many", np.ones((2 * KEPT, KEPT), np.float32))
    writer.operator("ADD", 1, (ones, many), rows, schema.AddOptionsT())
    writer.operator("SLICE", 1, (rows, begin, size), values)
    unused = writer.computed("unused", "float32", (0,))
    writer.operator("ASSIGN_VARIABLE", 1, (handle, values), unused)
    _add_graph(model, writer, unused)
    _drop(model.subgraphs[0], nothing)


def _add_graph(model, writer, unused):
    """Add the graph of a writer, without the result `unused`."""
    first = schema.ModelT.InitFromPackedBuf(writer.finish([], []), 0)
    (graph,) = first.subgraphs
    for tensor in graph.tensors:
        tensor.buffer += len(model.buffers)
    for operator in graph.operators:
        operator.opcodeIndex += len(model.operatorCodes)
    model.buffers += first.buffers
    model.operatorCodes += first.operatorCodes
    model.subgraphs.append(graph)
    _drop(graph, unused)


def _drop(graph, result):
    """Remove a tensor from the results of all operators, which have none."""
    for operator in graph.operators:
        operator.outputs = [index for index in operator.outputs if index != result]


def growing(factor=2.0):
    """Keeps a sum, which each invocation multiplies by `factor` before it adds its input."""
    writer = ModelWriter("growing")
    x = writer.computed("x", "float32", (1, 1))
    nothing = writer.computed("nothing", "float32", (0,))
    handle = _handle(writer)
    old, grown, y = (writer.computed(name, "float32", (1, 1)) for name in ("old", "grown", "y"))
    weight = writer.constant("factor", np.array([[factor]], np.float32))
    writer.operator("CALL_ONCE", 1, (), nothing, schema.CallOnceOptionsT(initSubgraphIndex=1))
    writer.operator("READ_VARIABLE", 1, (handle,), old)
    writer.operator("MUL", 1, (old, weight), grown, schema.MulOptionsT())
    writer.operator("ADD", 1, (grown, x), y, schema.AddOptionsT())
    writer.operator("ASSIGN_VARIABLE", 1, (handle, y), nothing)

    def change(model):
        other = ModelWriter("first values")
        zero = other.constant("zero", np.zeros((1, 1), np.float32))
        unused = other.computed("unused", "float32", (0,))
        other.operator("ASSIGN_VARIABLE", 1, (_handle(other), zero), unused)
        _add_graph(model, other, unused)
        _drop(model.subgraphs[0], nothing)

    return edit(writer.finish([x], [y]), change)
