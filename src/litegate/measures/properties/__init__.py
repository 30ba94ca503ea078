"""Search a model's input domain for inputs whose outputs break a property.

The search starts with the ends of the domain and inputs that saturate, then draws random inputs. It
is seeded: it is the same in every run of the same code. Hypothesis shrinks what is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.measures.measurement import Measurement, violations
from litegate.measures.names import Name
from litegate.measures.properties.carried_state import CARRIED, FRAMES, carried_violations
from litegate.measures.properties.outputs import (
    change_of,
    changed,
    not_finite,
    of_output,
    out_of_range,
)
from litegate.measures.properties.probe import ORDER, ROWS, Probe, Raw, Sample
from litegate.measures.properties.strategies import Pattern, extremes, families, random_patterns
from litegate.spec import Artifact, by_input
from litegate.spec.runtimes import XNNPACK

EXAMPLES = 100
"""Random inputs that are tried for each property, besides the extremes.

A violation that 3 % of the inputs show is found in 95 % of such searches; more inputs find rarer
ones, and each costs invocations, also in every run that finds nothing."""
_EFFORT = 5
"""How many times more inputs the search for a simple violation may try, once there is one: only a
failing check pays for it, and fewer leave violations that are hard to read."""
TOLERANCE = 1e-5
"""Largest change of float outputs in a batch, as a share of the sample's largest output.

A batch may add floats in another order, which moves each sum by some float32 roundings (6e-8): a
hundred of them pass. A sample that leaks into another one moves outputs by far more."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A rule that the outputs must satisfy for every input."""

    name: str
    """Part of the file name of a failing input."""
    title: str
    """The name of the measurement."""
    inputs: int
    """Number of inputs that the rule compares."""
    violation: Callable[[Probe, Sequence[Sample]], str]
    """Describes how the outputs break the rule, as a predicate; "" if they do not."""


def _not_finite(probe: Probe, inputs: Sequence[Sample]) -> str:
    return not_finite(probe, probe.alone(inputs[0]))


def _out_of_range(probe: Probe, inputs: Sequence[Sample]) -> str:
    return out_of_range(probe, probe.alone(inputs[0]))


def _not_repeated(probe: Probe, inputs: Sequence[Sample]) -> str:
    first = probe.alone(inputs[0])
    probe.alone(inputs[1])
    again = probe.alone(inputs[0])
    change = change_of(probe, first, again)
    return f"gives other outputs the second time: {change}" if change else ""


def _not_batched(probe: Probe, inputs: Sequence[Sample]) -> str:
    alone = [probe.alone(sample) for sample in inputs]
    batch = probe.together([inputs[k] for k in ORDER])
    violations = (
        _changed_in_batch(probe, name, [raw[name] for raw in alone], batch) for name in batch
    )
    return next(filter(None, violations), "")


def _changed_in_batch(probe: Probe, name: str, alone: list[NDArray[Any]], batch: Raw) -> str:
    if len(batch[name]) != ROWS:
        return f"gives {len(batch[name])} answers{of_output(probe, name)} to a batch of {ROWS}"
    tolerance = TOLERANCE if probe.batches and probe.grids[name] is None else 0.0
    for row, k in enumerate(ORDER):
        change = changed(alone[k][0], batch[name][row], tolerance)
        if change:
            output = of_output(probe, name)
            place = (
                f"in row {row} of a batch" if probe.batches else f"as sample {row + 1} of {ROWS}"
            )
            return f"gives other outputs {place} than alone: {change}{output}"
    return ""


finite = Property(
    name="finite",
    title=Name.FINITE_OUTPUTS,
    inputs=1,
    violation=_not_finite,
)
in_range = Property(
    name="in_range",
    title=Name.OUTPUT_RANGE,
    inputs=1,
    violation=_out_of_range,
)
repeatable = Property(
    name="repeatable",
    title=Name.DETERMINISM,
    inputs=2,
    violation=_not_repeated,
)
batch_invariant = Property(
    name="batch_invariant",
    title=Name.BATCH_INVARIANCE,
    inputs=2,
    violation=_not_batched,
)
PROPERTIES = (finite, in_range, repeatable, batch_invariant)
"""Finite outputs, output range, determinism and batch invariance, which a check searches.

For a stateful file, each sample of the search starts from a reset state; the state is also carried
through frames of extremes (`carried_violations`)."""


def property_violations(
    candidate: Artifact, prop: Property, *, examples: int = EXAMPLES, keep: Path | None = None
) -> Measurement:
    """Search the domain for inputs that break a property; measure 0, or 1 and name the inputs.

    `examples` inputs are tried besides the extremes. Failing inputs are written to the folder
    `keep`, as float32 before quantization, shape (inputs, ...), or by name for several inputs.
    Raises MeasurementError if the domain does not contain the evaluation split, ArtifactError if
    LiteRT cannot run the candidate.
    """
    with closing(Probe(candidate)) as probe:
        tried, broken = _search(probe, prop, examples)
        offenders = [_describe(probe, prop, broken, keep)] if broken else []
        evidence = [*_evidence(probe, prop, tried)]
        is_carried = probe.is_stateful and prop.name in CARRIED
    if is_carried:
        evidence.append(f"{FRAMES:,} frames of extremes with the state carried on")
        offenders += filter(None, [carried_violations(candidate).get(prop.name)])
    measurement = violations(
        prop.title, candidate.name, tuple(offenders), n=tried, artifacts=(candidate.sha256,)
    )
    return replace(measurement, evidence=tuple(evidence))


class _BrokenError(Exception):
    """Inputs that break the property."""

    def __init__(self, inputs: tuple[Pattern, ...], violation: str) -> None:
        super().__init__(violation)
        self.inputs = inputs
        self.violation = violation


def _search(probe: Probe, prop: Property, examples: int) -> tuple[int, _BrokenError | None]:
    """Return the number of inputs tried, and the simplest inputs found that break the property.

    Extremes come first, then random inputs. If any breaks the property, hypothesis searches one
    kind of pattern after another: the first kind with a violation is the simplest one, and it
    shrinks within it.
    """
    tried = 0
    broken: list[_BrokenError] = []

    def check(inputs: tuple[Pattern, ...]) -> None:
        nonlocal tried
        tried += 1
        violation = prop.violation(probe, [probe.draw(pattern) for pattern in inputs])
        if violation:
            broken.append(_BrokenError(inputs, violation))
            raise broken[-1]

    with suppress(_BrokenError):
        for inputs in _extreme_inputs(prop):
            check(inputs)
        for pair in _random_pairs(*probe.canvas.sizes, examples):
            check(pair[: prop.inputs])
    if broken:
        # Late, here and below: hypothesis is slow to import, and only violations need it. It raises
        # Flaky if inputs break the property only once; what was found first is reported then.
        from hypothesis.errors import Flaky

        with suppress(_BrokenError, Flaky):
            for search in _searches(probe.canvas.sizes, prop.inputs, _EFFORT * examples, check):
                search()
    return tried, broken[-1] if broken else None


def _random_pairs(size: int, samples: int, count: int) -> Iterator[tuple[Pattern, Pattern]]:
    """Yield random inputs, the simplest kind first, each with another one, of any kind."""
    patterns = random_patterns(size, samples, count)
    return zip(patterns, Random(0).sample(patterns, len(patterns)), strict=True)


def _searches(
    sizes: tuple[int, int],
    inputs: int,
    examples: int,
    check: Callable[[tuple[Pattern, ...]], None],
) -> Iterator[Callable[[], None]]:
    from hypothesis import HealthCheck, Phase, Verbosity, given, settings
    from hypothesis import strategies as st

    kinds = families(*sizes)
    # The same in every run, whatever earlier runs stored, and no test of hypothesis's own that a
    # slow runtime would fail.
    silent = settings(
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
        others = [st.one_of(kinds)] * (inputs - 1)

        @silent
        @given(st.tuples(kind, *others))
        def search(patterns: tuple[Pattern, ...]) -> None:
            check(patterns)

        yield search


def _extreme_inputs(prop: Property) -> Iterator[tuple[Pattern, ...]]:
    """Yield every extreme as the first input, followed by the next ones."""
    ends = extremes()
    for start in range(len(ends)):
        yield tuple(ends[(start + k) % len(ends)] for k in range(prop.inputs))


def _describe(probe: Probe, prop: Property, broken: _BrokenError, keep: Path | None) -> str:
    words = ", then ".join(map(probe.describe, broken.inputs))
    if keep is None:
        return f"{words} {broken.violation}"
    artifact = probe.artifact
    runtime = "" if artifact.runtime == XNNPACK else f"-{artifact.runtime}"
    stem = f"{artifact.model}-{artifact.recipe.name}{runtime}-{prop.name}"
    keep.mkdir(parents=True, exist_ok=True)
    path = _write_samples(keep / stem, [probe.draw(pattern) for pattern in broken.inputs])
    return f"{words} {broken.violation} (kept in {path.name})"


def _write_samples(stem: Path, samples: Sequence[Sample]) -> Path:
    """Write samples: an `.npy` of one array, or an `.npz` with "x.NAME" of each input."""
    if all(isinstance(sample, np.ndarray) for sample in samples):
        path = stem.with_name(f"{stem.name}.npy")
        np.save(path, np.stack([np.asarray(sample) for sample in samples]))
        return path
    path = stem.with_name(f"{stem.name}.npz")
    named = [dict(by_input(sample)) for sample in samples]
    joined = {f"x.{name}": np.concatenate([arrays[name] for arrays in named]) for name in named[0]}
    np.savez(path, allow_pickle=False, **joined)
    return path


def _evidence(probe: Probe, prop: Property, tried: int) -> tuple[str, ...]:
    facts = [f"{tried:,} inputs tried {probe.domain}"]
    if prop is batch_invariant:
        alone = "one after another: the model takes one sample at a time"
        facts.append(f"batches of {ROWS}" if probe.batches else f"{ROWS} samples {alone}")
        facts.append(
            f"tolerance {TOLERANCE:g} of the largest output"
            if probe.batches and None in probe.grids.values()
            else ""
        )
    return tuple(fact for fact in facts if fact)
