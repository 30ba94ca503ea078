"""What an artifact answered on its evaluation split, and how sure it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.build.store import ANSWERS, Store
from litegate.core.errors import LitegateError
from litegate.data.disk_arrays import opened
from litegate.measures.accuracy import mark_answers
from litegate.measures.accuracy.decisions import decide
from litegate.runtimes.inference import Outputs, predict
from litegate.runtimes.litert import version
from litegate.spec import Artifact
from litegate.spec.digests import digest_of
from litegate.tflite.ports import Port

_TOLERANCE = 0.05
"""How far the sum of quantized shares may be from 1."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """The answers of one artifact to n samples."""

    labels: NDArray[Any]
    """The true classes, shape (n,)."""
    chosen: NDArray[np.intp]
    right: NDArray[np.bool_]
    outputs: Outputs
    """What it answered, shape (n, classes)."""

    def confidence(self, sample: int) -> float:
        """The share of its choice: the output itself where outputs are shares, else softmax."""
        scores = self.outputs[sample : sample + 1].real.ravel()
        return float(shares(scores)[self.chosen[sample]])


def answered(artifact: Artifact, ask: Ask = predict) -> Answered:
    """What an artifact answers to its split, marked.

    MeasurementError where it does not choose between the split's classes.
    """
    outputs = ask(artifact)
    answers = mark_answers(artifact, outputs)
    return Answered(
        labels=answers.labels,
        chosen=decide(outputs.raw, artifact.name).chosen,
        right=answers.right,
        outputs=outputs,
    )


def shares(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """The scores of one sample, shape (classes,), as shares of 1."""
    exact = scores.astype(np.float64)
    if exact.min() >= 0 and abs(exact.sum() - 1) <= _TOLERANCE:
        powers = exact
    else:
        powers = np.exp(exact - exact.max())
    found: NDArray[np.float64] = powers / powers.sum()
    return found


Ask = Callable[[Artifact], Outputs]
"""What an artifact answers to its evaluation split."""
MOST_BYTES = 16 * 2**20
"""Answers that are larger are not kept."""
_RAW, _PORT = "raw.npy", "port.json"


def measured(store: Store) -> Ask:
    """Ask the artifacts themselves, as a run does, and keep what they answered."""

    def ask(artifact: Artifact) -> Outputs:
        found = predict(artifact)
        _keep(store, artifact, found)
        return found

    return ask


def recalled(store: Store) -> Ask:
    """Take the kept answers; ask the artifacts that have none, and keep theirs."""
    measure = measured(store)
    return lambda artifact: _kept(store, artifact) or measure(artifact)


def _key(artifact: Artifact) -> str:
    split = artifact.evaluation
    return digest_of([artifact.sha256, artifact.signature, split.digest, split.output, version()])


def _keep(store: Store, artifact: Artifact, found: Outputs) -> None:
    """A store that takes nothing prevents no page."""
    if store.has(ANSWERS, _key(artifact)) or found.raw.nbytes > MOST_BYTES:
        return
    with suppress(LitegateError, OSError), store.staging() as folder:
        np.save(folder / _RAW, found.raw, allow_pickle=False)
        (folder / _PORT).write_text(json.dumps(asdict(found.port), default=str))
        store.put(ANSWERS, _key(artifact), {name: folder / name for name in (_RAW, _PORT)})


def _kept(store: Store, artifact: Artifact) -> Outputs | None:
    """The kept answers; None where there are none, or none that fit."""
    try:
        files = store.locate(ANSWERS, _key(artifact), (_RAW, _PORT))
        raw, told = opened(files[_RAW]), json.loads(files[_PORT].read_bytes())
        port = Port(**told | {"dtype": np.dtype(told["dtype"])})
    except (KeyError, TypeError, LitegateError, OSError, ValueError):
        return None
    fits = len(raw) == len(artifact.evaluation.x) and raw.dtype == port.dtype
    return Outputs(raw=raw, port=port) if fits else None
