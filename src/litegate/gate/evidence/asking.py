"""What artifacts answered: measured once by a run, and kept in the store for the page made again.

Nothing is judged by kept answers. They are found by the file's bytes, its samples and LiteRT's
version, verified as everything in the store, and measured again where they are not there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict

import numpy as np

from litegate.build.store import ANSWERS, Store
from litegate.core.errors import LitegateError
from litegate.data.disk_arrays import opened
from litegate.runtimes.inference import Outputs, predict
from litegate.runtimes.litert import version
from litegate.spec import Artifact
from litegate.spec.digests import digest_of
from litegate.tflite.ports import Port

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
