"""Targets: their lists, a user's own list, and what each rule finds, by operator and reason."""

import re
from dataclasses import replace
from functools import cache

import pytest
from graphs import altered, renamed, tensor

from litegate import Budget
from litegate.core.errors import ConfigError, MeasurementError
from litegate.core.units import kib
from litegate.measures.structure.target import target_breaches, target_violations
from litegate.spec import Kind
from litegate.spec.targets import KNOWN, Rule, Target, load
from litegate.testing import artifact, custom_operator, float_layer, tiny, tiny_artifact
from litegate.tflite.graph import ABSENT, Buffer, Graph, Subgraph
from litegate.tflite.parser import parse

INTEGER = {"input_type": "int8", "output_type": "int8"}


@cache
def graph_of(kind, **ports):
    return parse(tiny(kind, **ports))


@cache
def kinds():
    """The operators of the tiny network in all its kinds."""
    return {one.name for kind in Kind for one in graph_of(kind).main.operators}


def target(custom=(), **rule):
    """A target that takes the tiny network's operators, each under the same rule."""
    rules = dict.fromkeys(kinds(), Rule(**rule))
    return Target(name="mine", source="here", digest="0" * 64, operators=rules, custom=custom)


def breaches(found, graph=None):
    return target_breaches(graph or graph_of(Kind.INT8_QAT, **INTEGER), found)


def written(tmp_path, text):
    (tmp_path / "own.toml").write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", KNOWN)
def test_each_known_target_names_its_source(name, tmp_path):
    found = load(name, tmp_path)
    assert len(found.source) > 20
    assert len(found.operators) > 20
    assert all(re.fullmatch("[A-Z0-9_]+", kind) for kind in found.operators)


def test_the_known_targets_are_these():
    assert KNOWN == ("edgetpu", "ethos-u", "tflm", "xnnpack-int8")


def test_every_operator_of_a_list_is_one_of_the_schema(tmp_path):
    """A misspelt one would refuse sound models."""
    from ai_edge_litert import schema_py_generated as schema

    known = vars(schema.BuiltinOperator)
    listed = {kind for name in KNOWN for kind in load(name, tmp_path).operators}
    assert listed <= known.keys()


@pytest.mark.parametrize("name", KNOWN)
def test_integer_convolutions_run_everywhere(name, tmp_path):
    """What is outside a list is no layer with weights."""
    found = target_breaches(graph_of(Kind.INT8_QAT, **INTEGER), load(name, tmp_path))
    assert not [one for one in found if "CONV_2D" in one or "FULLY_CONNECTED" in one]


@pytest.mark.parametrize("name", ["edgetpu", "ethos-u", "xnnpack-int8"])
def test_a_float_layer_is_outside_integer_targets_by_name(name, tmp_path):
    candidate = artifact(float_layer(tiny(), "dense"))
    found = target_violations(candidate, load(name, tmp_path))
    assert any("FULLY_CONNECTED" in one and "float32" in one for one in found.offenders)
    assert found.evidence == (f"target {name}",)


@pytest.mark.parametrize(
    ("kind", "takes"),
    [
        (Kind.FLOAT32, True),
        (Kind.INT8_QAT, True),
        (Kind.INT16X8, True),
        (Kind.DYNAMIC_RANGE, False),
        (Kind.FLOAT16, False),
    ],
)
def test_tflm_takes_what_its_interpreter_allocates(kind, takes, tmp_path):
    """The interpreter of tflite-micro 0.dev20261023 allocates the first three and no other."""
    found = target_breaches(graph_of(kind), load("tflm", tmp_path))
    assert (not found) is takes


@pytest.mark.parametrize(
    ("shape", "takes"),
    [((1, 4), True), ((1, 16000), True), ((1, 16001), False), ((2, 4), False), ((1, 2, 4), False)],
)
def test_the_edge_tpu_takes_a_softmax_of_one_dimension(shape, takes, tmp_path):
    """Of at most 16,000 elements."""
    graph = graph_of(Kind.INT8_QAT, **INTEGER)
    last = graph.main.operators[-1]
    for index in (last.inputs[0], last.outputs[0]):
        graph = altered(graph, graph.main.tensors[index].name, shape=shape)
    softmax = replace(last, name="SOFTMAX", inputs=last.inputs[:1])
    graph = replace(graph, subgraphs=(replace(graph.main, operators=(softmax,)),))
    assert (not target_breaches(graph, load("edgetpu", tmp_path))) is takes


def test_operators_that_no_copy_of_the_table_has_are_told_to_be_unchecked(tmp_path):
    assert "five operators are unchecked" in load("edgetpu", tmp_path).source


def test_an_unlisted_operator_is_named():
    graph = renamed(graph_of(Kind.INT8_QAT, **INTEGER), 0, "RFFT2D")
    found = breaches(target(), graph)
    version = graph.main.operators[0].version
    assert found == (f"operator 0 RFFT2D v{version}: it is not on the list of mine",)


def test_a_custom_operator_is_taken_only_by_its_code():
    graph = parse(custom_operator(tiny(), "dense", "Mine"))
    assert any("no custom operator Mine" in one for one in breaches(target(), graph))
    assert not breaches(target(custom=("Mine",)), graph)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"types": ("float32",)}, "is int8, allowed: float32"),
        ({"weights": ("int4",)}, "weights .* is int8, allowed: int4"),
        ({"biases": ("int64",)}, "bias .* is int32, allowed: int64"),
        ({"per_channel": False}, r"has \d+ scales, allowed: one"),
        ({"versions": (1, 2)}, "version 3, allowed: 1 to 2"),
        ({"ranks": (1, 3)}, "dimensions 4, allowed: 1 to 3"),
        ({"wide": 2}, r"shape \(1, .*only the last 2 may be above 1"),
        ({"sizes": (1, 9)}, "a dimension of 10, allowed: 1 to 9"),
        ({"strides": (2, 3)}, "stride 1, allowed: 2 to 3"),
        ({"activations": ()}, "fused RELU, allowed: none"),
        ({"activations": ("TANH",)}, "fused RELU, allowed: TANH"),
        ({"constant": (0,)}, "operand 0 .* is computed, it must be a constant"),
        ({"required": (7,)}, "operand 7 is missing"),
        ({"inputs": (1, 1)}, "operands 3, allowed: 1 to 1"),
        ({"outputs": (2, 4)}, "outputs 1, allowed: 2 to 4"),
    ],
)
def test_each_rule_names_the_operator_and_the_reason(rule, reason):
    found = breaches(target(**rule))
    assert any(re.search(f"operator .*{reason}", one) for one in found), found


@pytest.mark.parametrize(
    "rule",
    [
        {"types": ("int8", "int32")},
        {"weights": ("int8",)},
        {"versions": (1, 9)},
        {"ranks": (1, 4)},
        {"wide": 3},
        {"sizes": (1, 256)},
        {"strides": (1, 2)},
        {"activations": ("RELU",)},
        {"inputs": (1, 4)},
        {"outputs": (1, 1)},
        {"hybrid": False},
        {"quantized": True},
        {"batch": 1},
    ],
)
def test_each_rule_lets_pass_what_keeps_it(rule):
    assert not breaches(target(**rule))


def test_weights_in_integers_beside_floats_are_hybrid():
    found = breaches(target(hybrid=False), graph_of(Kind.DYNAMIC_RANGE))
    assert any("int8 weights beside float32 activations" in one for one in found)


def test_an_integer_without_a_scale_is_not_quantized():
    graph = graph_of(Kind.INT8_QAT, **INTEGER)
    bare = altered(graph, "conv", scales=(), zero_points=())
    assert any("'conv' has no scale" in one for one in breaches(target(quantized=True), bare))


def test_a_batch_is_that_of_the_first_operand():
    graph = graph_of(Kind.INT8_QAT, **INTEGER)
    doubled = altered(graph, "conv", shape=(2, *tensor(graph, "conv").shape[1:]))
    assert any("batch 2, allowed: 1" in one for one in breaches(target(batch=1), doubled))


def test_violations_are_counted_and_held_to_none():
    candidate = tiny_artifact(Kind.INT8_QAT, **INTEGER)
    found = target_violations(candidate, target(versions=(9, 9)))
    verdict = found <= 0
    assert verdict.outcome.value == "fail"
    assert found.value == found.n == len(parse(candidate.tflite).main.operators)


def test_a_file_without_operators_is_an_error(monkeypatch):
    main = Subgraph(index=0, name="", tensors=(), operators=(), inputs=(), outputs=())
    empty = Graph(description="", subgraphs=(main,), buffers=(), metadata=())
    monkeypatch.setattr("litegate.measures.structure.target.parse", lambda *_args, **_named: empty)
    with pytest.raises(MeasurementError, match="nothing was measured"):
        target_violations(tiny_artifact(), target())


OWN = """
source = "our driver, release 4"
[defaults]
types = ["int8"]
[operators]
CONV_2D = { strides = [1, 2], weights = ["int8"] }
ADD = {}
"""


def test_an_own_file_is_read_from_the_project(tmp_path):
    found = load("own.toml", written(tmp_path, OWN))
    assert found.operators["CONV_2D"] == Rule(types=("int8",), strides=(1, 2), weights=("int8",))
    assert found.operators["ADD"] == Rule(types=("int8",))
    assert str(found).startswith("own.toml (")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "cannot be read"),
        ("[operators]\nADD = {}", "no source"),
        ("source = 'x'", "no operators"),
        ("source = 'x'\n[operators]", "no operators"),
        ("source = 'x'\nspeed = 3\n[operators]\nADD = {}", "the key 'speed'"),
        ("source = 'x'\n[operators]\nADD = 3", "operators.ADD is not a table"),
        ("source = 'x'\n[operators]\nADD = { tipes = ['int8'] }", "operators.ADD.tipes"),
        ("source = 'x'\n[operators]\nADD = { types = 'int8' }", "expected tuple"),
        ("source = 'x'\n[operators]\nADD = { versions = [1] }", r"expected \[least, greatest\]"),
        ("source = 'x'\n[operators]\nADD = { hybrid = 0 }", "expected bool"),
        ("source = 'x'\n[operators]\nADD = { wide = true }", "expected int"),
        (
            "source = 'x'\nfolds_shapes = 1\n[operators]\nADD = {}",
            "folds_shapes = 1, expected bool",
        ),
        ("source = 'x'\ncustom = [1]\n[operators]\nADD = {}", "custom"),
    ],
)
def test_a_file_that_is_no_list_is_refused_with_the_place(text, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        load("own.toml", written(tmp_path, text))


def test_a_missing_file_and_an_unknown_name_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load("gone.toml", tmp_path)
    with pytest.raises(ConfigError, match=r"no target 'tfml'(.|\n)*edgetpu, ethos-u, tflm"):
        load("tfml", tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "own.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load("own.toml", tmp_path)


@pytest.mark.parametrize("wrong", [3, "", ["tflm"]])
def test_a_budget_takes_a_name(wrong):
    with pytest.raises(ConfigError, match="target"):
        Budget(target=wrong)


@pytest.mark.parametrize(
    "limits", [{"macs": kib(1)}, {"macs": 1.5}, {"macs": -1}, {"arena": 1024}, {"arena": 5.0}]
)
def test_limits_of_memory_have_their_unit(limits):
    with pytest.raises(ConfigError, match=f"Budget\\({next(iter(limits))}="):
        Budget(**limits)


def test_an_operator_that_is_none_is_refused(tmp_path):
    """Its rule would hold nothing, and the operator that was meant would not be on the list."""
    text = 'source = "here"\n[operators.FULLY_CONECTED]\n'
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError, match="did you mean FULLY_CONNECTED"):
        load("mine.toml", tmp_path)


@pytest.mark.parametrize(
    ("rule", "operand", "facts", "change"),
    [
        ({"types": ("int8",)}, 0, {"dtype": "int16"}, {}),
        ({"weights": ("int8",)}, 1, {"dtype": "int4"}, {}),
        ({"biases": ("int32",)}, 2, {"dtype": "int64"}, {}),
        ({"alike": True}, 0, {"dtype": "int16"}, {}),
        ({"conversions": ("int8 int8",)}, 0, {"dtype": "int16"}, {}),
        ({"hybrid": False}, 1, {"dtype": "float32"}, {}),
        ({"quantized": True}, 0, {"scales": (), "zero_points": ()}, {}),
        ({"per_channel": False}, 1, {"scales": (0.5,) * 4, "zero_points": (0,) * 4}, {}),
        ({"ranks": (4, 4)}, 0, {"shape": (10, 10)}, {}),
        ({"sizes": (1, 10)}, 0, {"shape": (1, 11, 10, 1)}, {}),
        ({"wide": 3}, 0, {"shape": (2, 10, 10, 1)}, {}),
        ({"batch": 1}, 0, {"shape": (2, 10, 10, 1)}, {}),
        ({"constant": (1,)}, 1, {"nbytes": 0}, {}),
        ({"versions": (1, 9)}, 0, {}, {"version": 10}),
        ({"strides": (1, 2)}, 0, {}, {"options": (("stride_h", 3),)}),
        ({"activations": ("RELU",)}, 0, {}, {"activation": "TANH"}),
        ({"required": (2,)}, 0, {}, {"inputs": (6, 1, ABSENT, 3)}),
        ({"inputs": (4, 4)}, 0, {}, {"inputs": (6, 1)}),
        ({"outputs": (1, 1)}, 0, {}, {"outputs": (3, 4)}),
        ({"last_axis": 3}, 3, {"buffer": 2}, {}),
    ],
)
def test_an_operator_unlike_a_sound_one_in_a_single_fact_is_judged_for_itself(
    rule, operand, facts, change
):
    """Operators that are alike in all facts share a judgement, and no others do."""

    def constant(index, dtype, buffer, shape, **more):
        sound = {"dtype": dtype, "shape": shape, "buffer": buffer, "nbytes": 4}
        return replace(example, index=index, name=f"operand {index}", **sound | more)

    axes = [(3).to_bytes(4, "little"), (0).to_bytes(4, "little")]
    graph = graph_of(Kind.INT8_QAT, **INTEGER)
    conv, example = graph.main.operators[0], tensor(graph, "conv")
    scale = {"scales": (0.5,), "zero_points": (0,)}
    data = replace(example, index=0, shape=(1, 10, 10, 1), **scale)
    weight, bias = (
        constant(1, "int8", 3, (1, 2, 2, 1), **scale),
        constant(2, "int32", 4, (1,), **scale),
    )
    axis = constant(3, "int32", 1, (), scales=(), zero_points=())
    outputs = [replace(data, index=index) for index in (4, 5)]
    operands = [data, weight, bias, axis]
    unlike = replace(operands[operand], index=6, **facts)
    sound = replace(conv, index=0, inputs=(0, 1, 2, 3), outputs=(4,))
    second = replace(
        sound,
        index=1,
        inputs=tuple(6 if place == operand else place for place in range(4)),
        outputs=(5,),
    )
    main = replace(
        graph.main,
        tensors=(*operands, *outputs, unlike),
        operators=(sound, replace(second, **change)),
        inputs=(0, 6) if operand == 0 else (0,),
        outputs=(4, 5),
    )
    buffers = tuple(Buffer(data=memoryview(content)) for content in (b"", *axes, b"", b""))
    lone_graph = Graph(description="", subgraphs=(main,), buffers=buffers, metadata=())
    (breach,) = breaches(target(**rule), lone_graph)
    assert breach.startswith("operator 1 ")


def test_operators_of_one_kind_are_refused_by_the_names_of_their_own_tensors():
    """They share a judgement, but not the words."""
    graph = graph_of(Kind.INT8_QAT, **INTEGER)
    conv, example = graph.main.operators[0], tensor(graph, "conv")
    operands = [graph.main.tensors[index] for index in conv.inputs]
    tensors = [
        *(replace(operand, index=index) for index, operand in enumerate(operands)),
        replace(example, index=3, name="left"),
        replace(example, index=4, name="right"),
    ]
    main = replace(
        graph.main,
        tensors=tuple(tensors),
        operators=tuple(
            replace(conv, index=index, inputs=(0, 1, 2), outputs=(3 + index,)) for index in (0, 1)
        ),
        inputs=(0,),
        outputs=(3, 4),
    )
    left, right = breaches(target(results=("int16",)), replace(graph, subgraphs=(main,)))
    assert left == "operator 0 CONV_2D v3: 'left' is int8, allowed: int16"
    assert right == "operator 1 CONV_2D v3: 'right' is int8, allowed: int16"
