"""Properties: what must hold of a model's outputs for any input in the declared domain.

Hypothesis searches the domain, its ends and what saturates first, and shrinks what it finds. The
search is seeded: it is the same in every run of the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.measures.accuracy.quanta import Grid
from litegate.measures.measurement import Measurement, violations
from litegate.measures.properties.probe import ORDER, ROWS, Bench, Raw, Sample
from litegate.measures.properties.strategies import Pattern, extremes, families
from litegate.spec import Artifact, by_input

EXAMPLES = 100
"""Inputs that are tried for each property, besides the extremes."""
_PLAIN = ("int32", "int64", "bool")
"""What an output that counts may be beside the declared type."""
TOLERANCE = 1e-5
"""How far float outputs may move in a batch, as a share of the sample's largest output."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """Something that must hold for any input."""

    name: str
    """Names the file of a failing input."""
    title: str
    """What is counted, as it reads in a sentence."""
    inputs: int
    """How many inputs it is about."""
    fault: Callable[[Bench, Sequence[Sample]], str]
    """What is wrong with these inputs' outputs, as it follows the inputs in a sentence; or ""."""


def _not_finite(bench: Bench, inputs: Sequence[Sample]) -> str:
    for name, found in bench.alone(inputs[0]).items():
        raw = found[0].reshape(-1)
        bad = np.flatnonzero(~np.isfinite(raw))
        what = "NaN" if np.isnan(raw[bad]).any() else "infinity"
        if len(bad):
            return f"gives {what} in {_listed(bad)}{_of(bench, name)}"
    return ""


def _of(bench: Bench, output: str) -> str:
    """Which output is meant, where there are several."""
    return f" of {output}" if len(bench.grids) > 1 else ""


def _out_of_range(bench: Bench, inputs: Sequence[Sample]) -> str:
    found = bench.alone(inputs[0]).items()
    return next(filter(None, (_out_of_its_range(bench, *each) for each in found)), "")


def _out_of_its_range(bench: Bench, name: str, raw: NDArray[Any]) -> str:
    declared = bench.artifact.recipe.output_type
    if raw.dtype != declared and raw.dtype not in _PLAIN:
        return f"gives {raw.dtype} outputs{_of(bench, name)} where the recipe declares {declared}"
    real = bench.real(name, raw)[0].reshape(-1).astype(np.float64)
    low, high = _range(bench.grids[name])
    bad = np.flatnonzero(~((real >= low) & (real <= high)))
    where = f"{_of(bench, name)}, outside {low:.6g} to {high:.6g}"
    return f"gives {real[bad[0]]:.6g} in {_listed(bad)}{where}" if len(bad) else ""


def _range(grid: Grid | None) -> tuple[float, float]:
    if grid is None:
        limits = np.finfo(np.float32)
        return float(limits.min), float(limits.max)
    rounding = grid.quantum / 1000
    return grid.low - rounding, grid.high + rounding


def _not_repeated(bench: Bench, inputs: Sequence[Sample]) -> str:
    first = bench.alone(inputs[0])
    bench.alone(inputs[1])
    again = bench.alone(inputs[0])
    for name, before in first.items():
        if moved := _moved(before, again[name]):
            return f"gives other outputs the second time: {moved}{_of(bench, name)}"
    return ""


def _not_batched(bench: Bench, inputs: Sequence[Sample]) -> str:
    alone = [bench.alone(sample) for sample in inputs]
    batch = bench.together([inputs[k] for k in ORDER])
    found = (_other_in_batch(bench, name, [one[name] for one in alone], batch) for name in batch)
    return next(filter(None, found), "")


def _other_in_batch(bench: Bench, name: str, alone: list[NDArray[Any]], batch: Raw) -> str:
    if len(batch[name]) != ROWS:
        return f"gives {len(batch[name])} answers{_of(bench, name)} to a batch of {ROWS}"
    tolerance = TOLERANCE if bench.grids[name] is None else 0.0
    for row, k in enumerate(ORDER):
        moved = _moved(alone[k][0], batch[name][row], tolerance)
        if moved:
            return (
                f"gives other outputs in row {row} of a batch than alone: {moved}{_of(bench, name)}"
            )
    return ""


def _moved(before: NDArray[Any], after: NDArray[Any], tolerance: float = 0.0) -> str:
    """Where outputs differ by more than a share of the largest; in any bit for a share of 0."""
    a, b = before.reshape(-1), after.reshape(-1)
    if tolerance:
        finite = np.abs(a[np.isfinite(a)])
        reach = tolerance * float(finite.max(initial=0.0))
        bad = np.flatnonzero(~np.isclose(b, a, rtol=0, atol=reach, equal_nan=True))
    else:
        bits = f"u{a.itemsize}"
        bad = np.flatnonzero(a.view(bits) != b.view(bits))
    return f"{b[bad[0]]:.6g} for {a[bad[0]]:.6g} in {_listed(bad)}" if len(bad) else ""


def _listed(places: NDArray[np.intp]) -> str:
    shown = ", ".join(str(place) for place in places[:4])
    return f"outputs {shown}" + (f" and {len(places) - 4} more" if len(places) > 4 else "")


finite = Property(
    name="finite",
    title="number of counterexamples to finite outputs",
    inputs=1,
    fault=_not_finite,
)
in_range = Property(
    name="in_range",
    title="number of counterexamples to outputs in their range",
    inputs=1,
    fault=_out_of_range,
)
repeatable = Property(
    name="repeatable",
    title="number of counterexamples to repeatable outputs",
    inputs=2,
    fault=_not_repeated,
)
batch_invariant = Property(
    name="batch_invariant",
    title="number of counterexamples to outputs that a batch leaves alone",
    inputs=2,
    fault=_not_batched,
)
PROPERTIES = (finite, in_range, repeatable, batch_invariant)


def property_violations(
    candidate: Artifact, prop: Property, *, examples: int = EXAMPLES, keep: Path | None = None
) -> Measurement:
    """Search the domain for inputs that break a property: 0, or 1 and the simplest one found.

    `examples` inputs are tried besides the extremes. A failing one is kept in the folder `keep`,
    as float32 before quantization, shape (inputs, ...), each input's by its name where there are
    several. MeasurementError where the domain does not
    hold the evaluation split, ArtifactError where LiteRT cannot run the candidate.
    """
    bench = Bench(candidate)
    tried, broken = _search(bench, prop, examples)
    offenders = (_described(bench, prop, broken, keep),) if broken else ()
    found = violations(
        prop.title, candidate.name, offenders, n=tried, artifacts=(candidate.sha256,)
    )
    return replace(found, evidence=_evidence(bench, prop, tried))


class _BrokenError(Exception):
    """An input that breaks the property."""

    def __init__(self, inputs: tuple[Pattern, ...], fault: str) -> None:
        super().__init__(fault)
        self.inputs = inputs
        self.fault = fault


def _search(bench: Bench, prop: Property, examples: int) -> tuple[int, _BrokenError | None]:
    """How many inputs were tried, and the simplest found that breaks the property.

    Extremes first, then one kind of input after another: the first kind that holds a fault is the
    simplest that does, and hypothesis shrinks within it.
    """
    from hypothesis.errors import Flaky

    tried = 0
    found: list[_BrokenError] = []

    def holds(inputs: tuple[Pattern, ...]) -> None:
        nonlocal tried
        tried += 1
        fault = prop.fault(bench, [bench.draw(one) for one in inputs])
        if fault:
            found.append(_BrokenError(inputs, fault))
            raise found[-1]

    with suppress(_BrokenError):
        for inputs in _first(prop):
            holds(inputs)
    with suppress(_BrokenError, Flaky):
        for search in _searches(bench, prop, examples, holds):
            search()
    return tried, found[-1] if found else None


def _searches(
    bench: Bench, prop: Property, examples: int, holds: Callable[[tuple[Pattern, ...]], None]
) -> Iterator[Callable[[], None]]:
    from hypothesis import HealthCheck, Phase, Verbosity, given, settings
    from hypothesis import strategies as st

    kinds = families(bench.canvas)
    quiet = settings(
        max_examples=-(-examples // len(kinds)),
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
    )
    for kind in kinds:
        others = [st.one_of(kinds)] * (prop.inputs - 1)
        yield quiet(given(st.tuples(kind, *others))(holds))


def _first(prop: Property) -> Iterator[tuple[Pattern, ...]]:
    """Every extreme in the first place, the next ones after it."""
    ends = extremes()
    for start in range(len(ends)):
        yield tuple(ends[(start + k) % len(ends)] for k in range(prop.inputs))


def _described(bench: Bench, prop: Property, broken: _BrokenError, keep: Path | None) -> str:
    words = ", then ".join(map(bench.words, broken.inputs))
    if keep is None:
        return f"{words} {broken.fault}"
    artifact = bench.artifact
    stem = f"{artifact.model}-{artifact.recipe.name}-{prop.name}"
    keep.mkdir(parents=True, exist_ok=True)
    path = _kept(keep / stem, [bench.draw(one) for one in broken.inputs])
    return f"{words} {broken.fault} (kept in {path.name})"


def _kept(stem: Path, samples: Sequence[Sample]) -> Path:
    """Write samples: an `.npy` of one array, or an `.npz` with "x.NAME" of each input."""
    if all(isinstance(one, np.ndarray) for one in samples):
        path = stem.with_name(f"{stem.name}.npy")
        np.save(path, np.stack([np.asarray(one) for one in samples]))
        return path
    path = stem.with_name(f"{stem.name}.npz")
    named = [dict(by_input(one)) for one in samples]
    arrays = {f"x.{name}": np.concatenate([one[name] for one in named]) for name in named[0]}
    np.savez(path, allow_pickle=False, **arrays)
    return path


def _evidence(bench: Bench, prop: Property, tried: int) -> tuple[str, ...]:
    facts = [f"{tried:,} inputs tried {bench.domain}"]
    if prop is batch_invariant:
        alone = "one after another: the model takes one sample at a time"
        facts.append(f"batches of {ROWS}" if bench.batches else f"{ROWS} samples {alone}")
        facts.append(
            f"tolerance {TOLERANCE:g} of the largest output" if None in bench.grids.values() else ""
        )
    return tuple(fact for fact in facts if fact)
