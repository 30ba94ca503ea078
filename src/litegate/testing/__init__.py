"""Make artifacts for tests without TensorFlow: a tiny network as a real `.tflite`, and edits.

``artifact(float_layer(tiny(), "dense"))`` is an int8 model with one float layer, which
`litegate.measures.structure.tensors` must report.
"""

from litegate.mutation.faults.edits import (
    custom_operator,
    float_layer,
    pad,
    requantize,
    retype,
    revalue,
    round_trip,
)
from litegate.testing.artifacts import artifact, tiny_artifact
from litegate.testing.split import evaluation
from litegate.testing.tiny_writer import tiny
from litegate.tflite.editing.draft import Draft, edit

__all__ = [
    "Draft",
    "artifact",
    "custom_operator",
    "edit",
    "evaluation",
    "float_layer",
    "pad",
    "requantize",
    "retype",
    "revalue",
    "round_trip",
    "tiny",
    "tiny_artifact",
]
