"""A small detector of bars in made images: quantized, judged, proven, and equal to pycocotools."""

import re

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from coco_reference import coco_stats
from needs import detection, quantizer
from projects import BareProject

from litegate.data.digests import array_digest
from litegate.runtimes.inference import outputs

pytestmark = [pytest.mark.slow, detection, quantizer]

CELLS, SIDE = 4, 4
"""A grid of 4 x 4 cells of 4 x 4 pixels: each is empty, or has a bar that is wide or tall."""
MODEL = '''
"""Bars in a grid of cells."""

import numpy as np

import litegate as lg


def decode(outputs):
    """Return a detection of each cell, shape (n, 16, 6), from its two scores and an extent."""
    cells = outputs.reshape(len(outputs), 16, 3)
    top, left = (4.0 * side for side in np.divmod(np.arange(16), 4))
    is_tall = cells[..., 1] > cells[..., 0]
    extent = np.clip(cells[..., 2], 0.5, 4)
    right, bottom = left + np.where(is_tall, extent, 4), top + np.where(is_tall, 4, extent)
    sides = np.broadcast_arrays(left, top, right, bottom, cells[..., :2].max(axis=2), is_tall)
    return np.stack(sides, axis=2)


def load(_locations):
    with np.load("bars.npz") as arrays:
        is_dense = np.sum(arrays["y_test"][..., 4] >= 0, axis=1) > 6
        return lg.Splits(**arrays, slices={"dense": is_dense})


def unchanged(samples):
    return samples


bars = lg.prebuilt(
    reference="bars_float32.tflite",
    recipes=[lg.recipes.static_wi8_ai8()],
    data=lg.Data(
        name="bars",
        load=load,
        preprocess=unchanged,
        digests={DIGESTS},
        domain=(-2, 3),
        classes=("wide", "tall"),
    ),
    budget=lg.Budget(
        output_error=lg.percent(5),
        metrics=(
            lg.metrics.map_coco(decode, least=0.5, loss=0.1, class_loss=0.2, slice_loss=0.2),
            lg.metrics.map_voc(decode, least=0.7, loss=0.1),
        ),
    ),
)
'''


def made(n, seed):
    """Noisy images, (n, 16, 16, 1), and their boxes, (n, 16, 5)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.15, (n, CELLS * SIDE, CELLS * SIDE, 1)).astype(np.float32)
    labels = np.full((n, CELLS**2, 5), -1, np.float32)
    for image, cell in np.argwhere(rng.random((n, CELLS**2)) < 0.4):
        top, left = (SIDE * int(side) for side in divmod(cell, CELLS))
        is_tall, extent = int(rng.integers(2)), int(rng.integers(2, 4))
        height, width = (SIDE, extent) if is_tall else (extent, SIDE)
        x[image, top : top + height, left : left + width] += 1
        labels[image, cell] = [left, top, left + width, top + height, is_tall]
    return np.clip(x, -2, 3), labels


def weights():
    """For each cell: how wide and how tall a bar is by two of its corners, and its extent."""
    filters = np.zeros((CELLS, CELLS, 3, CELLS, SIDE, CELLS, SIDE), np.float32)
    for row, column in np.ndindex(CELLS, CELLS):
        filters[row, column, 0, row, 0, column, -1] = filters[
            row, column, 1, row, -1, column, 0
        ] = 1
        filters[row, column, 0, row, -1, column, 0] = -1
        filters[row, column, 1, row, 0, column, -1] = -1
        filters[row, column, 2, row, :, column, :] = 1 / SIDE
    return filters.reshape(CELLS**2 * 3, (CELLS * SIDE) ** 2)


def network():
    """A file of one dense layer."""
    model, graph, kernel = schema.ModelT(), schema.SubGraphT(), weights()
    count, pixels = kernel.shape
    model.version, model.subgraphs = 3, [graph]
    model.buffers = [schema.BufferT() for _ in range(5)]
    for place, data in ((2, kernel), (3, np.zeros(count, np.float32))):
        model.buffers[place].data = np.frombuffer(data.tobytes(), np.uint8)
    shapes = ([1, CELLS * SIDE, CELLS * SIDE, 1], [count, pixels], [count], [1, count])
    graph.tensors = []
    for name, shape in zip(("image", "kernel", "bias", "cells"), shapes, strict=True):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, shape, len(graph.tensors) + 1
        graph.tensors.append(tensor)
    code, step = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    step.inputs, step.outputs = [0, 1, 2], [3]
    step.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    step.builtinOptions = schema.FullyConnectedOptionsT()
    model.operatorCodes, graph.operators = [code], [step]
    graph.inputs, graph.outputs = [0], [3]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose gate has run once."""
    project = BareProject(tmp_path_factory.mktemp("detector"))
    (x_train, _), (x_test, y_test) = made(100, seed=1), made(200, seed=2)
    arrays = {"x_train": x_train, "x_test": x_test, "y_test": y_test}
    np.savez(project.path / "bars.npz", **arrays)
    arrays["slices.dense"] = np.sum(y_test[..., 4] >= 0, axis=1) > 6
    (project.path / "bars_float32.tflite").write_bytes(network())
    digests = {name: str(array_digest(array)) for name, array in arrays.items()}
    text = MODEL.replace("{DIGESTS}", repr(digests))
    (project.path / "models" / "bars.py").write_text(text)
    done = project.gate()
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def decoded(tflite, x):
    scope = {}
    exec(MODEL[MODEL.index("import numpy") : MODEL.index("def load")], scope)  # noqa: S102
    return scope["decode"](outputs(tflite, x).real)


def test_the_value_of_the_float_file_is_that_of_pycocotools(project):
    rows = {row["recipe"]: row for row in project.report["recipes"]}
    x, labels = made(200, seed=2)
    expected = coco_stats(labels, decoded(network(), x))
    assert 0.5 < expected < 1
    value = rows["float32"]["metrics"]["map_coco"]["value"]
    assert value == pytest.approx(expected, abs=1e-9)


def test_each_limit_has_a_verdict(project):
    verdicts = {
        row["measurement"]: row["verdict"]
        for row in project.report["verdicts"]
        if row["measurement"].startswith(("map", "worst"))
    }
    assert len(verdicts) >= 5
    assert set(verdicts.values()) == {"pass"}


def test_the_page_counts_boxes(project):
    page = (project.path / ".litegate" / "report" / "report.html").read_text("utf-8")
    assert "the boxes that changed sides" in page
    assert re.search(r"no box of \d|box(es)? (was|were) broken", page)


def test_swapped_answers_are_noticed(project):
    """The proof needs no fault of its own for boxes: wrong boxes are wrong answers."""
    only = ("--prove", "--prove-family", "accuracy", "-m", "not latency")
    done = project.python("-m", "pytest", "checks/test_metrics.py", *only)
    (proof,) = project.report["proofs"]
    (fault,) = [row for row in proof["faults"] if row["name"] == "mixed_up_answers"]
    assert fault["smallest"] <= fault["must"], done.stdout
    limits = ("map_coco", "map_voc")
    assert all(any(it in check for check in fault["noticed_by"]) for it in limits), fault
