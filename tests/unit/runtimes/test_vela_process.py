"""Vela in a child process: what it reports, and each way in which it can fail."""

import shlex

import fake_vela
import needs
import pytest

from litegate.core.errors import ConfigError, MeasurementError
from litegate.runtimes import vela as runtime
from litegate.runtimes.vela import compile_file
from litegate.spec import Kind, Vela
from litegate.testing import tiny
from litegate.tflite.npu import npu_operators
from litegate.tflite.parser import parse

VELA = Vela(
    accelerator="ethos-u55-128",
    system_config="Ethos_U55_High_End_Embedded",
    memory_mode="Shared_Sram",
    timeout=60,
)
INT8 = tiny(Kind.INT8_QAT, input_type="int8", output_type="int8")
DIES = "import os\ndef act(*_): os.kill(os.getpid(), 11)\n"
HANGS = "import time\ndef act(*_): time.sleep(60)\n"
RAISES = "def act(*_): raise ValueError('Section System_Config.A not found')\n"
SILENT = "import sys\ndef act(*_): sys.exit(3)\n"
NO_FILE = fake_vela.GOOD.replace('(folder / "model_vela', 'HERE and (HERE / "model_vela')
NO_SUMMARY = fake_vela.GOOD.replace("model_summary", "summary")


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Installs a Vela that behaves as it is told."""
    with fake_vela.installed(tmp_path, monkeypatch):
        yield lambda **over: fake_vela.install(tmp_path, b"compiled", **over)


def test_the_compiled_bytes_and_the_summary_are_returned(fake):
    fake(cycles_npu="7")
    compiled = compile_file(INT8, VELA, "mine")
    assert (compiled.tflite, compiled.version) == (b"compiled", "5.2.0")
    assert compiled.summary["cycles_npu"] == "7"


def test_a_file_is_compiled_once_for_several_checks(fake):
    fake()
    assert compile_file(INT8, VELA, "mine") is compile_file(INT8, VELA, "mine")


@pytest.mark.parametrize(
    ("behaviour", "what", "got"),
    [
        (DIES, "Vela does not compile mine", "SIGSEGV"),
        (RAISES, "Vela does not compile mine", "Section System_Config.A not found"),
        (SILENT, "Vela does not compile mine", "exit status 3"),
        (NO_FILE, "Vela wrote no compiled file of mine", "5.2.0"),
        (NO_SUMMARY, "Vela's summary of mine cannot be read", "0 rows"),
    ],
)
def test_a_failure_is_an_error_with_its_words(fake, behaviour, what, got):
    fake(behaviour=behaviour)
    with pytest.raises(MeasurementError, match=what) as error:
        compile_file(INT8, VELA, "mine")
    assert got in error.value.got
    assert "Traceback" not in str(error.value)


def test_an_error_says_how_to_run_it(fake):
    fake(behaviour=SILENT)
    with pytest.raises(MeasurementError) as error:
        compile_file(INT8, VELA, "mine")
    assert error.value.remedy == f"run it yourself: vela FILE {shlex.join(VELA.arguments)}"


def test_a_hang_ends_with_its_timeout(fake):
    fake(behaviour=HANGS)
    hasty = Vela(accelerator="a", system_config="b", memory_mode="c", timeout=1)
    with pytest.raises(MeasurementError, match="does not finish with mine") as error:
        compile_file(INT8, hasty, "mine")
    assert error.value.expected == "a compiled file within 1 s"
    assert "timeout" in error.value.remedy


def test_without_vela_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(runtime, "installed_version", lambda: "")
    with pytest.raises(ConfigError, match="pip install 'litegate\\[vela\\]'"):
        compile_file(b"another file", VELA, "mine")
    assert runtime.missing_vela().endswith("pip install 'litegate[vela]'")


@needs.vela
def test_vela_puts_an_integer_file_on_the_npu():
    compiled = compile_file(INT8, VELA, "mine")
    assert npu_operators(parse(compiled.tflite)) == 1
    assert int(compiled.summary["cycles_npu"]) > 0
    assert compiled.summary["accelerator_configuration"] == "Ethos_U55_128"


@needs.vela
@pytest.mark.parametrize("change", [{"system_config": "Mine"}, {"accelerator": "ethos-u5"}])
def test_what_vela_does_not_know_is_an_error(change):
    names = {"accelerator": "ethos-u55-128", "system_config": "A", "memory_mode": "Shared_Sram"}
    with pytest.raises(MeasurementError, match="does not compile mine") as error:
        compile_file(INT8, Vela(**names | change), "mine")
    assert "error" in error.value.got.lower()
