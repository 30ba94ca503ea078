"""The arena: the plan of TensorFlow Lite Micro, byte for byte, and what cannot be planned."""

import copy
import random

import pytest
from compiled import vela
from graphs import altered, renamed
from streaming import streaming
from written import drawn, joined

from litegate.core.errors import ArtifactError, MeasurementError
from litegate.core.units import byte
from litegate.measures.structure import arena as subject
from litegate.measures.structure.arena import Block, aligned, arena, place_blocks, plan
from litegate.spec import Kind
from litegate.testing import artifact, edit, tiny, tiny_artifact
from litegate.tflite.parser import parse

MICRO = (
    *(4512, 5280, 768, 7296, 2208, 10272, 8016, 1216, 9552, 4992, 1936, 12576, 31584, 4528, 64464),
    *(688, 11824, 8672, 5120, 14368, 13024, 7344, 768, 1792, 3984, 12768, 5168, 5520, 5376, 6800),
    *(6208, 2976, 2912, 10304, 5152, 12240, 1536, 35648, 8048, 10224, 3968, 3872, 5152, 3296, 3328),
    *(10672, 1664, 21184, 3056, 29920, 6720, 8800, 21552, 9984, 9968, 1664, 7456, 2304, 7088, 4176),
)
"""What the interpreter of tflite-micro 0.dev20261023 calls "Arena allocation head" for the graph of
each seed, by `print_allocations`."""
MICRO_TINY = {
    Kind.FLOAT32: 2064,
    Kind.INT8_QAT: 528,
    Kind.INT8_PTQ: 528,
    Kind.INT16X8: 1040,
}
"""The same for the tiny network."""


@pytest.mark.parametrize("seed", range(len(MICRO)))
def test_plan_is_that_of_tflite_micro(seed):
    assert plan(parse(drawn(seed))).planned == MICRO[seed]


def test_some_of_these_plans_are_not_the_least_possible():
    """Else an estimate that only adds up what is alive would pass as well."""
    plans = [plan(parse(drawn(seed))) for seed in range(len(MICRO))]
    assert sum(one.planned > one.least for one in plans) >= 10
    assert all(one.planned >= one.least for one in plans)


@pytest.mark.parametrize(("kind", "expected"), MICRO_TINY.items())
def test_arena_of_the_tiny_network_is_that_of_tflite_micro(kind, expected):
    assert arena(tiny_artifact(kind)).value == expected


def test_blocks_that_live_together_never_overlap():
    rng = random.Random(3)
    for _ in range(50):
        blocks = []
        for _ in range(30):
            first = rng.randrange(20)
            last = first + rng.randrange(6)
            blocks.append(Block(size=aligned(rng.randrange(1, 900)), first=first, last=last))
        offsets = place_blocks(blocks)
        for i, one in enumerate(blocks):
            for j in range(i):
                other = blocks[j]
                together = one.first <= other.last and other.first <= one.last
                apart = offsets[i] + one.size <= offsets[j] or offsets[j] + other.size <= offsets[i]
                assert apart or not together


@pytest.mark.parametrize(("size", "expected"), [(1, 16), (15, 16), (16, 16), (17, 32)])
def test_sizes_are_rounded_up_to_sixteen_bytes(size, expected):
    assert aligned(size) == expected


def test_an_input_is_alive_until_its_last_reader():
    """Four bytes each, 16 aligned: the input, the first result and the second, all at once."""
    assert plan(parse(joined([1], [(0,), (0, 1)]))).planned == 48


def test_an_input_that_nobody_reads_on_gives_its_place():
    """The third vector takes the place of the input."""
    assert plan(parse(joined([4], [(0,), (1,)]))).planned == 32


def test_outputs_live_to_the_end():
    """The first vector is one: it cannot give its place to those of the chain beside it."""
    assert plan(parse(joined([4], [(0,), (0,), (2,), (3,)]))).planned == 48


def test_limit_just_below_at_and_above():
    found = arena(tiny_artifact())
    outcomes = [(found <= byte(limit)).outcome.value for limit in (527, 528, 529)]
    assert outcomes == ["fail", "pass", "pass"]


def test_the_busiest_operator_is_named():
    found = plan(parse(joined([100], [(0,), (0, 1)])))
    assert found.busiest == "operator 1 CONCATENATION v1"
    assert found.least == 2 * aligned(400) + aligned(800)


def test_a_variable_keeps_memory_of_its_own():
    graph = parse(joined([4], [(0,), (1,)]))
    found = plan(altered(graph, "vector 0", is_variable=True))
    assert found.variables == 16
    assert found.arena == found.planned + 16


@pytest.mark.parametrize("name", ["WHILE", "IF"])
def test_control_flow_is_refused_by_name(name):
    graph = renamed(parse(joined([4], [(0,)])), 0, name)
    with pytest.raises(MeasurementError, match=f"operator 0 {name} v1"):
        plan(graph)


@pytest.mark.parametrize(
    "fields", [{"dtype": "string"}, {"shape": (1 << 20, 1 << 20, 4)}], ids=["no size", "too large"]
)
def test_a_tensor_that_no_machine_holds_is_refused_by_name(fields):
    graph = altered(parse(joined([4], [(0,)])), "vector 0", **fields)
    with pytest.raises(MeasurementError, match="tensor 1 'vector 0'"):
        plan(graph)


def test_too_many_tensors_are_refused(monkeypatch):
    monkeypatch.setattr(subject, "MOST_TENSORS", 4)
    graph = joined([4], [(0,), (1,), (2,)])
    plan(parse(graph))
    with pytest.raises(MeasurementError, match="5 tensors"):
        plan(parse(joined([4], [(0,), (1,), (2,), (3,)])))


def test_a_file_that_is_none_is_named():
    with pytest.raises(ArtifactError, match="tiny/int8_qat is not a valid"):
        arena(artifact(tiny()[:100]))


def test_scratch_memory_of_a_compiled_file_is_planned():
    """Its size, the input and the output; the operator's constants are no activations."""
    assert plan(parse(vela(fast=True))).planned == 4096 + 512 + 48 + 16


MICRO_STREAMING = 560
"""The same as `MICRO` for `streaming()`: its largest tensors are those of the graph that CALL_ONCE
runs."""


def test_what_call_once_runs_shares_the_arena():
    found = plan(parse(streaming()))
    assert found.planned == MICRO_STREAMING
    assert found.busiest == "operator 2 SLICE v1"
    assert found.variables == 32, "the eight values that the handle stands for"


def call(model, *graphs):
    """Make the first graph call `graphs`, in this order."""
    once = model.subgraphs[0].operators[0]
    model.subgraphs[0].operators[:1] = [copy.deepcopy(once) for _ in graphs]
    for operator, graph in zip(model.subgraphs[0].operators, graphs, strict=False):
        operator.builtinOptions.initSubgraphIndex = graph


@pytest.mark.parametrize("graphs", [(1, 1), (0,)], ids=["twice", "itself"])
def test_a_graph_that_is_called_again_is_refused(graphs):
    """Each call may double the time of the plan, and a graph may call itself without end."""
    called = edit(streaming(), lambda model: call(model, *graphs))
    with pytest.raises(MeasurementError, match=f"graph {graphs[-1]} is called more than once"):
        plan(parse(called))


@pytest.mark.parametrize("count", [99, 100])
def test_a_chain_of_graphs_is_planned_up_to_a_hundred(count):
    """The planner follows them by recursion, which must not overflow."""

    def lengthen(model):
        first, once = model.subgraphs[1], model.subgraphs[0].operators[0]
        model.subgraphs[1:] = [copy.deepcopy(first) for _ in range(count)]
        for number, graph in enumerate(model.subgraphs[1:-1], start=2):
            graph.operators.append(copy.deepcopy(once))
            graph.operators[-1].builtinOptions.initSubgraphIndex = number

    graph = parse(edit(streaming(), lengthen))
    if count < 100:
        assert plan(graph).planned >= MICRO_STREAMING
        return
    with pytest.raises(MeasurementError, match=f"{count + 1:,} graphs"):
        plan(graph)


def test_a_handle_that_nothing_gives_is_refused_by_name():
    """Its variable, and so its size, is unknown."""
    graph = altered(parse(joined([4], [(0,)])), "vector 0", dtype="resource", shape=())
    with pytest.raises(MeasurementError, match="tensor 1 'vector 0', resource"):
        plan(graph)
