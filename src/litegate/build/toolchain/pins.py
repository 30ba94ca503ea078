"""Pin the versions that artifacts are built with.

They are part of every artifact's key, so this module must not need TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

PINS: Mapping[str, str] = MappingProxyType(
    {
        "tensorflow": "2.21.0",
        "tf-keras": "2.21.0",
        "tensorflow-model-optimization": "0.8.1",
        "keras": "3.15.1",
    }
)
"""Distribution name to version."""
QUANTIZER_PINS: Mapping[str, str] = MappingProxyType(
    {"litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0"}
)
"""The same of what quantizes a float file: LiteRT runs it to calibrate."""
STAND_INS = {"tensorflow": "tensorflow-cpu"}
"""Distributions that provide the same packages under another name."""
INSTALL = 'pip install "litegate[train]"'
"""The command that installs the pinned versions."""
INSTALL_QUANTIZER = 'pip install "litegate[quantizer]"'
"""The same of `QUANTIZER_PINS`."""


def installed(distribution: str) -> str:
    """Return the installed version of a distribution or its stand-in; empty without either."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        stand_in = STAND_INS.get(distribution)
        return installed(stand_in) if stand_in else ""
