"""Measure placement, cycles and memory on an Ethos-U, as its compiler Vela reports them.

Memory and cycles are the compiler's own figures, of the operators that it places on the NPU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import final

from litegate.core.errors import MeasurementError
from litegate.core.escaping import listed
from litegate.core.units import Number, Unit
from litegate.measures.measurement import Measurement
from litegate.measures.names import Name
from litegate.measures.structure.macs import costs
from litegate.measures.structure.operators import operator_label
from litegate.runtimes.vela import Compiled, compile_file
from litegate.spec import Artifact, Vela
from litegate.tflite.graph import Graph, Operator
from litegate.tflite.npu import NPU_OPERATOR, npu_operators
from litegate.tflite.parser import parse

_MEMORY: Mapping[str, str] = {
    Name.NPU_SRAM: "sram_memory_used",
    Name.NPU_DRAM: "dram_memory_used",
    Name.NPU_ON_CHIP_FLASH: "on_chip_flash_memory_used",
    Name.NPU_OFF_CHIP_FLASH: "off_chip_flash_memory_used",
}
"""The summary's column, in KiB, of each kind of memory."""


def npu_sram(artifact: Artifact, vela: Vela) -> Measurement:
    """Measure the bytes of SRAM that Vela plans; raises as `npu_cycles`."""
    return _memory(artifact, vela, Name.NPU_SRAM)


def npu_dram(artifact: Artifact, vela: Vela) -> Measurement:
    """Measure the bytes of DRAM that Vela plans; raises as `npu_cycles`."""
    return _memory(artifact, vela, Name.NPU_DRAM)


def npu_on_chip_flash(artifact: Artifact, vela: Vela) -> Measurement:
    """Measure the bytes of on-chip flash that Vela plans; raises as `npu_cycles`."""
    return _memory(artifact, vela, Name.NPU_ON_CHIP_FLASH)


def npu_off_chip_flash(artifact: Artifact, vela: Vela) -> Measurement:
    """Measure the bytes of off-chip flash that Vela plans; raises as `npu_cycles`."""
    return _memory(artifact, vela, Name.NPU_OFF_CHIP_FLASH)


def _memory(artifact: Artifact, vela: Vela, name: str) -> Measurement:
    compilation = _compile(artifact, vela)
    weights, activations = (
        compilation.text(f"{kind}_storage_area") for kind in ("weights", "feature_map")
    )
    areas = f"weights in {weights}, activations in {activations}"
    return compilation.measure(name, compilation.number(_MEMORY[name]) * 1024, Unit.BYTES, areas)


def npu_cycles(artifact: Artifact, vela: Vela) -> Measurement:
    """Measure the cycles of the NPU in one invocation, as Vela estimates them.

    `vela` is the configuration that the fixture `vela` gives. Raises ArtifactError if the file
    cannot be read, ConfigError if Vela is not installed, MeasurementError as `compile_file` does,
    and if Vela places no operator on the NPU.
    """
    compilation = _compile(artifact, vela)
    total, clock = (compilation.number(name) for name in ("cycles_total", "core_clock"))
    milliseconds = float(1000 * total / clock) if clock else 0.0
    in_all = f"{int(total):,} cycles with memory accesses: {milliseconds:.4g} ms by its estimate"
    return compilation.measure(
        Name.NPU_CYCLES, compilation.number("cycles_npu"), Unit.COUNT, in_all
    )


def npu_share(artifact: Artifact, vela: Vela) -> Measurement:
    """Measure the share of the file's MACs in operators that Vela places on the NPU.

    An operator is on the processor if the compiled file still has it. Raises as `npu_cycles`, but
    for a file without operators on the NPU, whose share is 0; MeasurementError without MACs, and
    naming the operators if the cost of one is unknown.
    """
    compilation = _Compilation.of(artifact, vela)
    total = _macs(compilation.source, artifact)
    if not total:
        raise MeasurementError(
            f"the NPU share of {artifact.name} is not defined",
            expected="a file with multiply-accumulates",
            got="none",
            remedy="remove npu_share from the budget",
        )
    return compilation.measure(
        Name.NPU_SHARE, 1 - Fraction(_macs(compilation.graph, artifact), total), Unit.PERCENT
    )


def _macs(graph: Graph, artifact: Artifact) -> int:
    """Sum the MACs of a graph, without those that the NPU's commands replace."""
    counted = [cost for cost in costs(graph) if cost.operator.custom_code != NPU_OPERATOR]
    unknown = [operator_label(cost.operator) for cost in counted if cost.macs is None]
    if unknown:
        raise MeasurementError(
            f"the NPU share of {artifact.name} cannot be measured",
            expected="operators whose MACs the shapes in the file give",
            got=listed(unknown),
            remedy="remove npu_share from the budget",
        )
    return sum(cost.macs or 0 for cost in counted)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Compilation:
    """An artifact, and the file that Vela compiled from it."""

    artifact: Artifact
    vela: Vela
    source: Graph
    graph: Graph
    """The compiled file's."""
    compiled: Compiled

    @classmethod
    def of(cls, artifact: Artifact, vela: Vela) -> _Compilation:
        """Compile an artifact. Raises MeasurementError if it is compiled already."""
        source = parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
        if npu_operators(source):
            raise MeasurementError(
                f"{artifact.name} is compiled for an Ethos-U already",
                expected="the file before compilation",
                remedy="gate that file, and name the compiled one as shipped=...",
            )
        if source.main.index:
            raise MeasurementError(
                f"what Vela reports of {artifact.name} is not of its signature alone",
                expected="a signature of the file's first graph",
                got=f"graph {source.main.index}",
                remedy="remove the limits npu_... from the budget",
            )
        compiled = compile_file(artifact.tflite, vela, artifact.name)
        graph = parse(compiled.tflite, subject=f"{artifact.name}, compiled by Vela")
        return cls(artifact=artifact, vela=vela, source=source, graph=graph, compiled=compiled)

    def text(self, column: str) -> str:
        """Return a cell of the summary. Raises MeasurementError if there is no such column."""
        if column not in self.compiled.summary:
            raise MeasurementError(
                f"Vela's summary of {self.artifact.name} has no column {column}",
                expected="version 5.2 of ethos-u-vela",
                got=f"version {self.compiled.version}",
            )
        return str(self.compiled.summary[column])

    def number(self, column: str) -> Fraction:
        """Return a number of the summary, exactly. Raises MeasurementError if it is none."""
        cell = self.text(column)
        try:
            value = float(cell)
        except ValueError:
            value = float("nan")
        if not isfinite(value) or value < 0:
            raise MeasurementError(
                f"Vela's summary of {self.artifact.name} cannot be read",
                expected=f"a number as {column}",
                got=repr(cell),
            )
        return Fraction(value)

    def measure(self, name: str, value: Number, unit: Unit, *evidence: str) -> Measurement:
        """Return a measurement of the artifact, with the configuration as evidence."""
        whole = int(value) if value == int(value) and unit is not Unit.PERCENT else value
        return Measurement(
            name=name,
            subject=self.artifact.name,
            value=whole,
            unit=unit,
            n=len(self.source.main.operators),
            evidence=(
                f"Vela {self.compiled.version}: {self.vela.identified(Path())}",
                *evidence,
                _placement(self.source, self.graph),
            ),
            artifacts=(self.artifact.sha256,),
        )


def _compile(artifact: Artifact, vela: Vela) -> _Compilation:
    """Compile an artifact. Raises MeasurementError if nothing of it is on the NPU."""
    compilation = _Compilation.of(artifact, vela)
    if not npu_operators(compilation.graph):
        raise MeasurementError(
            f"Vela places no operator of {artifact.name} on the NPU",
            expected="operators on the NPU, of which it reports memory and cycles",
            got=_placement(compilation.source, compilation.graph),
            remedy="see `vela --supported-ops-report`: weights and activations must be integers",
        )
    return compilation


def _placement(source: Graph, compiled: Graph) -> str:
    """Describe which operators the processor runs: those that the compiled file still has."""
    left = [it for it in compiled.main.operators if it.custom_code != NPU_OPERATOR]
    if not left:
        return f"all {len(source.main.operators):,} operators on the NPU"
    kinds = Counter(map(_kind, left))
    named = listed([f"{count:,} {kind}" for kind, count in kinds.most_common()])
    return f"{len(left):,} of {len(source.main.operators):,} operators on the processor: {named}"


def _kind(operator: Operator) -> str:
    return f"{operator.name} {operator.custom_code}".strip()
