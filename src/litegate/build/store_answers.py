"""Keep the outputs of artifacts in the store, so that a later run need not compute them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np

from litegate.build.store import ANSWERS, Store
from litegate.core.digests import digest_of, file_digest
from litegate.core.errors import LitegateError
from litegate.data.disk_arrays import open_array
from litegate.runtimes.answered_samples import Indices
from litegate.runtimes.inference import use_stored
from litegate.runtimes.litert import instruction_set
from litegate.runtimes.outputs import Outputs
from litegate.runtimes.runtime import key_parts
from litegate.spec import Artifact, frames_of
from litegate.spec.runtimes import XNNPACK
from litegate.tflite.ports import Port

MOST_BYTES = 16 * 2**20
"""Larger outputs are not kept: trades the store's size against running the model again.

10,000 samples of 400 float32 scores just fit; outputs of images, one per pixel, do not."""
_PORTS = "ports.json"
Digests = dict[str, dict[str, str]]
"""The SHA-256 of each file of some answers, by their key in the store."""


def keep_answers(
    store: Store,
    artifact: Artifact,
    *,
    read: bool,
    own: Digests | None = None,
    on_notice: Callable[[str], None] = lambda _: None,
) -> Artifact:
    """Put what `predict` computes for an artifact into the store; with `read` take it from there.

    `own` gets the digests of what is computed here. What it has, from another process of the same
    run, is taken from the store without `read`, too. `on_notice` is called with a line to print
    before a run that may take minutes. Returns the artifact.
    """
    own = {} if own is None else own
    stored = StoredAnswers(store=store, artifact=artifact, read=read, own=own, on_notice=on_notice)
    use_stored(artifact, stored)
    return artifact


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswers:
    """The outputs of one artifact on its evaluation split, in the store; of sequences, by frame.

    Their key has the file, the split, the runtime with its version (and the command and files of a
    project's own) and the processor's instruction set: float results differ in their last bits
    between processors, and a run must not mix the two.
    """

    store: Store
    artifact: Artifact
    read: bool
    """Take stored outputs; else they are only written, for the page of `litegate report`."""
    own: Digests = field(default_factory=dict)
    """Outputs that processes of this run computed; these are taken in any case."""
    on_notice: Callable[[str], None] = lambda _: None
    """Called with a line to print."""

    def key(self, runtime: str = XNNPACK, chosen: Indices | None = None) -> str:
        """Return the key of a runtime's outputs in the store, for all samples or the chosen."""
        split, signature = self.artifact.evaluation.digest, self.artifact.signature
        named = () if runtime == XNNPACK else (runtime,)
        parts = [self.artifact.sha256, signature, split, *named, *key_parts(runtime)]
        some = () if chosen is None else (chosen.tolist(),)
        return digest_of([*parts, instruction_set(), *some])

    def load(
        self, runtime: str = XNNPACK, chosen: Indices | None = None
    ) -> dict[str, Outputs] | None:
        """Return the outputs by name; None if there are none or they do not fit the artifact.

        Those of all samples, or those that were saved for the samples with the indices `chosen`.
        """
        key, count = self.key(runtime, chosen), len(frames_of(self.artifact.evaluation.x))
        count = count if chosen is None else len(chosen)
        if not (self.read or key in self.own):
            return None
        try:
            if not self.store.has(ANSWERS, key):
                return None
            files = self.store.locate(ANSWERS, key)
            if (
                not self.read
                and {name: file_digest(it) for name, it in files.items()} != self.own[key]
            ):
                return None
            outputs = {
                name: Outputs(raw=open_array(files[f"{number}.npy"]), port=_port(fields))
                for number, (name, fields) in enumerate(_ports(files[_PORTS].read_bytes()))
            }
        except (KeyError, TypeError, LitegateError, OSError, RecursionError, ValueError):
            outputs = {}
        if outputs and all(_fits(output, count) for output in outputs.values()):
            return outputs
        with suppress(LitegateError, OSError):  # a store that only others may write to
            self.store.forget(ANSWERS, key)
        return None

    def announce(self, artifact: Artifact, at_most: str = "") -> None:
        """Announce a run in a child process: a sample takes it milliseconds, the split minutes."""
        if artifact.runtime != XNNPACK:
            samples = f"{at_most}{len(artifact.evaluation.x):,} samples"
            self.on_notice(f"running {artifact.name}, {samples}")

    def save(
        self, outputs: dict[str, Outputs], runtime: str = XNNPACK, chosen: Indices | None = None
    ) -> None:
        """Store the outputs; a store that cannot be written to must not end the run."""
        if sum(output.raw.nbytes for output in outputs.values()) > MOST_BYTES:
            return
        key = self.key(runtime, chosen)
        with suppress(LitegateError, OSError), self.store.staging() as folder:
            files = _written(folder, outputs)
            self.own[key] = {name: file_digest(file) for name, file in files.items()}
            if not self.store.has(ANSWERS, key):
                self.store.put(ANSWERS, key, files)


def _written(folder: Path, outputs: dict[str, Outputs]) -> dict[str, Path]:
    """Write outputs to a folder, and return the files by name."""
    ports = {name: asdict(output.port) for name, output in outputs.items()}
    files = {_PORTS: folder / _PORTS}
    files[_PORTS].write_text(json.dumps(ports, default=str))
    for number, output in enumerate(outputs.values()):
        files[f"{number}.npy"] = folder / f"{number}.npy"
        np.save(files[f"{number}.npy"], output.raw, allow_pickle=False)
    return files


def _fits(output: Outputs, samples: int) -> bool:
    return bool(len(output.raw) == samples and output.raw.dtype == output.port.dtype)


def _ports(text: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Read the fields of each port, by output. Raises TypeError if the text is no JSON object."""
    ports = json.loads(text)
    if not isinstance(ports, dict):
        raise TypeError(f"{_PORTS} is not a JSON object")
    return list(ports.items())


def _port(fields: dict[str, Any]) -> Port:
    shapes = {name: tuple(fields[name]) for name in ("shape", "allocated")}
    return Port(**fields | shapes | {"dtype": np.dtype(fields["dtype"])})
