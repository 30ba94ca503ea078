"""Honest rebuilds from other seeds: no check of a candidate against its own reference may fail."""

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
from litegate.mutation.proof import Proof, count_rebuild
from litegate.mutation.result import Play
from litegate.spec import Artifact, Model, Recipe

REBUILDS = 20
"""Trainings from other seeds."""


def add_rebuilds(proof: Proof, gate: Gate, play: Play, count: int = REBUILDS) -> None:
    """Train the model again from other seeds and run the checks that compare with no base.

    What moves between seeds is the model's training noise: it is told, and no alarm. Raises what
    kept a rebuild from being built.
    """
    if proof.scene.model.prebuilt:
        proof.noise = "training noise: none, for it is prebuilt"
        return
    own = [check.id for check in proof.checks if not (check.compares or check.is_latency)]
    first, declared = proof.scene.model.training.seed, proof.scene.model
    levels: list[float] = []
    what, unit, rate = _rated(proof.scene)
    broken: Counter[str] = Counter()
    for number, seed in enumerate(range(first + 1, first + 1 + count), start=1):
        step = f"rebuild from seed {seed} ({number} of {count})"
        gate.progress.on_step(f"proving {proof.scene.name}: {step}")
        model = replace(declared, training=replace(declared.training, seed=seed))
        candidate, reference = _built(gate, model, proof.scene.recipe)
        scene = proof.scene.with_candidate(candidate.tflite)
        scene = replace(scene, candidate=candidate, reference=reference)
        broken.update(count_rebuild(proof, play(scene, own)))
        levels.append(rate(candidate))
    proof.noise = noise(levels, broken, what, unit)


def _rated(scene: Scene) -> tuple[str, Unit, Callable[[Artifact], float]]:
    """What a rebuild is rated by: its accuracy, or the first metric where it has none.

    ConfigError where the model promises neither.
    """
    if chooses(scene.candidate):
        return "an accuracy", Unit.PERCENT, lambda one: float(answers(one).right.mean())
    metrics = scene.model.budget_of(scene.recipe).metrics
    if not metrics:
        raise ConfigError(
            f"rebuilds of {scene.name} cannot be rated: it has no accuracy and promises no metric",
            remedy="give its budget a metric",
        )
    first = metrics[0]
    return (
        f"a value of {first.name}",
        first.unit(),
        lambda one: float(metric_value(one, first).value),
    )


def noise(
    levels: Sequence[float],
    broken: Mapping[str, int],
    what: str = "an accuracy",
    unit: Unit = Unit.PERCENT,
) -> str:
    """What training from other seeds moves: the accuracies, and the checks that some broke."""
    ends = (text(end, unit) for end in (min(levels), max(levels)))
    spread = Unit.POINTS if unit is Unit.PERCENT else unit
    told = (
        f"training noise: {len(levels)} rebuilds from other seeds have {what} of "
        f"{' to '.join(ends)}, SD {text(stdev(levels), spread)}"
    )
    also = (f"{times} of them would break {name}" for name, times in broken.items())
    return "; ".join([told, *also])


def _built(gate: Gate, model: Model, recipe: Recipe) -> list[Artifact]:
    """The candidate and the reference of one seed."""
    names = [recipe.name, recipe.reference.name]
    built = gate.session.pipeline.ensure(model, names)
    found = []
    for name in names:
        one = built[name]
        if isinstance(one, LitegateError):
            raise one
        found.append(one)
    return found
