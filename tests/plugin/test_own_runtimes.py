"""Runtimes of a project's own: each way in which a board answers, or does not, is a verdict."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_boards import FIRST, LOADED, MESSAGES, answering, example, python, table
from typer.testing import CliRunner

from litegate.cli import app
from litegate.runtimes.inference import all_outputs
from litegate.spec import Kind
from litegate.testing import evaluation, tiny

CHECKS = Path(__file__).resolve().parents[2] / "checks"
PORTS = "input_type='int8', output_type='int8'"
INT8 = tiny(Kind.INT8_QAT, input_type="int8", output_type="int8")
OTHER = tiny(Kind.INT8_QAT, input_type="int8", output_type="int8", seed=9)
BOARDS = {
    "right": example(),
    "other": answering("other.json"),
    "hangs": LOADED + "time.sleep(60)",
    "dies": LOADED + "sys.exit(9)",
    "few": LOADED + "write({'arrays': [{'dtype': 'int8', 'shape': [2, 4]}]}, bytes(8))",
    "prints": LOADED + "print('hello'); sys.stdout.flush(); time.sleep(60)",
    "refuses": FIRST + "read(); write({'error': 'SOFTMAX is not in the firmware'}); read()",
}
NEED_PACKAGES = ("right",)


@pytest.fixture
def boards(project):
    """A project with the checks of accuracy and runtimes; gives a way to run it on boards."""
    for name in ("test_accuracy.py", "test_runtimes.py"):
        shutil.copy(CHECKS / name, project.path / "checks")
    for name, tflite in {"sound": INT8, "other": OTHER}.items():
        (project.path / f"{name}.json").write_text(table(tflite, evaluation().x))

    def run(programs, *args, budget="", more="", split=None):
        for name, program in programs.items():
            (project.path / f"{name}.py").write_text(program)
        recipes = ", ".join(
            f"lg.recipes.int8_qat(name='of_{name}', from_scratch=True, {PORTS}, budget=lg.Budget("
            f"runtimes=('xnnpack', lg.Command(name={name!r}, command={_command(name)!r},"
            f" timeout={1.5 if name == 'hangs' else 60}{more}))))"
            for name in programs
        )
        files = dict.fromkeys((f"of_{name}" for name in programs), INT8)
        project.model(
            f"accuracy=lg.percent(90), {budget}",
            recipes=recipes,
            files={"float32": tiny(Kind.FLOAT32), **files},
            split=split,
        )
        return project.run("checks/", *args)

    def report():
        text = (project.path / ".litegate" / "report" / "report.json").read_text()
        document = json.loads(text)
        rows = {row["id"].partition("::")[2]: row for row in document["verdicts"]}
        errors = {row["id"].partition("::")[2]: row["message"] for row in document["errors"]}
        return rows, errors, document

    run.project, run.path, run.report = project, project.path, report
    return run


def _command(name):
    return python(*(() if name in NEED_PACKAGES else ("-S",)), f"{name}.py")


def test_each_way_to_answer_is_a_verdict(boards):
    """A right board passes, one with another model fails, the rest are errors."""
    budget = "runtime_agreement=lg.percent(80)"
    done = boards(BOARDS, "-k", "floor or takes or alike", budget=budget)
    assert done.ret == 1
    rows, errors, _ = boards.report()
    floor, takes, alike = (
        "test_accuracy_reaches_its_floor",
        "test_runtime_takes_the_file",
        "test_runtimes_decide_alike",
    )
    outcomes = {}
    for name in BOARDS:
        case = f"[tiny-of_{name}-{name}]"
        found = (rows.get(f"{check}{case}", {}).get("verdict") for check in (floor, takes, alike))
        outcomes[name] = [verdict or "error" for verdict in found]
    assert outcomes == {
        "right": ["pass", "pass", "pass"],
        "other": ["fail", "pass", "fail"],
        "hangs": ["error"] * 3,
        "dies": ["error"] * 3,
        "few": ["error"] * 3,
        "prints": ["error"] * 3,
        "refuses": ["error", "fail", "error"],
    }
    for name, part in {
        "hangs": "does not finish with ",
        "dies": "exit code 9; stderr: the board is warm",
        "few": "int8 of shape (2, 4); stderr: the board is warm",
        "prints": "b'hell' instead of a header's length; stderr: the board is warm",
    }.items():
        assert part in errors[f"{floor}[tiny-of_{name}-{name}]"]
    here, there = (rows[f"{floor}[tiny-of_right{it}]"] for it in ("", "-right"))
    assert there["measurement"] == "accuracy on right"
    assert (there["value"], there["n"]) == (here["value"], here["n"])
    assert there["evidence"][-1].startswith("LiteRT 2.")
    assert "right.py` with the files " in there["evidence"][-1]
    assert rows[f"{takes}[tiny-of_refuses-refuses]"]["offenders"] == [
        "SOFTMAX is not in the firmware"
    ]


ABSENT = {
    "absent": MESSAGES + "read(); write({'unavailable': 'no /dev/ttyACM0: connect the board'})"
}


@pytest.mark.parametrize("in_ci", [False, True])
def test_a_board_that_is_not_attached(boards, monkeypatch, in_ci):
    if in_ci:
        monkeypatch.setenv("CI", "true")
    done = boards(ABSENT)
    rows, errors, document = boards.report()
    assert "test_accuracy_reaches_its_floor[tiny-of_absent]" in rows
    assert done.ret == in_ci
    if in_ci:
        assert "no /dev/ttyACM0" in errors["test_runtime_takes_the_file[tiny-of_absent-absent]"]
        return
    assert not errors
    reasons = {row["reason"] for row in document["not_measured"]}
    assert reasons == {"NOT JUDGED ON absent: no /dev/ttyACM0: connect the board"}


def test_a_board_is_chosen_and_left_out_by_its_name(boards):
    done = boards(ABSENT, "--litegate-runtime", "xnnpack")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["*NOT JUDGED ON absent, as --litegate-runtime asks*"])
    done = boards(ABSENT, "--litegate-runtime", "absnet")
    done.stderr.fnmatch_lines(
        ["*there is no runtime absnet*", "*xnnpack, reference, tflm, gpu, absent*"]
    )


def test_commands_find_a_runtime_in_the_project_s_models(boards, monkeypatch):
    """In the folder of the project; the board answers the samples of its table alone."""
    boards({"board": answering("sound.json")}, "--collect-only")
    (boards.path / "model.tflite").write_bytes(INT8)
    split = evaluation()
    np.savez(boards.path / "data.npz", x=split.x, y=split.y)
    monkeypatch.chdir(boards.path)
    arguments = ["compare", "model.tflite", "model.tflite", "--data", "data.npz"]
    done = CliRunner().invoke(app, [*arguments, "--runtime", "board"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "accuracy regression on board" in done.output
    (boards.path / "board.py").write_text(ABSENT["absent"])
    done = CliRunner().invoke(app, ["inspect", "model.tflite", "--runtime", "board"])
    assert (done.exception.what, done.exception.got) == (
        "there is no board on this machine",
        "no /dev/ttyACM0",
    )


def test_answers_are_kept_until_the_program_changes(boards):
    """Its version is asked for in each run."""
    ran = boards.path / "ran.txt"
    samples = []
    for version in ("7", "7", "8"):
        program = answering("sound.json", version=version)
        assert boards({"board": program}, "-k", "floor").ret == 0
        samples.append(sum(map(int, ran.read_text().split())))
    assert samples[0] == samples[1] < samples[2] == 2 * samples[0]


def test_another_program_is_a_weakened_limit(boards):
    shutil.copy(CHECKS / "test_weakened_limits.py", boards.path / "checks")
    boards(ABSENT, "--collect-only")
    boards.project.as_base()
    done = boards({"absent": ABSENT["absent"] + "\nx = 1"}, "--against=main", "-k", "weakened")
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        ["*recipe changed runtime absent: `*absent.py`, files * -> `*absent.py`, files *"]
    )


def test_two_programs_of_one_name_are_refused(boards, pytester):
    boards(ABSENT, "--collect-only")
    file = boards.path / "models" / "second.py"
    text = (boards.path / "models" / "tiny.py").read_text()
    file.write_text(text.replace("def tiny", "def second").replace("absent.py", "other.py"))
    done = boards.project.run()
    assert done.ret != 0
    assert "two runtimes are named absent" in done.stdout.str() + done.stderr.str()


def test_latency_is_judged_by_the_board_s_own_times(boards, short_recordings):
    """Of one that is fast, one that is slow, and one that reports none; this machine is fast."""
    shutil.copy(CHECKS / "test_latency.py", boards.path / "checks")
    times = {"fast": "{'seconds': [0.008] * n}", "slow": "{'seconds': [0.011] * n}", "silent": "{}"}
    programs = {name: answering("sound.json", times=text) for name, text in times.items()}
    done = boards(programs, "-k", "latency", budget="latency=lg.ms(10)", more=", times=True")
    assert done.ret == 1
    rows, errors, _ = boards.report()
    check = "test_latency_stays_within_budget"
    outcomes = {name: rows.get(f"{check}[tiny-of_{name}-{name}]", {}) for name in programs}
    assert {name: row.get("verdict") for name, row in outcomes.items()} == {
        "fast": "pass",
        "slow": "fail",
        "silent": None,
    }
    assert outcomes["slow"]["measurement"] == "latency on slow"
    assert outcomes["slow"]["evidence"][-2] == "the device's own time"
    assert outcomes["slow"]["evidence"][-1].startswith("a board 7, by `")
    assert '"seconds" with 8 positive numbers' in errors[f"{check}[tiny-of_silent-silent]"]
    assert all(rows[f"{check}[tiny-of_{name}]"]["verdict"] == "pass" for name in programs)


@pytest.mark.slow
def test_ctrl_c_ends_the_program_and_its_children(boards):
    """Also of one that hangs, and that no signal from the terminal reaches."""
    starts = (
        "import subprocess; wait = 'import time; time.sleep(60)';"
        "child = subprocess.Popen([sys.executable, '-c', wait], stdin=subprocess.DEVNULL);"
        "open('pids.txt', 'w').write(f'{child.pid} ' + str(__import__('os').getpid()) + ' .');"
        "time.sleep(60)"
    )
    boards({"right": LOADED + starts}, "--collect-only")
    pids = boards.path / "pids.txt"
    command = [sys.executable, "-m", "pytest", "checks/", "-k", "floor", "-p", "no:cacheprovider"]
    nothing = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=boards.path, stdout=nothing, stderr=nothing) as run:
        while not (pids.exists() and pids.read_text().endswith(".")) and run.poll() is None:
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == pytest.ExitCode.INTERRUPTED
    for pid in pids.read_text().split()[:2]:
        status = Path(f"/proc/{pid}/status")
        assert not status.exists() or "zombie" in status.read_text()


@pytest.mark.slow
def test_a_fault_on_a_board_alone_is_noticed_there(boards):
    boards({"right": example()}, "--prove", "--prove-family=accuracy", "-k", "floor")
    _, _, document = boards.report()
    (proof,) = document["proofs"]
    (planted,) = (it for it in proof["faults"] if it["name"] == "another_file_on_runtime")
    assert planted["noticed_by"] == {"test_accuracy_reaches_its_floor[right]": 1}


DEVIATING = """
from litegate.testing import Draft, edit

def deviating(model):
    for tensor in Draft(model).graph.tensors:
        if tensor.name.decode() == "LAYER/weight":
            tensor.quantization.scale = [1.02 * it for it in tensor.quantization.scale]


def read"""


@pytest.mark.slow
def test_an_operator_that_deviates_on_a_board_is_named(boards):
    """The board runs a copy in which the weight scales of one layer are 2 % larger.

    An early, a middle and a late layer; on samples between two classes, whose decisions it moves.
    """
    running = example().replace("def read", DEVIATING, 1)
    running = running.replace("model_content=content", "model_content=edit(content, deviating)")
    kinds = {"conv": "CONV_2D", "depthwise": "DEPTHWISE_CONV_2D", "dense": "FULLY_CONNECTED"}
    for layer, kind in kinds.items():
        program = running.replace("LAYER", layer)
        limit = "runtime_agreement=lg.percent(99)"
        done = boards({"right": program}, "-k", "alike", budget=limit, split=_undecided())
        assert done.ret == 1
        named = f"*operator ? {kind} v* adds most: *"
        done.stdout.fnmatch_lines(["*runtime agreement on right*", named])


def _undecided():
    """Return a split of 200 samples whose two highest scores are nearly equal."""
    split, rng = evaluation(), np.random.default_rng(5)
    first, second = (split.x[rng.integers(0, len(split.x), 3000)] for _ in range(2))
    mixed = (first + second) / 2
    (outputs,) = all_outputs(INT8, mixed).values()
    scores = np.sort(outputs.raw.astype(int), axis=1)
    narrow = np.argsort(scores[:, -1] - scores[:, -2], kind="stable")[:200]
    y = outputs.raw[narrow].argmax(axis=1)
    return replace(split, x=mixed[narrow], y=y, digest="undecided")
