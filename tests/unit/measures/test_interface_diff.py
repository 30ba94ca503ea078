"""Inputs and outputs against the base: each property that an application relies on, by name."""

from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from several import Graph, crossed, write

from litegate.core.errors import ArtifactError, ConfigError
from litegate.measures.measurement import Outcome
from litegate.measures.regression import SAME_BYTES, interface_changes
from litegate.measures.verdict_text import sentence
from litegate.spec import Kind, Regression
from litegate.testing import artifact, edit, pad, tiny, tiny_artifact

BASE = tiny_artifact(Kind.INT8_QAT)


def changed(change, tflite=None):
    """The lines for a file after `change` of its schema object."""
    before = tflite or BASE.tflite
    return interface_changes(artifact(before), artifact(edit(before, change))).offenders


def input_tensor(model):
    return model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]


def quantized(scale, zero_point):
    """A change that gives the input a scale and a zero point."""

    def change(model):
        parameters = schema.QuantizationParametersT()
        parameters.scale, parameters.zeroPoint = [scale], [zero_point]
        input_tensor(model).quantization = parameters

    return change


def attribute(name, value):
    """A change of an attribute of the input's tensor."""
    return lambda model: setattr(input_tensor(model), name, value)


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (attribute("type", schema.TensorType.UINT8), ("type float32 -> uint8",)),
        (attribute("shapeSignature", [1, 10, 10, 1]), ("shape ?x10x10x1 -> 1x10x10x1",)),
        (attribute("shapeSignature", [-1, -1, 10, 1]), ("shape ?x10x10x1 -> ?x?x10x1",)),
        (quantized(0.5, 3), ("scale none -> 0.5", "zero point none -> 3")),
    ],
    ids=["type", "batch", "dynamic size", "quantization"],
)
def test_each_changed_property_is_named(change, lines):
    """With both values, and nothing else."""
    assert changed(change) == tuple(f"input 'input': {line}" for line in lines)


@pytest.mark.parametrize(
    ("scale", "zero_point", "lines"),
    [
        (0.5, 3, ()),
        (0.5, 4, ("zero point 3 -> 4",)),
        (0.50000006, 3, ("scale 0.5 -> 0.50000006",)),
    ],
)
def test_quantization_is_compared_to_the_last_digit(scale, zero_point, lines):
    """0.50000006 is the next float32 number."""
    before = edit(BASE.tflite, quantized(0.5, 3))
    found = changed(quantized(scale, zero_point), before)
    assert found == tuple(f"input 'input': {line}" for line in lines)


def test_a_renamed_input_is_named_by_its_position():
    """Applications ask for it by name."""
    assert changed(attribute("name", "image")) == ("input 0: name 'input' -> 'image'",)


def with_signature(key):
    def change(model):
        definition = schema.SignatureDefT()
        definition.signatureKey, definition.subgraphIndex = key, 0
        definition.inputs, definition.outputs = [schema.TensorMapT()], [schema.TensorMapT()]
        for port, index, name in (
            (definition.inputs[0], model.subgraphs[0].inputs[0], "input"),
            (definition.outputs[0], model.subgraphs[0].outputs[0], "output"),
        ):
            port.name, port.tensorIndex = name, index
        model.signatureDefs = [definition]

    return change


def test_the_signatures_names_are_the_interface():
    """Not those of the tensors behind it."""
    signed = edit(BASE.tflite, with_signature("serve"))
    assert changed(attribute("name", "image"), signed) == ()
    assert changed(with_signature("run"), signed) == ("signature: name 'serve' -> 'run'",)

    def unsign(model):
        model.signatureDefs = None

    assert changed(unsign, signed) == ("signature: name 'serve' -> none",)


def test_inputs_that_change_places_are_named():
    """An application that feeds them by position mixes them up."""

    def swap(model):
        model.subgraphs[0].inputs = model.subgraphs[0].inputs[::-1]

    assert changed(swap, crossed()) == ("inputs: order 'right', 'left' -> 'left', 'right'",)


def test_an_input_that_comes_or_goes_is_named():
    """The others are compared by name."""

    def adder(*inputs):
        graph, constant = Graph(), np.ones((1, 3), np.float32)
        sides = {
            name: graph.tensor(name, 1, 3, data=None if name in inputs else constant)
            for name in ("left", "right")
        }
        total = graph.step("ADD", [*sides.values()], graph.tensor("sum", 1, 3))
        return artifact(write((graph, [sides[name] for name in inputs], [total])))

    both, one = adder("left", "right"), adder("left")
    assert interface_changes(both, one).offenders == ("input 'right': gone",)
    assert interface_changes(one, both).offenders == ("input 'right': new",)


def activated(*kinds):
    """A float network whose output comes from these operators, one after the other."""
    graph = Graph()
    first = last = graph.tensor("x", 1, 3)
    for kind in kinds:
        last = graph.step(kind, [last], graph.tensor(f"{kind}_out", 1, 3))
    graph.tensors[last] = ("y", *graph.tensors[last][1:])
    return artifact(write((graph, [first], [last])))


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (["ABS"], ["ABS", "SOFTMAX"], "none -> SOFTMAX"),
        (["ABS", "SOFTMAX"], ["ABS"], "SOFTMAX -> none"),
        (["ABS", "SOFTMAX"], ["ABS", "LOG_SOFTMAX"], "SOFTMAX -> LOG_SOFTMAX"),
        (["ABS", "SOFTMAX"], ["ABS", "SOFTMAX", "RESHAPE"], ""),
        (["ABS"], ["ABS", "NEG"], ""),
    ],
)
def test_a_softmax_that_comes_or_goes_is_named(before, after, line):
    """Of a float file too, in which neither type nor scale shows it."""
    found = interface_changes(activated(*before), activated(*after)).offenders
    assert found == ((f"output 'y': activation {line}",) if line else ())


def test_other_weights_and_bytes_change_no_interface():
    """Nor does what the file says of itself."""
    assert interface_changes(BASE, artifact(pad(BASE.tflite, 64))).value == 0
    same = interface_changes(BASE, BASE)
    assert (same.value, same.evidence) == (0, (SAME_BYTES,))


LOGITS = "input 'input': type float32 -> uint8"


@pytest.mark.parametrize(
    ("declared", "outcome"),
    [
        ((), Outcome.FAIL),
        ((LOGITS,), Outcome.PASS),
        (("input 'input': type",), Outcome.PASS),
        (("input 'input': typ",), Outcome.FAIL),
        (("input 'input': type int8 -> uint8",), Outcome.FAIL),
        (("input 'input': type float32 -> uint",), Outcome.FAIL),
        (("output 'output': type", ""), Outcome.FAIL),
    ],
)
def test_a_declared_change_is_excused(declared, outcome):
    """In full, or the property whatever its values; the evidence keeps it in sight."""
    candidate = artifact(edit(BASE.tflite, attribute("type", schema.TensorType.UINT8)))
    found = interface_changes(BASE, candidate, declared=declared)
    verdict = found <= 0
    assert verdict.outcome is outcome
    assert (f"declared: {LOGITS}" in found.evidence) is (outcome is Outcome.PASS)
    assert LOGITS in sentence(verdict)


@pytest.mark.parametrize("declared", ["input 'x': type", ["input 'x': type"], (1,), None])
def test_a_declaration_is_a_tuple_of_texts(declared):
    """One text alone would be a tuple of letters."""
    with pytest.raises(ConfigError, match="must be a tuple of strings"):
        Regression(interface=declared)


def test_a_file_that_cannot_be_read_is_an_error():
    """On either side."""
    broken = replace(BASE, tflite=b"no model", sha256="0" * 64)
    for pair in ((BASE, broken), (broken, BASE)):
        with pytest.raises(ArtifactError):
            interface_changes(*pair)


def test_another_type_of_a_real_file_is_named():
    """From float32 to int8 files, whose ports have other names."""
    found = interface_changes(BASE, artifact(tiny(Kind.FLOAT32)))
    assert found.offenders == ("output 0: name 'output' -> 'dense'",)
    assert found.n == 2


def output_quantized(scale, dtype="INT8"):
    """A change that gives the output a type and a scale; 0 means none."""

    def change(model):
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].outputs[0]]
        tensor.type, tensor.quantization = getattr(schema.TensorType, dtype), None
        if scale:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]

    return change


@pytest.mark.parametrize(
    ("before", "after", "is_explained"),
    [
        (output_quantized(0.5), output_quantized(0.25), True),
        (output_quantized(0.5), output_quantized(0.25, "INT16"), False),
        (output_quantized(0.5), output_quantized(0), False),
        (output_quantized(0), output_quantized(0.5), False),
    ],
    ids=["scale", "type and scale", "scale lost", "scale gained"],
)
def test_only_a_moved_scale_is_explained_by_training(before, after, is_explained):
    """Training decides no type."""
    base, candidate = (artifact(edit(BASE.tflite, change)) for change in (before, after))
    evidence = interface_changes(base, candidate).evidence
    assert any("retraining moves the scale" in line for line in evidence) is is_explained
