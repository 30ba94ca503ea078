"""Limits of what Vela reports: collected where they are set, and judged where Vela is installed."""

import json
import shutil
from pathlib import Path

import fake_vela
import pytest

from litegate.gate.checks import verdicts
from litegate.measures.shipped import describe_bytes
from litegate.runtimes import vela
from litegate.spec import Kind
from litegate.testing import tiny

CHECKS = Path(__file__).resolve().parents[2] / "checks"
VELA = "vela=lg.Vela(accelerator='ethos-u55-128', system_config='A', memory_mode='B')"
COMPILED = fake_vela.compiled(tiny(Kind.INT8_QAT))
LIMITS = (
    f"{VELA}, npu_share=lg.percent(100), npu_cycles=185_542, npu_sram=lg.byte(51_840), "
    "npu_dram=lg.byte(0), npu_on_chip_flash=lg.byte(0), npu_off_chip_flash=lg.byte(79_248)"
)


@pytest.fixture
def npu(project, tmp_path_factory, monkeypatch):
    """A project with these checks and one of the size; a Vela is installed that compiles it."""
    for name in ("test_npu.py", "test_shipped.py", "test_size.py"):
        shutil.copy(CHECKS / name, project.path / "checks")
    packages = tmp_path_factory.mktemp("packages")
    with fake_vela.installed(packages, monkeypatch):
        fake_vela.install(packages, COMPILED)

        def run(budget, *args, **declared):
            return project.model(f"size=lg.kib(50), {budget}", **declared).run("checks/", *args)

        run.path, run.packages = project.path, packages
        yield run


def report_of(npu):
    return json.loads((npu.path / ".litegate" / "report" / "report.json").read_text())


def without_vela(monkeypatch):
    """Vela is not installed, for the gate and where it is demanded."""
    for module in (verdicts, vela):
        monkeypatch.setattr(module, "missing_vela", lambda: "it is missing: pip install it")


def test_limits_are_judged_at_their_values_and_the_configuration_is_evidence(npu):
    done = npu(LIMITS, "-v")
    assert done.ret == 0
    rows = {row["measurement"]: row for row in report_of(npu)["verdicts"]}
    npu_rows = {name: row for name, row in rows.items() if name.startswith("NPU ")}
    assert len(npu_rows) == 6
    for row in npu_rows.values():
        assert row["verdict"] == "pass"
        assert row["evidence"][0] == "Vela 5.2.0: ethos-u55-128, A, B"
    assert rows["NPU cycles"]["value"] == 185_542


def test_a_limit_just_below_the_value_fails_and_names_its_line(npu):
    done = npu(LIMITS.replace("185_542", "185_541"))
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        [
            "FAIL*tiny/int8_qat*NPU cycles*185,542*",
            "*Change:*models/tiny.py:* Budget(npu_cycles=...)*",
        ]
    )


def test_unset_limits_are_listed_only_with_a_configuration(npu):
    """As limits of an NPU that a model may have."""
    assert "npu_" not in npu("", "-v").stdout.str()
    done = npu(VELA, "-v")
    done.stdout.fnmatch_lines(["*no limit for tiny-int8_qat: *npu_cycles, npu_share, npu_sram*"])


@pytest.mark.parametrize("ci", [False, True])
def test_without_vela_a_laptop_says_so_and_ci_fails(npu, monkeypatch, ci):
    if ci:
        monkeypatch.setenv("CI", "true")
    without_vela(monkeypatch)
    done = npu(f"{VELA}, npu_cycles=1")
    assert done.ret == int(ci)
    report = report_of(npu)
    if ci:
        (error,) = report["errors"]
        assert "there is no Vela on this machine" in error["message"]
        assert "pip install 'litegate[vela]'" in error["message"]
    else:
        (row,) = report["not_measured"]
        assert row["reason"] == "NOT MEASURED with Vela: it is missing: pip install it"
        done.stdout.fnmatch_lines(["*NOT MEASURED with Vela: it is missing: pip install it*"])
    assert "size" in {row["measurement"] for row in report["verdicts"]}


SHIPS = "lg.recipes.int8_qat(name='int8_qat', from_scratch=True, shipped='app/npu.tflite')"


@pytest.mark.parametrize(
    ("compiled", "status"), [(COMPILED, 0), (fake_vela.compiled(tiny(Kind.INT8_QAT, seed=8)), 1)]
)
def test_a_compiled_file_that_ships_is_compiled_again(npu, compiled, status):
    (npu.path / "app").mkdir()
    (npu.path / "app" / "npu.tflite").write_bytes(compiled)
    done = npu(VELA, recipes=SHIPS)
    assert done.ret == status
    rows = {row["measurement"]: row for row in report_of(npu)["verdicts"]}
    row = rows["shipped file differences"]
    assert row["evidence"] == ["compiled again by Vela 5.2.0: ethos-u55-128, A, B"]
    if status:
        command = "litegate export tiny int8_qat --compiled --to app/npu.tflite"
        assert (
            f"Vela compiles the gated file to {describe_bytes(COMPILED)}: run `{command}`"
            in (row["sentence"])
        )
        assert row["steps"]["change"] == f"write the file again: {command}"


@pytest.mark.parametrize("compiled", [True, False])
def test_without_vela_a_compiled_file_alone_is_not_measured(npu, monkeypatch, compiled):
    without_vela(monkeypatch)
    (npu.path / "app").mkdir()
    (npu.path / "app" / "npu.tflite").write_bytes(COMPILED if compiled else tiny(Kind.INT8_QAT))
    assert npu(VELA, recipes=SHIPS).ret == 0
    report = report_of(npu)
    measured = {row["measurement"] for row in report["verdicts"]}
    assert ("shipped file differences" in measured) is not compiled
    assert bool(report["not_measured"]) is compiled


def test_a_compiled_file_without_a_configuration_fails(npu):
    """Nothing says what it was compiled for."""
    (npu.path / "app").mkdir()
    (npu.path / "app" / "npu.tflite").write_bytes(COMPILED)
    done = npu("", recipes=SHIPS)
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*is compiled by Vela; to compile the gated file again, set*"])


def test_a_file_before_compilation_may_ship_and_a_missing_one_has_both_commands(npu):
    done = npu(VELA, recipes=SHIPS)
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        ["*is missing; *run `litegate export tiny int8_qat --to app/npu.tflite`, or `*--compiled*"]
    )
    (npu.path / "app").mkdir()
    (npu.path / "app" / "npu.tflite").write_bytes(tiny(Kind.INT8_QAT))
    assert npu(VELA, recipes=SHIPS).ret == 0
