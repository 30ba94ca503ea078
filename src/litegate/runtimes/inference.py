"""Run artifacts on samples and return their outputs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import lru_cache, partial
from math import prod
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, LitegateError, MeasurementError
from litegate.core.parallel import cores, in_order
from litegate.data.disk_arrays import PART, in_parts
from litegate.runtimes.answer_cache import AnswerCache
from litegate.runtimes.child_runtime import SAMPLES, ChildRuntime
from litegate.runtimes.litert import Kernels, Runner, load, needs_sample_shapes
from litegate.runtimes.outputs import collect_outputs
from litegate.runtimes.program import Refused
from litegate.spec import Artifact, Samples, by_input
from litegate.spec.runtimes import XNNPACK, find_command
from litegate.tflite.ports import Port, find_port

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
_MOST_RUNNERS = 4
"""The most interpreters that share the samples: each allocates activations for its own batch.

More would be faster on larger machines and take memory in proportion. `batch_of` divides by it."""
_LARGE_BATCH = 1 << 20
"""The size of a batch in bytes above which batches shrink, down to `BATCH` samples for all runners
together: activations take many times the memory of the samples. MNIST's batches (0.3 MB) stay
whole; a batch of larger images gives up speed for a bounded memory."""
_LEAST_TURNS = 4
"""The fewest turns of each worker, if there are enough batches; larger turns would leave workers
waiting for the last one."""
_MOST_WEIGHT_COPIES = 256 << 20
"""The most bytes that all runners' copies of the weights may take: an interpreter may copy them, as
XNNPACK does to reorder them. A file above 64 MiB gets fewer than four runners, above 128 MiB one:
the memory is bounded, at the cost of speed."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """One output of a model for n samples."""

    raw: Any
    """Values in the output's own type, shape (n, ...): an array, or a `DiskArray` if large."""
    port: Port
    """The output port."""

    def __getitem__(self, picked: Any) -> Outputs:
        """Select samples by a slice or an array of indices."""
        return Outputs(raw=self.raw[picked], port=self.port)

    @property
    def real(self) -> NDArray[np.float32]:
        """The real values, same shape; quantized values are converted on each access.

        Raises DataError if they do not fit into memory: read them in parts.
        """
        return self.port.real(np.asarray(self.raw))

    @property
    def quantum(self) -> float:
        """The quantization step of the output; 0 for a float output."""
        return self.port.scale


_ANSWERS: AnswerCache[Outputs] = AnswerCache(memory=64 << 20, disk=2 << 30)
"""64 MB are the answers of about a hundred files to the 10,000 samples of MNIST; 2 GB on disk are
more than a run of a hundred models has, and less than a laptop's free space."""


@lru_cache(maxsize=64)  # keeps the artifacts alive, so a run of many models must not keep all
def demand_loadable(artifact: Artifact) -> None:
    """Raise ArtifactError if LiteRT refuses to load an artifact or to allocate its tensors."""
    interpreter = load(artifact.tflite, artifact.name, Kernels.XNNPACK)
    if needs_sample_shapes(interpreter, artifact.name):
        runner = Runner(artifact.tflite, subject=artifact.name, signature=artifact.signature)
        runner.take(artifact.evaluation.x[:1])


def predict(artifact: Artifact, output: str = "") -> Outputs:
    """Run an artifact on its evaluation split, on the runtime that it names.

    Returns `output`, by default the data set's deciding output, else the first of the file's
    signature. Each invocation uses one thread; the cores share the samples. The outputs are cached
    for later calls, because they depend on the artifact and the split alone.

    Raises ArtifactError if the runtime refuses the file or there is no such output, ConfigError if
    this machine does not have the runtime, MeasurementError for an empty split and for NaN or
    infinite samples, which an integer file would accept silently.
    """
    outputs_by_name = predict_all(artifact)
    return _select(outputs_by_name, output or artifact.evaluation.output, artifact.name)


class StoredOutputs(Protocol):
    """A place where an artifact's outputs on its whole evaluation split outlive the process."""

    def load(self, runtime: str) -> dict[str, Outputs] | None:
        """Return a runtime's outputs by name; None if there are none."""

    def announce(self, artifact: Artifact) -> None:
        """Announce that an artifact is about to run on its runtime."""

    def save(self, outputs: dict[str, Outputs], runtime: str) -> None:
        """Keep the outputs of a runtime."""


_STORED: dict[Hashable, StoredOutputs] = {}
_FAILURES: dict[Hashable, ArtifactError] = {}
"""Failures by file, split and runtime: each check would start a process, or wait for one that
hangs."""


def use_stored(artifact: Artifact, stored: StoredOutputs) -> None:
    """Let `predict` take an artifact's outputs from `stored`; put there what it has to compute.

    They are those of any runtime that the artifact is run on.
    """
    _STORED[_split_key(artifact)] = stored


def _split_key(artifact: Artifact) -> Hashable:
    # The split by identity: a fault may feed other samples under the same digest.
    return (artifact.sha256, artifact.signature, artifact.evaluation)


def predict_all(artifact: Artifact) -> dict[str, Outputs]:
    """Run an artifact as `predict` does; return every output by name, in the signature's order."""
    key = (_split_key(artifact), artifact.runtime)
    if failure := _FAILURES.get(key):
        raise failure
    try:
        return _ANSWERS.get(key, lambda: _stored_or_computed(artifact))
    except ArtifactError as error:
        _FAILURES[key] = error
        raise


def has_outputs(artifact: Artifact) -> bool:
    """Return True if `predict_all` need not run the artifact: this run or the store has them."""
    split_key = _split_key(artifact)
    stored = _STORED.get(split_key)
    return (split_key, artifact.runtime) in _ANSWERS or (
        stored is not None and stored.load(artifact.runtime) is not None
    )


def _stored_or_computed(artifact: Artifact) -> dict[str, Outputs]:
    stored = _STORED.get(_split_key(artifact))
    if stored is None:
        return _evaluate(artifact)
    outputs_by_name = stored.load(artifact.runtime)
    if outputs_by_name is None:
        stored.announce(artifact)
        outputs_by_name = _evaluate(artifact)
        stored.save(outputs_by_name, artifact.runtime)
    return outputs_by_name


def _evaluate(artifact: Artifact) -> dict[str, Outputs]:
    """Run an artifact on its evaluation split."""
    run = all_outputs if artifact.runtime == XNNPACK else partial(child_outputs, artifact.runtime)
    return run(
        artifact.ran_bytes,
        artifact.evaluation.x,
        subject=artifact.name,
        signature=artifact.signature,
        on_part=partial(demand_finite, artifact.evaluation.x, artifact.name),
    )


def refusal(artifact: Artifact) -> str:
    """Return the words with which a runtime refuses an artifact; empty if it runs it.

    Another error is left to whoever runs the artifact.
    """
    try:
        predict_all(artifact)
    except Refused as error:
        return " ".join(error.got.split())
    except LitegateError:
        pass
    return ""


def demand_finite(samples: Samples, subject: str, part: Samples) -> None:
    """Raise MeasurementError if `part`, some of the samples, has NaN or infinity."""
    for name, array in by_input(part):
        with np.errstate(over="ignore", invalid="ignore"):
            probably_finite = np.isfinite(array.sum())  # one pass; a sum may overflow
        if not (probably_finite or np.isfinite(array).all()):
            raise _not_finite(dict(by_input(samples))[name], name, subject)


def _not_finite(array: NDArray[Any], name: str, subject: str) -> MeasurementError:
    finite = [np.isfinite(part).reshape(len(part), -1).all(axis=1) for part in in_parts(array)]
    broken = ~np.concatenate(finite)
    where = f" in the input {name}" if name else ""
    return MeasurementError(
        f"{int(broken.sum()):,} of {len(array):,} samples of {subject} contain NaN or infinity",
        expected="finite samples",
        got=f"sample {int(broken.argmax())}{where} of the evaluation split is the first",
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
    """Run as `all_outputs` does; return the output `output`, by default the first."""
    outputs_by_name = all_outputs(tflite, samples, subject=subject, kernels=kernels, batch=batch)
    return _select(outputs_by_name, output, subject)


def _select(outputs_by_name: Mapping[str, Outputs], output: str, subject: str) -> Outputs:
    if not output:
        return next(iter(outputs_by_name.values()))
    ports = {name: answer.port for name, answer in outputs_by_name.items()}
    return outputs_by_name[find_port(ports, output, "output", subject)]


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
    """Run `tflite` on real-valued samples of shape (n, ...), n at least 1, in batches if possible.

    Returns each output by name, in the order of the file's signature. `samples` are `Inputs` for a
    file with several inputs. An array may be a `DiskArray`: a batch (`batch_of`) is read at a time.
    `on_part` is called with each part before it is run. Raises as `Runner.take`.
    """
    if not len(samples):
        raise MeasurementError(f"there are no samples to run {subject} on", expected="at least one")
    create = partial(Runner, tflite, subject=subject, kernels=kernels, signature=signature)
    batch = batch or batch_of(samples, kernels)
    runners = [create() for _ in range(_runner_count(len(tflite), -(-len(samples) // batch)))]
    raw = collect_outputs(_run_all(runners, samples, batch, on_part), len(samples), subject)
    return {name: Outputs(raw=raw[name], port=port) for name, port in runners[0].outputs.items()}


def child_outputs(
    runtime: str,
    tflite: bytes,
    samples: Samples,
    *,
    subject: str = "the model",
    signature: str = "",
    on_part: Callable[[Samples], None] = lambda _: None,
) -> dict[str, Outputs]:
    """Run `tflite` as `all_outputs` does, on a runtime in child processes, one for each core.

    A project's own runtime has one process: its device can take one. Raises as `ChildRuntime`.
    """
    if not len(samples):
        raise MeasurementError(f"there is no sample to run {subject} on", expected="at least one")
    parts = (samples[k : k + SAMPLES] for k in range(0, len(samples), SAMPLES))
    most = 1 if find_command(runtime) else min(cores(), _MOST_RUNNERS)
    count = max(1, min(most, -(-len(samples) // SAMPLES)))
    with ExitStack() as children:
        start = partial(ChildRuntime, tflite, runtime, subject=subject, signature=signature)
        first = children.enter_context(closing(start()))  # alone: it may refuse the file
        workers = [_ChildWorker(start, children, on_part) for _ in range(count)]
        workers[0].child = first
        raw = collect_outputs(in_order(workers, parts), len(samples), subject)
        for worker in workers:
            worker.finish()
    return {name: Outputs(raw=raw[name], port=port) for name, port in first.outputs.items()}


@final
@dataclass(eq=False)
class _ChildWorker:
    """Answers parts of the samples in a child process, which it starts for the first of them."""

    start: Callable[[], ChildRuntime]
    children: ExitStack
    on_part: Callable[[Samples], None]
    child: ChildRuntime | None = None

    def __call__(self, part: Samples) -> dict[str, NDArray[Any]]:
        self.on_part(part)
        if self.child is None:
            self.child = self.children.enter_context(closing(self.start()))
        return self.child.answer(self.child.ready(part))

    def finish(self) -> None:
        """Let the child end; raise ArtifactError if it crashes then."""
        if self.child:
            self.child.finish()


def batch_of(samples: Samples, kernels: Kernels = Kernels.XNNPACK) -> int:
    """Return the batch size for samples of this size, which is the same on every machine."""
    if kernels is not Kernels.XNNPACK:
        return REFERENCE_BATCH
    return max(BATCH // _MOST_RUNNERS, min(BATCH, _LARGE_BATCH // _sample_bytes(samples)))


def _sample_bytes(samples: Samples) -> int:
    """Return the bytes of one sample, of the largest input if there are several."""
    arrays: list[NDArray[Any]] = [array for _, array in by_input(samples)]
    return max(1, *(prod(array.shape[1:]) * array.dtype.itemsize for array in arrays))


def _runner_count(weights: int, batches: int) -> int:
    """Return how many interpreters share the batches: one for each core, within limits."""
    return max(1, min(cores(), _MOST_RUNNERS, batches, _MOST_WEIGHT_COPIES // max(1, weights)))


def inner_tensors(
    tflite: bytes,
    samples: Samples,
    tensors: Sequence[int],
    *,
    subject: str = "the model",
    signature: str = "",
) -> Iterator[dict[int, NDArray[Any]]]:
    """Yield the values of inner tensors, by tensor index, for one sample after another.

    `samples` are real-valued, shape (n, ...), and are invoked one at a time to bound the memory.
    Raises ArtifactError if LiteRT refuses the file or a sample.
    """
    runner = Runner(tflite, subject=subject, kernels=Kernels.BUILTIN, signature=signature)
    for number in range(len(samples)):
        runner.run(samples[number : number + 1])
        yield {index: runner.tensor(index) for index in tensors}


def _run_all(
    runners: Sequence[Runner], samples: Samples, batch: int, on_part: Callable[[Samples], None]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the outputs of each invocation, in the order of the samples."""
    size = batch if runners[0].takes_batches else 1
    at_once = _at_once(samples, batch, len(runners), batched=size > 1)
    parts = (samples[k : k + at_once] for k in range(0, len(samples), at_once))
    for answers in in_order(
        [partial(_run_part, runner, size, on_part) for runner in runners], parts
    ):
        yield from answers


def _run_part(
    runner: Runner, size: int, on_part: Callable[[Samples], None], part: Samples
) -> list[dict[str, NDArray[Any]]]:
    """Invoke batches of `size` samples; check and quantize the whole part once."""
    on_part(part)
    ready = runner.ready(part)
    answers = []
    for start in range(0, len(part), size):
        runner.reset()
        runner.feed({name: array[start : start + size] for name, array in ready.items()})
        runner.invoke()
        answers.append(runner.fetch())
    return answers


def _at_once(samples: Samples, batch: int, workers: int, *, batched: bool) -> int:
    """Return how many samples a worker takes at a time.

    Several batches if they are small, because a tiny network runs a batch in less time than it
    takes to hand it to a thread and to quantize it. Less than a batch only if the samples are large
    and the model takes one at a time.
    """
    sample_bytes = _sample_bytes(samples)
    batches = min(PART // sample_bytes // batch, len(samples) // batch // (_LEAST_TURNS * workers))
    size = batch * max(1, batches)
    return size if batched else min(size, max(1, PART // sample_bytes))
