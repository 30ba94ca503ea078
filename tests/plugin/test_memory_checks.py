"""MACs, the arena and the target as promises of a model: collected where set, judged exactly."""

import json
import shutil
from pathlib import Path

import pytest

from litegate.spec import Kind
from litegate.testing import float_layer, tiny

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
