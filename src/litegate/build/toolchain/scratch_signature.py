"""Give a `.tflite` without signatures one in a copy, and take it away from what is made of it.

litert-quantizer 0.11.0 calibrates by signature, and raises TypeError if it changes an input or an
output of a file without signatures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from litegate.build.toolchain.strip import pack, unpack, unpack_all
from litegate.tflite.graph import Graph

_NAME = "serving_default"
"""The name that converters give to the only signature."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFile:
    """A file with a signature of the graph that is judged."""

    tflite: bytes
    signature: str
    keys: dict[int, str]
    """The signature's name of each input, by tensor index."""
    is_new: bool


def signed(tflite: bytes, graph: Graph, *, subject: str) -> SignedFile:
    """Return the file itself with the signature of its main graph, or a copy with a new one.

    Raises ArtifactError for a file that cannot be rewritten.
    """
    known = next((it for it in graph.signatures if it.graph == graph.entry), None)
    if known:
        return SignedFile(
            tflite=tflite, signature=known.name, keys=dict(known.inputs), is_new=False
        )
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(schema, tflite, subject)
    main = graph.main
    model.signatureDefs = [
        schema.SignatureDefT(
            signatureKey=_NAME,
            subgraphIndex=main.index,
            inputs=[_port(schema, index) for index in dict.fromkeys(main.inputs)],
            outputs=[_port(schema, index) for index in dict.fromkeys(main.outputs)],
        )
    ]
    keys = {index: _key(index) for index in main.inputs}
    return SignedFile(tflite=pack(schema, model), signature=_NAME, keys=keys, is_new=True)


def finished(tflite: bytes, source: SignedFile, *, subject: str) -> bytes:
    """Return what litert-quantizer made of `source`, without a signature that `signed` gave it.

    From 256 KiB on it writes weights behind the flatbuffer, where older runtimes and TensorFlow
    Lite Micro do not look: they are moved into it. Raises ArtifactError for a file that is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = unpack_all(schema, tflite, subject)
    outside = [buffer for buffer in model.buffers if buffer.offset > 1]  # as in `strip`
    if not (source.is_new or outside):
        return tflite
    for buffer in outside:
        data = tflite[buffer.offset : buffer.offset + buffer.size]
        buffer.data, buffer.offset, buffer.size = np.frombuffer(data, np.uint8), 0, 0
    if source.is_new:
        model.signatureDefs = None
    return pack(schema, model)


def _port(schema: Any, index: int) -> Any:
    return schema.TensorMapT(name=_key(index), tensorIndex=index)


def _key(index: int) -> str:
    """Return a name for a port; tensors may have equal names, or none."""
    return f"tensor_{index}"
