"""What LiteRT's own `invoke` takes: the yardstick of `throughput.py` and `report_page.py`."""

from __future__ import annotations

import time

from litegate.runtimes.inference import batch_of
from litegate.runtimes.litert import Runner
from litegate.spec import Artifact


def invoked(artifact: Artifact) -> float:
    """Seconds of bare invocations, one after another, over the whole evaluation split."""
    runner = Runner(artifact.tflite)
    size = batch_of(artifact.evaluation.x) if runner.takes_batches else 1
    spent = 0.0
    for start in range(0, len(artifact.evaluation.x), size):
        runner.take(artifact.evaluation.x[start : start + size])
        began = time.perf_counter()
        runner.invoke()
        spent += time.perf_counter() - began
    return spent
