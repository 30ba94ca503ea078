"""`litegate inspect`: what it prints, at any width, of any file, and what it says in JSON."""

import json
import random
import re

import compiled
import needs
import pytest
from ai_edge_litert import schema_py_generated as schema
from documents import PROJECT
from recurrent import svdf
from ruamel.yaml import YAML
from streaming import streaming
from typer.testing import CliRunner

from litegate.cli import app
from litegate.core.errors import LitegateError
from litegate.measures.structure.inspection import inspection
from litegate.measures.structure.runtime_trial import RuntimeTrial
from litegate.report.inspection import as_json, show
from litegate.spec import Kind
from litegate.spec.targets import KNOWN, load
from litegate.testing import custom_operator, float_layer, tiny
from litegate.tflite.editing.draft import Draft, edit

INT8 = tiny(Kind.INT8_QAT, input_type="int8", output_type="int8")


@pytest.fixture
def inspect(tmp_path, monkeypatch):
    """Run the command on some bytes; gives what it did."""
    monkeypatch.chdir(tmp_path)

    def run(tflite, *args, width=100):
        (tmp_path / "model.tflite").write_bytes(tflite)
        monkeypatch.setenv("COLUMNS", str(width))
        return CliRunner().invoke(app, ["inspect", "model.tflite", *args])

    return run


def told(inspect, tflite, *args):
    done = inspect(tflite, "--json", *args)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_terminal_says_what_the_file_holds(inspect):
    said = inspect(INT8).stdout
    for part in (
        "types                int8",
        "MACs                 5,632",
        "arena                528 B",
        "fully integer        yes",
        "target tflm          yes",
        "DEPTHWISE_CONV_2D",
        "?x10x10x1",
    ):
        assert part in said


def test_a_compiled_file_says_what_it_holds_for_the_npu(inspect):
    """Its commands and constants; a runtime that lacks the NPU refuses it."""
    tflite = compiled.vela()
    assert (
        "NPU                  compiled for an Ethos-U: 1 operator, 64 B of commands, 2,048 B of"
        in inspect(tflite, width=200).stdout
    )
    told_of = told(inspect, tflite, "--runtime", "reference")
    assert told_of["npu"] == {"operators": 1, "commands": 64, "constants": 2048}
    assert not told_of["runtimes"]["reference"]["runs"]
    assert "ethos-u" in told_of["runtimes"]["reference"]["refusal"]
    assert told(inspect, INT8)["npu"] is None


def test_json_holds_every_operator_and_tensor(inspect):
    found = told(inspect, INT8)
    assert found["bytes"] == len(INT8)
    assert found["macs"] == sum(one["macs"] for one in found["operators"]) == 5632
    assert sum(one["count"] for one in found["operator_counts"]) == len(found["operators"])
    roles = {one["name"]: one["role"] for one in found["tensors"]}
    assert roles["conv/weight"] == "weight"
    assert roles["conv/bias"] == "bias"
    assert found["inputs"][0]["shape_signature"] == [-1, 10, 10, 1]
    assert found["inputs"][0]["scales"]


def test_bytes_add_up(inspect):
    found = told(inspect, INT8)
    learned = [one for one in found["tensors"] if one["role"] in ("weight", "bias")]
    assert found["weight_bytes"] == sum(one["file_bytes"] for one in learned)
    computed = [one for one in found["tensors"] if not one["file_bytes"]]
    assert found["activation_bytes"] == sum(one["bytes"] for one in computed)
    assert found["arena_least"] <= found["arena"] <= found["activation_bytes"] + 16 * len(computed)


def test_variables_are_listed_with_bytes_and_readers(inspect):
    said = inspect(streaming(), width=200).stdout
    assert re.search(r"^state +32 B in 1 variable *$", said, re.MULTILINE)
    first = "set by graph 1, operator 3 ASSIGN_VARIABLE v1"
    row = rf"^kept +float32 +1x8 +32 {first} +operator 2 READ_VARIABLE v1 *$"
    assert re.search(row, said, re.MULTILINE)
    (kept,) = told(inspect, streaming())["variables"]
    assert kept == {
        "name": "kept",
        "kind": "resource",
        "type": "float32",
        "shape": [1, 8],
        "bytes": 32,
        "starts_at_zero": False,
        "readers": [{"graph": 0, "operator": 2}],
        "writers": [{"graph": 0, "operator": 5}],
        "initializers": [{"graph": 1, "operator": 3}],
    }


def test_the_state_of_a_recurrent_layer_is_no_activation(inspect):
    found = told(inspect, svdf())
    (memory,) = found["variables"]
    assert (memory["name"], memory["kind"], memory["bytes"]) == ("memory", "tensor", 36)
    assert memory["starts_at_zero"]
    assert found["state_bytes"] == 36
    assert found["activation_bytes"] == 8 + 6 + 12 + 24
    assert re.search(r"^memory +int16 +1x18 +36 0 ", inspect(svdf()).stdout, re.MULTILINE)
    assert "state                none" in inspect(INT8).stdout


def test_a_variable_that_no_operator_uses_has_no_size(inspect):
    def add_handle(model):
        draft = Draft(model)
        tensors = draft.graph.tensors
        tensors.append(schema.TensorT(name=b"handle", type=schema.TensorType.RESOURCE, shape=[]))
        handle = schema.OperatorT(
            opcodeIndex=draft.code(schema.BuiltinOperator.VAR_HANDLE, 1),
            inputs=[],
            outputs=[len(tensors) - 1],
            builtinOptionsType=schema.BuiltinOptions.VarHandleOptions,
            builtinOptions=schema.VarHandleOptionsT(container="", sharedName="alone"),
        )
        draft.graph.operators.append(handle)

    unused = edit(tiny(), add_handle)
    (alone,) = told(inspect, unused)["variables"]
    assert (alone["name"], alone["bytes"], alone["readers"]) == ("alone", None, [])
    said = inspect(unused, width=200).stdout
    assert re.search(r"^alone +not known +0 +no operator *$", said, re.MULTILINE)


def test_what_keeps_it_from_integers_is_named(inspect):
    found = told(inspect, float_layer(tiny(), "dense"))
    assert any("FULLY_CONNECTED" in one and "floats" in one for one in found["not_integer"])
    assert any("input 'input' is float32" in one for one in found["not_integer"])
    said = inspect(float_layer(tiny(), "dense"))
    assert "what keeps it from being fully integer" in said.stdout


def test_an_unknown_cost_is_named_and_no_total_given(inspect):
    custom = custom_operator(tiny(), "dense", "Mine")
    found = told(inspect, custom)
    assert found["macs"] is None
    assert any("CUSTOM" in one for one in found["macs_unknown"])
    said = inspect(custom, width=200).stdout
    assert "at least" in said
    assert "not known for 1" in said


def test_only_the_asked_target_is_told(inspect, tmp_path):
    (tmp_path / "own.toml").write_text("source = 'x'\n[operators]\nADD = {}\n")
    found = told(inspect, INT8, "--target", "own.toml")
    assert list(found["targets"]) == ["own.toml"]
    assert len(found["targets"]["own.toml"]) == len(found["operators"])


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(inspect, width):
    done = inspect(float_layer(tiny(), "dense"), width=width)
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= width


def test_hostile_names_stay_text(inspect):
    hostile = "\x1b[31mred[/bold] [link=file:///x]\n::error::boo\u202e"

    def rename(model):
        for one in model.subgraphs[0].tensors:
            one.name = hostile + str(one.name)
        model.description = hostile

    said = inspect(edit(tiny(), rename), width=300).stdout
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "\n::error" not in said
    assert "[/bold]" in said


@pytest.mark.parametrize("length", [0, 3, 8, 100, len(INT8) // 2, len(INT8) - 1])
def test_a_truncated_file_is_a_message_and_no_traceback(inspect, length):
    done = inspect(INT8[:length])
    assert done.exit_code == 1
    assert isinstance(done.exception, LitegateError)
    assert "model.tflite is not a valid .tflite file" in str(done.exception)


def test_a_missing_file_a_folder_and_a_misspelt_target(inspect, tmp_path):
    for args in (["inspect", "gone.tflite"], ["inspect", str(tmp_path)]):
        done = CliRunner().invoke(app, args)
        assert "cannot be read" in str(done.exception)
    assert "there is no target 'tfml'" in str(inspect(INT8, "--target", "tfml").exception)


def test_damaged_files_are_refused_or_told_and_never_crash(tmp_path, capsys):
    """Cut, flipped, zeroed and spliced; whatever parses can be shown and written."""
    targets = tuple(load(name, tmp_path) for name in KNOWN)
    whole = [tiny(kind) for kind in (Kind.INT8_QAT, Kind.DYNAMIC_RANGE)]
    rng = random.Random(5)
    shown = 0
    for number in range(300):
        try:
            found = inspection(_damaged(rng, number, whole), targets, subject="it")
        except LitegateError:
            continue
        json.dumps(as_json(found))
        show(found, "it")
        shown += 1
    assert shown > 10


def _damaged(rng, number, whole):
    data, other = bytearray(rng.choice(whole)), rng.choice(whole)
    place = rng.randrange(len(data))
    match number % 4:
        case 0:
            return bytes(data[:place])
        case 1:
            data[place] ^= 1 << rng.randrange(8)
        case 2:
            data[place : place + 8] = bytes(len(data[place : place + 8]))
        case 3:
            data[place : place + 16] = other[: len(data[place : place + 16])]
    return bytes(data)


def named(text):
    """A file whose tensors are called `text`, each after some words to wrap."""

    def rename(model):
        for number, tensor in enumerate(model.subgraphs[0].tensors):
            tensor.name = f"{'layer ' * (number % 5)}{text}"

    return edit(INT8, rename)


def commands(printed):
    """The lines that GitHub's runner would take for a workflow command."""
    return [line for line in printed.splitlines() if line.lstrip().startswith("::")]


@pytest.mark.parametrize("width", range(16, 90, 2))
def test_no_wrapped_line_is_a_workflow_command(width, monkeypatch, capsys):
    """A terminal of any width may put a name's `::error` at the start of a line."""
    monkeypatch.setenv("COLUMNS", str(width))
    hostile = "::error file=models/a.py,line=1::fake ::stop-commands::x"
    show(inspection(named(hostile), (), subject="it"), "a file")
    printed = capsys.readouterr().out
    assert printed
    assert not commands(printed)


def test_no_wrapped_line_of_a_comparison_is_a_workflow_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.tflite").write_bytes(named("a"))
    (tmp_path / "b.tflite").write_bytes(named("::error file=models/a.py,line=1::fake"))
    for width in (20, 33, 47):
        monkeypatch.setenv("COLUMNS", str(width))
        done = CliRunner().invoke(app, ["compare", "a.tflite", "b.tflite"])
        assert done.exit_code in (0, 1), done.output
        assert not commands(done.stdout)


def test_check_prints_what_a_target_refuses_and_fails(inspect, tmp_path):
    names = {one["name"] for one in told(inspect, INT8)["operators"]}
    rules = "".join(f"{name} = {{}}\n" for name in names)
    (tmp_path / "own.toml").write_text(f"source = 'x'\n[operators]\n{rules}")
    taken = inspect(INT8, "--check", "--target", "tflm", "--target", "own.toml")
    assert taken.output == "model.tflite: supported by tflm and own.toml\n"
    assert taken.exit_code == 0
    refused = inspect(custom_operator(tiny(), "dense", "Mine"), "--check", "--target", "tflm")
    assert refused.exit_code == 1
    head, *reasons = refused.output.splitlines()
    assert head == "model.tflite: tflm does not take it"
    assert len(reasons) == 1
    assert "Mine" in reasons[0]


def test_check_goes_through_all_files(inspect, tmp_path):
    (tmp_path / "cut.tflite").write_bytes(INT8[:100])
    (tmp_path / "sound.tflite").write_bytes(INT8)
    custom = custom_operator(tiny(), "dense", "Mine")
    done = inspect(custom, "cut.tflite", "sound.tflite", "gone.tflite", "--check", "--target=tflm")
    assert done.exit_code == 1
    heads = [line for line in done.output.splitlines() if not line.startswith(" ")]
    assert [head.split()[0] for head in heads] == ["model.tflite:", "cut.tflite", "gone.tflite"]


def test_check_needs_a_target(inspect):
    for args in (["--check"], ["--check", "--json", "--target", "tflm"]):
        assert "needs --target" in str(inspect(INT8, *args).exception)


def test_several_files_are_a_list_in_json(inspect, tmp_path):
    (tmp_path / "b.tflite").write_bytes(tiny(Kind.FLOAT32))
    found = told(inspect, INT8, "b.tflite")
    assert [one["file"] for one in found] == ["model.tflite", "b.tflite"]
    shown = inspect(INT8, "b.tflite").stdout
    assert "model.tflite: " in shown
    assert "b.tflite: " in shown


def test_the_hook_for_pre_commit_is_a_command_line_that_fails(inspect):
    """Its words are as pre-commit joins them: entry, args, files."""
    [hook] = YAML(typ="safe").load((PROJECT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    program, command, *entry = hook["entry"].split()
    assert (program, command, hook["language"]) == ("litegate", "inspect", "python")
    assert re.search(hook["files"], "models/a.tflite")
    for tflite, status in ((INT8, 0), (custom_operator(tiny(), "dense", "Mine"), 1)):
        assert inspect(tflite, *entry, *hook["args"]).exit_code == status


@needs.tflm
def test_runtimes_run_the_file_and_say_what_they_recorded(inspect):
    """In one run: what the runtime records, in words, in JSON and for a hook."""
    said = inspect(INT8, "--runtime", "tflm", width=400).stdout
    for part in (
        "runtime tflm         runs it, version 0.",
        "2,688 B recorded: head 528 B, tail 2,160 B (TfLiteEvalTensor data 408 B, ",
        "reference kernels on this machine, not your board",
        " int8 4, from ",
        ", to 8 drawn samples",
    ):
        assert part in said
    found = told(inspect, INT8, "--runtime", "tflm")["runtimes"]["tflm"]
    assert (found["runs"], found["refusal"], found["samples"]) == (True, "", 8)
    assert (found["arena"]["total"], found["arena"]["head"]) == (2688, 528)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("STM32H7", "runs it on STM32H7, version 7"),
        ("board", "runs it, version 7"),
        ("", "runs it, v"),
    ],
)
def test_a_device_that_runs_the_file_is_named(capsys, device, words):
    """Unless its program gives no name besides the runtime's."""
    trial = RuntimeTrial(runtime="board", device=device, version="7", samples=8)
    show(inspection(INT8, (), subject="it"), "a file", [trial])
    assert f"runtime board {words}" in " ".join(capsys.readouterr().out.split())


@needs.tflm
def test_a_file_that_a_runtime_refuses_fails_the_check(inspect):
    done = inspect(tiny(Kind.DYNAMIC_RANGE), "--check", "--runtime", "tflm")
    assert done.exit_code == 1
    head, reason = done.stdout.splitlines()
    assert head == "model.tflite: tflm does not run it"
    assert "FULLY_CONNECTED (number 6) failed to prepare" in reason


def test_unknown_runtimes_are_refused_before_a_file_is_read(inspect):
    error = inspect(b"", "--runtime", "npu").exception
    assert isinstance(error, LitegateError)
    assert error.expected == "one of xnnpack, reference, tflm, gpu"
