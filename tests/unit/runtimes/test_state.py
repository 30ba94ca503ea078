"""The state of a file is reset before each sample, on every runtime and by every set of kernels."""

from contextlib import closing

import numpy as np
import pytest
from recurrent import half_lstm, remembering
from streaming import streaming

from litegate.runtimes.child_runtime import ChildRuntime
from litegate.runtimes.inference import all_outputs, inner_tensors
from litegate.runtimes.litert import Kernels, Runner
from litegate.spec.runtimes import REFERENCE, TFLM
from litegate.testing import edit, tiny
from litegate.tflite.parser import parse
from litegate.tflite.variables import is_stateful, variables


@pytest.fixture(autouse=True)
def runtimes_are_threads():
    """They are processes here."""


def started_half_lstm():
    """An LSTM whose hidden and cell state begin with 1, as a DEQUANTIZE of constants gives it."""

    def change(model):
        for tensor in model.subgraphs[0].tensors:
            if tensor.name in (b"half/18", b"half/19"):
                model.buffers[tensor.buffer].data = np.ones(5, np.float16).view(np.uint8)

    return edit(half_lstm(), change)


FILES = {
    "variable tensor": (remembering(), (2,)),
    "resource with first values": (streaming(), (4,)),
    "variable with first values": (started_half_lstm(), (3, 4)),
}


def answers_of(tflite, samples, **options):
    """Return the only output, shape (n, ...)."""
    (outputs,) = all_outputs(tflite, samples, **options).values()
    return np.asarray(outputs.raw)


def fresh_answers(tflite, samples, kernels=Kernels.XNNPACK):
    """Answer each sample by an interpreter of its own."""
    rows = [answers_of(tflite, sample[None], kernels=kernels) for sample in samples]
    return np.concatenate(rows)


def samples_of(shape, count=7):
    return np.random.default_rng(3).normal(size=(count, *shape)).astype(np.float32)


@pytest.mark.parametrize("kernels", Kernels)
@pytest.mark.parametrize(("tflite", "shape"), FILES.values(), ids=FILES)
def test_an_answer_depends_on_no_sample_before(tflite, shape, kernels):
    x = samples_of(shape)
    expected = fresh_answers(tflite, x, kernels)
    assert np.array_equal(answers_of(tflite, x, kernels=kernels), expected)
    assert np.array_equal(answers_of(tflite, x[::-1], kernels=kernels), expected[::-1])


@pytest.mark.parametrize(
    ("runtime", "name"),
    [
        (REFERENCE, "resource with first values"),
        (TFLM, "resource with first values"),
        (TFLM, "variable tensor"),
    ],
)
def test_other_runtimes_reset_too(runtime, name):
    if runtime == TFLM:
        pytest.importorskip("tflite_micro.python.tflite_micro.runtime", exc_type=ImportError)
    tflite, shape = FILES[name]
    x = samples_of(shape, 3)
    with closing(ChildRuntime(tflite, runtime)) as child:
        (raw,) = child.run(np.concatenate([x, x[::-1]])).values()
    assert np.allclose(raw[:3], fresh_answers(tflite, x), rtol=1e-5)
    assert np.array_equal(raw[3:], raw[2::-1])


@pytest.mark.parametrize(("tflite", "shape"), FILES.values(), ids=FILES)
def test_an_invocation_without_a_reset_carries_the_state_on(tflite, shape):
    """As a sequence of frames needs it; a reset gives the first answer again."""
    runner = Runner(tflite)
    sample = np.ones((1, *shape), np.float32)
    name, *_ = runner.outputs
    first = runner.run(sample)[name]
    ready = runner.ready(sample)
    assert not np.array_equal(runner.answer(ready, "none")[name], first)
    assert np.array_equal(runner.run(sample)[name], first)
    runner.reset()
    runner.reset()
    assert np.array_equal(runner.answer(ready, "none")[name], first)


def test_inner_tensors_are_those_of_a_reset_file():
    tflite = streaming()
    (joined,) = [tensor.index for tensor in parse(tflite).main.tensors if tensor.name == "joined"]
    x = np.ones((3, 4), np.float32)
    values = [row[joined] for row in inner_tensors(tflite, x, [joined])]
    assert all(np.array_equal(row, values[0]) for row in values)


def free_batch(tflite):
    """Let the input take any batch; the state is of one sample all the same."""

    def change(model):
        graph = model.subgraphs[0]
        tensor = graph.tensors[graph.inputs[0]]
        tensor.shapeSignature = [-1, *tensor.shape[1:]]

    return edit(tflite, change)


def test_a_stateful_file_takes_one_sample_at_a_time():
    """Samples of one batch would share the state, or find one of another size."""
    tflite = free_batch(remembering())
    assert not Runner(tflite).takes_batches
    assert Runner(free_batch(tiny())).takes_batches
    assert answers_of(tflite, np.ones((40, 2), np.float32)).ravel().tolist() == [2.0] * 40


def test_variables_are_found_with_their_bytes_and_users():
    (kept,) = variables(parse(streaming()))
    assert (kept.name, kept.memory, kept.is_resource) == ("kept", 32, True)
    users = (kept.readers, kept.writers, kept.initializers)
    assert [[(graph, op.name) for graph, op in group] for group in users] == [
        [(0, "READ_VARIABLE")],
        [(0, "ASSIGN_VARIABLE")],
        [(1, "ASSIGN_VARIABLE")],
    ]
    assert not kept.starts_at_zero
    hidden, cell = variables(parse(half_lstm()))
    assert [hidden.memory, cell.memory] == [20, 20]
    assert [op.name for _, op in hidden.readers] == ["UNIDIRECTIONAL_SEQUENCE_LSTM"]
    assert [op.name for _, op in hidden.initializers] == ["DEQUANTIZE"]
    assert hidden.starts_at_zero
    assert not variables(parse(started_half_lstm()))[0].starts_at_zero
    assert not is_stateful(parse(tiny()))
    assert is_stateful(parse(streaming()))
    assert is_stateful(parse(half_lstm()))


def test_a_child_carries_the_state_through_the_messages_of_a_sequence():
    """The first message resets before its first frame; the next ones continue."""
    runner = Runner(streaming())
    frames = samples_of((4,), 5)
    expected = runner.answer(runner.ready(frames), "first")["y"]
    assert not np.array_equal(expected, runner.answer(runner.ready(frames))["y"])
    with closing(ChildRuntime(streaming(), REFERENCE)) as child:
        for _ in range(2):
            first = child.answer(child.ready(frames[:2]), "first")
            rest = child.answer(child.ready(frames[2:]), "none")
            answers = np.concatenate([first["y"], rest["y"]])
            assert np.allclose(answers, expected, rtol=1e-5)
