"""The versions that artifacts are built with; read without TensorFlow, since keys hold them."""

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
STAND_INS = {"tensorflow": "tensorflow-cpu"}
INSTALL = 'pip install "litegate[train]"'
"""What puts the pinned versions in place."""


def installed(distribution: str) -> str:
    """The installed version of a distribution or of its stand-in; empty where there is none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        stand_in = STAND_INS.get(distribution)
        return installed(stand_in) if stand_in else ""
