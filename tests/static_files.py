"""The tiny network with a batch of one: LiteRT's GPU accelerator takes no sizes that change."""

import numpy as np

from litegate.spec import Kind
from litegate.testing import Draft, edit, tiny
from litegate.testing.network import FEATURES

COMPUTED = ("flat/input_shape", "flat/batch", "flat/shape")


def static(kind=Kind.INT8_QAT, **options):
    """The file that `tiny` writes, with its shapes stored instead of computed from the batch."""
    return edit(tiny(kind, **options), _fix)


def _fix(model):
    draft = Draft(model)
    graph, writers = draft.graph, {draft.writer(name) for name in COMPUTED}
    draft.store(draft.tensor(COMPUTED[-1]), np.array([1, FEATURES], np.int32))
    graph.operators = [op for number, op in enumerate(graph.operators) if number not in writers]
    for tensor in graph.tensors:
        tensor.shapeSignature = None
