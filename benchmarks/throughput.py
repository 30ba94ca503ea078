"""Claim: evaluating a file costs at most 1.1 times what LiteRT's own `invoke` takes.

Whole `runtime.predict` against the sum of bare `invoke` calls, one after another, at the same batch
size: what is over is the check of the samples, quantizing them, the copies in and out; what is
saved is that the cores share the samples. `--cores 1` takes that away. Both in turn in one process,
medians over the rounds. Needs LITEGATE_DATA for the MLPerf Tiny files and
MNIST; builds `mnist_cnn` where the store does not hold it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from invocations import invoked

from litegate.core.errors import LitegateError
from litegate.core.options import parse
from litegate.core.parallel import cores
from litegate.data.npz import LabelledSamples
from litegate.gate.session import GateSession
from litegate.measures.regression.file_comparison import file_artifact
from litegate.runtimes.inference import predict, predict_all
from litegate.spec import Artifact

PROJECT = Path(__file__).resolve().parent.parent
MNIST = ("float32", "int8_qat")
PAIRS = ("resnet8_float32", "resnet8_int8", "ad01_float32", "ad01_int8")


def main() -> None:
    """Print a line for each file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cores", type=int, default=cores(), help="how many share the samples")
    chosen = parser.parse_args()
    os.sched_setaffinity(0, set(list(os.sched_getaffinity(0))[: chosen.cores]))
    for artifact in (*_mnist(), *_published(Path(os.environ["LITEGATE_DATA"]))):
        pairs = [_pair(artifact) for _ in range(chosen.rounds)]
        whole, bare = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(one / other for one, other in pairs)
        print(
            f"{artifact.name}: {ratio:.3f} times: {1e3 * whole:.1f} ms whole,"
            f" {1e3 * bare:.1f} ms of invoke, {len(artifact.evaluation.x):,} samples"
        )


def _pair(artifact: Artifact) -> tuple[float, float]:
    """Seconds of a whole evaluation, and of its invocations alone."""
    predict_all.cache_clear()
    began = time.perf_counter()
    predict(artifact)
    return time.perf_counter() - began, invoked(artifact)


def _mnist() -> Iterator[Artifact]:
    session = GateSession(parse(PROJECT, {}, {}), lambda _model, _event: None, print)
    for built in session.pipeline.ensure(session.models["mnist_cnn"], MNIST).values():
        if isinstance(built, LitegateError):
            raise built
        yield built


def _published(data: Path) -> Iterator[Artifact]:
    """ResNet8 on 2,000 of CIFAR-10's images, the autoencoder on 10,000 random walks."""
    with np.load(data / "cifar10_test.npz") as arrays:
        images = arrays["x_test"][::5].astype(np.float32)
    steps = np.random.default_rng(20).normal(0, 1, (10_000, 640))
    walks = np.cumsum(steps, axis=1).astype(np.float32)
    for name in PAIRS:
        x = images if name.startswith("resnet8") else walks
        tflite = (data / "mlperf_tiny" / f"{name}.tflite").read_bytes()
        yield file_artifact(name, tflite, LabelledSamples(x=x))


if __name__ == "__main__":
    main()
