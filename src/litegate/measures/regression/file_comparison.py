"""Compare two files: judge B against A as a change is judged against its base."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, LitegateError, MeasurementError
from litegate.core.units import Number, Unit, ms
from litegate.data.npz import LabelledSamples
from litegate.measures.accuracy import accuracy
from litegate.measures.accuracy.decisions import demand_finite_outputs
from litegate.measures.accuracy.outputs import pair_outputs
from litegate.measures.accuracy.runtime_agreement import runtime_agreement
from litegate.measures.lints.saturation import saturation
from litegate.measures.measurement import Measurement, Outcome, Verdict
from litegate.measures.regression import (
    accuracy_loss,
    agreement_with_base,
    interface_changes,
    latency_growth,
    lost_types,
    operator_changes,
    size_growth,
)
from litegate.measures.runtimes import on_runtime
from litegate.measures.structure.arena import arena
from litegate.measures.structure.inspection import Inspection, inspection
from litegate.runtimes.inference import predict_all
from litegate.spec import (
    Array,
    Artifact,
    Evaluation,
    Frames,
    Inputs,
    Kind,
    Recipe,
    Regression,
    Samples,
    Sequences,
    by_input,
)
from litegate.spec.budget import ONE_PERCENT
from litegate.spec.runtimes import TFLM, XNNPACK
from litegate.tflite.graph import Graph, Tensor
from litegate.tflite.parser import parse
from litegate.tflite.ports import canonical_name, graph_ports

_MOST_CLASSES = 1_000_000
"""The widest output whose elements are named as classes: above any classifier's, and few enough
that a damaged shape cannot exhaust the memory with names."""
_MOST_ELEMENTS = 1 << 26
"""The largest input that is filled with zeros: 256 MiB of float32, above any real sample; a damaged
shape could ask for more than the machine has."""
_FRAMES = Frames(period=ms(1), answer="last")
"""Sequences are answered by their last frame. No measure of two files depends on the period."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRow:
    """A property of both files, shown and not judged."""

    what: str
    a: Number | str | None
    """The value in file A; None if unknown."""
    b: Number | str | None
    """The value in file B; None if unknown."""
    unit: Unit = Unit.COUNT


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FileComparison:
    """The result of comparing two files."""

    verdicts: tuple[Verdict, ...]
    rows: tuple[ComparisonRow, ...]
    notes: tuple[str, ...]
    """Changes, and properties that could not be compared."""
    unjudged: tuple[str, ...] = ()
    """Judgements that were not requested, each with the option that requests it."""

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of the verdicts."""
        outcomes = {verdict.outcome for verdict in self.verdicts}
        order = (Outcome.FAIL, Outcome.INCONCLUSIVE)
        return next((outcome for outcome in order if outcome in outcomes), Outcome.PASS)


def file_artifact(
    name: str,
    tflite: bytes,
    samples: LabelledSamples,
    *,
    signature: str = "",
    output: str = "",
) -> Artifact:
    """Build an artifact from a file and the samples that both files are run on.

    `samples` may be empty if nothing is run; its labels belong to `output`, by default the first.
    Raises ArtifactError for bytes that are not a `.tflite` file or have no such signature.
    """
    graph = parse(tflite, subject=name, signature=signature)
    x, y = samples.x, samples.y
    labels = np.zeros(len(x), dtype=np.int64) if y is None else y
    arrays = dict(by_input(x))
    sample_bytes = b"".join(port.encode() + array.tobytes() for port, array in arrays.items())
    if isinstance(x, Sequences):
        sample_bytes += x.stops.tobytes()
    return Artifact(
        model=name,
        recipe=Recipe(name="file", kind=Kind.FLOAT32),
        title=name,
        tflite=tflite,
        sha256=hashlib.sha256(tflite).hexdigest(),
        certificate={},
        evaluation=Evaluation(
            digest=hashlib.sha256(sample_bytes + labels.tobytes()).hexdigest(),
            x=x,
            y=labels,
            classes=() if y is None else _classes(graph, signature, output),
            domain=_input_ranges(arrays) if "" not in arrays else _range(arrays[""]),
            output=output,
            sequences=_FRAMES if isinstance(x, Sequences) else None,
        ),
        signature=signature,
    )


def _input_ranges(arrays: Mapping[str, Array]) -> dict[str, tuple[float, float]]:
    return {name: _range(array) for name, array in arrays.items()}


def _range(x: Array) -> tuple[float, float]:
    return (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)


def _classes(graph: Graph, signature: str, output: str) -> tuple[str, ...]:
    """Return the class names of an output: the numbers of its elements."""
    outputs = graph_ports(graph, "outputs", signature)
    tensor = outputs.get(canonical_name(output)) if output else next(iter(outputs.values()), None)
    width = prod(tensor.shape[1:]) if tensor else 0
    return tuple(map(str, range(width))) if width <= _MOST_CLASSES else ()


def zero_sample(tflite: bytes, subject: str, signature: str = "") -> Samples:
    """Return one sample of zeros for each input, for timing.

    Raises ArtifactError if there is no input, or one without a usable shape.
    """
    inputs = graph_ports(parse(tflite, subject=subject, signature=signature), "inputs", signature)
    for shape in [tensor.shape for tensor in inputs.values()] or [()]:
        if not 0 < prod(shape) <= _MOST_ELEMENTS or not shape:
            raise ArtifactError(
                f"{subject} cannot be timed on a sample of zeros",
                expected=f"inputs of at most {_MOST_ELEMENTS:,} numbers",
                got=f"shape {shape}",
                remedy="pass samples with --data",
            )
    zeros = {name: np.zeros(tensor.shape, dtype=np.float32) for name, tensor in inputs.items()}
    return Inputs(zeros) if len(zeros) > 1 else next(iter(zeros.values()))


def compare(
    a: Artifact,
    b: Artifact,
    *,
    run: bool,
    labelled: bool,
    latency: bool,
    runtimes: Sequence[str] = (XNNPACK,),
) -> FileComparison:
    """Compare two files, judging B by the default limits of a change.

    `run` runs both on the samples, on each of the runtimes, `labelled` compares the accuracy there,
    `latency` times both. With several runtimes, rows show how many decisions they share. Raises
    ArtifactError if the inputs or outputs of the files differ; MeasurementError if most of the
    samples are outside an input's range, or if outputs are not finite; and as the measures do.
    """
    demand_same_ports(a, b)
    limits = Regression()
    run_files = (a, b) if run else ()
    clipped_inputs = [clipped for artifact in run_files for clipped in saturation(artifact)]
    if severe := next((clipped for clipped in clipped_inputs if clipped.is_severe), None):
        raise severe.error
    pairs = [(replace(a, runtime=name), replace(b, runtime=name)) for name in runtimes]
    for artifact in chain.from_iterable(pairs if run else ()):
        for outputs in predict_all(artifact).values():
            demand_finite_outputs(outputs, artifact.name)
    verdicts = [
        size_growth(a, b) <= ONE_PERCENT,
        lost_types(a, b) <= limits.lost_types,
    ]
    for pair in pairs if labelled else ():
        loss = on_runtime(accuracy_loss(*pair), pair[0].runtime)
        verdicts.append(loss <= limits.accuracy)
    if latency:
        verdicts.append(
            latency_growth(a, b, limits.latency, floor=limits.latency_floor) <= limits.latency
        )
    inspections = [
        inspection(artifact.tflite, (), subject=artifact.name, signature=artifact.signature)
        for artifact in (a, b)
    ]
    rows = [*_file_rows(*inspections)]
    rows += chain.from_iterable(_accuracy_rows(*pair) for pair in (pairs if labelled else ()))
    notes = [
        *map(str, clipped_inputs),
        *(f"interface: {line}" for line in interface_changes(a, b).offenders),
        *operator_changes(a, b).offenders,
    ]
    if run:
        for pair in pairs:
            rows += _agreement_rows(*pair, notes)
            notes += _differences(*pair)
            rows += _recorded_rows(*pair)
        for other in runtimes[1:]:
            rows += _runtime_rows(*pairs[0], other, notes)
    requests = {"accuracy (--data with labels)": labelled, "latency (--latency)": latency}
    return FileComparison(
        verdicts=tuple(verdicts),
        rows=tuple(rows),
        notes=tuple(notes),
        unjudged=tuple(name for name, requested in requests.items() if not requested),
    )


def _file_rows(a: Inspection, b: Inspection) -> Iterator[ComparisonRow]:
    """Yield the properties that need no run."""
    yield ComparisonRow(what="size", a=a.size, b=b.size, unit=Unit.BYTES)
    yield ComparisonRow(what="types", a=a.origin.form, b=b.origin.form)
    yield ComparisonRow(what="operators", a=len(a.costs), b=len(b.costs))
    yield ComparisonRow(what="MACs", a=_macs(a), b=_macs(b))
    yield ComparisonRow(what="weights", a=a.weight_bytes, b=b.weight_bytes, unit=Unit.BYTES)
    yield ComparisonRow(what="arena", a=_arena(a), b=_arena(b), unit=Unit.BYTES)


def _macs(file: Inspection) -> int | None:
    return None if file.uncounted else file.macs


def _arena(file: Inspection) -> int | None:
    return file.plan.arena if file.plan else None


def _recorded_rows(a: Artifact, b: Artifact) -> Iterator[ComparisonRow]:
    """Yield the memory that TensorFlow Lite Micro's interpreter recorded for both files."""
    if a.runtime == TFLM:
        arenas = [int(arena(artifact).value) for artifact in (a, b)]
        yield ComparisonRow(what=f"arena{_where(a)}", a=arenas[0], b=arenas[1], unit=Unit.BYTES)


def _accuracy_rows(a: Artifact, b: Artifact) -> Iterator[ComparisonRow]:
    accuracy_a, accuracy_b = (accuracy(artifact).value for artifact in (a, b))
    yield ComparisonRow(what=f"accuracy{_where(a)}", a=accuracy_a, b=accuracy_b, unit=Unit.PERCENT)


def _agreement_rows(a: Artifact, b: Artifact, notes: list[str]) -> Iterator[ComparisonRow]:
    """Yield the share of equal decisions, or add a note if the files do not choose classes."""
    try:
        agreement: Measurement = agreement_with_base(a, b)
    except LitegateError as error:
        notes.append(f"agreement is not known: {error.what}")
        return
    what = f"equal decisions{_where(a)}"
    yield ComparisonRow(what=what, a=None, b=agreement.value, unit=agreement.unit)


def _runtime_rows(
    a: Artifact, b: Artifact, runtime: str, notes: list[str]
) -> Iterator[ComparisonRow]:
    """Yield the share of decisions that each file has on both runtimes; or add a note."""
    try:
        shares = [
            runtime_agreement(
                replace(artifact, runtime=runtime), against=a.runtime, most=len(a.evaluation.x)
            )
            for artifact in (a, b)
        ]
    except MeasurementError as error:
        notes.append(f"the agreement of {a.runtime} and {runtime} is not known: {error.what}")
        return
    what = f"{runtime} decides as {a.runtime}"
    yield ComparisonRow(what=what, a=shares[0].value, b=shares[1].value, unit=shares[0].unit)


def _where(artifact: Artifact) -> str:
    """Return the runtime, for a row; empty for the default."""
    return "" if artifact.runtime == XNNPACK else f" on {artifact.runtime}"


def _differences(a: Artifact, b: Artifact) -> Iterator[str]:
    """Yield a sentence for each output with the differences of its real values."""
    try:
        pairs = pair_outputs(a, b)
    except MeasurementError as error:
        yield f"the outputs cannot be compared: {error.what}"
        return
    for name, pair in pairs.items():
        label = f"{f' of {name}' if len(pairs) > 1 else ''}{_where(a)}"
        yield _difference_text(label, *(outputs[:].real.astype(np.float64) for outputs in pair))


def _difference_text(label: str, values_a: NDArray[Any], values_b: NDArray[Any]) -> str:
    if values_a.shape != values_b.shape:
        return f"the outputs{label} have different shapes: {values_a.shape} and {values_b.shape}"
    differences = np.abs(values_a - values_b)
    return (
        f"outputs{label} of {len(values_a):,} samples differ by {differences.mean():.4g} in the "
        f"mean, by {differences.max():.4g} at most; their SD in A is {float(values_a.std()):.4g}"
    )


_FREE = -1
"""A dynamic size in a shape signature."""


def demand_same_ports(a: Artifact, b: Artifact) -> None:
    """Raise ArtifactError if the inputs or outputs of two files differ in number or shape.

    Ports are matched by name if both files have the same names, else by position. A dynamic size
    matches any size.
    """
    for side in ("inputs", "outputs"):
        ports_a, ports_b = _ports(a, side), _ports(b, side)
        names = ports_a if ports_a.keys() == ports_b.keys() else ports_b
        pairs = zip(ports_a.values(), (ports_b[name] for name in names), strict=False)
        if len(ports_a) != len(ports_b) or not all(_are_compatible(*pair) for pair in pairs):
            raise ArtifactError(
                f"{a.name} and {b.name} are not versions of one model: their {side} differ",
                expected=f"{_listed(ports_a)}, as in {a.name}",
                got=_listed(ports_b),
                remedy="compare files with the same inputs and outputs",
            )


def _ports(artifact: Artifact, side: str) -> dict[str, Tensor]:
    graph = parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
    return graph_ports(graph, side, artifact.signature)


def _are_compatible(tensor_a: Tensor, tensor_b: Tensor) -> bool:
    """Return True if the shapes match, apart from the batch."""
    sizes = tensor_a.shape_signature[1:], tensor_b.shape_signature[1:]
    return len(tensor_a.shape) == len(tensor_b.shape) and all(
        size_a == size_b or _FREE in (size_a, size_b) for size_a, size_b in zip(*sizes, strict=True)
    )


def _listed(ports: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {tensor.shape_signature}" for name, tensor in ports.items())
