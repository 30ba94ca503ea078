"""--litegate-changed: models that are as in the base are not judged; whatever may differ is."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from litegate.spec import Kind
from litegate.testing import pad, tiny

CHECKS = Path(__file__).resolve().parents[2] / "checks"
GROWN = {"float32": tiny(Kind.FLOAT32), "int8_qat": pad(tiny(Kind.INT8_QAT), 16)}
NOTE = "{} of 2 models are as in the base and not judged, as --litegate-changed asks"


@pytest.fixture
def branched(project):
    """A base with two models, the shipped check of size, and a waiver file; nothing changed."""
    for name in ("test_size.py", "test_weakened_limits.py"):
        shutil.copy(CHECKS / name, project.path / "checks")
    for name in ("left", "right"):
        project.model("size=lg.kib(99)", name=name)
    (project.path / "models" / "_layers.py").write_text("X = 1\n")
    _edit(
        project, "models/left.py", "import litegate as lg", "import _layers\nimport litegate as lg"
    )
    tools = project.path / "tools"
    tools.mkdir()
    (tools / "limits.json").write_text("{}")
    return project.as_base()


def _judged(project, *arguments):
    """Run against main; return pytest's result and the models with a verdict."""
    done = project.run("checks/", "--against", "main", "--litegate-changed", *arguments)
    report = json.loads((project.path / ".litegate/report/report.json").read_text())
    return done, {row["model"] for row in report["verdicts"]}, report["notes"]


def _edit(project, path, old, new):
    file = project.path / path
    file.write_text(file.read_text().replace(old, new))


def test_only_the_changed_model_is_judged(branched):
    """The other one is counted, on the screen and in the report; the project's check runs."""
    branched.model("size=lg.kib(99)", name="right", files=GROWN, network="changed")
    done, models, notes = _judged(branched)
    assert (done.ret, models) == (0, {"", "right"})
    assert NOTE.format(1) in notes
    done.stdout.fnmatch_lines([f"note: {NOTE.format(1)}"])


def test_the_changed_model_fails_as_in_a_whole_run(branched):
    """What is left out excuses nothing."""
    branched.model("size=lg.byte(1)", name="right", files=GROWN, network="changed")
    done, models, _ = _judged(branched)
    assert (done.ret, models) == (1, {"", "right"})


def test_a_change_of_no_model_passes(branched):
    """Documentation alone: the project's check is the verdict."""
    (branched.path / "notes.md").write_text("documentation\n")
    done, models, notes = _judged(branched)
    assert (done.ret, models) == (0, {""})
    assert NOTE.format(2) in notes


def _tighter(project):
    _edit(project, "models/left.py", "lg.kib(99)", "lg.kib(98)")


def _comment(project):
    """What a comment is to Python may be a setting to another tool."""
    _edit(project, "models/left.py", "import litegate as lg", "import litegate as lg  # gate")


def _imported(project):
    (project.path / "models" / "_layers.py").write_text("X = 2\n")


def _check(project):
    with (project.path / "checks" / "test_size.py").open("a") as file:
        file.write('def test_more(candidate, require):\n    "Of a byte."\n')
        file.write("    require(size(candidate) >= 1)\n")


def _conftest(project):
    (project.path / "checks" / "conftest.py").write_text("X = 1\n")


def _module(project):
    (project.path / "checks" / "helper.py").write_text("X = 1\n")


def _setting(project):
    project.pytester.makeini("[pytest]\naddopts = -p no:randomly -p no:xdist\n")


def _waiver(project):
    (project.path / "litegate-waivers.toml").write_text("# none\n")


def _noise(project):
    (project.path / "litegate-noise.json").write_text('{"schema_version": 1, "models": []}')


def _workflow(project):
    folder = project.path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "gate.yml").write_text("jobs: {gate: {steps: [run: pytest checks/ --against x]}}\n")


def _unnamed(project):
    """A check or a preprocessing may read it."""
    (project.path / "checks" / "limits.json").write_text("{}")


def _deleted(project):
    (project.path / "tools" / "limits.json").unlink()


def _committed(project):
    (project.path / "tools" / "limits.json").write_text('{"size": 1}')
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    git = ["git", "-C", str(project.path), *identity, "commit", "-qam", "change"]
    subprocess.run(git, check=True)


ALL = {"", "left", "right"}


@pytest.mark.parametrize(
    ("change", "judged"),
    [
        (_tighter, {"", "left"}),
        (_comment, {"", "left"}),
        (_imported, {"", "left"}),
        (_check, ALL),
        (_conftest, ALL),
        (_module, ALL),
        (_setting, ALL),
        (_waiver, ALL),
        (_noise, ALL),
        (_workflow, ALL),
        (_unnamed, ALL),
        (_deleted, ALL),
        (_committed, ALL),
    ],
)
def test_whatever_may_change_a_verdict_is_judged(branched, change, judged):
    """A model's own file concerns that model; any other may concern all, and is named."""
    change(branched)
    done, models, _ = _judged(branched)
    assert models == judged
    assert ("litegate: all models are judged: " in done.stdout.str()) is (judged == ALL)


def test_the_file_that_ships_counts(project):
    """The model declares its path alone."""
    for name in ("test_shipped.py", "test_weakened_limits.py"):
        shutil.copy(CHECKS / name, project.path / "checks")
    shipped = project.path / "app.tflite"
    shipped.write_bytes(tiny(Kind.INT8_QAT))
    recipes = "lg.recipes.int8_qat(name='int8_qat', from_scratch=True, shipped='app.tflite')"
    project.model(recipes=recipes).as_base()
    assert _judged(project)[1] == {""}
    shipped.write_bytes(GROWN["int8_qat"])
    done, models, _ = _judged(project)
    assert (done.ret, models) == (1, {"", "tiny"})


def test_without_a_base_it_is_an_error(branched):
    """Nothing would be judged, and nobody would see it."""
    done = branched.run("checks/", "--litegate-changed")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*--litegate-changed needs a base*", "*run with --against REF"])


def test_a_proof_is_of_all_models(branched):
    """A badge must not say proven of what was left out."""
    done = branched.run("checks/", "--against", "main", "--litegate-changed", "--prove")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*--litegate-changed*--prove*"])


def test_the_setting_is_a_weakened_limit(branched):
    """It narrows every later run."""
    branched.pytester.makeini("[pytest]\naddopts = -p no:randomly\nlitegate_changed = true\n")
    done = branched.run("checks/", "--against", "main")
    assert done.ret == 1
    assert re.search("litegate_changed.*false.*true", done.stdout.str())
