"""A hostile pull request, gated for real: its names are text wherever they are printed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from litegate.spec import Kind
from litegate.testing import tiny
from litegate.testing.store import fill_store

NAME = "::error::x\n::stop-commands::y\x1b[31m##[group]<img src=x> `a` @all |"
MODEL = """
import litegate as lg

def _load(locations):
    raise AssertionError("the store holds everything")

def _as_it_is(samples):
    return samples

DATA = lg.Data(
    name={name!r}, load=_load, digests={{}}, preprocess=_as_it_is, domain=(0.0, 1.0),
    classes=tuple(f"{{i}}" + {name!r} for i in range(4)),
)

@lg.model(
    name={name!r},
    data=DATA,
    recipes=[lg.recipes.int8_qat(name="int8_qat", from_scratch=True)],
    budget=lg.Budget(size=lg.byte(9)),
)
def hostile(keras):
    "Planted."
"""
HEAD = (
    "from litegate.measures.structure.size import size\nfrom litegate.core.errors import DataError"
)
FAILS = "require(size(candidate) <= budget.size)"
RAISES = "raise DataError('no data for ' + model.name)"


@pytest.fixture
def hostile(project):
    """A project whose model, file, data set and classes have hostile names."""
    (project.path / "models" / "::error::%0A,x.py").write_text(MODEL.format(name=NAME))
    fill_store(project.path, NAME, {"float32": tiny(Kind.FLOAT32), "int8_qat": tiny(Kind.INT8_QAT)})
    return project


def _litegate(project, *args, **env):
    command = [Path(sys.executable).parent / "litegate", *args]
    return subprocess.run(
        command, cwd=project.path, env=env, capture_output=True, text=True, check=False
    )


def _is_text(line):
    return line.isprintable() and not line.lstrip().startswith("::") and "##[" not in line


@pytest.mark.parametrize("body", [FAILS, RAISES])
@pytest.mark.parametrize("args", [["-q"], ["-v"], ["-n2"]])
def test_the_log_of_a_hostile_run_is_text(hostile, body, args):
    """Header, progress, ids, failures, table."""
    hostile.check(body, head=HEAD, args="model, candidate, budget, require")
    done = hostile.run("checks/", *args, apart=True)
    assert done.ret == 1
    assert len(done.outlines) > 5
    assert [line for line in [*done.outlines, *done.errlines] if not _is_text(line)] == []


def test_the_pages_of_a_hostile_run_are_text(hostile):
    """Out of its own report: one annotation, and code in the summary."""
    hostile.check(FAILS, head=HEAD, args="candidate, budget, require").run()
    (row,) = json.loads((hostile.path / ".litegate/report/report.json").read_text())["verdicts"]
    assert (row["model"], row["file"]) == (NAME, "models/::error::%0A,x.py")
    (line,) = _litegate(hostile, "annotate").stdout.splitlines()
    assert line.startswith("::error file=models/%3A%3Aerror%3A%3A%250A%2Cx.py,line=15,title=size")
    page = _litegate(hostile, "summary").stdout
    assert "<img" not in page
    assert "&lt;img src=x&gt; `a` @all |" in page
    listed = _litegate(hostile, "list")
    assert all(_is_text(line) for line in listed.stdout.splitlines())


def test_a_row_points_at_its_model_or_at_its_check(project):
    """The file from the project's root, and the line of the model, or of a check without one."""
    project.model("size=lg.byte(9)").check("require(1)", args="require")
    project.run()
    (row,) = json.loads((project.path / ".litegate/report/report.json").read_text())["errors"]
    assert (row["file"], row["line"]) == ("checks/test_one.py", 2)
    project.check("require(1)", args="model, require").run()
    (row,) = json.loads((project.path / ".litegate/report/report.json").read_text())["errors"]
    lines = (project.path / row["file"]).read_text().splitlines()
    assert lines[row["line"] - 1].startswith(("@lg.model", "def tiny"))
