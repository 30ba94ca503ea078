"""Marks of tests that need what not every machine has."""

from importlib import import_module

import pytest

from litegate.build.toolchain.pins import installed
from litegate.runtimes.runtime import missing
from litegate.runtimes.vela import missing_vela
from litegate.spec.runtimes import TFLM

tflm = pytest.mark.skipif(bool(missing(TFLM)), reason="tflite-micro is not installed")
vela = pytest.mark.skipif(bool(missing_vela()), reason="ethos-u-vela is not installed")
if not missing(TFLM):
    # Before a run of pytest inside pytest, which drops what it imported: an extension module that
    # was dropped cannot be imported again.
    import_module("tflite_micro.python.tflite_micro.runtime")

quantizer = pytest.mark.skipif(
    not installed("litert-quantizer"), reason="litert-quantizer is not installed"
)
detection = pytest.mark.skipif(not installed("pycocotools"), reason="pycocotools is not installed")
