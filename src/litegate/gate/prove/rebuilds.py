"""Rebuild a candidate from other seeds, to count false alarms and measure the training noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import stdev

from litegate.core.errors import ConfigError, LitegateError
from litegate.core.units import Unit, text
from litegate.gate.state import Gate
from litegate.measures.accuracy import answers
from litegate.measures.accuracy.decisions import chooses
from litegate.measures.metrics import metric_value
from litegate.mutation.faults import Scene
from litegate.mutation.proof import Proof, record_rebuild
from litegate.mutation.result import CheckRunner
from litegate.spec import Artifact, Model, Recipe

REBUILDS = 20
"""Trainings from other seeds in a full proof. Each trains a model, so the number trades the time of
a night against the precision of the noise: an SD of 20 values has a standard error of 16 %."""


def add_rebuilds(proof: Proof, gate: Gate, runner: CheckRunner, count: int = REBUILDS) -> None:
    """Train the model from `count` other seeds and run the checks that use no base on each.

    The spread between seeds is the model's training noise, which is reported and is no alarm.
    Raises the build's error if a rebuild fails.
    """
    model, recipe = proof.scene.model, proof.scene.recipe
    if model.prebuilt:
        proof.training_noise = "training noise: not measured, since the model is prebuilt"
        return
    check_ids = [check.id for check in proof.checks if not (check.uses_base or check.is_latency)]
    first_seed = model.training.seed + 1
    quality_values: list[float] = []
    quality_name, unit, measure_quality = _quality_measure(proof.scene)
    failures: Counter[str] = Counter()
    for number, seed in enumerate(range(first_seed, first_seed + count), start=1):
        step = f"rebuild from seed {seed} ({number} of {count})"
        gate.progress.on_step(f"proving {proof.scene.name}: {step}")
        reseeded = replace(model, training=replace(model.training, seed=seed))
        candidate, reference = _build_pair(gate, reseeded, recipe)
        scene = proof.scene.with_candidate(candidate.tflite)
        scene = replace(scene, candidate=candidate, reference=reference)
        failures.update(record_rebuild(proof, runner(scene, check_ids)))
        quality_values.append(measure_quality(candidate))
    proof.training_noise = noise_text(quality_values, failures, quality_name, unit)


def _quality_measure(scene: Scene) -> tuple[str, Unit, Callable[[Artifact], float]]:
    """Return the name, unit and measure of the accuracy, or of the first metric without classes.

    Raises ConfigError if the model has neither.
    """
    if chooses(scene.candidate):
        return (
            "an accuracy",
            Unit.PERCENT,
            lambda artifact: float(answers(artifact).right.mean()),
        )
    metrics = scene.model.budget_of(scene.recipe).metrics
    if not metrics:
        raise ConfigError(
            f"rebuilds of {scene.name} cannot be compared: it has neither accuracy nor a metric",
            remedy="add a metric to its budget",
        )
    metric = metrics[0]
    return (
        f"a value of {metric.name}",
        metric.unit(),
        lambda artifact: float(metric_value(artifact, metric).value),
    )


def noise_text(
    quality_values: Sequence[float],
    failures: Mapping[str, int],
    quality_name: str = "an accuracy",
    unit: Unit = Unit.PERCENT,
) -> str:
    """Word the range and SD of the rebuilds' quality, and how many rebuilds failed which check."""
    ends = (text(end, unit) for end in (min(quality_values), max(quality_values)))
    difference_unit = Unit.POINTS if unit is Unit.PERCENT else unit
    summary = (
        f"training noise: {len(quality_values)} rebuilds from other seeds have {quality_name} of "
        f"{' to '.join(ends)}, SD {text(stdev(quality_values), difference_unit)}"
    )
    failure_texts = (f"{times} of them would break {name}" for name, times in failures.items())
    return "; ".join([summary, *failure_texts])


def _build_pair(gate: Gate, model: Model, recipe: Recipe) -> list[Artifact]:
    """Build the candidate and its reference; raises the build's error if one fails."""
    names = [recipe.name, recipe.reference.name]
    built = gate.session.pipeline.ensure(model, names)
    artifacts = []
    for name in names:
        artifact = built[name]
        if isinstance(artifact, LitegateError):
            raise artifact
        artifacts.append(artifact)
    return artifacts
