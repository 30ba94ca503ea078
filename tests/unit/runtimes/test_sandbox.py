"""Trials: what LiteRT crashes on, or never ends with, is found out in another process."""

import hashlib
import subprocess
from importlib.metadata import version

import forked
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from typer.testing import CliRunner

from litegate.build.external_files import ExternalFiles
from litegate.build.store import BUILDS, Store
from litegate.cli import app
from litegate.core.errors import ArtifactError
from litegate.runtimes import sandbox
from litegate.runtimes.batch_sizes import BATCH, batch_of
from litegate.runtimes.inference import outputs
from litegate.runtimes.litert import Kernels, load
from litegate.runtimes.sandbox import run_in_sandbox
from litegate.spec import DataLocations, File, Kind
from litegate.testing import Draft, edit, evaluation, tiny
from litegate.tflite.parser import parse


def zero_point_out_of_range(model):
    Draft(model).tensor("input/quantized").quantization.zeroPoint = [231]


def run_for_ever(model):
    """While true, do nothing."""
    kind = schema.BuiltinOperator.WHILE
    model.operatorCodes = [schema.OperatorCodeT(deprecatedBuiltinCode=kind, builtinCode=kind)]
    model.buffers = [schema.BufferT(), schema.BufferT(data=np.ones(1, np.uint8))]
    given, answer = (schema.TensorT(name=name, shape=[1, 4], buffer=0) for name in "xy")
    true = schema.TensorT(name="true", shape=[], buffer=1, type=schema.TensorType.BOOL)
    loop = schema.OperatorT(
        inputs=[0],
        outputs=[1],
        builtinOptionsType=schema.BuiltinOptions.WhileOptions,
        builtinOptions=schema.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=2),
    )
    model.signatureDefs = []
    model.subgraphs = [
        schema.SubGraphT(tensors=[given, answer], inputs=[0], outputs=[1], operators=[loop]),
        schema.SubGraphT(tensors=[given, true], inputs=[0], outputs=[1], operators=[]),
        schema.SubGraphT(tensors=[given], inputs=[0], outputs=[0], operators=[]),
    ]


DEPTHWISE = schema.BuiltinOperator.DEPTHWISE_CONV_2D
SOUND = tiny(Kind.INT8_QAT)
CRASHING = edit(SOUND, zero_point_out_of_range)
ENDLESS = edit(SOUND, run_for_ever)


@pytest.fixture(autouse=True)
def trials_are_forks(request, monkeypatch):
    """A trial is a process of its own, but a new interpreter only where a test is marked so."""
    if "new_interpreter" not in request.fixturenames:
        forked.load()
        monkeypatch.setattr(subprocess, "run", forked.run)


@pytest.fixture
def new_interpreter():
    """For tests of how the process starts."""


@pytest.fixture
def intake(tmp_path):
    """A store, and a project that holds a file on which LiteRT crashes."""
    (tmp_path / "m.tflite").write_bytes(CRASHING)
    locations = DataLocations(project=tmp_path)
    return ExternalFiles(
        store=Store(tmp_path / "store"), locations=locations, timeout=60, on_notice=print
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a sound file, a crashing one, and samples."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sound.tflite").write_bytes(SOUND)
    (tmp_path / "crashing.tflite").write_bytes(CRASHING)
    np.savez(tmp_path / "data.npz", x=evaluation().x)
    return tmp_path


def litegate(*args):
    return CliRunner().invoke(app, args)


@pytest.mark.parametrize("kind", Kind)
def test_sound_files_stand_the_trial(kind):
    run_in_sandbox(tiny(kind))


@pytest.mark.parametrize("tflite", [b"", SOUND[:1000], b"no model"], ids=("empty", "cut", "text"))
def test_what_litert_refuses_is_told_in_its_words(tflite):
    with pytest.raises(ArtifactError, match="LiteRT cannot load mine") as refused:
        run_in_sandbox(tflite, subject="mine")
    with pytest.raises(ArtifactError, match="LiteRT cannot load mine") as here:
        load(tflite, "mine", Kernels.BUILTIN)
    assert refused.value.got == " ".join(here.value.got.split())


def test_operands_that_xnnpack_would_read_unchecked_are_refused():
    """A slice of three operands: its delegate reads the fourth, and crashes on some days."""

    def slice_of_three(model):
        kind = schema.BuiltinOperator.STRIDED_SLICE
        (code,) = (one for one in model.operatorCodes if one.builtinCode == DEPTHWISE)
        code.builtinCode = code.deprecatedBuiltinCode = kind

    with pytest.raises(ArtifactError) as caught:
        run_in_sandbox(edit(tiny(Kind.DYNAMIC_RANGE), slice_of_three))
    assert "NumInputs(node) != 4 (3 != 4)" in caught.value.got


def test_a_refusal_while_it_is_run_is_left_to_who_runs_it():
    """Drawn samples may be none that a sound file takes: indices out of range, say."""

    def shape_that_fits_nothing(model):
        model.buffers[Draft(model).tensor("flat/features").buffer].data = [7, 0, 0, 0]

    tflite = edit(SOUND, shape_that_fits_nothing)
    run_in_sandbox(tflite)
    with pytest.raises(ArtifactError):
        outputs(tflite, evaluation().x)


def test_a_crash_is_told_with_its_signal_and_its_step(new_interpreter):
    parse(CRASHING)
    with pytest.raises(ArtifactError, match=r"LiteRT crashes on board\.tflite") as caught:
        run_in_sandbox(CRASHING, subject="board.tflite")
    assert caught.value.got == "SIGSEGV while it was loaded, xnnpack kernels"
    assert f"LiteRT {version('ai-edge-litert')} cannot run it" in caught.value.remedy


def test_what_never_ends_is_ended():
    parse(ENDLESS)
    with pytest.raises(ArtifactError, match="LiteRT does not finish with") as caught:
        run_in_sandbox(ENDLESS, timeout=2)
    assert caught.value.expected == "an answer within 2 s"
    assert "none, " in caught.value.got


def test_a_trial_that_cannot_be_held_is_not_stood(new_interpreter, monkeypatch):
    """Python itself ends with another status than 0."""
    monkeypatch.setattr(sandbox, "COMMAND", (*sandbox.COMMAND[:-1], "litegate.gone"))
    with pytest.raises(ArtifactError, match="crashes on the model") as caught:
        run_in_sandbox(SOUND)
    assert caught.value.got == "exit code 1 before it was loaded"


def test_every_step_is_told_before_it_is_taken():
    steps = []
    sandbox.run_all_kernels(SOUND, steps.append)
    assert len(steps) == 1 + 3 * 3
    assert steps[:2] == ["while it was loaded, builtin kernels"] * 2
    assert steps[-2:] == [
        "while it was run on 1, xnnpack kernels",
        f"while it was run on {BATCH}, xnnpack kernels",
    ]


@pytest.mark.parametrize("kernels", Kernels)
def test_the_trial_runs_the_largest_batch_that_is_used(kernels):
    """XNNPACK may crash at a hundred samples of a file of which it takes eight."""
    steps = []
    sandbox.run_all_kernels(SOUND, steps.append)
    used = batch_of(evaluation().x, kernels)
    assert f"while it was run on {used}, {kernels} kernels" in steps


def test_the_store_takes_no_file_on_which_litert_crashes(intake):
    key = hashlib.sha256(CRASHING).hexdigest()
    with pytest.raises(ArtifactError, match=r"LiteRT crashes on m\.tflite"):
        intake.store_file(File(path="m.tflite"), key)
    assert not intake.store.has(BUILDS, key)


def test_compare_says_which_file_litert_crashes_on(folder):
    done = litegate("compare", "sound.tflite", "crashing.tflite", "--data", "data.npz")
    assert done.exit_code == 2
    assert "LiteRT crashes on crashing.tflite" in done.stderr


def test_compare_without_samples_and_inspect_run_nothing(folder):
    assert litegate("compare", "sound.tflite", "crashing.tflite").exit_code == 0
    assert litegate("inspect", "crashing.tflite").exit_code == 0


def test_strip_is_as_careful(folder):
    done = litegate("strip", "crashing.tflite", "--to", "out.tflite")
    assert "LiteRT crashes on crashing.tflite" in str(done.exception)
    assert not (folder / "out.tflite").exists()


def test_the_name_of_an_input_that_is_no_text_is_refused():
    """LiteRT's interpreter raises an error of Unicode's for it, no word of the file."""
    tflite = SOUND.replace(b"\5\0\0\0input\0", b"\5\0\0\0in\xffut\0")
    assert tflite != SOUND
    parse(tflite)
    with pytest.raises(ArtifactError, match="the name of an input of the model is not valid text"):
        outputs(tflite, evaluation().x)
