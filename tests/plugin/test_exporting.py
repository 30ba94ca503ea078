"""`litegate export` as it is typed, after real runs of pytest."""

import hashlib
import json
import subprocess
import sys

import fake_vela
import pytest

from litegate.spec import Kind
from litegate.testing import tiny

GATED = tiny(Kind.INT8_QAT)
HEAD = "from litegate.measures.structure.size import size\nfrom litegate import byte, kib"
SIZE = "require(size(candidate) <= budget.size)"
SECOND = '''
def test_second(candidate, require):
    """It holds, too."""
    require(size(candidate) <= kib(100))
'''
ASKS = "candidate, budget, require"
COMMAND = "from litegate.cli import main; main()"


@pytest.fixture
def judged(project):
    """A project with two checks on one recipe."""
    return project.model("size=lg.kib(100)").check(SIZE, head=HEAD + SECOND, args=ASKS)


@pytest.fixture
def export(project):
    """Run `litegate export`; gives its exit status and what it said."""

    def run(*words):
        argv = [sys.executable, "-c", COMMAND, "export", *(words or ("tiny", "int8_qat"))]
        argv += ["--to", "app/model.tflite"]
        done = subprocess.run(
            argv, cwd=project.path, capture_output=True, text=True, timeout=60, check=False
        )
        written = project.path / "app" / "model.tflite"
        assert written.exists() == (done.returncode == 0)
        return done.returncode, done.stdout + done.stderr

    return run


def test_accepted_bytes_are_written(judged, export):
    """The very bytes, their digest and their size."""
    assert judged.run().ret == 0
    status, said = export()
    assert status == 0, said
    assert (judged.path / "app" / "model.tflite").read_bytes() == GATED
    assert hashlib.sha256(GATED).hexdigest() in said
    assert f"{len(GATED):,} B" in said


def test_compiled_bytes_are_what_vela_makes_of_the_accepted_ones(
    project, export, tmp_path_factory, monkeypatch
):
    """With the configuration of the budget, which is needed."""
    packages = tmp_path_factory.mktemp("packages")
    with fake_vela.installed(packages, monkeypatch):
        monkeypatch.setenv("PYTHONPATH", str(packages))
        compiled = fake_vela.compiled(GATED)
        fake_vela.install(packages, compiled)
        words = ("tiny", "int8_qat", "--compiled")
        assert project.model("size=lg.kib(100)").check(SIZE, head=HEAD, args=ASKS).run().ret == 0
        status, said = export(*words)
        assert status == 1
        assert "tiny/int8_qat has no configuration to compile it with" in said
        npu = "lg.Vela(accelerator='ethos-u55-128', system_config='A', memory_mode='B')"
        assert project.model(f"size=lg.kib(100), vela={npu}").run().ret == 0
        status, said = export(*words)
    assert status == 0, said
    assert (project.path / "app" / "model.tflite").read_bytes() == compiled
    assert hashlib.sha256(compiled).hexdigest() in said


@pytest.mark.parametrize("changed", ["a limit", "a check", "a waiver", "a setting"])
def test_what_was_judged_by_other_promises_is_not_exported(judged, export, changed):
    """It passed once, by what was promised then."""
    assert judged.run().ret == 0
    assert export()[0] == 0
    (judged.path / "app" / "model.tflite").unlink()
    if changed == "a limit":
        file = judged.path / "models" / "tiny.py"
        file.write_text(file.read_text().replace("lg.kib(100)", "lg.kib(1)"))
    elif changed == "a check":
        judged.check("require(size(candidate) <= byte(1))", head=HEAD, args=ASKS)
    elif changed == "a waiver":
        (judged.path / "litegate-waivers.toml").write_text("# none\n")
    else:
        judged.pytester.makeini("[pytest]\nlitegate_strict = true\n")
    status, said = export()
    assert status == 1
    assert "models, checks, waivers or settings changed since the last run" in said


def test_nothing_is_exported_before_a_run(judged, export):
    """The store holds the bytes, and nobody judged them."""
    status, said = export()
    assert status == 1
    assert "tiny/int8_qat is not judged yet" in said
    assert "run `pytest checks/ --litegate-model tiny`" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("limit", [-1, 0])
def test_a_broken_promise_is_not_exported(project, export, limit):
    """One byte below the size it fails, at the size it is accepted."""
    project.model(f"size=lg.byte({len(GATED) + limit})").check(SIZE, head=HEAD, args=ASKS)
    assert project.run().ret == (1 if limit else 0)
    status, said = export()
    assert status == (1 if limit else 0)
    assert ("must be at most" in said) == bool(limit)


def test_a_check_without_a_verdict_is_not_exported(judged, export):
    """An error is no verdict."""
    judged.check("require(None)", head=HEAD + SECOND)
    assert judged.run().ret == 1
    status, said = export()
    assert status == 1
    assert "test_it[tiny-int8_qat] came to no verdict" in said


def test_a_run_of_a_part_is_not_enough(judged, export):
    """Else `-k` would choose the promises that count."""
    assert judged.run("checks/", "-k", "second").ret == 0
    status, said = export()
    assert status == 1
    assert "checks/test_one.py::test_it[tiny-int8_qat]: it did not run" in said


def test_bytes_that_changed_since_are_not_exported(judged, export):
    """The report speaks of the bytes before."""
    assert judged.run().ret == 0
    judged.model("size=lg.kib(100)", files={"int8_qat": tiny(Kind.INT8_QAT, seed=8)})
    status, said = export()
    assert status == 1
    assert "did not judge sha256" in said


def test_a_model_that_changed_since_is_not_exported(judged, export):
    """The store holds nothing for it as it stands now, and nothing is built."""
    assert judged.run().ret == 0
    file = judged.path / "models" / "tiny.py"
    file.write_text(file.read_text().replace("return samples", "return samples * 1"))
    status, said = export()
    assert status == 1
    assert "the store has no artifact" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tinny", "int8_qat"), "there is no model tinny\n  expected: tiny"),
        (("tiny", "int8"), "tiny has no recipe int8\n  expected: a gated one: int8_qat"),
        (("tiny", "dynamic_range"), "has gate=False"),
        (("tiny", "int8_qat", "--force"), "No such option"),
    ],
)
def test_what_does_not_exist_is_refused(project, export, words, message):
    """With what does; and there is no way around the gate."""
    recipes = "lg.recipes.int8_qat(from_scratch=True, name='int8_qat')"
    project.model(recipes=f"{recipes}, lg.recipes.dynamic_range(gate=False)")
    project.check("require(size(candidate) <= kib(100))", head=HEAD)
    status, said = export(*words)
    assert status != 0
    assert message in said


def test_a_check_that_does_not_load_exports_nothing(judged, export):
    """What it would have said is unknown."""
    assert judged.run().ret == 0
    (judged.path / "checks" / "test_broken.py").write_text("x = 1 / 0\n")
    status, said = export()
    assert status == 1
    assert "could not collect the checks" in said
    assert "ZeroDivisionError" in said


def test_a_shipped_file_is_exported_and_then_passes(project, export):
    """The check that it mends does not stand in its way."""
    ships = "lg.recipes.int8_qat(name='int8_qat', from_scratch=True, shipped='app/model.tflite')"
    project.model(recipes=ships).real_checks()
    some = ("checks/test_size.py", "checks/test_shipped.py")
    for check in (project.path / "checks").glob("*.py"):
        if f"checks/{check.name}" not in some:
            check.unlink()
    assert project.run().ret == 1
    assert export()[0] == 0
    assert project.run().ret == 0


def test_settings_of_the_project_hold(project, export):
    """Store, report and folder of checks where pytest has them; warnings are errors."""
    project.pytester.makepyprojecttoml(
        "[tool.pytest.ini_options]\nlitegate_report = 'out'\nlitegate_checks = 'gates'\n"
        "filterwarnings = ['error']\ntestpaths = ['tests']\n"
    )
    (project.path / "tox.ini").unlink()
    project.model().check("require(size(candidate) <= kib(100))", head=HEAD)
    (project.path / "checks").rename(project.path / "gates")
    assert project.run("gates/").ret == 0
    assert json.loads((project.path / "out" / "report.json").read_text())["verdicts"]
    status, said = export()
    assert status == 0, said
