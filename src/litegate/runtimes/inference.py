"""Run an artifact on arrays: what a model answers to samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.core.parallel import cores, in_order
from litegate.data.disk_arrays import PART, in_parts
from litegate.runtimes.answer_cache import AnswerCache
from litegate.runtimes.litert import Kernels, Runner, load, waits
from litegate.runtimes.outputs import gathered
from litegate.spec import Artifact, Samples, by_input
from litegate.tflite.ports import Port, matching

BATCH = 100
"""Samples to one invocation, at most, where the model's batch can be resized. The answers are the
same to the bit; of 1,000, the activations of MNIST's float file leave the cache and take 2.5 times
as long."""
_RUNNERS = 4
"""Interpreters that share a set, at most: each has activations for a batch of its own."""
_LARGE = 1 << 20
"""Bytes of a batch from which on it is as small as keeps all runners together to `BATCH` samples:
activations are many times as large."""
_TURNS = 4
"""How often each worker's turn comes, at least, where the batches suffice: none waits for long."""
_COPIES = 256 << 20
"""Bytes that their copies of the weights may take together."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """What a model answered to n samples."""

    raw: Any
    """In the output's own type, shape (n, ...): an array, or `Rows` where it is too large."""
    port: Port
    """Which output it is."""

    def __getitem__(self, picked: Any) -> Outputs:
        """What it answered to some of the samples, by a slice or an array of indices."""
        return Outputs(raw=self.raw[picked], port=self.port)

    @property
    def real(self) -> NDArray[np.float32]:
        """What the raw values mean, same shape; made anew each time where they are quantized.

        DataError where they are too large to be held in memory: take them in parts.
        """
        return self.port.real(np.asarray(self.raw))

    @property
    def quantum(self) -> float:
        """Size of one step of the output; 0 for a float output."""
        return self.port.scale


_ANSWERS: AnswerCache[Outputs] = AnswerCache(memory=64 << 20, disk=2 << 30)
"""64 MB are the answers of about a hundred files to the 10,000 samples of MNIST; 2 GB on disk are
more than a run of a hundred models has, and less than a laptop's free space."""


@lru_cache(maxsize=64)
def demand_loadable(artifact: Artifact) -> None:
    """Raise ArtifactError where LiteRT refuses to load an artifact, or to give it its memory."""
    interpreter = load(artifact.tflite, artifact.name, Kernels.XNNPACK)
    if waits(interpreter, artifact.name):
        runner = Runner(artifact.tflite, subject=artifact.name, signature=artifact.signature)
        runner.take(artifact.evaluation.x[:1])


def predict(
    artifact: Artifact, kernels: Kernels = Kernels.XNNPACK, most: int = 0, output: str = ""
) -> Outputs:
    """Run an artifact on its evaluation split; on the first `most` samples if given.

    One thread an invocation; the cores share the samples, as they would not change the answers.
    Gives one output: the one that is named, else the one that the data set says decides, else the
    first of the file's signature. Kept for the rest of the process: an artifact's answers to one
    split do not change. Raises ArtifactError where LiteRT refuses the file or there is no such
    output, MeasurementError for an empty split and for samples that are NaN or infinite: an integer
    file answers them like any other.
    """
    found = predict_all(artifact, kernels, most)
    return _one(found, output or artifact.evaluation.output, artifact.name)


def predict_all(
    artifact: Artifact, kernels: Kernels = Kernels.XNNPACK, most: int = 0
) -> dict[str, Outputs]:
    """As `predict`, each output by its name; the first of the file's signature is first."""
    # The split by identity: a fault may feed other samples under the same digest.
    key = (artifact.sha256, artifact.signature, artifact.evaluation, kernels, most)
    return _ANSWERS.get(key, lambda: _evaluate(artifact, kernels, most))


def _evaluate(artifact: Artifact, kernels: Kernels, most: int) -> dict[str, Outputs]:
    """Run an artifact on its evaluation split, or on the first `most` samples of it."""
    samples = artifact.evaluation.x[:most] if most else artifact.evaluation.x
    return all_outputs(
        artifact.tflite,
        samples,
        subject=artifact.name,
        kernels=kernels,
        signature=artifact.signature,
        on_part=partial(_check_finite, samples, artifact.name),
    )


def _check_finite(samples: Samples, subject: str, some: Samples) -> None:
    """Raise MeasurementError where some of the samples hold NaN or infinity."""
    for name, part in by_input(some):
        with np.errstate(over="ignore", invalid="ignore"):
            quick = np.isfinite(part.sum())  # one pass; a sum that overflows is looked at again
        if not (quick or np.isfinite(part).all()):
            raise _not_finite(dict(by_input(samples))[name], name, subject)


def _not_finite(array: NDArray[Any], name: str, subject: str) -> MeasurementError:
    sound = [np.isfinite(x).reshape(len(x), -1).all(axis=1) for x in in_parts(array)]
    broken = ~np.concatenate(sound)
    where = f" in the input {name}" if name else ""
    return MeasurementError(
        f"the evaluation split of {subject} holds NaN or infinity in"
        f" {int(broken.sum()):,} of {len(array):,} samples",
        expected="finite samples",
        got=f"sample {int(broken.argmax())}{where} is the first",
        remedy="correct the data or their preprocessing, and build again",
    )


def outputs(
    tflite: bytes,
    samples: Samples,
    *,
    subject: str = "the model",
    kernels: Kernels = Kernels.XNNPACK,
    batch: int | None = None,
    output: str = "",
) -> Outputs:
    """As `all_outputs`, the one that is named, else the first."""
    found = all_outputs(tflite, samples, subject=subject, kernels=kernels, batch=batch)
    return _one(found, output, subject)


def _one(found: Mapping[str, Outputs], output: str, subject: str) -> Outputs:
    if not output:
        return next(iter(found.values()))
    ports = {name: one.port for name, one in found.items()}
    return found[matching(ports, output, "output", subject)]


def all_outputs(
    tflite: bytes,
    samples: Samples,
    *,
    subject: str = "the model",
    kernels: Kernels = Kernels.XNNPACK,
    batch: int | None = None,
    signature: str = "",
    on_part: Callable[[Samples], None] = lambda _: None,
) -> dict[str, Outputs]:
    """Run `tflite` on real-valued samples of shape (n, ...), n at least 1, in batches if it can.

    Gives each output by its name, in the order of the file's signature. `Inputs` where there are
    several inputs. An array may be `Rows`: a batch (`batch_of`) is read at a time. `on_part` is
    called with each beforehand. Raises as `Runner.take`.
    """
    if not len(samples):
        raise MeasurementError(f"there is no sample to run {subject} on", expected="at least one")
    create = partial(Runner, tflite, subject=subject, kernels=kernels, signature=signature)
    batch = batch or batch_of(samples)
    runners = [create() for _ in range(_crew(len(tflite), -(-len(samples) // batch)))]
    raw = gathered(_answers(runners, samples, batch, on_part), len(samples), subject)
    return {name: Outputs(raw=raw[name], port=one) for name, one in runners[0].outputs.items()}


def batch_of(samples: Samples) -> int:
    """How many samples are invoked at once, by the size of one, whatever the machine."""
    return max(BATCH // _RUNNERS, min(BATCH, _LARGE // _bytes(samples)))


def _bytes(samples: Samples) -> int:
    """Of one sample; of several inputs the largest."""
    arrays: list[NDArray[Any]] = [one for _, one in by_input(samples)]
    return max(1, *(prod(one.shape[1:]) * one.dtype.itemsize for one in arrays))


def _crew(weights: int, batches: int) -> int:
    """How many interpreters share the batches: as many as there are cores, within limits."""
    return max(1, min(cores(), _RUNNERS, batches, _COPIES // max(1, weights)))


def inner(
    tflite: bytes,
    samples: Samples,
    tensors: Sequence[int],
    *,
    subject: str = "the model",
    signature: str = "",
) -> Iterator[dict[int, NDArray[Any]]]:
    """What tensors of the graph that is run hold, by their index, after each real-valued sample.

    `samples` has shape (n, ...). One sample is one invocation, so memory stays flat. Raises
    ArtifactError where LiteRT refuses the file or a sample.
    """
    runner = Runner(tflite, subject=subject, kernels=Kernels.BUILTIN, signature=signature)
    for number in range(len(samples)):
        runner.run(samples[number : number + 1])
        yield {index: runner.tensor(index) for index in tensors}


def _answers(
    runners: Sequence[Runner], samples: Samples, batch: int, on_part: Callable[[Samples], None]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Invocation after invocation, in the order of the samples."""
    size = batch if runners[0].batches else 1
    at_once = _at_once(samples, batch, len(runners), whole=size > 1)
    parts = (samples[k : k + at_once] for k in range(0, len(samples), at_once))
    for answers in in_order([partial(_answer, one, size, on_part) for one in runners], parts):
        yield from answers


def _answer(
    runner: Runner, size: int, on_part: Callable[[Samples], None], part: Samples
) -> list[dict[str, NDArray[Any]]]:
    """Invocations of `size` samples; what is done for the whole part is done once."""
    on_part(part)
    ready = runner.ready(part)
    found = []
    for start in range(0, len(part), size):
        runner.feed({name: each[start : start + size] for name, each in ready.items()})
        runner.invoke()
        found.append(runner.fetch())
    return found


def _at_once(samples: Samples, batch: int, workers: int, *, whole: bool) -> int:
    """How many samples a worker takes at once: batches, unless one is large and not fed as a whole.

    Of tiny networks a batch is run in less time than it takes to hand it over and to quantize it.
    """
    bytes_each = _bytes(samples)
    several = min(PART // bytes_each // batch, len(samples) // batch // (_TURNS * workers))
    size = batch * max(1, several)
    return size if whole else min(size, max(1, PART // bytes_each))
