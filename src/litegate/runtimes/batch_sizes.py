"""Plan how many samples an invocation, a worker and a process take."""

from __future__ import annotations

from math import prod
from typing import Any

from numpy.typing import NDArray

from litegate.core.parallel import cores
from litegate.data.disk_arrays import PART
from litegate.runtimes.litert import Kernels
from litegate.spec import Samples, Sequences, by_input

BATCH = 100
"""The most samples in one invocation of a model whose batch can be resized.

The batch does not change a bit of the outputs. With 1,000 samples the activations of the float
MNIST model no longer fit into the cache, and an invocation takes 2.5 times as long a sample.
"""
REFERENCE_BATCH = 16
"""The most samples in one invocation by other kernels than XNNPACK's, as `sandbox` runs them.

They gain nothing by larger batches, and a sandbox run of one takes long: the reference kernels need
ten times XNNPACK's time for each sample.
"""
MOST_RUNNERS = 4
"""The most interpreters that share the samples: each allocates activations for its own batch.

More would be faster on larger machines and take memory in proportion; runners of CI have two to
four cores. `batch_of` divides by it."""
_LARGE_BATCH = 1 << 20
"""The size of a batch in bytes above which batches shrink, down to `BATCH` samples for all runners
together: activations take many times the memory of the samples. MNIST's batches (0.3 MB) stay
whole; a batch of larger images gives up speed for a bounded memory."""
_LEAST_TURNS = 4
"""The fewest turns of each worker, if there are enough batches; larger turns would leave workers
waiting for the last one. With four that is at most a quarter of the time."""
_MOST_WEIGHT_COPIES = 256 << 20
"""The most bytes that all runners' copies of the weights may take: an interpreter may copy them, as
XNNPACK does to reorder them. A file above 64 MiB gets fewer than four runners, above 128 MiB one:
the memory is bounded, at the cost of speed."""


def batch_of(samples: Samples, kernels: Kernels = Kernels.XNNPACK) -> int:
    """Return the batch size for samples of this size, which is the same on every machine."""
    if kernels is not Kernels.XNNPACK:
        return REFERENCE_BATCH
    return max(BATCH // MOST_RUNNERS, min(BATCH, _LARGE_BATCH // _sample_bytes(samples)))


def _sample_bytes(samples: Samples) -> int:
    """Return the bytes of one sample, of the largest input if there are several."""
    arrays: list[NDArray[Any]] = [array for _, array in by_input(samples)]
    return max(1, *(prod(array.shape[1:]) * array.dtype.itemsize for array in arrays))


def invocations(samples: Samples) -> int:
    """Return the number of samples, or of the frames of all sequences."""
    return int(samples.lengths.sum()) if isinstance(samples, Sequences) else len(samples)


def runner_count(weights: int, batches: int) -> int:
    """Return how many interpreters share the batches: one for each core, within limits."""
    return max(1, min(cores(), MOST_RUNNERS, batches, _MOST_WEIGHT_COPIES // max(1, weights)))


def samples_at_once(samples: Samples, batch: int, workers: int, *, batched: bool) -> int:
    """Return how many samples a worker takes at a time.

    Several batches if they are small, because a tiny network runs a batch in less time than it
    takes to hand it to a thread and to quantize it. Less than a batch only if the samples are large
    and the model takes one at a time.
    """
    sample_bytes = _sample_bytes(samples)
    batches = min(PART // sample_bytes // batch, len(samples) // batch // (_LEAST_TURNS * workers))
    size = batch * max(1, batches)
    return size if batched else min(size, max(1, PART // sample_bytes))
