"""A store filled by hand: the gate then judges given bytes, and builds nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from litegate.build.store import BUILDS, EVALUATIONS
from litegate.core.options import parse
from litegate.data.array_files import save
from litegate.gate.session import GateSession
from litegate.runtimes.inference import all_outputs
from litegate.spec import Array, Evaluation, Model
from litegate.testing.artifacts import evaluation


def plant(
    project: Path,
    model: str,
    files: Mapping[str, bytes],
    *,
    split: Evaluation | None = None,
    keras_outputs: Array | None = None,
) -> None:
    """Put `.tflite` files into the project's store as what the model's recipes would have built.

    `files` maps recipe names, references such as "float32" included, to bytes. `split` takes the
    place of `evaluation()`. `keras_outputs` are what Keras is said to have answered; by default
    each file's own answers. The store is the default one, `.litegate/store` below `project`.
    """
    session = GateSession(parse(project, {}, {}, {}), lambda _model, _event: None, print)
    declared, samples = session.models[model], split or evaluation()
    with TemporaryDirectory() as folder:
        _put_samples(session, declared, samples, Path(folder))
        for recipe, tflite in files.items():
            answers = keras_outputs
            if answers is None:
                answers = _answers(tflite, samples)
            _put(session, declared, recipe, tflite, answers, Path(folder))


def _put_samples(session: GateSession, model: Model, samples: Evaluation, folder: Path) -> None:
    masks = [samples.slices[name] for name in model.data.slices]
    parts = {"x": samples.x, "y": samples.y, "slices": np.array(masks) if masks else None}
    files: dict[str, Path] = {}
    for stem, kept in parts.items():
        files |= {} if kept is None else save(folder, stem, kept)
    session.pipeline.store.put(EVALUATIONS, session.pipeline.split_key(model), files)


def _answers(tflite: bytes, samples: Evaluation) -> Any:
    """What a file answers itself; of several outputs a mapping by name."""
    found = {name: one.real for name, one in all_outputs(tflite, samples.x).items()}
    return found if len(found) > 1 else next(iter(found.values()))


def _put(
    session: GateSession, model: Model, recipe: str, tflite: bytes, answers: Array, folder: Path
) -> None:
    written = {
        "model.tflite": tflite,
        "history.json": b"[]",
        "certificate.json": json.dumps({"planted": recipe}).encode(),
    }
    for name, data in written.items():
        (folder / name).write_bytes(data)
    kept = save(folder, "keras_outputs", answers)
    files = {name: folder / name for name in written} | kept
    key = session.pipeline.key(model, recipe)
    session.pipeline.store.forget(BUILDS, key)
    stem = session.pipeline.stem(model, recipe)
    session.pipeline.store.put(BUILDS, key, files, stem=stem)
