"""Repair a recipe: search on samples that do not judge, then judge the winner on those that do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.core.units import text
from litegate.gate.checks.verdict_context import judged_part
from litegate.gate.repair import KINDS
from litegate.gate.repair.candidates import candidates, refused
from litegate.gate.repair.limits import excess, missed, quality_verdicts
from litegate.gate.repair.samples import Choice, choice
from litegate.gate.repair.search import (
    SPARE_TRIALS,
    Layer,
    OutOfTrials,
    Trial,
    cheapest,
    cost_of,
    likely_sets,
    nearest,
    search,
)
from litegate.gate.repair.trials import Trials, Tried
from litegate.gate.session import GateSession
from litegate.measures.latency.timing import quick_times
from litegate.measures.measurement import Outcome, Relation, Verdict
from litegate.measures.statistics.proportions import TAIL, upper_quantile
from litegate.spec import Artifact, Kind, Recipe
from litegate.spec.cases import Case
from litegate.spec.recipe import BASELINE
from litegate.spec.targets import load
from litegate.tflite.parser import parse

JUDGED = 3
"""Sets that the evaluation split judges, at a third of the error each: the winner and two more.

So the chance that any of them passes although it misses a limit stays at 5 % (Bonferroni)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A set of layers with its verdicts on the samples that chose it and on those that judge."""

    tried: Tried
    verdicts: tuple[Verdict, ...]

    @property
    def is_proven(self) -> bool:
        """True if every limit is proven on the samples that judge."""
        return not missed(self.verdicts)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome of a repair."""

    plain: tuple[Verdict, ...]
    """The verdicts on the unrepaired file."""
    choice: str = ""
    """The origin of the samples that chose."""
    unprovable: tuple[str, ...] = ()
    """Limits that so few samples cannot prove even without any loss, and how many could."""
    refused: tuple[tuple[str, str], ...] = ()
    """Layers that the target takes as integers alone, with its reason."""
    layers: tuple[Layer, ...] = ()
    tried: tuple[Tried, ...] = ()
    judged: tuple[Judged, ...] = ()
    seconds: Mapping[frozenset[str], float] = field(default_factory=dict)
    """Of one invocation, by set, of those that `pareto` returns: estimates that rank them."""
    recipe: Recipe | None = None
    """The recipe to declare; None if nothing is to repair or no set keeps the limits."""

    @property
    def is_sound(self) -> bool:
        """True if the unrepaired file keeps its limits."""
        return not missed(self.plain)

    def pareto(self) -> list[Tried]:
        """Return the sets to which no other is superior in both cost and quality, by cost."""
        front: list[Tried] = []
        for it in sorted(self.tried, key=self._rank):
            if it.size and (not front or it.trial.excess < front[-1].trial.excess):
                front.append(it)
        return front

    def _rank(self, tried: Tried) -> tuple[int, float]:
        return cost_of(self.layers, tried.trial.layers), tried.trial.excess

    def nearest(self) -> tuple[Trial, Sequence[Verdict]]:
        """Return the set that misses the limits least, with its verdicts on the samples that judge.

        If none kept the limits where it was chosen, so that none was judged, those are returned.
        """
        if self.judged:
            judged = min(self.judged, key=lambda it: excess(it.verdicts))
            return judged.tried.trial, judged.verdicts
        best = nearest(self.layers, [it.trial for it in self.tried])
        return best, next(it.quality for it in self.tried if it.trial is best)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """The settings of a repair."""

    session: GateSession
    case: Case
    by: str = "bytes"
    """The cost that is kept low: "bytes" or "macs"."""
    field: str = "float_layers"
    """The field of the recipe that gets the layers, or "int16_layers"."""
    deadline: float
    """The moment of `time.monotonic` at which the search ends."""
    on_line: Callable[[str], None]

    def run(self) -> Result:
        """Judge the file, search if it misses a limit, and judge what was found.

        Raises ConfigError for a recipe that cannot leave out layers; else as builds and measures.
        """
        recipe = _demand_recipe(self.case, self.field)
        model = self.case.model
        reference = self.session.artifact(model, recipe.reference.name)
        plain = self.session.artifact(model, recipe.name)
        before, after = (judged_part(self.case, it) for it in (reference, plain))
        verdicts = tuple(quality_verdicts(before, after, self.case))
        if not missed(verdicts):
            return Result(plain=verdicts)
        _demand_quantizer()
        files = self.session.pipeline.external_files
        chosen = choice(files, model, recipe, plain.evaluation)
        if unprovable := self._unprovable(reference, chosen):
            return Result(plain=verdicts, unprovable=unprovable)
        return self._search(reference, plain, verdicts, chosen)

    def _unprovable(self, reference: Artifact, chosen: Choice) -> tuple[str, ...]:
        """Return the limits that even the float reference does not prove, at a third of the error.

        Leaving out layers cannot make the file better than that.
        """
        judging = replace(reference, evaluation=chosen.judges)
        unproven = missed(list(quality_verdicts(judging, judging, self.case, TAIL / JUDGED)))
        return tuple(map(_need, unproven))

    def _search(
        self, reference: Artifact, plain: Artifact, verdicts: tuple[Verdict, ...], chosen: Choice
    ) -> Result:
        trials = self._trials(self.case, reference, chosen)
        if _recipe(self.case).kind is Kind.INT8_QAT:
            layers, barred = self._confirm(trials, chosen)
        else:
            layers, barred = self._layers(reference, plain, chosen)
            trials.most = len(layers) + SPARE_TRIALS
            search(layers, trials, trials.most)
        judged: list[Judged] = []
        for trial in cheapest(layers, [it.trial for it in trials.tried.values()])[:JUDGED]:
            judged.append(self._judge(trials, reference, trials.tried[trial.layers], chosen))
            if judged[-1].is_proven:
                break
        proven = [it for it in judged if it.is_proven]
        result = Result(
            plain=verdicts,
            choice=chosen.description,
            refused=tuple(barred.items()),
            layers=tuple(layers),
            tried=tuple(trials.tried.values()),
            judged=tuple(judged),
            recipe=self._declared(trials, proven[0], chosen) if proven else None,
        )
        return replace(result, seconds=_seconds(trials, result.pareto()))

    def _trials(
        self, case: Case, reference: Artifact, chosen: Choice, *, label: str = ""
    ) -> Trials:
        return Trials(
            session=self.session,
            case=case,
            layers_field=self.field,
            reference=reference,
            split=chosen.chooses,
            deadline=self.deadline,
            on_line=self.on_line,
            label=label,
        )

    def _confirm(self, trials: Trials, chosen: Choice) -> tuple[list[Layer], dict[str, str]]:
        """Try the likeliest sets with QAT, which costs a training each; return as `_layers`.

        Quantizing the float file after training, in seconds, gives their order.
        """
        model, recipe = self.case.model, _recipe(self.case)
        order = Case(model=model, recipe=_after_training(recipe))
        baseline = self.session.artifact(model, BASELINE)
        quick = self._trials(order, baseline, chosen, label="to order the sets, ")
        layers, barred = self._layers(baseline, quick.artifact(frozenset()), chosen)
        quick.most = len(layers) + SPARE_TRIALS
        quick_trials = search(layers, quick, quick.most)
        trials.most = JUDGED + 1
        sets = [frozenset[str](), *likely_sets(layers, quick_trials, JUDGED)]
        trials.build_elsewhere(sets)
        with suppress(OutOfTrials):
            for names in sets:
                trials(names)
        return layers, barred

    def _layers(
        self, reference: Artifact, plain: Artifact, chosen: Choice
    ) -> tuple[list[Layer], dict[str, str]]:
        """Return the layers to choose from, and those that the target refuses, with its reason."""
        known = candidates(reference, plain, chosen.chooses, by=self.by, field=self.field)
        barred: dict[str, str] = {}
        if self.case.target and self.field == "float_layers":
            graph = parse(reference.tflite, subject=reference.name, signature=reference.signature)
            barred = refused(graph, load(self.case.target, self.session.options.project))
        declared = {*_recipe(self.case).float_layers, *_recipe(self.case).int16_layers}
        return [it for it in known if it.name not in barred.keys() | declared], barred

    def _judge(self, trials: Trials, reference: Artifact, tried: Tried, chosen: Choice) -> Judged:
        artifact = trials.artifact(tried.trial.layers)
        before, after = (
            self.session.with_stored_answers(replace(it, evaluation=chosen.judges))
            for it in (reference, artifact)
        )
        verdicts = quality_verdicts(before, after, self.case, TAIL / JUDGED)
        return Judged(tried=tried, verdicts=tuple(verdicts))

    def _declared(self, trials: Trials, judged: Judged, chosen: Choice) -> Recipe:
        recipe = trials.variant(judged.tried.trial.layers)
        name = _recipe(self.case).name
        return replace(recipe, name=name, variant_of="", chosen_on_half=chosen.is_half)


def _seconds(trials: Trials, front: Sequence[Tried]) -> dict[frozenset[str], float]:
    """Estimate the time of one invocation of each set's file, all in turn."""
    sets = {str(number): tried.trial.layers for number, tried in enumerate(front)}
    times = quick_times({number: trials.artifact(names) for number, names in sets.items()})
    return {sets[number]: seconds for number, seconds in times.items()}


def _recipe(case: Case) -> Recipe:
    assert case.recipe is not None  # noqa: S101 a repair is of a recipe
    return case.recipe


def _demand_recipe(case: Case, field: str) -> Recipe:
    recipe = _recipe(case)
    subject = f"{case.model.name}/{recipe.name}"
    if recipe.kind not in KINDS:
        raise ConfigError(
            f"{subject} is of kind {recipe.kind}, which cannot leave out single layers",
            expected=f"a recipe of kind {' or '.join(sorted(KINDS))}",
            remedy="declare static_wi8_ai8() beside it, and repair that",
        )
    if recipe.name in case.model.prebuilt:
        raise ConfigError(
            f"{subject} is a ready-made file, which litegate does not quantize",
            expected="a recipe that quantizes the reference: recipes=[...]",
            remedy="leave out the layer where the file is made",
        )
    if recipe.annotate is not None:
        raise ConfigError(
            f"{subject} has annotate=..., which decides the float layers",
            remedy="leave them out there, or remove annotate",
        )
    # The recipe itself refuses what its kind cannot have.
    changes: dict[str, Any] = {field: ("layer",)}
    replace(recipe, **changes)
    return recipe


def _demand_quantizer() -> None:
    """Raise ConfigError without litert-quantizer, before the first of many builds does."""
    if find_spec("litert_quantizer") is None:
        raise ConfigError(
            "litegate repair needs litert-quantizer, which is not installed",
            remedy='pip install "litegate[quantizer]"',
        )


def _after_training(recipe: Recipe) -> Recipe:
    """Return the recipe that quantizes the float file in the place of QAT, with its limits."""
    return Recipe(
        name=f"{Kind.STATIC_WI8_AI8.value}+{recipe.name}",
        kind=Kind.STATIC_WI8_AI8,
        variant_of=BASELINE,
        budget=recipe.budget,
        float_layers=recipe.float_layers,
    )


def _need(verdict: Verdict) -> str:
    """Say which limit not even a file without loss proves, and how many samples it needs."""
    measurement, limit = verdict.measurement, verdict.limit
    value = text(measurement.value, measurement.unit)
    start = f"{measurement.name}: {verdict.relation} {limit} with {measurement.n or 0:,} samples"
    if verdict.outcome is Outcome.FAIL:
        return f"{start}; the float reference itself has {value}"
    if verdict.relation is Relation.AT_MOST and limit.value > 0:
        # Tango's limit of a drop without flips, z^2 / (n + z^2), solved for n.
        square = upper_quantile(TAIL / JUDGED) ** 2
        needed = math.ceil(square * (1 - float(limit.value)) / float(limit.value))
        return f"{start}; {needed:,} samples prove it if no decision changes"
    return f"{start}; the float reference itself has {value}, {verdict.note or 'not proven'}"


def shortfall(verdicts: Sequence[Verdict]) -> str:
    """Describe the limit that is missed most: "accuracy drop 3.00 points, limit <= 1 point"."""
    worst = max(missed(verdicts), key=lambda it: excess([it]), default=None)
    if worst is None:
        return "every limit is kept"
    value = text(worst.measurement.value, worst.measurement.unit)
    return f"{worst.measurement.name} {value}, limit {worst.relation} {worst.limit}"
