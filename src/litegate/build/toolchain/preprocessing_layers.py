"""Advise on Keras's preprocessing layers, which tfmot cannot quantize; needs no TensorFlow."""

from __future__ import annotations

_SCALING = frozenset({"Normalization", "Rescaling"})
_AUGMENTING = ("Rand",)
"""Beginnings of the names of layers that change samples at random: `RandomFlip`, `RandAugment`."""


def advice(kind: str) -> str:
    """Return what to do about a layer, by its class's name or path; empty for other layers."""
    name = kind.rpartition(".")[2]
    if name in _SCALING:
        return f"move {name} into preprocess; the application must then scale its input too"
    if name.startswith(_AUGMENTING):
        return f"remove {name}: it has no effect at inference"
    return ""
