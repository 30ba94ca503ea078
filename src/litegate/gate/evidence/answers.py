"""Predict an artifact's evaluation split, and cache the outputs in the store."""

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
from litegate.data.disk_arrays import open_array
from litegate.measures.accuracy import mark_answers
from litegate.measures.accuracy.decisions import decide
from litegate.runtimes.inference import Outputs, predict
from litegate.runtimes.litert import version
from litegate.spec import Artifact
from litegate.spec.artifact_keys import digest_of
from litegate.tflite.ports import Port

Predictor = Callable[[Artifact], Outputs]
"""Returns an artifact's outputs on its evaluation split."""
MOST_BYTES = 16 * 2**20
"""Larger outputs are not cached: trades the store's size against running the model again.

10,000 samples of 400 float32 scores just fit; outputs of images, one per pixel, do not."""
_TOLERANCE = 0.05
"""Deviation from 1 of the sum of a softmax's outputs, allowed for rounding to their quanta.

Each int8 output is off by up to half of 1/256, so 0.05 allows some 25 classes off in one direction.
Logits, which are not confidences, only rarely lie above 0 and add up to that close to 1."""
_RAW, _PORT = "raw.npy", "port.json"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """One artifact's predictions for n samples."""

    labels: NDArray[Any]
    """The true classes, shape (n,)."""
    chosen: NDArray[np.intp]
    """The predicted classes, shape (n,)."""
    right: NDArray[np.bool_]
    outputs: Outputs
    """Shape (n, classes)."""

    def confidence(self, sample: int) -> float:
        """Return the share of the predicted class, 0 to 1, as `shares` computes it."""
        scores = self.outputs[sample : sample + 1].real.ravel()
        return float(shares(scores)[self.chosen[sample]])


def predictions(artifact: Artifact, predictor: Predictor = predict) -> Predictions:
    """Predict the classes of an artifact's split and compare them with the labels.

    Raises MeasurementError if the artifact does not choose between the split's classes.
    """
    outputs = predictor(artifact)
    answers = mark_answers(artifact, outputs)
    return Predictions(
        labels=answers.labels,
        chosen=decide(outputs.raw, artifact.name).chosen,
        right=answers.right,
        outputs=outputs,
    )


def shares(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Turn the scores of one sample, shape (classes,), into shares of 1.

    Scores that are not negative and sum to 1 are softmax outputs already; others get a softmax.
    """
    exact = scores.astype(np.float64)
    if exact.min() >= 0 and abs(exact.sum() - 1) <= _TOLERANCE:
        powers = exact
    else:
        powers = np.exp(exact - exact.max())
    normalized: NDArray[np.float64] = powers / powers.sum()
    return normalized


def recording_predictor(store: Store) -> Predictor:
    """Return a predictor that runs the model, and puts its outputs into the store."""

    def predict_and_cache(artifact: Artifact) -> Outputs:
        outputs = predict(artifact)
        _cache(store, artifact, outputs)
        return outputs

    return predict_and_cache


def cached_predictor(store: Store) -> Predictor:
    """Return a predictor that takes outputs from the store; it runs models without any."""
    predict_and_cache = recording_predictor(store)
    return lambda artifact: _cached(store, artifact) or predict_and_cache(artifact)


def _key(artifact: Artifact) -> str:
    split = artifact.evaluation
    return digest_of([artifact.sha256, artifact.signature, split.digest, split.output, version()])


def _cache(store: Store, artifact: Artifact, outputs: Outputs) -> None:
    """Store the outputs; a store that cannot be written to must not prevent the page."""
    if store.has(ANSWERS, _key(artifact)) or outputs.raw.nbytes > MOST_BYTES:
        return
    with suppress(LitegateError, OSError), store.staging() as folder:
        np.save(folder / _RAW, outputs.raw, allow_pickle=False)
        (folder / _PORT).write_text(json.dumps(asdict(outputs.port), default=str))
        store.put(ANSWERS, _key(artifact), {name: folder / name for name in (_RAW, _PORT)})


def _cached(store: Store, artifact: Artifact) -> Outputs | None:
    """Return the stored outputs; None if there are none or they do not fit the artifact."""
    try:
        files = store.locate(ANSWERS, _key(artifact), (_RAW, _PORT))
        raw, fields = open_array(files[_RAW]), json.loads(files[_PORT].read_bytes())
        port = Port(**fields | {"dtype": np.dtype(fields["dtype"])})
    except (KeyError, TypeError, LitegateError, OSError, ValueError):
        return None
    fits = len(raw) == len(artifact.evaluation.x) and raw.dtype == port.dtype
    return Outputs(raw=raw, port=port) if fits else None
