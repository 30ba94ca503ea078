"""Run artifacts on samples and return their outputs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, LitegateError, MeasurementError
from litegate.core.parallel import in_order
from litegate.data.disk_arrays import IN_MEMORY
from litegate.runtimes.answer_cache import AnswerCache
from litegate.runtimes.answered_samples import Indices, KnownAnswers
from litegate.runtimes.batch_sizes import batch_of, invocations, runner_count, samples_at_once
from litegate.runtimes.child_processes import opened, run_key, split_key
from litegate.runtimes.child_runtime import SAMPLES
from litegate.runtimes.finite_samples import demand_finite
from litegate.runtimes.litert import Kernels, Runner, load, needs_sample_shapes
from litegate.runtimes.outputs import Outputs, collect_outputs
from litegate.runtimes.program import Refused
from litegate.runtimes.sequence_answers import sequence_answers
from litegate.spec import Artifact, Samples, Sequences
from litegate.spec.runtimes import XNNPACK
from litegate.tflite.ports import find_port

_FRAMES = 2048
"""The most frames of sequences that are read and quantized at once: the work beside an invocation
is spread over them, and 2,048 frames of 40 float32 features take 330 kB."""
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


def predict(artifact: Artifact, output: str = "", *, chosen: Indices | None = None) -> Outputs:
    """Run an artifact on its evaluation split, on the runtime that it names.

    Returns `output`, by default the data set's deciding output, else the first of the file's
    signature, for all samples or those with the indices `chosen`.
    Each invocation uses one thread; the cores share the samples. The outputs are cached
    for later calls, because they depend on the artifact and the split alone.

    Raises ArtifactError if the runtime refuses the file or there is no such output, ConfigError if
    this machine does not have the runtime, MeasurementError for an empty split and for NaN or
    infinite samples, which an integer file would accept silently.
    """
    outputs_by_name = predict_all(artifact) if chosen is None else predict_at(artifact, chosen)
    return _select(outputs_by_name, output or artifact.evaluation.output, artifact.name)


class StoredOutputs(Protocol):
    """A place where an artifact's outputs on its whole evaluation split outlive the process."""

    def load(self, runtime: str, chosen: Indices | None = None) -> dict[str, Outputs] | None:
        """Return a runtime's outputs by name; None if there are none.

        Those of all samples, or those that were saved for the samples `chosen`.
        """

    def announce(self, artifact: Artifact, at_most: str = "") -> None:
        """Announce that an artifact is about to run on its runtime, on all samples or `at_most`."""

    def save(
        self, outputs: dict[str, Outputs], runtime: str, chosen: Indices | None = None
    ) -> None:
        """Keep the outputs of a runtime, for all samples or for those with the indices `chosen`."""


_STORED: dict[Hashable, StoredOutputs] = {}
_FAILURES: dict[Hashable, ArtifactError] = {}
"""Failures by file, split and runtime: each check would start a process, or wait for one that
hangs."""
_KNOWN: dict[Hashable, KnownAnswers[Outputs]] = {}
"""Answers to some samples of a split, by file, split and runtime."""
_MOST_KNOWN = 64 << 20
"""Bytes of these answers to keep, as of complete ones in memory; the oldest are forgotten."""


def use_stored(artifact: Artifact, stored: StoredOutputs) -> None:
    """Let `predict` take an artifact's outputs from `stored`; put there what it has to compute.

    They are those of any runtime that the artifact is run on.
    """
    _STORED[split_key(artifact)] = stored


def predict_all(artifact: Artifact) -> dict[str, Outputs]:
    """Run an artifact as `predict` does; return every output by name, in the signature's order.

    Of sequences it is the answer of each, as their declaration says.
    """
    split = artifact.evaluation
    if split.whole is not None and not split.sequences:
        return predict_at(artifact, np.arange(len(split.chosen)))
    if not split.sequences:
        return _run_outputs(artifact)
    key = (run_key(artifact), split.sequences)
    return _ANSWERS.get(key, lambda: sequence_answers(_run_outputs(artifact), split, artifact.name))


def predict_frames(artifact: Artifact, output: str = "") -> Outputs:
    """Run an artifact on sequences as `predict` does; return the outputs of every frame."""
    return _select(_run_outputs(artifact), output or artifact.evaluation.output, artifact.name)


def _run_outputs(artifact: Artifact) -> dict[str, Outputs]:
    """Return every output of each sample, or of each frame of all sequences."""
    with _remembered_failure(artifact):
        return _ANSWERS.get(run_key(artifact), lambda: _stored_or_computed(artifact))


def predict_at(artifact: Artifact, chosen: Indices) -> dict[str, Outputs]:
    """Run an artifact on some samples of its split; return every output by name, in their order.

    `chosen` are their indices, shape (k,). Each sample is run once: a later call, or `predict`,
    runs only the rest. The default runtime, which is fast, runs all, and sequences are run all on
    any runtime: all that the split has, if it has some of another's. Raises as `predict`.
    """
    split = artifact.evaluation
    if split.whole is not None and not split.sequences:
        return predict_at(replace(artifact, evaluation=split.whole), split.chosen[chosen])
    known = _KNOWN.get(run_key(artifact))
    runs_all = artifact.runtime == XNNPACK or split.sequences
    if runs_all or (known is None and has_outputs(artifact)):
        return {name: outputs[chosen] for name, outputs in predict_all(artifact).items()}
    if known is None:
        known = _KNOWN[run_key(artifact)] = KnownAnswers(n=len(artifact.evaluation.x))
    with _remembered_failure(artifact):
        if len(unknown := known.unknown(chosen)):
            _learn(artifact, known, unknown)
    return known.of(chosen)


def has_outputs(artifact: Artifact) -> bool:
    """Return True if `predict_all` need not run the artifact: this run or the store has them."""
    stored = _STORED.get(split_key(artifact))
    return run_key(artifact) in _ANSWERS or (
        stored is not None and stored.load(artifact.runtime) is not None
    )


def keeps_answers(artifact: Artifact) -> bool:
    """Return True if the answers to all samples fit into memory, so that they may come in parts."""
    known = _KNOWN.get(run_key(artifact))
    return known is None or known.nbytes_of_all <= IN_MEMORY


@contextmanager
def _remembered_failure(artifact: Artifact) -> Iterator[None]:
    if failure := _FAILURES.get(run_key(artifact)):
        raise failure
    try:
        yield
    except ArtifactError as error:
        _FAILURES[run_key(artifact)] = error
        raise


def _learn(artifact: Artifact, known: KnownAnswers[Outputs], chosen: Indices) -> None:
    """Add the answers to samples that are not known, from the store or from the runtime."""
    stored = _STORED.get(split_key(artifact))
    outputs = stored.load(artifact.runtime, chosen) if stored else None
    if outputs is None:
        if stored and known.count <= SAMPLES < len(chosen):
            stored.announce(artifact, "up to ")
        outputs = _run_in_children(artifact, chosen)
        if stored:
            stored.save(outputs, artifact.runtime, chosen)
    known.add(chosen, outputs)
    while sum(it.nbytes for it in _KNOWN.values()) > _MOST_KNOWN and len(_KNOWN) > 1:
        del _KNOWN[next(iter(_KNOWN))]


def _stored_or_computed(artifact: Artifact) -> dict[str, Outputs]:
    stored = _STORED.get(split_key(artifact))
    outputs_by_name = stored.load(artifact.runtime) if stored else None
    if outputs_by_name is None:
        known = _KNOWN.get(run_key(artifact))
        if stored and (known is None or known.count <= SAMPLES):
            stored.announce(artifact)
        outputs_by_name = _evaluate(artifact)
        if stored:
            stored.save(outputs_by_name, artifact.runtime)
    _KNOWN.pop(run_key(artifact), None)
    return outputs_by_name


def _evaluate(artifact: Artifact) -> dict[str, Outputs]:
    """Run an artifact on its evaluation split, or on those samples that it was not run on yet."""
    if artifact.runtime != XNNPACK:
        return _evaluate_in_children(artifact)
    return all_outputs(
        artifact.ran_bytes,
        artifact.evaluation.x,
        subject=artifact.name,
        signature=artifact.signature,
        resets=artifact.resets,
        on_part=partial(demand_finite, artifact.evaluation.x, artifact.name),
    )


def _evaluate_in_children(artifact: Artifact) -> dict[str, Outputs]:
    known = _KNOWN.get(run_key(artifact))
    if known is None or not known.count or not keeps_answers(artifact):
        return _run_in_children(artifact)
    every = np.arange(known.n)
    if len(rest := known.unknown(every)):
        known.add(rest, _run_in_children(artifact, rest))
    return known.of(every)


def _run_in_children(artifact: Artifact, chosen: Indices | None = None) -> dict[str, Outputs]:
    """Run an artifact on all samples of its split, or on those with the indices `chosen`."""
    with opened(artifact) as pool:
        raw = pool.answer(artifact.evaluation.x, chosen, subject=artifact.name)
        return {name: Outputs(raw=raw[name], port=port) for name, port in pool.outputs.items()}


def first_samples(artifact: Artifact) -> Indices:
    """Return the samples on which it is tried out if a runtime takes an artifact.

    As many as one message has: what a runtime refuses, it refuses for all samples.
    """
    return np.arange(min(SAMPLES, len(artifact.evaluation.x)))


def refusal(artifact: Artifact) -> str:
    """Return the words with which a runtime refuses an artifact; empty if it runs some samples.

    Another error is left to whoever runs the artifact.
    """
    try:
        predict_at(artifact, first_samples(artifact))
    except Refused as error:
        return " ".join(error.got.split())
    except LitegateError:
        pass
    return ""


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


def all_outputs(  # noqa: PLR0913 keywords only
    tflite: bytes,
    samples: Samples,
    *,
    subject: str = "the model",
    kernels: Kernels = Kernels.XNNPACK,
    batch: int | None = None,
    signature: str = "",
    resets: bool = True,
    on_part: Callable[[Samples], None] = lambda _: None,
) -> dict[str, Outputs]:
    """Run `tflite` on real-valued samples of shape (n, ...), n at least 1, in batches if possible.

    Returns each output by name, in the order of the file's signature. `samples` are `Inputs` for a
    file with several inputs. An array may be a `DiskArray`: a batch (`batch_of`) is read at a time.
    `on_part` is called with each part before it is run; `resets` and errors are as of `Runner`.
    """
    if not len(samples):
        raise MeasurementError(f"there are no samples to run {subject} on", expected="at least one")
    create = partial(
        Runner, tflite, subject=subject, kernels=kernels, signature=signature, resets=resets
    )
    batch = batch or batch_of(samples, kernels)
    turns = len(samples) if isinstance(samples, Sequences) else -(-len(samples) // batch)
    runners = [create() for _ in range(runner_count(len(tflite), turns))]
    answers = (
        _run_sequences(runners, samples, on_part)
        if isinstance(samples, Sequences)
        else _run_all(runners, samples, batch, on_part)
    )
    raw = collect_outputs(answers, invocations(samples), subject)
    return {name: Outputs(raw=raw[name], port=port) for name, port in runners[0].outputs.items()}


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
    at_once = samples_at_once(samples, batch, len(runners), batched=size > 1)
    parts = (samples[k : k + at_once] for k in range(0, len(samples), at_once))
    for answers in in_order(
        [partial(_run_part, runner, size, on_part) for runner in runners], parts
    ):
        yield from answers


def _run_sequences(
    runners: Sequence[Runner], samples: Sequences, on_part: Callable[[Samples], None]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the outputs of some frames at a time; the state is reset before each sequence."""

    def run(runner: Runner, group: Sequences) -> list[dict[str, NDArray[Any]]]:
        answers = []
        for is_first, part in group.parts(_FRAMES):
            on_part(part)
            answers.append(runner.answer(runner.ready(part), "first" if is_first else "none"))
        return answers

    workers = [partial(run, runner) for runner in runners]
    return chain.from_iterable(in_order(workers, samples.groups(_FRAMES)))


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
