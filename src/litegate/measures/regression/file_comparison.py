"""Comparison: two files side by side, B judged against A as a change is against its base."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, LitegateError, MeasurementError
from litegate.core.units import Number, Unit
from litegate.data.npz import Labelled
from litegate.measures.accuracy import accuracy
from litegate.measures.accuracy.decisions import demand_finite_outputs
from litegate.measures.accuracy.outputs import pair_outputs
from litegate.measures.lints.saturation import saturation
from litegate.measures.measurement import Measurement, Outcome, Verdict
from litegate.measures.regression import (
    accuracy_loss,
    agreement_with_base,
    latency_growth,
    lost_types,
    operator_changes,
    size_growth,
)
from litegate.measures.structure.inspection import Inspection, inspection
from litegate.runtimes.inference import predict_all
from litegate.spec import (
    Array,
    Artifact,
    Evaluation,
    Inputs,
    Kind,
    Recipe,
    Regression,
    Samples,
    by_input,
)
from litegate.tflite.graph import Graph, Tensor
from litegate.tflite.ports import called, canonical
from litegate.tflite.reader import parse

_MOST_CLASSES = 1_000_000
_MOST_ELEMENTS = 1 << 26


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing of both files; nothing is judged by it."""

    what: str
    a: Number | str | None
    """None where it is not known."""
    b: Number | str | None
    unit: Unit = Unit.COUNT


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FileComparison:
    """Two files side by side."""

    verdicts: tuple[Verdict, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    """What changed, and what could not be compared."""
    unjudged: tuple[str, ...] = ()
    """What was not asked for, each with the option that asks for it."""

    @property
    def outcome(self) -> Outcome:
        """The worst of the verdicts."""
        found = {one.outcome for one in self.verdicts}
        order = (Outcome.FAIL, Outcome.INCONCLUSIVE)
        return next((one for one in order if one in found), Outcome.PASS)


def side(
    name: str,
    tflite: bytes,
    samples: Labelled,
    *,
    signature: str = "",
    output: str = "",
) -> Artifact:
    """A file as an artifact of that name, with the samples that both files are run on.

    `samples` may be none where nothing is run; the labels are those of `output`, or of the first.
    ArtifactError for bytes that are no `.tflite` file, or have no such signature or output.
    """
    graph = parse(tflite, subject=name, signature=signature)
    x, y = samples.x, samples.y
    labels = np.zeros(len(x), dtype=np.int64) if y is None else y
    arrays = dict(by_input(x))
    held = b"".join(port.encode() + array.tobytes() for port, array in arrays.items())
    return Artifact(
        model=name,
        recipe=Recipe(name="file", kind=Kind.FLOAT32),
        title=name,
        tflite=tflite,
        sha256=hashlib.sha256(tflite).hexdigest(),
        certificate={},
        evaluation=Evaluation(
            digest=hashlib.sha256(held + labels.tobytes()).hexdigest(),
            x=x,
            y=labels,
            classes=() if y is None else _classes(graph, signature, output),
            domain=_ends(arrays) if "" not in arrays else _end(arrays[""]),
            output=output,
        ),
        signature=signature,
    )


def _ends(arrays: Mapping[str, Array]) -> dict[str, tuple[float, float]]:
    return {name: _end(array) for name, array in arrays.items()}


def _end(x: Array) -> tuple[float, float]:
    return (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)


def _classes(graph: Graph, signature: str, output: str) -> tuple[str, ...]:
    """The numbers of the classes that the output chooses from."""
    outputs = called(graph, "outputs", signature)
    one = outputs.get(canonical(output)) if output else next(iter(outputs.values()), None)
    width = prod(one.shape[1:]) if one else 0
    return tuple(map(str, range(width))) if width <= _MOST_CLASSES else ()


def still(tflite: bytes, subject: str, signature: str = "") -> Samples:
    """One sample of zeros for each input: enough to time by. ArtifactError without one."""
    inputs = called(parse(tflite, subject=subject, signature=signature), "inputs", signature)
    for shape in [one.shape for one in inputs.values()] or [()]:
        if not 0 < prod(shape) <= _MOST_ELEMENTS or not shape:
            raise ArtifactError(
                f"{subject} cannot be timed on a sample of zeros",
                expected=f"inputs of at most {_MOST_ELEMENTS:,} numbers",
                got=f"shape {shape}",
                remedy="give samples by --data",
            )
    zeros = {name: np.zeros(one.shape, dtype=np.float32) for name, one in inputs.items()}
    return Inputs(zeros) if len(zeros) > 1 else next(iter(zeros.values()))


def compare(
    a: Artifact, b: Artifact, *, run: bool, labelled: bool, latency: bool
) -> FileComparison:
    """Compare two files, B held to the default limits of a change.

    `run` on the samples, `labelled` where their labels are known; `latency` times both.
    ArtifactError for files that are no versions of one model, MeasurementError for samples that an
    input cuts off for the most part, and for outputs that are not finite; else raises as the
    measures do.
    """
    demand_same_ports(a, b)
    limits = Regression()
    cut_off = [one for each in (a, b) for one in saturation(each)] if run else []
    if senseless := next((one for one in cut_off if one.is_severe), None):
        raise senseless.error
    for each in (a, b) if run else ():
        for outputs in predict_all(each).values():
            demand_finite_outputs(outputs, each.name)
    verdicts = [
        size_growth(a, b) <= limits.size,
        lost_types(a, b) <= limits.lost_types,
    ]
    if labelled:
        verdicts.append(accuracy_loss(a, b) <= limits.accuracy)
    if latency:
        verdicts.append(latency_growth(a, b, limits.latency) <= limits.latency)
    found = [
        inspection(one.tflite, (), subject=one.name, signature=one.signature) for one in (a, b)
    ]
    rows = [*_told(*found), *(_accuracies(a, b) if labelled else ())]
    notes = [*map(str, cut_off), *operator_changes(a, b).offenders]
    if run:
        rows += _agreement(a, b, notes)
        notes += _differences(a, b)
    asked = {"accuracy (--data with labels)": labelled, "latency (--latency)": latency}
    return FileComparison(
        verdicts=tuple(verdicts),
        rows=tuple(rows),
        notes=tuple(notes),
        unjudged=tuple(name for name, judged in asked.items() if not judged),
    )


def _told(a: Inspection, b: Inspection) -> Iterator[Row]:
    """What both files tell without being run."""
    yield Row(what="size", a=a.size, b=b.size, unit=Unit.BYTES)
    yield Row(what="types", a=a.origin.form, b=b.origin.form)
    yield Row(what="operators", a=len(a.costs), b=len(b.costs))
    yield Row(what="MACs", a=_macs(a), b=_macs(b))
    yield Row(what="weights", a=a.weight_bytes, b=b.weight_bytes, unit=Unit.BYTES)
    yield Row(what="arena", a=_arena(a), b=_arena(b), unit=Unit.BYTES)


def _macs(found: Inspection) -> int | None:
    return None if found.uncounted else found.macs


def _arena(found: Inspection) -> int | None:
    return found.plan.arena if found.plan else None


def _accuracies(a: Artifact, b: Artifact) -> Iterator[Row]:
    one, other = (accuracy(each).value for each in (a, b))
    yield Row(what="accuracy", a=one, b=other, unit=Unit.PERCENT)


def _agreement(a: Artifact, b: Artifact, notes: list[str]) -> Iterator[Row]:
    """The share of equal decisions; a note where the files do not decide between classes."""
    try:
        found: Measurement = agreement_with_base(a, b)
    except LitegateError as error:
        notes.append(f"agreement is not known: {error.what}")
        return
    yield Row(what="equal decisions", a=None, b=found.value, unit=found.unit)


def _differences(a: Artifact, b: Artifact) -> Iterator[str]:
    """How far the outputs are apart, in their own real values."""
    try:
        pairs = pair_outputs(a, b)
    except MeasurementError as error:
        yield f"the outputs cannot be compared: {error.what}"
        return
    for name, pair in pairs.items():
        which = f" of {name}" if len(pairs) > 1 else ""
        yield _apart(which, *(each[:].real.astype(np.float64) for each in pair))


def _apart(which: str, one: NDArray[Any], other: NDArray[Any]) -> str:
    if one.shape != other.shape:
        return f"the outputs{which} have different shapes: {one.shape} and {other.shape}"
    apart = np.abs(one - other)
    return (
        f"outputs{which} of {len(one):,} samples differ by {apart.mean():.4g} in the mean, by "
        f"{apart.max():.4g} at most; their SD in A is {float(one.std()):.4g}"
    )


_FREE = -1


def demand_same_ports(a: Artifact, b: Artifact) -> None:
    """Raise ArtifactError where two files have other inputs or outputs, their types aside.

    Several are held together by their names where both have the same ones, else in their order. A
    size that one of them leaves free fits any.
    """
    for side in ("inputs", "outputs"):
        theirs, ours = _ports(a, side), _ports(b, side)
        names = theirs if theirs.keys() == ours.keys() else ours
        pairs = zip(theirs.values(), (ours[name] for name in names), strict=False)
        if len(theirs) != len(ours) or not all(_alike(*pair) for pair in pairs):
            raise ArtifactError(
                f"{a.name} and {b.name} are no two versions of one model: their {side} differ",
                expected=f"{_listed(theirs)}, as in {a.name}",
                got=_listed(ours),
                remedy="compare files that take the same samples and give the same outputs",
            )


def _ports(one: Artifact, side: str) -> dict[str, Tensor]:
    graph = parse(one.tflite, subject=one.name, signature=one.signature)
    return called(graph, side, one.signature)


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether both are as large, whatever the batch."""
    sizes = one.shape_signature[1:], other.shape_signature[1:]
    return len(one.shape) == len(other.shape) and all(
        x == y or _FREE in (x, y) for x, y in zip(*sizes, strict=True)
    )


def _listed(ports: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {one.shape_signature}" for name, one in ports.items())
