"""Weights: zeros and different values, by layer, by scale, just below, at and above a limit."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from recurrent import lstm, sparse_dense, svdf

from litegate import percent
from litegate.core.errors import MeasurementError
from litegate.measures.measurement import Outcome
from litegate.measures.structure.inspection import inspection
from litegate.measures.structure.weights import layer_weights, sparsity, unique_weights
from litegate.spec import Kind
from litegate.testing import Draft, artifact, edit, float_layer, tiny, tiny_artifact
from litegate.tflite.editing.writer import ModelWriter

NAMES = ("conv", "depthwise", "dense")


def stored(change, kind=Kind.INT8_QAT, names=NAMES):
    """The tiny network with `change` applied to the stored weights of layers."""

    def apply(model):
        draft = Draft(model)
        for name in names:
            tensor = draft.graph.tensors[draft.index(f"{name}/weight")]
            values = draft.values(tensor)
            draft.store(tensor, change(values.copy()).astype(values.dtype))

    return artifact(edit(tiny(kind), apply), kind)


def half(weights):
    return 5 * (np.indices(weights.shape).sum(0) % 2)


@pytest.mark.parametrize("kind", [Kind.INT8_QAT, Kind.INT16X8, Kind.FLOAT32, Kind.FLOAT16])
def test_zeros_are_counted_in_every_kind(kind):
    found = layer_weights(stored(half, kind))
    assert [one.zeros for one in found] == [(one.size + 1) // 2 for one in found]
    assert [one.unique for one in found] == [2, 2, 2]


def test_the_share_is_that_of_all_weights_together():
    made = stored(lambda weights: weights * 0, names=("dense",))
    found, by_layer = sparsity(made), layer_weights(made)
    zeros, size = (sum(getattr(one, name) for one in by_layer) for name in ("zeros", "size"))
    assert found.value == Fraction(zeros, size)
    assert by_layer[-1].sparsity == 1
    assert found.n == size
    assert "CONV_2D" in found.evidence[0]
    assert "FULLY_CONNECTED" in found.evidence[-1]
    assert "100.00 %" in found.evidence[-1]


@pytest.mark.parametrize(
    ("limit", "outcome"), [(49.9, Outcome.PASS), (50, Outcome.PASS), (50.1, Outcome.FAIL)]
)
def test_sparsity_just_below_at_and_above(limit, outcome):
    def even(weights):
        weights[:] = 1
        weights.ravel()[: weights.size // 2] = 0
        return weights

    made = stored(even)
    assert all(one.size % 2 == 0 for one in layer_weights(made))
    assert (sparsity(made) >= percent(limit)).outcome is outcome


@pytest.mark.parametrize(
    ("limit", "outcome"), [(4, Outcome.FAIL), (5, Outcome.PASS), (6, Outcome.PASS)]
)
def test_unique_weights_just_below_at_and_above(limit, outcome):
    made = stored(lambda w: np.arange(w.size).reshape(w.shape) % 5)
    assert (unique_weights(made) <= limit).outcome is outcome


def test_channels_with_scales_of_their_own_are_counted_apart():
    """The same two values in real numbers are other integers in each channel."""
    made = stored(lambda w: np.arange(len(w)).reshape(-1, 1, 1, 1) + 0 * w, names=("conv",))
    assert layer_weights(made)[0].unique == 1


def test_a_zero_is_what_stands_for_zero():
    """In an asymmetric tensor that is its zero point."""

    def shift(model):
        draft = Draft(model)
        tensor = draft.graph.tensors[draft.index("dense/weight")]
        tensor.quantization.zeroPoint = [3] * len(tensor.quantization.scale)
        draft.store(tensor, np.full_like(draft.values(tensor), 3))

    dense = layer_weights(artifact(edit(tiny(), shift)))[-1]
    assert dense.zeros == dense.size


def test_weights_that_two_operators_share_count_once():
    def share(model):
        draft = Draft(model)
        twin = draft.beside(draft.index("dense"), "/twin")
        again = draft.writer("dense")
        operator = draft.graph.operators[again]
        copy = schema.OperatorT(
            opcodeIndex=operator.opcodeIndex,
            inputs=list(operator.inputs),
            outputs=[twin],
            builtinOptionsType=operator.builtinOptionsType,
            builtinOptions=operator.builtinOptions,
        )
        draft.graph.operators.insert(again + 1, copy)

    assert len(layer_weights(artifact(edit(tiny(), share)))) == len(NAMES)


def test_layers_declared_float_are_left_out():
    made = artifact(float_layer(tiny(), "dense"))
    recipe = replace(made.recipe, float_layers=("dense",))
    assert len(layer_weights(replace(made, recipe=recipe))) == len(NAMES) - 1
    assert len(layer_weights(made)) == len(NAMES)


def test_weights_of_another_type_are_refused():
    def pack(model):
        draft = Draft(model)
        tensor = draft.graph.tensors[draft.index("dense/weight")]
        draft.store(tensor, draft.values(tensor).ravel()[::4])
        tensor.type = schema.TensorType.INT2

    with pytest.raises(MeasurementError, match="cannot be counted") as raised:
        sparsity(artifact(edit(tiny(), pack)))
    assert "int2" in raised.value.got
    assert "dense/weight" in str(raised.value)


def test_weights_of_four_bits_are_unpacked():
    """The lower half of a byte comes first; the sign is that of the half."""

    def pack(model):
        draft = Draft(model)
        tensor = draft.graph.tensors[draft.index("dense/weight")]
        pairs = np.tile(np.array([0x70, 0x0F, 0x98], np.uint8), tensor.shape[0] * tensor.shape[1])
        draft.store(tensor, pairs[: np.prod(tensor.shape) // 2].view(np.int8))
        tensor.type = schema.TensorType.INT4

    dense = layer_weights(artifact(edit(tiny(), pack)))[-1]
    assert dense.unique == len({0, 7, -1, -8, -7})
    assert dense.sparsity == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(Kind.WEIGHT_ONLY_WI4_AFP32, [9, 36, 15]), (Kind.DYNAMIC_WI4B32_AFP32, [36, 36, 15])],
)
def test_int4_weights_are_counted_by_channel_or_block(kind, expected):
    """Of 1,024 weights of the dense layer, each of the 15 values occurs; floats are distinct."""
    assert [layer.unique for layer in layer_weights(tiny_artifact(kind))] == expected


def test_blocks_are_counted_apart():
    def change(model):
        draft = Draft(model)
        weights = draft.tensor("dense/weight")
        blocks = np.repeat(np.arange(8, dtype=np.int8), 32)
        draft.store(weights, np.tile(blocks, (4, 1)), dtype="int4")

    kind = Kind.DYNAMIC_WI4B32_AFP32
    dense = layer_weights(artifact(edit(tiny(kind), change), kind))[-1]
    assert (dense.unique, dense.zeros) == (1, 4 * 32)


def test_a_file_without_weights_is_refused():
    made = artifact(float_layer(tiny(), "dense"))
    recipe = replace(made.recipe, float_layers=NAMES)
    with pytest.raises(MeasurementError, match="no weights"):
        unique_weights(replace(made, recipe=recipe))


def embedded(kind="GATHER"):
    """Rows of a table without zeros, and a dense layer of nothing else."""
    writer = ModelWriter("embedded")
    ids = writer.computed("ids", "int32", (1,))
    table = writer.constant("table", np.ones((50, 4), np.float32))
    rows = writer.computed("rows", "float32", (1, 4))
    options = schema.GatherOptionsT() if kind == "GATHER" else None
    writer.operator(kind, 2, [table, ids] if kind == "GATHER" else [ids, table], rows, options)
    weight = writer.constant("weight", np.zeros((2, 4), np.float32))
    out = writer.computed("out", "float32", (1, 2))
    empty = schema.FullyConnectedOptionsT()
    writer.operator("FULLY_CONNECTED", 1, [rows, weight, -1], out, empty)
    return artifact(writer.finish([ids], [out]), Kind.FLOAT32)


@pytest.mark.parametrize("kind", ["GATHER", "EMBEDDING_LOOKUP"])
def test_tables_of_embeddings_are_weights(kind):
    """They are most of a small text model; without them it looked sparse."""
    found = layer_weights(embedded(kind))
    assert [(one.size, one.zeros) for one in found] == [(8, 8), (200, 0)]
    assert sparsity(embedded(kind)).value == Fraction(8, 208)


@pytest.mark.parametrize(("tflite", "size"), [(lstm(), 4 * 5 * (4 + 5)), (svdf(), 6 * 8 + 6 * 3)])
def test_weights_of_recurrent_layers_are_counted(tflite, size):
    made = artifact(tflite)
    assert sum(layer.size for layer in layer_weights(made)) == size
    found = inspection(tflite, (), subject="a file")
    weights, over_time = (size, 0) if size == 180 else (6 * 8, 2 * 6 * 3)
    biases = 4 * (4 * 5 if size == 180 else 6)
    assert found.weight_bytes == weights + over_time + biases
    assert found.constant_bytes == 0


def test_sparse_weights_are_weights_that_cannot_be_counted_alone():
    found = inspection(sparse_dense(), (), subject="a file")
    assert (found.weight_bytes, found.constant_bytes) == (8, 0)
    with pytest.raises(MeasurementError, match="'packed' cannot be counted"):
        sparsity(artifact(sparse_dense(), Kind.FLOAT32))


def test_layers_whose_weights_are_not_known_are_no_measurement():
    def renamed(model):
        code = model.operatorCodes[model.subgraphs[0].operators[0].opcodeIndex]
        code.builtinCode = schema.BuiltinOperator.STABLEHLO_CONVOLUTION
        code.deprecatedBuiltinCode = 127

    with pytest.raises(
        MeasurementError, match=r"STABLEHLO_CONVOLUTION v. has weights that cannot be counted"
    ):
        sparsity(artifact(edit(tiny(Kind.FLOAT32), renamed), Kind.FLOAT32))
