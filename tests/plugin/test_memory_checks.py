"""MACs, the arena and the target as promises of a model: collected where set, judged exactly."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import needs
import pytest

from litegate.gate import collection
from litegate.gate.checks import verdicts
from litegate.measures.structure.arena import arena
from litegate.spec import Kind
from litegate.testing import float_layer, tiny, tiny_artifact

CHECK = Path(__file__).resolve().parents[2] / "checks" / "test_memory.py"


@pytest.fixture
def memory(project):
    """A project with these checks alone; gives a way to run it under a budget."""
    shutil.copy(CHECK, project.path / "checks")
    (project.path / "checks" / "test_one.py").write_text(
        "from litegate.measures.structure.size import size\n"
        "from litegate import kib\n"
        "def test_size(candidate, require):\n"
        '    """It is small."""\n'
        "    require(size(candidate) <= kib(1000))\n"
    )

    def run(budget, *args, **planted):
        return project.model(budget, **planted).run("checks/", *args)

    run.path = project.path
    return run


def test_nothing_promised_is_not_collected(memory):
    done = memory("", "-v")
    done.assert_outcomes(passed=1, deselected=3)
    done.stdout.fnmatch_lines(["*no limit for tiny-int8_qat: *macs, arena*"])


@pytest.mark.parametrize(
    ("limit", "outcome"), [("macs=5631", "fail"), ("macs=5632", "pass"), ("macs=5633", "pass")]
)
def test_macs_just_below_at_and_above(memory, limit, outcome):
    done = memory(limit)
    assert done.ret == (outcome == "fail")
    done.stdout.fnmatch_lines([f"{outcome.upper()}*tiny/int8_qat*multiply-accumulates*"])


@pytest.mark.parametrize(("limit", "status"), [(527, 1), (528, 0), (529, 0)])
def test_arena_just_below_at_and_above(memory, limit, status):
    done = memory(f"arena=lg.byte({limit})")
    assert done.ret == status
    done.stdout.fnmatch_lines([f"*arena*528 B*<= {limit} B*"])


def test_a_target_that_takes_everything_passes(memory):
    done = memory("target='tflm'")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["PASS*tiny/int8_qat*operators unsupported by the target*0*"])


def test_a_target_names_the_operator_and_the_reason(memory):
    candidate = float_layer(tiny(), "dense")
    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": candidate}
    done = memory("target='edgetpu'", files=files)
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*operator * FULLY_CONNECTED v*: *float32*allowed: int8, uint8*"])


def test_an_own_target_is_read_from_the_root(memory):
    kinds = ["CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE", "SHAPE", "STRIDED_SLICE", "PACK"]
    listed = "\n".join(f"{kind} = {{}}" for kind in kinds)
    (memory.path / "boards").mkdir()
    (memory.path / "boards" / "mine.toml").write_text(f"source = 'a board'\n[operators]\n{listed}")
    done = memory("target='boards/mine.toml'")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*FULLY_CONNECTED v4: it is not on the list of boards/mine.toml*"])


def test_a_target_whose_file_is_gone_is_an_error(memory):
    done = memory("target='gone.toml'")
    assert done.ret == 1
    report = json.loads((memory.path / ".litegate" / "report" / "report.json").read_text())
    assert any("gone.toml" in one["message"] for one in report["errors"])


def test_a_recipe_may_have_its_own_target(memory):
    recipe = (
        "lg.recipes.int8_qat(name='int8_qat', from_scratch=True, budget=lg.Budget(target='tflm'))"
    )
    done = memory("target='edgetpu'", recipes=recipe)
    assert done.ret == 0


def report_of(memory):
    return json.loads((memory.path / ".litegate" / "report" / "report.json").read_text())


@needs.tflm
@pytest.mark.parametrize("difference", [-1, 0])
def test_arena_on_tflm_is_the_recorded_one_just_below_and_at_its_limit(memory, difference):
    """Its total, not the plan, decides; the table of recipes shows the same number."""
    total = int(arena(replace(tiny_artifact(), runtime="tflm")).value)
    done = memory(f"arena=lg.byte({total + difference}), runtimes=('xnnpack', 'tflm')")
    assert done.ret == (difference < 0)
    (row,) = [row for row in report_of(memory)["verdicts"] if "arena" in row["measurement"]]
    assert row["id"].endswith("::test_arena_stays_within_budget[tiny-int8_qat-tflm]")
    assert (row["measurement"], row["value"]) == ("arena on tflm", total)
    assert row["evidence"][0].startswith("recorded by the interpreter: head 528 B, ")
    assert row["evidence"][-1].endswith("reference kernels on this machine, not your board")
    arenas = {row["recipe"]: row["arena"] for row in report_of(memory)["recipes"]}
    assert arenas["int8_qat"] == total


@pytest.mark.parametrize("how", ["not installed", "left out"])
def test_arena_without_the_interpreter_is_planned_and_says_so(memory, monkeypatch, how):
    """As are the operators then, which the list of the target decides."""
    if how == "not installed":
        for module in (collection, verdicts):
            monkeypatch.setattr(module, "missing", lambda name: "none" * (name == "tflm"))
    only = ("--litegate-runtime", "xnnpack") if how == "left out" else ()
    memory("arena=lg.byte(528), target='tflm'", *only)
    rows = {row["measurement"]: row for row in report_of(memory)["verdicts"]}
    assert rows["arena"]["verdict"] == "pass"
    assert rows["arena"]["evidence"][-2].startswith("planned from the file")
    assert rows["operators unsupported by the target"]["evidence"] == ["target tflm"]
