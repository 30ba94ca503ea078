"""Faults in the size: bytes that a file carries along and nobody reads; its answers stay."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.mutation.faults.edits import pad
from litegate.mutation.faults.fault import Family, Ladder, fault
from litegate.mutation.faults.latency_edits import add_buffer
from litegate.mutation.faults.layers import layers
from litegate.mutation.faults.scene import Scene
from litegate.tflite.editing.draft import Draft, edit

_LADDER = Ladder(0.25, 0.5, 1, 2, 5, 20, 100, 400, unit="% of the file", must=2)
"""Bytes added, in per cent of the sound file's."""
_NOTICED = ("size", "size ratio", "size saving", "size growth")
_SMALL = Ladder(0.25, 0.5, 1, 2, 5, 20, unit="% of the file", must=2)
"""For what a limit of some per cent is meant to notice, and one of 100 % would not."""


@fault(family=Family.SIZE, ladder=_SMALL, noticed_by=("size growth",))
def padding(scene: Scene, grade: float) -> Scene:
    """Zeros follow the model in its file."""
    return scene.with_candidate(pad(scene.candidate.tflite, _bytes(scene, grade)))


@fault(family=Family.SIZE, ladder=_LADDER, noticed_by=_NOTICED)
def unread_buffer(scene: Scene, grade: float) -> Scene:
    """A buffer holds copies of the weights, and no tensor refers to it."""

    def change(draft: Draft, count: int) -> None:
        add_buffer(draft, np.resize(_weights(draft), count))

    return _grown(scene, grade, change)


@fault(family=Family.SIZE, ladder=_LADDER, noticed_by=_NOTICED)
def weights_stored_twice(scene: Scene, grade: float) -> Scene:
    """Weights are stored once more, as tensors of their own that no operator reads.

    Layer after layer, the first one first, until the bytes are reached; the last copy is cut off.
    """

    def change(draft: Draft, count: int) -> None:
        for layer in cycle(layers(draft)):
            twin = draft.graph.tensors[draft.beside(draft.graph.tensors.index(layer.weight), "/2")]
            data = np.frombuffer(draft.values(layer.weight).tobytes(), np.uint8)[:count]
            twin.buffer, twin.type = add_buffer(draft, data), schema.TensorType.UINT8
            twin.shape, twin.shapeSignature, twin.quantization = [len(data)], None, None
            count -= len(data)
            if not count:
                return

    return _grown(scene, grade, change)


@fault(family=Family.SIZE, ladder=_LADDER, noticed_by=(*_NOTICED, "compressed size"))
def metadata_grown(scene: Scene, grade: float) -> Scene:
    """An entry of metadata has grown, and does not compress: random bytes."""

    def change(draft: Draft, count: int) -> None:
        noise = np.random.default_rng(scene.seed).integers(0, 256, count, np.uint8)
        entry = schema.MetadataT(name=b"planted", buffer=add_buffer(draft, noise))
        draft.model.metadata = [*(draft.model.metadata or ()), entry]

    return _grown(scene, grade, change)


def _bytes(scene: Scene, grade: float) -> int:
    return max(1, round(grade / 100 * len(scene.candidate.tflite)))


def _grown(scene: Scene, grade: float, change: Callable[[Draft, int], None]) -> Scene:
    """A scene with the grade's bytes more in its candidate, and a little for their description."""

    def on(model: Any) -> None:
        change(scene.draft(model), _bytes(scene, grade))

    return scene.with_candidate(edit(scene.candidate.tflite, on))


def _weights(draft: Draft) -> NDArray[np.uint8]:
    """The bytes of all layers' weights, one after the other. Unplantable without a layer."""
    held = [draft.values(one.weight).tobytes() for one in layers(draft)]
    return np.frombuffer(b"".join(held), np.uint8)
