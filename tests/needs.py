"""Marks of tests that need what not every machine has."""

import pytest

from litegate.runtimes.runtime import missing
from litegate.spec.runtimes import TFLM

# Not importorskip: an extension module that a test of pytest inside pytest has imported and dropped
# cannot be imported again.
tflm = pytest.mark.skipif(bool(missing(TFLM)), reason="tflite-micro is not installed")
