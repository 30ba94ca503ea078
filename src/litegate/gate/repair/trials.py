"""Try sets of layers: build the variant of a recipe, and judge it on the samples that choose."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, final

from litegate.core.digests import digest_of
from litegate.core.errors import ArtifactError, BuildError
from litegate.gate.repair.candidates import added_errors
from litegate.gate.repair.limits import excess, file_verdicts, missed, quality_verdicts
from litegate.gate.repair.search import OutOfTrials, Trial
from litegate.gate.session import GateSession
from litegate.measures.measurement import Verdict
from litegate.measures.verdict_text import limit
from litegate.spec import Artifact, Evaluation, Recipe
from litegate.spec.cases import Case

_DIGITS = 10
"""Hexadecimal digits of the set in a variant's name: 46 variants never share them by chance."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A variant that was built and judged on the samples that choose."""

    trial: Trial
    size: int
    """Bytes of the file; 0 if it could not be built, or a runtime refuses it."""
    quality: tuple[Verdict, ...]


@final
@dataclass(kw_only=True, eq=False)
class Trials:
    """Builds and judges variants of a recipe; the store keeps files and outputs for a later run."""

    session: GateSession
    case: Case
    layers_field: str
    """The field of the recipe that names the layers: "float_layers" or "int16_layers"."""
    reference: Artifact
    split: Evaluation
    deadline: float
    """The moment of `time.monotonic` after which nothing further is tried."""
    on_line: Callable[[str], None]
    label: str = ""
    """What the sets are built by, before the lines of the output; empty for the recipe itself."""
    most: int = 0
    """The largest number of sets that are tried, for the output."""
    tried: dict[frozenset[str], Tried] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """The recipe whose variants are tried."""
        assert self.case.recipe is not None  # noqa: S101 a case of a recipe
        return self.case.recipe

    def __call__(self, names: frozenset[str]) -> Trial:
        """Try a set of layers. Raises OutOfTrials after the deadline; else as the measures."""
        if time.monotonic() > self.deadline:
            raise OutOfTrials
        tried = self.tried[names] = self._try(names)
        self.on_line(self._progress(tried))
        return tried.trial

    def _try(self, names: frozenset[str]) -> Tried:
        try:
            artifact = self.artifact(names)
            reference, candidate = map(self._on_split, (self.reference, artifact))
            quality = tuple(quality_verdicts(reference, candidate, self.case))
        except (BuildError, ArtifactError) as error:  # or a runtime refuses the mix of types
            trial = Trial(layers=names, excess=math.inf, blocked=(error.what,))
            return Tried(trial=trial, size=0, quality=())
        project = self.session.options.project
        files = missed(list(file_verdicts(self.reference, artifact, self._case(names), project)))
        blocked = tuple(f"{it.measurement.name} {limit(it)}" for it in files)
        errors = partial(added_errors, self.reference, artifact, self.split)
        trial = Trial(layers=names, excess=excess(quality), blocked=blocked, errors=errors)
        return Tried(trial=trial, size=len(artifact.tflite), quality=quality)

    def _on_split(self, artifact: Artifact) -> Artifact:
        return self.session.with_stored_answers(replace(artifact, evaluation=self.split))

    def build_elsewhere(self, sets: Sequence[frozenset[str]]) -> None:
        """Build several sets at once, if other machines build; else each is built when tried."""
        cases = map(self._case, sets)
        self.session.pipeline.prepare((it.model, [it.recipe.name]) for it in cases if it.recipe)

    def artifact(self, names: frozenset[str]) -> Artifact:
        """Return the variant's artifact on the evaluation split, built if the store lacks it."""
        case = self._case(names)
        assert case.recipe is not None  # noqa: S101 as in `recipe`
        return self.session.artifact(case.model, case.recipe.name)

    def _case(self, names: frozenset[str]) -> Case:
        recipe = self.variant(names)
        model = self.case.model
        if recipe.variant_of:
            model = replace(model, recipes=(*model.recipes, recipe))
        return Case(model=model, recipe=recipe)

    def variant(self, names: frozenset[str]) -> Recipe:
        """Return the recipe that leaves a set of layers out, besides those that it declares."""
        recipe = self.recipe
        if not names:
            return recipe
        layers = tuple(sorted({*getattr(recipe, self.layers_field), *names}))
        digest = digest_of([self.layers_field, *layers])[:_DIGITS]
        changes: dict[str, Any] = {self.layers_field: layers}
        origin = recipe.variant_of or recipe.name
        return replace(recipe, name=f"{recipe.name}+{digest}", variant_of=origin, **changes)

    def _progress(self, tried: Tried) -> str:
        kept = [it for it in self.tried.values() if it.trial.keeps]
        best = min(kept, key=lambda it: it.size, default=None)
        shown = "none keeps the limits yet"
        if best:
            shown = f"best so far {best.size:,} B with {named(best.trial.layers)}"
        number = f"{self.label}{len(self.tried)} of at most {self.most}"
        return f"{number}: {named(tried.trial.layers)}, {_state(tried.trial)}; {shown}"


def _state(trial: Trial) -> str:
    if trial.keeps:
        return "limits kept"
    return f"blocked by {trial.blocked[0]}" if trial.blocked else "a limit missed"


def named(layers: frozenset[str]) -> str:
    """Return a set of layers in words: "conv and dense", "no layer"."""
    *others, last = sorted(layers) or ["no layer"]
    return f"{', '.join(others)} and {last}" if others else last
