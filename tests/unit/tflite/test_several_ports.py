"""Several inputs, outputs and signatures: by name, whatever the file's order is."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from several import crossed, crossed_artifact, double, samples, second_graph_signed, two_signatures

from litegate.core.errors import ArtifactError, DataError, MeasurementError
from litegate.runtimes.inference import all_outputs, inner_tensors, outputs, predict, predict_all
from litegate.runtimes.litert import Kernels, Runner
from litegate.runtimes.litert import signatures as signatures_of
from litegate.spec import Inputs
from litegate.tflite.editing.draft import Draft, name_of
from litegate.tflite.parser import parse
from litegate.tflite.ports import graph_ports

X = samples()
LEFT, RIGHT = X.arrays["left"], X.arrays["right"]


@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("kernels", list(Kernels))
def test_arrays_go_to_the_inputs_of_their_names(free, kernels):
    """The file lists them the other way round; one sample at a time gives the same."""
    found = all_outputs(crossed(free=free), X, kernels=kernels)
    assert np.allclose(found["sum"].raw, LEFT + RIGHT)
    assert np.allclose(found["product"].raw, LEFT * RIGHT)


def test_the_signature_orders_outputs_by_name_and_not_the_file():
    """LiteRT sorts a signature's names; without a signature the file's own order counts."""
    assert list(all_outputs(crossed(), X)) == ["product", "sum"]
    assert list(all_outputs(crossed(names=("a_sum", "product")), X)) == ["a_sum", "product"]
    unsigned = {"in_left": LEFT, "in_right": RIGHT}
    assert list(all_outputs(crossed(signed=False), Inputs(unsigned))) == ["out_product", "out_sum"]


def test_an_input_is_known_by_its_tensor_too():
    by_tensor = Inputs({"in_left": LEFT, "right": RIGHT})
    assert np.allclose(all_outputs(crossed(), by_tensor)["sum"].raw, LEFT + RIGHT)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"left": LEFT, "rigth": RIGHT}, "did you mean 'right'"),
        ({"left": LEFT}, "samples are missing for the input right"),
        ({"left": LEFT, "right": RIGHT, "zzz": RIGHT}, "has no input 'zzz'"),
        ({"left": LEFT, "right": RIGHT[:, :2]}, "right: float32 of shape"),
    ],
)
def test_arrays_that_do_not_fit_the_inputs_are_refused(given, said):
    with pytest.raises(ArtifactError) as refused:
        outputs(crossed(), Inputs(given))
    assert said in str(refused.value)


def test_one_array_is_not_enough_for_two_inputs():
    with pytest.raises(ArtifactError, match="has 2 inputs, but the samples are a single array"):
        outputs(crossed(), LEFT)


def test_lengths_that_differ_are_refused():
    with pytest.raises(DataError, match="the same number of samples for each input") as refused:
        Inputs({"left": LEFT, "right": RIGHT[:7]})
    assert "left 40, right 7" in str(refused.value)
    with pytest.raises(DataError, match="no array"):
        Inputs({})
    with pytest.raises(DataError, match="number no"):
        Inputs({"number": 3})


def test_samples_are_picked_by_slices_and_indices():
    assert len(X[:5]) == 5
    order = np.array([3, 1])
    assert np.array_equal(X[order].arrays["right"], RIGHT[order])
    assert np.array_equal(X.map(lambda array: array * 2).arrays["left"], LEFT * 2)
    for wrong in (lambda: X[0], lambda: list(X)):
        with pytest.raises(TypeError):
            wrong()


def test_a_prediction_is_of_the_output_that_is_asked_for():
    """Named, else the one that the data say decides, else the first of the signature."""
    first, deciding = crossed_artifact(), crossed_artifact(output="sum")
    assert np.allclose(predict(first).raw, LEFT * RIGHT)
    assert np.allclose(predict(deciding).raw, LEFT + RIGHT)
    assert np.allclose(predict(deciding, output="product").raw, LEFT * RIGHT)
    with pytest.raises(ArtifactError, match="did you mean 'product'"):
        predict(deciding, output="prodct")


def test_an_output_is_called_as_in_the_float_network():
    """A quantization-aware network calls it with tfmot's prefix."""
    found = all_outputs(crossed(names=("quant_sum", "product")), X)
    assert list(found) == ["product", "sum"]
    aware = crossed_artifact(crossed(names=("quant_sum", "product")), output="sum")
    assert np.allclose(predict(aware).raw, predict(aware, output="quant_sum").raw)


def test_nan_in_any_input_is_found():
    broken = Inputs({"left": LEFT, "right": np.where(RIGHT > 0.9, np.nan, RIGHT)})
    with pytest.raises(
        MeasurementError,
        match=r"sample \d+ in the input right of the",
    ):
        predict_all(crossed_artifact(x=broken))


def test_what_inner_tensors_hold_is_of_both_inputs():
    bare = next(one.index for one in parse(crossed()).main.tensors if one.name == "bare")
    held = [one[bare] for one in inner_tensors(crossed(), X, [bare])]
    assert np.allclose(np.concatenate(held), LEFT * RIGHT)


def test_a_signature_of_any_graph_is_run_by_its_name():
    tflite = two_signatures()
    assert signatures_of(tflite) == ("add", "twice")
    both = Inputs({"x": LEFT, "y": RIGHT})
    assert np.allclose(all_outputs(tflite, both, signature="add")["sum"].raw, LEFT + RIGHT)
    found = all_outputs(tflite, LEFT, signature="twice", batch=7)
    assert np.allclose(found["doubled"].raw, 2 * LEFT)
    runner = Runner(tflite, signature="twice")
    with pytest.raises(ArtifactError, match="does not accept these samples"):
        runner.run(LEFT[:, :2])


@pytest.mark.parametrize("signature", ["", "tiwce"])
def test_a_signature_must_be_named_where_there_are_several(signature):
    with pytest.raises(ArtifactError, match="add, twice"):
        all_outputs(two_signatures(), LEFT, signature=signature)


def test_a_parser_reads_the_signatures_and_enters_the_named_one():
    graph = parse(two_signatures(), signature="twice")
    assert [(one.name, one.graph) for one in graph.signatures] == [("add", 0), ("twice", 1)]
    assert [graph.main.tensors[index].name for index in graph.main.inputs] == ["twice_x"]
    assert all(one.is_entry for one in graph.subgraphs)
    assert parse(two_signatures()).main.index == 0
    with pytest.raises(ArtifactError, match="no signature 'third'"):
        parse(two_signatures(), signature="third")


@pytest.mark.parametrize("kernels", list(Kernels))
@pytest.mark.parametrize("signature", ["", "twice"])
def test_the_only_signature_chooses_the_graph_that_is_run(signature, kernels):
    outputs_by_name = all_outputs(
        second_graph_signed(), LEFT, signature=signature, kernels=kernels, batch=7
    )
    assert list(outputs_by_name) == ["doubled"]
    assert np.allclose(outputs_by_name["doubled"].raw, 2 * LEFT)


@pytest.mark.parametrize("signature", ["", "twice"])
def test_the_only_signature_chooses_the_graph_that_is_parsed(signature):
    graph = parse(second_graph_signed(), signature=signature)
    assert graph.main.index == 1
    ports = [graph_ports(graph, side, signature) for side in ("inputs", "outputs")]
    assert [list(port) for port in ports] == [["x"], ["doubled"]]


def test_faults_are_planted_in_the_graph_of_the_only_signature():
    draft = Draft(schema.ModelT.InitFromPackedBuf(second_graph_signed(), 0))
    assert name_of(draft.graph.tensors[draft.output]) == "twice_out"


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_whole_numbers_go_as_they_are_into_an_input_without_a_scale(dtype):
    ids = np.array([[0, -5, 2**24 - 1]], np.float32)
    assert outputs(double(dtype=dtype), ids).raw.tolist() == ids.tolist()
    exact = np.array([[1, 2, 2**31 - 1]], np.int64)
    assert outputs(double(dtype=dtype, out="int64"), exact).raw.tolist() == exact.tolist()


def test_bools_are_zero_or_one():
    flags = np.array([[0, 1, 1]], np.float32)
    assert outputs(double(dtype="bool"), flags).raw.tolist() == [[0, 1, 1]]


@pytest.mark.parametrize(
    ("dtype", "value", "limits"),
    [
        ("int32", 0.5, "-16,777,215 to 16,777,215"),
        ("int32", 2.0**25, "-16,777,215 to 16,777,215"),
        ("int32", np.nan, "whole numbers"),
        ("bool", 2, "0 to 1"),
        ("bool", -1, "0 to 1"),
    ],
)
def test_what_an_input_without_a_scale_cannot_hold_is_refused(dtype, value, limits):
    """Of float32 beyond 24 bits nobody knows whether they were rounded: 2**24 + 1 is 2**24."""
    with pytest.raises(MeasurementError) as refused:
        outputs(double(dtype=dtype), np.array([[0, 1, value]], np.float32))
    assert limits in str(refused.value)


def test_integers_beyond_a_type_are_refused():
    with pytest.raises(MeasurementError, match="2,147,483,647"):
        outputs(double(dtype="int32"), np.array([[0, 1, 2**31]], np.int64))


def test_a_free_length_is_that_of_the_samples():
    """(n, free, 3): the same file takes sequences of two lengths."""
    tflite = double(length=-1)
    for length in (2, 9):
        x = np.ones((5, length), np.float32)
        assert outputs(tflite, x).raw.shape == (5, length)


def test_int16_ports_are_quantized():
    found = outputs(double(dtype="int16", scale=0.5, out="int16"), np.float32([[1, -2, 1e9]]))
    assert found.raw.tolist() == [[2, -4, 32767]]
