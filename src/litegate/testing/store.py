"""Fill a project's store with files, so that the gate judges them and builds nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from litegate.build.certificate import CERTIFICATE, HISTORY, MODEL, certify
from litegate.build.store import BUILDS, EVALUATIONS
from litegate.core.options import parse
from litegate.data.array_files import save
from litegate.data.prepare import LEAKED
from litegate.gate.session import GateSession
from litegate.runtimes.inference import all_outputs
from litegate.spec import Array, Evaluation, Model
from litegate.testing.split import evaluation


def fill_store(
    project: Path,
    model: str,
    files: Mapping[str, bytes],
    *,
    split: Evaluation | None = None,
    keras_outputs: Array | None = None,
) -> None:
    """Put `.tflite` files into the project's store as the artifacts of the model's recipes.

    `files` maps the names of recipes and of references such as "float32" to bytes. `split` replaces
    `evaluation()`. `keras_outputs` are the recorded outputs of Keras; by default each file's own
    outputs. The store is the default one, `.litegate/store` below `project`.
    """
    session = GateSession(parse(project, {}, {}, {}), lambda _model, _event: None, print)
    declared_model, split = session.models[model], split or evaluation()
    with TemporaryDirectory() as folder:
        _put_split(session, declared_model, split, Path(folder))
        for recipe, tflite in files.items():
            outputs = keras_outputs
            if outputs is None:
                outputs = _file_outputs(tflite, split)
            _put_build(session, declared_model, recipe, tflite, outputs, Path(folder))


def _put_split(session: GateSession, model: Model, split: Evaluation, folder: Path) -> None:
    masks = [split.slices[name] for name in model.data.slices]
    arrays = {"x": split.x, "y": split.y, "slices": np.array(masks) if masks else None}
    files: dict[str, Path] = {}
    for stem, array in arrays.items():
        if array is not None:
            files |= save(folder, stem, array)
    if split.leaked_samples is not None:
        files[LEAKED] = folder / LEAKED
        files[LEAKED].write_text(str(split.leaked_samples), "utf-8")
    session.pipeline.store.put(EVALUATIONS, session.pipeline.split_key(model), files)


def _file_outputs(tflite: bytes, split: Evaluation) -> Any:
    """Return a file's outputs for the split: an array, or a mapping by name of several outputs."""
    arrays = {name: output.real for name, output in all_outputs(tflite, split.x).items()}
    return arrays if len(arrays) > 1 else next(iter(arrays.values()))


def _put_build(
    session: GateSession, model: Model, recipe: str, tflite: bytes, outputs: Array, folder: Path
) -> None:
    pipeline = session.pipeline
    start = pipeline.start_digest(model)
    certificate = {"planted": recipe, "recipe": model.recipe(recipe).spec()}
    certificate |= {"start": {"sha256": start}} if start else {}
    contents = {
        MODEL: tflite,
        HISTORY: b"[]",
        CERTIFICATE: json.dumps(certificate).encode(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    files = {name: folder / name for name in contents} | save(folder, "keras_outputs", outputs)
    key, stem = pipeline.key(model, recipe), pipeline.stem(model, recipe)
    certify(files, key, stem)
    # the store never overwrites an entry, so an earlier one is removed first
    pipeline.store.forget(BUILDS, key)
    pipeline.store.put(BUILDS, key, files, stem=stem)
