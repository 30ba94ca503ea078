"""Stripped files of every shape: the proof takes whatever LiteRT runs, and says what it cannot."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from litegate.build.toolchain.strip import stripped
from litegate.core.errors import ArtifactError, BuildError
from litegate.runtimes.drawn_inputs import SAMPLES, answer_drawn
from litegate.runtimes.equivalence import demand_same_answers
from litegate.runtimes.inference import all_outputs
from litegate.runtimes.litert import Kernels
from litegate.testing import Draft, edit, revalue, tiny
from litegate.tflite.editing.writer import ModelWriter, QuantizationParameters
from litegate.tflite.parser import parse
from litegate.tflite.same_graph import demand_same_graph

STEP = QuantizationParameters(scales=(0.5,))
MEAN = schema.ReducerOptionsT()


def proved(tflite):
    """The answers of each set of kernels, which are the stripped file's too."""
    return demand_same_answers(tflite, stripped(tflite)).values()


def mean(shape, dtype="float32", steps=None, axes=(0, 1), answer=()):
    """The mean of an input."""
    writer = ModelWriter("mean")
    x = writer.computed("x", dtype, shape, steps)
    along = writer.constant("axes", np.array(axes, np.int32))
    y = writer.operator("MEAN", 1, [x, along], writer.computed("y", dtype, answer, steps), MEAN)
    return writer.finish([x], [y])


def doubled(shape, **more):
    """An input added to itself."""
    writer = ModelWriter("doubled")
    x = writer.computed("x", "float32", shape, **more)
    y = writer.computed("y", "float32", shape)
    return writer.finish([x], [writer.operator("ADD", 1, [x, x], y, schema.AddOptionsT())])


def embedding(rows):
    """Rows of a table, by token ids that have a scale as some converters write."""
    writer = ModelWriter("embedding")
    x = writer.computed("x", "int32", (1, 4), STEP)
    y = writer.computed("y", "float32", (1, 4, 8))
    table = writer.constant("table", np.ones((rows, 8), np.float32))
    writer.operator("GATHER", 1, [table, x], y, schema.GatherOptionsT())
    return writer.finish([x], [y])


def without_inputs():
    writer = ModelWriter("no input")
    value = writer.constant("value", np.ones((1, 4), np.float32))
    y = writer.computed("y", "float32", (1, 4))
    writer.operator("ADD", 1, [value, value], y, schema.AddOptionsT())
    return writer.finish([], [y])


def reshaped():
    """Four numbers in the shape that an input gives; drawn sizes are 0 and 1, and never fit."""
    writer = ModelWriter("reshaped")
    x, shape = writer.computed("x", "float32", (1, 4)), writer.computed("shape", "int32", (2,))
    y = writer.computed("y", "float32", (2, 2))
    writer.operator("RESHAPE", 1, [x, shape], y)
    return writer.finish([x, shape], [y])


@pytest.mark.parametrize(
    "tflite",
    [
        mean((1, 4)),
        mean((-1, 4)),
        mean((-1, 4), axes=(0,), answer=(4,)),
        mean((3, 4), axes=(1,), answer=(3,)),
        doubled(()),
        doubled((5,)),
        doubled((1, 4), steps=STEP),
        embedding(1),
        embedding(500),
        without_inputs(),
    ],
    ids=(
        "scalar output",
        "scalar output of a free batch",
        "output without a batch",
        "batch of three",
        "scalar input",
        "one dimension",
        "float input with a scale",
        "one token",
        "five hundred tokens",
        "no input",
    ),
)
def test_whatever_litert_runs_is_proved(tflite):
    assert {answers.samples for answers in proved(tflite)} == {SAMPLES}


@pytest.mark.parametrize("kernels", Kernels)
def test_token_ids_reach_over_the_table_and_not_beyond(kernels):
    """Rows behind the second are read, so that a change of theirs is seen."""

    def answers(value):
        def change(values):
            values = values.copy()
            values[2:] = value  # ids of 0 and 1 do not read these
            return values

        return answer_drawn(revalue(embedding(500), "table", change), kernels).outputs

    assert answers(1) != answers(2)


def test_what_does_not_run_on_drawn_samples_is_compared_part_by_part():
    for answers in proved(reshaped()):
        assert answers.samples == 0
        assert "RESHAPE" in answers.refusal


def test_kernels_that_lack_an_operator_do_not_stop_the_others():
    """The reference kernels have no CEIL."""
    writer = ModelWriter("rounded up")
    x, y = (writer.computed(name, "float32", (1, 4)) for name in "xy")
    xnnpack, reference, builtin = proved(writer.finish([x], [writer.operator("CEIL", 1, [x], y)]))
    assert (xnnpack.samples, reference.samples, builtin.samples) == (SAMPLES, 0, SAMPLES)
    assert "CEIL" in reference.refusal


def test_answers_that_differ_from_run_to_run_prove_nothing():
    writer = ModelWriter("noise")
    shape = writer.constant("shape", np.array([1, 64], np.int32))
    y = writer.computed("y", "float32", (1, 64))
    options = schema.RandomOptionsT(seed=0, seed2=0)
    noise = writer.finish([], [writer.operator("RANDOM_UNIFORM", 1, [shape], y, options)])
    assert {answers.samples for answers in proved(noise)} == {0}


def text_with_a_scale(model):
    Draft(model).tensor("x").type = schema.TensorType.STRING


def passed_on(model):
    model.subgraphs[0].operators, model.subgraphs[0].outputs = [], model.subgraphs[0].inputs


def test_text_is_fed_and_compared_as_text():
    text = edit(doubled((1, 4), steps=STEP), text_with_a_scale)
    assert all("STRING is unsupported" in answers.refusal for answers in proved(text))
    assert {answers.samples for answers in proved(edit(text, passed_on))} == {SAMPLES}


def test_a_scalar_for_each_sample_is_a_value_for_each():
    outputs = all_outputs(mean((1, 4)), np.arange(12, dtype=np.float32).reshape(3, 4))
    assert outputs["y"].real.tolist() == [1.5, 5.5, 9.5]


def test_an_input_of_more_numbers_than_memory_is_not_drawn():
    tflite = doubled((1, (1 << 24) + 1))
    assert "random inputs have at most 16,777,216" in answer_drawn(tflite, Kernels.XNNPACK).refusal


def test_a_signature_of_another_rank_is_refused():
    def change(model):
        Draft(model).tensor("x").shapeSignature = [-1, 4, 4]

    with pytest.raises(ArtifactError, match=r"the shape \(1, 4\) and the signature \(-1, 4, 4\)"):
        parse(edit(doubled((1, 4)), change))


def nudged(model):
    tensor = Draft(model).tensor("dense/weight")
    tensor.quantization.scale = [2 * scale for scale in tensor.quantization.scale]


def stridden(model):
    Draft(model).graph.operators[1].builtinOptions.strideH = 2


def revalued(model):
    weight = model.buffers[Draft(model).tensor("dense/weight").buffer]
    weight.data = np.array(weight.data) ^ 1


def retyped(model):
    Draft(model).tensor("dense").type = schema.TensorType.UINT8


def unsigned(model):
    model.signatureDefs = [schema.SignatureDefT(signatureKey="other", inputs=[], outputs=[])]


def shortened(model):
    del model.subgraphs[0].operators[-1]


@pytest.mark.parametrize("change", [nudged, stridden, revalued, retyped, unsigned, shortened])
def test_every_part_that_a_runtime_reads_is_compared(change):
    """Whether LiteRT can be asked or not."""
    before = tiny()
    with pytest.raises(BuildError, match="changed its graph"):
        demand_same_graph(before, stripped(edit(before, change)))
