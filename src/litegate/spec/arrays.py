"""The type of arrays, where reading a model file must cost no import of NumPy."""

from typing import Any

Array = Any
"""A NumPy array."""
