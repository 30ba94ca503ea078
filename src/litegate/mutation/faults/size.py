"""Plant faults in the size: bytes that nothing reads, so that all answers stay the same."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.measures.names import Name
from litegate.mutation.faults.edits import pad
from litegate.mutation.faults.fault import Family, Ladder, fault
from litegate.mutation.faults.latency_edits import add_buffer
from litegate.mutation.faults.layers import layers
from litegate.mutation.faults.scene import Scene
from litegate.tflite.editing.draft import Draft

_LADDER = Ladder(0.25, 0.5, 1, 2, 5, 20, 100, 400, unit="% of the file", must=2)
"""Bytes added, in per cent of the sound file. 2 % is twice the growth that `Regression` allows by
default. The size saving of mnist_cnn notices 400 % at the earliest (kill_matrix.md), and size
limits that are a hundred times too loose miss it (mutant_gates.md)."""
_NOTICED_BY = (Name.SIZE, Name.SIZE_RATIO, Name.SIZE_SAVING, Name.SIZE_GROWTH)
_GROWTH_LADDER = Ladder(0.25, 0.5, 1, 2, 5, 20, unit="% of the file", must=2)
"""Ends at 20 %, so that a growth limit that is a hundred times too loose, 100 %, misses every grade
and survives."""


@fault(family=Family.SIZE, ladder=_GROWTH_LADDER, noticed_by=(Name.SIZE_GROWTH,))
def padding(scene: Scene, grade: float) -> Scene:
    """Zeros follow the model in its file."""
    return scene.with_candidate(pad(scene.candidate.tflite, _added_bytes(scene, grade)))


@fault(family=Family.SIZE, ladder=_LADDER, noticed_by=_NOTICED_BY)
def unread_buffer(scene: Scene, grade: float) -> Scene:
    """A buffer contains copies of the weights, and no tensor refers to it."""

    def change(draft: Draft, count: int) -> None:
        add_buffer(draft, np.resize(_weight_bytes(draft), count))

    return _with_added_bytes(scene, grade, change)


@fault(family=Family.SIZE, ladder=_LADDER, noticed_by=_NOTICED_BY)
def weights_stored_twice(scene: Scene, grade: float) -> Scene:
    """Weights are stored twice, as additional tensors that no operator reads.

    Copies layer after layer, starting with the first, until the bytes are added; cuts off the last
    copy.
    """

    def change(draft: Draft, count: int) -> None:
        for layer in cycle(layers(draft)):
            index = draft.beside(draft.graph.tensors.index(layer.weight), "/2")
            tensor = draft.graph.tensors[index]
            data = np.frombuffer(draft.values(layer.weight).tobytes(), np.uint8)[:count]
            tensor.buffer, tensor.type = add_buffer(draft, data), schema.TensorType.UINT8
            tensor.shape, tensor.shapeSignature, tensor.quantization = [len(data)], None, None
            count -= len(data)
            if not count:
                return

    return _with_added_bytes(scene, grade, change)


@fault(family=Family.SIZE, ladder=_LADDER, noticed_by=(*_NOTICED_BY, Name.COMPRESSED_SIZE))
def metadata_grown(scene: Scene, grade: float) -> Scene:
    """A metadata entry has grown by random bytes, which do not compress."""

    def change(draft: Draft, count: int) -> None:
        noise = np.random.default_rng(scene.seed).integers(0, 256, count, np.uint8)
        entry = schema.MetadataT(name=b"planted", buffer=add_buffer(draft, noise))
        draft.model.metadata = [*(draft.model.metadata or ()), entry]

    return _with_added_bytes(scene, grade, change)


def _added_bytes(scene: Scene, grade: float) -> int:
    """Return the number of bytes that a grade adds; at least one."""
    return max(1, round(grade / 100 * len(scene.candidate.tflite)))


def _with_added_bytes(scene: Scene, grade: float, change: Callable[[Draft, int], None]) -> Scene:
    """Let `change` add the bytes of a grade; the description of what it adds comes on top."""
    return scene.with_edited(lambda draft: change(draft, _added_bytes(scene, grade)))


def _weight_bytes(draft: Draft) -> NDArray[np.uint8]:
    """Return the bytes of all layers' weights. Raises Unplantable without a layer."""
    weights = [draft.values(layer.weight).tobytes() for layer in layers(draft)]
    return np.frombuffer(b"".join(weights), np.uint8)
