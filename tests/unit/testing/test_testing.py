"""The tiny network: LiteRT runs every kind, the kinds agree, and edits change what they say."""

import hashlib

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from graphs import tensor

from litegate.core.errors import ConfigError
from litegate.runtimes.inference import outputs
from litegate.runtimes.litert import Kernels
from litegate.spec import Kind
from litegate.testing import (
    Draft,
    artifact,
    custom_operator,
    edit,
    evaluation,
    float_layer,
    pad,
    requantize,
    retype,
    revalue,
    round_trip,
    tiny,
    tiny_artifact,
)
from litegate.tflite.parser import parse

SPLIT = evaluation()
FLOATS = outputs(tiny(Kind.FLOAT32), SPLIT.x).real


def decided(tflite, **options):
    return outputs(tflite, SPLIT.x, **options).raw.argmax(axis=1)


def agreement(tflite, **options):
    """The share of the split's labels that a file decides for."""
    return np.mean(decided(tflite, **options) == SPLIT.y)


def test_the_float_network_decides_as_its_labels_say():
    """LiteRT and plain NumPy put all samples in the same classes."""
    assert agreement(tiny(Kind.FLOAT32)) == 1
    assert set(SPLIT.y) == {0, 1, 2, 3}


# Weights of four bits lose decisions of a network this small.
FOUR_BITS = {Kind.WEIGHT_ONLY_WI4_AFP32, Kind.DYNAMIC_WI4B32_AFP32}


@pytest.mark.parametrize("kernels", Kernels)
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in FOUR_BITS])
def test_every_kind_runs_and_decides_as_the_floats_do(kind, kernels):
    """On optimized and on reference kernels; logits differ by a fraction of their own spread."""
    tflite = tiny(kind)
    assert agreement(tflite, kernels=kernels) == 1
    real = outputs(tflite, SPLIT.x, kernels=kernels).real
    assert np.abs(real - FLOATS).mean() < 0.1 * FLOATS.std()


@pytest.mark.parametrize("output_type", ["float32", "int8", "uint8"])
@pytest.mark.parametrize("input_type", ["float32", "int8", "uint8"])
def test_port_types_change_nothing_but_the_ports(input_type, output_type):
    """The same decisions, in the types that were asked for."""
    tflite = tiny(Kind.INT8_QAT, input_type=input_type, output_type=output_type)
    main = parse(tflite).main
    assert main.tensors[main.inputs[0]].dtype == input_type
    assert main.tensors[main.outputs[0]].dtype == output_type
    assert (decided(tflite) == decided(tiny(Kind.INT8_QAT))).all()


def test_a_seed_gives_the_same_bytes_and_another_seed_others():
    """What a test stores by digest stays the same file."""
    assert tiny(seed=3) == tiny(seed=3) != tiny(seed=4)


def test_editing_nothing_keeps_the_model():
    """Unpacked and packed again, a file says the same."""
    assert parse(edit(tiny(), lambda _: None)) == parse(tiny())


def test_a_round_trip_decides_the_same():
    """Out of int8 and back by one scale loses nothing."""
    assert (decided(round_trip(tiny(), "conv")) == decided(tiny())).all()


@pytest.mark.parametrize("name", ["conv", "depthwise", "dense"])
def test_a_float_layer_still_runs(name):
    """One layer in floats decides as the integers do."""
    assert agreement(float_layer(tiny(), name)) == 1


def test_padding_leaves_the_model_runnable():
    """LiteRT does not mind what follows the table."""
    padded = pad(tiny(), 1000)
    assert len(padded) == len(tiny()) + 1000
    assert (decided(padded) == decided(tiny())).all()


def test_revalue_stores_what_it_is_given():
    """A dense bias far from the others collapses every decision into its class."""
    huge = revalue(tiny(), "dense/bias", lambda old: np.array([0, 0, 10**6, 0], old.dtype))
    assert set(decided(huge)) == {2}


def test_requantize_changes_the_steps_and_not_the_values():
    """Other scales along another dimension, the same integers."""
    changed = parse(requantize(tiny(), "conv/weight", scales=[0.5] * 3, zero_point=1, axis=1))
    before, after = tensor(parse(tiny()), "conv/weight"), tensor(changed, "conv/weight")
    assert (after.scales, after.zero_points) == ((0.5,) * 3, (1,) * 3)
    assert after.quantized_dimension == 1
    assert changed.buffers[after.buffer] == parse(tiny()).buffers[before.buffer]


def test_retype_casts_values_and_drops_the_scales_of_floats():
    """The bytes follow the type; a float tensor has no steps."""
    weight = tensor(parse(retype(tiny(), "conv/weight", "float32")), "conv/weight")
    assert (weight.dtype, weight.nbytes, weight.scales) == ("float32", 4 * 36, ())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda: retype(tiny(), "convolution", "int8"), "no tensor is named convolution"),
        (lambda: custom_operator(tiny(), "input", "Flex"), "no operator writes the tensor input"),
        (lambda: revalue(tiny(), "conv", np.negative), "tensor conv is computed"),
    ],
)
def test_an_edit_that_finds_nothing_to_change_says_so(change, reason):
    """A fault that was not planted must not look like one that was not noticed."""
    with pytest.raises(ConfigError, match=reason):
        change()


def test_a_draft_lets_readers_read_another_tensor():
    """The graph's outputs are readers too."""

    def change(model):
        draft = Draft(model)
        draft.read_instead(draft.index("output"), draft.index("conv"))

    main = parse(edit(tiny(), change)).main
    assert [main.tensors[index].name for index in main.outputs] == ["conv"]


def test_storing_a_constant_leaves_alone_what_shares_its_bytes():
    """Converters keep equal values once."""

    def change(model):
        draft = Draft(model)
        conv, depthwise = draft.tensor("conv/bias"), draft.tensor("depthwise/bias")
        depthwise.buffer = conv.buffer
        before = draft.values(depthwise)
        draft.store(conv, before + 1)
        assert (draft.values(depthwise) == before).all()
        assert (draft.values(conv) == before + 1).all()

    edit(tiny(), change)


def test_a_float_layer_leaves_alone_who_shares_its_constants():
    """Two layers read one bias; only one of them becomes float."""

    def share(model):
        draft = Draft(model)
        depthwise = draft.graph.operators[draft.writer("depthwise")]
        depthwise.inputs = [*depthwise.inputs[:2], draft.index("conv/bias")]

    shared = edit(tiny(), share)
    assert (decided(float_layer(shared, "conv")) == decided(shared)).all()


def test_a_drafts_new_constant_holds_its_values():
    """In a buffer of its own."""

    def change(model):
        draft = Draft(model)
        added = draft.graph.tensors[draft.constant("order", np.array([0, 2, 1], np.int32))]
        assert draft.values(added).tolist() == [0, 2, 1]

    added = tensor(parse(edit(tiny(), change)), "order")
    assert (added.dtype, added.shape, added.nbytes) == ("int32", (3,), 12)


def test_a_signature_follows_its_output():
    """It names the tensor that the graph gives now."""

    def change(model):
        draft = Draft(model)
        output, other = draft.index("output"), draft.index("conv")
        port = schema.TensorMapT(name=b"scores", tensorIndex=output)
        model.signatureDefs = [schema.SignatureDefT(inputs=[], outputs=[port])]
        draft.read_instead(output, other)
        assert port.tensorIndex == other

    edit(tiny(), change)


def test_an_artifact_wraps_bytes_under_their_digest():
    """Named after its kind, with the ports that it was given."""
    made = artifact(tiny(), Kind.INT8_PTQ, input_type="uint8")
    assert (made.name, made.recipe.input_type) == ("tiny/int8_ptq", "uint8")
    assert made.sha256 == hashlib.sha256(tiny()).hexdigest()
    assert tiny_artifact(Kind.FLOAT32).name == "tiny/float32"
