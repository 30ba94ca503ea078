"""Check that a graph reads what is written before, and in full, and calls what exists."""

from __future__ import annotations

from collections.abc import Iterator

from litegate.tflite.bounded_reads import MalformedError, within
from litegate.tflite.graph import ABSENT, Subgraph
from litegate.tflite.npu import NPU_OPERATOR


def check_calls(subgraphs: tuple[Subgraph, ...]) -> None:
    """Raise MalformedError if a CALL_ONCE runs a graph that does not exist."""
    for subgraph in subgraphs:
        for operator in subgraph.operators:
            if operator.name == "CALL_ONCE":
                index = operator.option("init_graph", 0)
                within(index, len(subgraphs), f"graph of operator {operator.index}")


def check_order(subgraph: Subgraph) -> None:
    """Raise MalformedError if an operator, or the caller, reads a tensor before it is written."""
    ready = {t.index for t in subgraph.tensors if t.is_constant or t.is_variable or 0 in t.shape}
    ready |= {ABSENT, *subgraph.inputs, *_scratch(subgraph)}
    _check_written(subgraph)
    for operator in subgraph.operators:
        if not ready.issuperset(operator.inputs):
            raise MalformedError(
                f"operator {operator.index} reads a tensor that no operator wrote before"
            )
        ready.update(operator.outputs)
    if not ready.issuperset(subgraph.outputs):
        raise MalformedError(f"graph {subgraph.index} has an output that no operator writes")


def check_densified(subgraph: Subgraph) -> None:
    """Raise MalformedError if an operator other than DENSIFY reads a sparse tensor.

    XNNPACK of LiteRT 2.3.0 does not look whether a weight is sparse: it reads as many bytes as a
    dense one has, past the end of the buffer, so that answers depend on what is in memory there.
    """
    sparse = {tensor.index for tensor in subgraph.tensors if tensor.is_sparse}
    for operator in subgraph.operators:
        if operator.name != "DENSIFY" and (read := sparse.intersection(operator.inputs)):
            what = f"operator {operator.index}, {operator.name},"
            raise MalformedError(f"{what} reads the sparse tensor {min(read)} without a DENSIFY")


def check_channel_scales(subgraph: Subgraph) -> None:
    """Raise MalformedError if a hybrid DEPTHWISE_CONV_2D has not one scale for each channel.

    LiteRT 2.3.0 compares their number with the dimension that the file names, which may be another
    one of size 1, and then reads a scale for each channel: past the end of the list, so that
    answers depend on what is in memory there. Its other hybrid kernels take a single scale too.
    """
    for operator in subgraph.operators:
        if operator.name != "DEPTHWISE_CONV_2D":
            continue
        operands = [subgraph.tensors[index] for index in operator.inputs[:2] if index != ABSENT]
        if len(operands) < 2:
            continue  # LiteRT refuses it
        data, weight = operands
        channels = weight.shape[-1] if weight.shape else 0
        is_hybrid = data.dtype == "float32" and weight.dtype in ("int4", "int8")
        if is_hybrid and len(weight.scales) != channels:
            what = f"operator {operator.index}, {operator.name},"
            raise MalformedError(f"{what} has {len(weight.scales)} of {channels} scales")


def check_outputs(subgraph: Subgraph) -> None:
    """Raise MalformedError if an output is a constant that an operator unpacks.

    XNNPACK of LiteRT 2.3.0 unpacks a constant only for the layers that read it, and never writes
    the tensor itself: the answers are what was in memory there. LiteRT's own kernels write it.
    """
    constants = {tensor.index for tensor in subgraph.tensors if tensor.is_constant}
    for operator in subgraph.operators:
        if operator.name in _UNPACKING and constants.issuperset(operator.inputs):
            constants.update(operator.outputs)
            if unwritten := set(operator.outputs).intersection(subgraph.outputs):
                what = f"output {min(unwritten)} is a constant that operator {operator.index}"
                raise MalformedError(
                    f"{what}, {operator.name}, unpacks: LiteRT leaves it unwritten"
                )


_UNPACKING = ("DENSIFY", "DEQUANTIZE")
_SCRATCH_OPERANDS = {NPU_OPERATOR: (2, 3)}
"""Operands of custom operators that are working memory, which nothing writes before.

Vela's operator has a scratch tensor and a fast one, which may be the same; they are described in
tensorflow/lite/micro/kernels/ethos_u/ethosu.cc of tflite-micro."""


def _scratch(subgraph: Subgraph) -> Iterator[int]:
    for operator in subgraph.operators:
        for number in _SCRATCH_OPERANDS.get(operator.custom_code, ()):
            yield from operator.inputs[number : number + 1]


def _check_written(subgraph: Subgraph) -> None:
    """Raise MalformedError if a constant or a variable is an input or the output of an operator.

    LiteRT writes over a constant past its end. A variable is state that operators update in place;
    a DEQUANTIZE of a constant may give its initial values, as in the float16 LSTM of TensorFlow's
    converter.
    """
    constants = {tensor.index for tensor in subgraph.tensors if tensor.is_constant}
    written, initialized = {*subgraph.inputs}, set[int]()
    for operator in subgraph.operators:
        gives_constants = operator.name == "DEQUANTIZE" and constants.issuperset(operator.inputs)
        (initialized if gives_constants else written).update(operator.outputs)
    by_kind = {"variable": written, "constant": written | initialized}
    for tensor in subgraph.tensors:
        kind = "variable" if tensor.is_variable else "constant" if tensor.is_constant else ""
        if tensor.index in by_kind.get(kind, ()):
            raise MalformedError(
                f"tensor {tensor.index} is a {kind}, but is also an input or computed"
            )
