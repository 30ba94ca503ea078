"""Honest rebuilds from other seeds: no check of a candidate against its own reference may fail."""

from __future__ import annotations

from dataclasses import replace
from statistics import stdev

from litegate.errors import LitegateError
from litegate.gate import Gate
from litegate.measures.accuracy import answers
from litegate.proving.proof import Proof, count_calm
from litegate.proving.result import Play
from litegate.spec import Artifact, Model, Recipe
from litegate.units import Unit, text

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
    shares = []
    for seed in range(first + 1, first + 1 + count):
        gate.progress.on_step(f"proving {proof.scene.name}: rebuild from seed {seed}")
        model = replace(declared, training=replace(declared.training, seed=seed))
        candidate, reference = _built(gate, model, proof.scene.recipe)
        scene = proof.scene.with_candidate(candidate.tflite)
        scene = replace(scene, candidate=candidate, reference=reference)
        count_calm(proof, play(scene, own))
        shares.append(float(answers(candidate).right.mean()))
    sd = text(stdev(shares), Unit.POINTS)
    proof.noise = (
        f"training noise: {count} rebuilds from other seeds have an accuracy of "
        f"{text(min(shares), Unit.PERCENT)} to {text(max(shares), Unit.PERCENT)}, SD {sd}"
    )


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
