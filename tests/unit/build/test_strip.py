"""Stripping takes out what no device reads, and leaves every answer as it was."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from typer.testing import CliRunner

from litegate.build.toolchain.strip import stripped
from litegate.cli import app
from litegate.core.errors import ArtifactError, BuildError
from litegate.measures.accuracy.layer_error import layer_errors
from litegate.mutation.faults.edits import revalue
from litegate.runtimes.drawn_inputs import SAMPLES
from litegate.runtimes.equivalence import demand_same_answers, demand_same_outputs
from litegate.spec import Kind
from litegate.testing import Draft, tiny
from litegate.testing.artifacts import artifact, evaluation
from litegate.tflite.editing.draft import edit
from litegate.tflite.parser import parse

X = evaluation().x


def unpacked(tflite):
    return schema.ModelT.InitFromPackedBuf(tflite, 0)


def with_notes(tflite):
    """The file with what converters leave behind."""

    def change(model):
        model.metadata = []
        for name in ("CONVERSION_METADATA", "debug_metadata", "min_runtime_version", "OWN"):
            model.buffers.append(schema.BufferT(data=np.frombuffer(b"note " * 20, np.uint8)))
            entry = schema.MetadataT(name=name, buffer=len(model.buffers) - 1)
            model.metadata.append(entry)
        model.buffers.append(schema.BufferT(data=np.zeros(500, np.uint8)))
        graph = model.subgraphs[0]
        graph.debugMetadataIndex = graph.operators[0].debugMetadataIndex = 0
        for tensor in graph.tensors:
            if tensor.quantization is not None:
                tensor.quantization.min, tensor.quantization.max = [0.0], [1.0]

    return edit(tflite, change)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_smaller_and_answers_the_same(kind):
    before = tiny(kind)
    after = stripped(before)
    assert len(after) < len(before)
    demand_same_outputs(before, after, X)


@pytest.mark.parametrize("kind", Kind)
def test_what_computes_is_untouched(kind):
    """Operators, types, shapes, scales and constants; only names may go."""
    before, after = (parse(one).main for one in (tiny(kind), stripped(tiny(kind))))
    assert before.operators == after.operators
    assert (before.inputs, before.outputs) == (after.inputs, after.outputs)
    kept = ("dtype", "shape", "shape_signature", "scales", "zero_points", "nbytes", "is_variable")
    for one, other in zip(before.tensors, after.tensors, strict=True):
        assert [getattr(one, name) for name in kept] == [getattr(other, name) for name in kept]


def test_names_go_but_for_inputs_and_outputs():
    graph = parse(stripped(tiny()))
    assert sorted(filter(None, (one.name for one in graph.main.tensors))) == ["input", "output"]
    assert (graph.description, graph.main.name) == ("", "")


def test_notes_go_and_what_a_runtime_may_read_stays():
    before = with_notes(tiny())
    after = stripped(before)
    graph = parse(after)
    assert [one.name for one in graph.metadata] == ["min_runtime_version", "OWN"]
    assert all(bytes(graph.buffers[one.buffer].data) == b"note " * 20 for one in graph.metadata)
    model = unpacked(after)
    assert model.subgraphs[0].debugMetadataIndex == -1
    assert all(one.debugMetadataIndex == -1 for one in model.subgraphs[0].operators)
    steps = [one.quantization for one in model.subgraphs[0].tensors if one.quantization]
    assert steps
    assert all(one.min is None and one.max is None for one in steps)
    demand_same_outputs(before, after, X)


def test_no_buffer_is_left_that_nothing_refers_to():
    graph = parse(stripped(with_notes(tiny())))
    used = {one.buffer for one in (*graph.main.tensors, *graph.metadata)}
    assert used == set(range(len(graph.buffers)))
    assert graph.buffers[0].size == 0


def test_bytes_in_buffer_0_go():
    """A tensor without values refers to it, so no runtime reads what it holds."""

    def fill(model):
        model.buffers[0].data = np.arange(99, dtype=np.uint8)

    before = edit(tiny(), fill)
    demand_same_outputs(before, stripped(before), X)
    assert stripped(before) == stripped(tiny())


def test_a_buffer_that_tensors_share_stays_shared():
    def share(model):
        graph = model.subgraphs[0]
        twin = schema.TensorT(**vars(next(t for t in graph.tensors if t.name == b"dense/weight")))
        graph.tensors.append(twin)

    weight, *_, twin = (
        one for one in parse(stripped(edit(tiny(), share))).main.tensors if one.nbytes > 1000
    )
    assert twin.buffer == weight.buffer


@pytest.mark.parametrize("kind", Kind)
def test_constants_lie_where_a_device_can_read_them(kind):
    """The schema asks for 16 bytes."""
    model = schema.Model.GetRootAs(stripped(tiny(kind)), 0)
    held = [model.Buffers(n)._tab for n in range(1, model.BuffersLength())]
    places = [buffer.Vector(buffer.Offset(4)) for buffer in held]
    assert len(places) > 3
    assert {place % 16 for place in places} == {0}


@pytest.mark.parametrize("name", ["resnet8_float32", "resnet8_int8", "ad01_float32", "ad01_int8"])
def test_mlperf_files_are_smaller_and_answer_the_same(name, data_directory):
    before = (data_directory / f"mlperf_tiny/{name}.tflite").read_bytes()
    after = stripped(before)
    assert len(after) < len(before) - 1000
    answers = demand_same_answers(before, after).values()
    assert {answer.samples for answer in answers} == {SAMPLES}


def test_a_second_time_nothing_is_left_to_take():
    once = stripped(with_notes(tiny()))
    assert stripped(once) == once


def test_signatures_stay():
    def sign(model):
        graph = model.subgraphs[0]
        ports = [
            [schema.TensorMapT(name=name, tensorIndex=int(index))]
            for name, index in (("image", graph.inputs[0]), ("scores", graph.outputs[0]))
        ]
        model.signatureDefs = [
            schema.SignatureDefT(inputs=ports[0], outputs=ports[1], signatureKey="serve")
        ]

    (signature,) = unpacked(stripped(edit(tiny(), sign))).signatureDefs
    assert signature.signatureKey == b"serve"
    assert (signature.inputs[0].name, signature.outputs[0].name) == (b"image", b"scores")


def test_data_behind_the_flatbuffer_is_refused():
    def outside(model):
        model.buffers[1].offset = 4096

    with pytest.raises(ArtifactError, match="cannot be rewritten"):
        stripped(edit(tiny(), outside))


@pytest.mark.parametrize("part", [0, 4, 100, 2000, -64])
def test_a_truncated_file_is_refused(part, tmp_path):
    (tmp_path / "cut.tflite").write_bytes(tiny()[:part])
    done = run(tmp_path / "cut.tflite", tmp_path / "out.tflite")
    assert isinstance(done.exception, ArtifactError)
    assert not (tmp_path / "out.tflite").exists()


def test_layers_of_a_stripped_file_are_compared_all_the_same():
    split = evaluation()
    reference = artifact(tiny(Kind.FLOAT32), Kind.FLOAT32, split=split)
    whole, bare = (artifact(one, split=split) for one in (tiny(), stripped(tiny())))
    one, other = ([e.sqnr for e in layer_errors(reference, each)] for each in (whole, bare))
    assert one == other


def test_one_bit_that_differs_is_an_error():
    """Of the outputs of one sample."""

    def nudge(held):
        held = held.copy()
        held.ravel()[0] = np.nextafter(held.ravel()[0], np.float32(np.inf))
        return held

    before = tiny(Kind.FLOAT32)
    with pytest.raises(BuildError, match="changed its outputs"):
        demand_same_outputs(before, revalue(before, "dense/bias", nudge), X)


def test_a_file_that_does_not_run_is_an_error_too():
    with pytest.raises(BuildError, match="cannot prove"):
        demand_same_outputs(tiny(), tiny()[:-64], X)


def test_outputs_in_files_are_compared(monkeypatch):
    """As those above 8 MiB a sample are, which do not fit into memory together."""
    monkeypatch.setattr("litegate.runtimes.outputs.IN_MEMORY", 1)
    demand_same_outputs(tiny(), stripped(tiny()), X)


def run(file, to):
    return CliRunner().invoke(app, ["strip", str(file), "--to", str(to)])


def test_the_command_writes_the_smaller_file_and_says_by_how_much(tmp_path):
    (tmp_path / "model.tflite").write_bytes(with_notes(tiny()))
    done = run(tmp_path / "model.tflite", tmp_path / "deep" / "small.tflite")
    assert done.exit_code == 0
    assert (tmp_path / "deep" / "small.tflite").read_bytes() == stripped(with_notes(tiny()))
    assert "% less)" in done.output
    assert f"the same outputs to the bit on {SAMPLES} samples" in done.output


def test_a_missing_file_is_an_error(tmp_path):
    done = run(tmp_path / "none.tflite", tmp_path / "out.tflite")
    assert isinstance(done.exception, ArtifactError)


def test_the_command_says_what_it_could_not_run(tmp_path):
    """LiteRT finds out that the numbers do not fit the shape when it runs."""

    def change(model):
        model.buffers[Draft(model).tensor("flat/features").buffer].data = [7, 0, 0, 0]

    (tmp_path / "model.tflite").write_bytes(edit(tiny(), change))
    done = run(tmp_path / "model.tflite", tmp_path / "small.tflite")
    assert done.exit_code == 0
    assert (tmp_path / "small.tflite").exists()
    assert (
        "the same operators and constants (not run on random samples by the xnnpack kernels: "
        in done.output
    )
