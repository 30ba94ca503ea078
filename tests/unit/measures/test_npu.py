"""What Vela reports, as measurements: exact, with configuration and placement as evidence."""

from dataclasses import replace

import compiled
import fake_vela
import needs
import pytest

from litegate import byte, percent
from litegate.core.errors import ArtifactError, MeasurementError
from litegate.measures.measurement import Outcome
from litegate.measures.structure import npu
from litegate.measures.structure.macs import macs
from litegate.spec import Kind, Vela
from litegate.testing import artifact, float_layer, tiny

VELA = Vela(
    accelerator="ethos-u55-128",
    system_config="Ethos_U55_High_End_Embedded",
    memory_mode="Shared_Sram",
)
INT8 = tiny(Kind.INT8_QAT, input_type="int8", output_type="int8")
CANDIDATE, COMPILED = artifact(INT8), compiled.vela()
EVIDENCE = "Vela 5.2.0: ethos-u55-128, Ethos_U55_High_End_Embedded, Shared_Sram"
MEMORY = {
    npu.npu_sram: ("sram_memory_used", 51_840),
    npu.npu_dram: ("dram_memory_used", 0),
    npu.npu_on_chip_flash: ("on_chip_flash_memory_used", 0),
    npu.npu_off_chip_flash: ("off_chip_flash_memory_used", 79_248),
}
memory = pytest.mark.parametrize("measure", MEMORY, ids=lambda measure: measure.__name__)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Installs a Vela that gives these bytes and cells."""
    with fake_vela.installed(tmp_path, monkeypatch):
        yield lambda compiled=COMPILED, **cells: fake_vela.install(tmp_path, compiled, **cells)


@memory
def test_memory_is_that_of_the_summary_in_bytes(fake, measure):
    fake()
    measurement = measure(CANDIDATE, VELA)
    assert measurement.value == MEMORY[measure][1]
    assert measurement.evidence[:2] == (EVIDENCE, "weights in Off-chip Flash, activations in SRAM")
    assert measurement.evidence[2].endswith("operators on the NPU")
    assert measurement.artifacts == (CANDIDATE.sha256,)
    assert (measurement <= byte(MEMORY[measure][1])).outcome is Outcome.PASS


@memory
def test_memory_just_above_its_limit_fails(fake, measure):
    column, _ = MEMORY[measure]
    fake(**{column: str(1001 / 1024)})
    assert (measure(CANDIDATE, VELA) <= byte(1000)).outcome is Outcome.FAIL
    assert (measure(CANDIDATE, VELA) <= byte(1001)).outcome is Outcome.PASS


def test_cycles_are_the_npu_s_and_the_evidence_has_all(fake):
    fake()
    measurement = npu.npu_cycles(CANDIDATE, VELA)
    assert (measurement <= 185_541).outcome is Outcome.FAIL
    assert (measurement <= 185_542).outcome is Outcome.PASS
    in_all = "201,747 cycles with memory accesses: 0.4035 ms by its estimate"
    assert measurement.evidence[:2] == (EVIDENCE, in_all)


@pytest.mark.parametrize("cell", ["nan", "inf", "-1", "", "many"])
def test_a_cell_that_is_no_number_is_an_error(fake, cell):
    fake(cycles_npu=cell)
    with pytest.raises(MeasurementError, match="summary of tiny/int8_qat cannot be read") as error:
        npu.npu_cycles(CANDIDATE, VELA)
    assert error.value.got == repr(cell)


def test_a_summary_without_a_column_is_an_error(fake, monkeypatch):
    monkeypatch.delitem(fake_vela.SUMMARY, "sram_memory_used")
    fake()
    with pytest.raises(MeasurementError, match="has no column sram_memory_used"):
        npu.npu_sram(CANDIDATE, VELA)


def test_a_share_counts_macs_of_operators_that_are_left(fake):
    """Of a compiled file, those that are not the NPU's; here half of a sound file's are left."""
    fake(float_layer(INT8, "dense"))
    everything = npu.npu_share(CANDIDATE, VELA)
    assert everything.value == 0
    fake()
    measurement = npu.npu_share(CANDIDATE, VELA)
    assert measurement.value == 1
    assert (measurement >= percent(100)).outcome is Outcome.PASS


def test_nothing_on_the_npu_is_an_error_and_a_share_of_zero(fake):
    """Cycles and memory of nothing would keep every limit."""
    fake(INT8)
    assert (npu.npu_share(CANDIDATE, VELA) >= percent(1)).outcome is Outcome.FAIL
    for measure in (npu.npu_cycles, *MEMORY):
        with pytest.raises(
            MeasurementError, match="places no operator of tiny/int8_qat on"
        ) as error:
            measure(CANDIDATE, VELA)
        assert "operators on the processor: " in error.value.got


def test_a_compiled_candidate_is_refused(fake):
    fake()
    with pytest.raises(MeasurementError, match="is compiled for an Ethos-U already"):
        npu.npu_cycles(artifact(COMPILED), VELA)


def test_what_vela_wrote_is_read_with_suspicion(fake):
    fake(b"\0" * 64)
    with pytest.raises(ArtifactError, match="compiled by Vela"):
        npu.npu_share(CANDIDATE, VELA)


@needs.vela
def test_a_float_layer_leaves_the_npu():
    """Its MACs are the share that is missing."""
    candidate = artifact(float_layer(INT8, "dense"))
    measurement = npu.npu_share(candidate, VELA)
    dense = 4 * next(
        tensor.shape[1]
        for tensor in npu.parse(candidate.tflite).main.tensors
        if len(tensor.shape) == 2 and tensor.is_constant
    )
    assert measurement.value == 1 - npu.Fraction(dense, int(macs(candidate).value))
    assert "1 FULLY_CONNECTED" in measurement.evidence[-1]
    assert (
        replace(VELA, accelerator="ethos-u55-256").described
        in (npu.npu_share(candidate, replace(VELA, accelerator="ethos-u55-256")).evidence[0])
    )
