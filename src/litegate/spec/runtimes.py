"""Name the runtimes that a file's answers can come from."""

from __future__ import annotations

XNNPACK = "xnnpack"
"""LiteRT as phones and servers run it: the default, in the gate's own process."""
REFERENCE = "reference"
"""LiteRT's reference kernels."""
TFLM = "tflm"
"""TensorFlow Lite Micro's own interpreter."""
RUNTIMES = (XNNPACK, REFERENCE, TFLM)
