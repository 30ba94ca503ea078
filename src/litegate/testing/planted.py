"""A store filled by hand: the gate then judges given bytes, and builds nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from litegate.options import parse
from litegate.runtime import outputs
from litegate.session import Session
from litegate.spec import Array, Evaluation, Model
from litegate.store import BUILDS, EVALUATIONS
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
    session = Session(parse(project, {}, {}, {}), lambda _model, _event: None, print)
    declared, samples = session.models[model], split or evaluation()
    with TemporaryDirectory() as folder:
        _put_samples(session, declared, samples, Path(folder))
        for recipe, tflite in files.items():
            answers = keras_outputs
            if answers is None:
                answers = outputs(tflite, samples.x).real
            _put(session, declared, recipe, tflite, answers, Path(folder))


def _put_samples(session: Session, model: Model, samples: Evaluation, folder: Path) -> None:
    np.save(folder / "x.npy", samples.x, allow_pickle=False)
    np.save(folder / "y.npy", samples.y, allow_pickle=False)
    files = {name: folder / name for name in ("x.npy", "y.npy")}
    session.pipeline.store.put(EVALUATIONS, session.pipeline.split_key(model), files)


def _put(
    session: Session, model: Model, recipe: str, tflite: bytes, answers: Array, folder: Path
) -> None:
    written = {
        "model.tflite": tflite,
        "history.json": b"[]",
        "certificate.json": json.dumps({"planted": recipe}).encode(),
    }
    for name, data in written.items():
        (folder / name).write_bytes(data)
    np.save(folder / "keras_outputs.npy", answers, allow_pickle=False)
    files = {name: folder / name for name in (*written, "keras_outputs.npy")}
    key = session.pipeline.key(model, recipe)
    session.pipeline.store.forget(BUILDS, key)
    stem = session.pipeline.stem(model, recipe)
    session.pipeline.store.put(BUILDS, key, files, stem=stem)
