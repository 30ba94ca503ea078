"""Run a file on drawn inputs of its own types and shapes, whatever its inputs and outputs are.

Unlike `litegate.runtimes.inference` it needs no samples along a first dimension, so it runs files
with a fixed batch, with scalar inputs or outputs, and without inputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError
from litegate.runtimes.litert import Kernels, load
from litegate.runtimes.sandbox import FREE_SIZE
from litegate.runtimes.signatures import RunnableGraph, runnable_graph
from litegate.tflite.graph import Subgraph
from litegate.tflite.parser import parse
from litegate.tflite.ports import Port

SAMPLES = 16
"""Number of samples to draw.

Few, as stripping changes no operator and no weight: what it could break, it breaks for any sample.
They run with three sets of kernels, of which the reference kernels are ten times slower. Sixteen
fill a batch of `REFERENCE_BATCH`."""
_SEED = 20
"""Seeds the random samples, so that every run draws the same ones. The number is arbitrary."""
_MOST_VALUES = 1 << 24
"""The most numbers of an input or output in one invocation: 64 MiB of float32; a damaged shape
could ask for more than the machine has."""
_SAME_VALUES = frozenset({"CAST", "RESHAPE", "EXPAND_DIMS", "SQUEEZE", "TRANSPOSE"})
"""Operators that pass indices on unchanged."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A file's outputs for drawn inputs."""

    samples: int
    """The number of samples that the file was run on; 0 if LiteRT runs it on none."""
    outputs: tuple[tuple[str, str, tuple[int, ...], str], ...] = ()
    """The name, type, shape and SHA-256 of each output, invocation by invocation."""
    refusal: str = ""
    """LiteRT's reason, if it runs the file on none."""


def answer_drawn(
    tflite: bytes, kernels: Kernels, *, subject: str = "the model", signature: str = ""
) -> Answers:
    """Run a file on drawn inputs: in one batch if it is free, else at the file's own shapes.

    Uniform over the type for quantized inputs, standard normal for floats; whole numbers without a
    scale are 0 and 1, or numbers of rows of the table that they index. Raises ArtifactError as
    `parse`, and for an unknown signature.
    """
    main = parse(tflite, subject=subject, signature=signature).main
    tried, refusal = list[dict[str, tuple[int, ...]]](), ""
    for free_size, batch in ((FREE_SIZE, SAMPLES), (FREE_SIZE, 1), (1, 1)):
        try:
            interpreter = load(tflite, subject, kernels)
        except ArtifactError as error:  # the reference kernels lack operators such as CEIL
            return Answers(samples=0, refusal=error.got)
        graph = runnable_graph(interpreter, signature, subject)
        ports = graph.inputs.items()
        shapes = {name: _drawn_shape(port, batch, free_size) for name, port in ports}
        if shapes in tried:
            continue
        tried.append(shapes)
        try:
            return _answer(graph, main, shapes)
        except (ValueError, RuntimeError, MemoryError) as error:
            refusal = refusal or str(error).strip()
    return Answers(samples=0, refusal=refusal)


def _drawn_shape(port: Port, batch: int, free_size: int) -> tuple[int, ...]:
    """Return a port's shape, with a size for each dynamic one."""
    if len(port.shape) != len(port.allocated):
        return port.allocated
    sizes = (batch, *[free_size] * len(port.shape))
    return tuple(
        drawn if size == -1 else size for drawn, size in zip(sizes, port.shape, strict=False)
    )


def _answer(graph: RunnableGraph, main: Subgraph, shapes: dict[str, tuple[int, ...]]) -> Answers:
    """Run `SAMPLES` samples: at once if the batch is free, else an invocation for each.

    A file with state carries it on, so that the samples are the frames of a sequence. Raises
    ValueError for an input that is too large to draw, RuntimeError or ValueError if LiteRT refuses
    the shapes or an operator fails.
    """
    resized = [shapes[name][0] for name, port in graph.inputs.items() if port.shape[:1] == (-1,)]
    drawn = draw(main, graph.inputs, shapes, turns=SAMPLES // min(resized, default=1))
    graph.resize(shapes)
    outputs = []
    for inputs in drawn:
        graph.feed(inputs)
        graph.invoke()
        outputs += [_digested(name, raw) for name, raw in graph.fetch().items()]
    return Answers(samples=SAMPLES, outputs=tuple(outputs))


def draw(
    main: Subgraph, ports: Mapping[str, Port], shapes: Mapping[str, tuple[int, ...]], *, turns: int
) -> Iterator[dict[str, NDArray[Any]]]:
    """Return raw inputs of these shapes, by name, for so many invocations; the same in every run.

    Raises ValueError for an input that is too large to draw.
    """
    largest = max(map(prod, shapes.values()), default=0)
    if largest > _MOST_VALUES:
        raise ValueError(
            f"an input of {largest:,} numbers; random inputs have at most {_MOST_VALUES:,}"
        )
    rng = np.random.default_rng(_SEED)
    rows = {name: _rows(main, port.index) for name, port in ports.items()}
    return (
        {name: _draw(rng, port, shapes[name], rows[name]) for name, port in ports.items()}
        for _ in range(turns)
    )


def _draw(rng: np.random.Generator, port: Port, shape: tuple[int, ...], rows: int) -> NDArray[Any]:
    kind, bits = port.dtype.kind, 8 * port.dtype.itemsize
    if kind in "fc":
        return rng.standard_normal(shape).astype(port.dtype)
    if kind not in "iub":
        return np.full(shape, b"text", dtype=object)
    # Real values have at most 16 bits. Counts and indices have 32 or more, and no use for a scale.
    if kind != "b" and port.scale and bits <= 16:
        limits = np.iinfo(port.dtype)
        return rng.integers(limits.min, limits.max, shape, port.dtype.type, endpoint=True)
    return rng.integers(0, rows, shape).astype(port.dtype)


def _rows(main: Subgraph, index: int) -> int:
    """Return how many rows the tables have that the input `index` selects from; 2 if there is none.

    The smallest size of such a table, since a GATHER may select along any dimension.
    """
    indices, rows = {index}, []
    for operator in main.operators:
        if operator.name in _SAME_VALUES and indices.intersection(operator.inputs[:1]):
            indices.update(operator.outputs)
        tables = {"GATHER": (0, 1), "GATHER_ND": (0, 1), "EMBEDDING_LOOKUP": (1, 0)}
        if operator.name in tables and len(operator.inputs) > 1:
            table, selected = (operator.inputs[number] for number in tables[operator.name])
            if selected in indices:
                rows += [size for size in main.tensors[table].shape if size > 0]
    return min(rows, default=2)


def _digested(name: str, raw: NDArray[Any]) -> tuple[str, str, tuple[int, ...], str]:
    content = repr(raw.tolist()).encode() if raw.dtype.hasobject else np.ascontiguousarray(raw).data
    return name, str(raw.dtype), raw.shape, hashlib.sha256(content).hexdigest()
