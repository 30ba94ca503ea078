"""Cut one operator out of a file, as a file of its own."""

from __future__ import annotations

from typing import Any

from litegate.core.errors import ArtifactError
from litegate.tflite.editing.draft import Draft, edit
from litegate.tflite.graph import ABSENT


def single_operator(tflite: bytes, index: int, *, signature: str = "") -> bytes:
    """Return a file with one operator of the main graph.

    What it reads is fed; its constants and its variables stay. Raises ArtifactError for an operator
    that calls another graph, which cannot stand alone.
    """

    def change(model: Any) -> None:
        draft = Draft(model, signature=signature)
        graph, operator = draft.graph, draft.graph.operators[index]
        options = vars(operator.builtinOptions) if operator.builtinOptions else {}
        if any(name.endswith("SubgraphIndex") for name in options):
            raise ArtifactError(f"operator {index} calls another graph")
        read = dict.fromkeys(int(tensor) for tensor in operator.inputs if tensor != ABSENT)
        stays = {n: draft.holds(graph.tensors[n]) or graph.tensors[n].isVariable for n in read}
        graph.inputs = [number for number in read if not stays[number]]
        graph.outputs = [int(tensor) for tensor in operator.outputs]
        graph.operators = [operator]
        model.subgraphs, model.signatureDefs, model.metadata = [graph], [], []

    return edit(tflite, change)
