"""Implement `litegate noise`: measure how much a model's accuracy varies with the seed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from litegate.build.process import Event
from litegate.cli.common import declared_model
from litegate.core.errors import ConfigError, LitegateError, MeasurementError
from litegate.core.escaping import plain
from litegate.core.options import parse
from litegate.core.units import Quantity, Unit, text
from litegate.gate.project_settings import settings
from litegate.gate.session import GateSession
from litegate.measures.accuracy import answers
from litegate.measures.noise import METHOD, MIN_LIMIT_SD, MIN_SEEDS, NoiseRow, write_row
from litegate.spec import Artifact, Model, Recipe
from litegate.spec.artifact_keys import data_key
from litegate.spec.cases import Case


def noise(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model of this project.")],
    # The interval of the SD reaches from 0.71 to 1.70 times its value with 12 seeds (chi-square,
    # 95 %), and each costs a training.
    seeds: Annotated[
        int, typer.Option(min=MIN_SEEDS, metavar="N", help="Number of seeds to train.")
    ] = 12,
    recipe: Annotated[
        str,
        typer.Option(metavar="RECIPE", help="One of its recipes (default: the first gated one)."),
    ] = "",
) -> None:
    """Train a model from several seeds, and measure how much its accuracy varies.

    Harmless changes break an accuracy regression limit that is below twice this SD.
    """
    options = parse(Path.cwd(), {}, settings(Path.cwd()))
    session = GateSession(options, _silent, typer.echo)
    declared = _model(session, model)
    chosen = _recipe(declared, recipe)
    row = _measured(session, declared, chosen, seeds)
    for line in summary(row, Case(model=declared, recipe=chosen).regression.accuracy):
        typer.echo(line)
    typer.echo(f"wrote {write_row(session.options.project, row)}")


def _silent(_model: str, _event: Event) -> None:
    """Ignore a build's events: each seed gets a line of its own."""


def _model(session: GateSession, name: str) -> Model:
    declared = declared_model(session.models, name)
    if declared.prebuilt:
        raise ConfigError(
            f"{plain(name)} is prebuilt: litegate does not train it, so seeds have no effect",
            expected="a model that litegate trains",
        )
    if not declared.has_accuracy:
        raise ConfigError(
            f"{plain(name)} has no accuracy to measure",
            expected="a classifier with labels",
        )
    return declared


def _recipe(model: Model, name: str) -> Recipe:
    matching = [
        recipe for recipe in model.recipes if (recipe.name == name if name else recipe.gate)
    ]
    if not matching:
        problem = f"has no recipe {plain(name)}" if name else "gates no recipe"
        known = ", ".join(recipe.name for recipe in model.recipes)
        raise ConfigError(f"{model.name} {problem}", expected=f"--recipe with one of: {known}")
    return matching[0]


def _measured(session: GateSession, model: Model, recipe: Recipe, count: int) -> NoiseRow:
    first = model.training.seed
    seeds = tuple(range(first, first + count))
    built = []
    correct = []
    session.pipeline.prepare((_seeded(model, seed), [recipe.name]) for seed in seeds)
    for count_done, seed in enumerate(seeds, start=1):
        built.append(_built(session, _seeded(model, seed), recipe.name))
        marked = answers(built[-1]).right
        correct.append(int(marked.sum()))
        share = text(float(marked.mean()), Unit.PERCENT)
        line = f"seed {seed}: {share}, {correct[-1]:,} of {len(marked):,} samples right"
        if count_done == 1:
            start = time.monotonic()  # the first one is often in the store already
        elif count_done < count:
            remaining = (time.monotonic() - start) / (count_done - 1) * (count - count_done)
            line += f", about {remaining:.0f} s left"
        typer.echo(line)
    _check_seeds_matter(built)
    return NoiseRow(
        model=model.name,
        recipe=recipe.name,
        data=data_key(model.data, session.options.project),
        samples=len(built[0].evaluation.y),
        seeds=seeds,
        right=tuple(correct),
    )


def _seeded(model: Model, seed: int) -> Model:
    return replace(model, training=replace(model.training, seed=seed))


def _built(session: GateSession, model: Model, recipe: str) -> Artifact:
    built = session.pipeline.ensure(model, [recipe])[recipe]
    if isinstance(built, LitegateError):
        raise built
    return built


def _check_seeds_matter(built: list[Artifact]) -> None:
    if len({artifact.sha256 for artifact in built}) == 1:
        raise MeasurementError(
            f"{built[0].name} has the same bytes for every seed",
            expected="weights that depend on Training(seed=...)",
            remedy="remove the fixed seed that the builder sets itself",
        )


def summary(row: NoiseRow, limit: Quantity) -> Iterator[str]:
    """Describe a model's noise; `limit` is its limit of accuracy lost against a base."""
    estimate = row.noise
    accuracies = [text(value, Unit.PERCENT) for value in (estimate.mean, *_ends(row))]
    yield f"{row.model}/{row.recipe}: {len(row.seeds)} seeds, {row.samples:,} samples"
    yield "mean {}, lowest {}, highest {}".format(*accuracies)
    ends = (text(end, Unit.POINTS) for end in (estimate.interval.low, estimate.interval.high))
    sd_range = " to ".join(ends)
    yield f"SD {text(estimate.sd, Unit.POINTS)} (95 % interval {sd_range}, {METHOD})"
    if not estimate.sd:
        yield "every seed has the same accuracy, which does not show the spread: use more samples"
    share = f"{float(estimate.differing(limit.value)):.0%}".replace("%", " %")
    yield f"{share} of all pairs of seeds differ by more than {limit}"
    least = f"{estimate.least_limit}, {MIN_LIMIT_SD} SD"
    advice = f"the lowest limit that harmless changes keep: {least}"
    is_below = limit.value < estimate.least_limit.value
    place = "below" if is_below else "not below"
    yield f"{advice}; Regression(accuracy=...), now {limit}, is {place} it"


def _ends(row: NoiseRow) -> tuple[float, float]:
    return min(row.right) / row.samples, max(row.right) / row.samples
