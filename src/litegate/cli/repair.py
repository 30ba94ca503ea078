"""Implement `litegate repair`: find the layers to leave out of quantization, and declare them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from litegate.build.process import Event
from litegate.cli.common import declared_model
from litegate.cli.digests import demand_writable
from litegate.core.errors import ConfigError
from litegate.core.escaping import plain
from litegate.core.files import shown_path, write_atomically
from litegate.core.options import parse
from litegate.core.units import Unit, text
from litegate.gate.project_settings import settings
from litegate.gate.session import GateSession, NotGated
from litegate.measures.verdict_text import interval
from litegate.spec import Model, Recipe
from litegate.spec.cases import Case
from litegate.spec.loader import load_file

if TYPE_CHECKING:
    from litegate.gate.repair.repair import Result
    from litegate.gate.repair.trials import Tried

_UNITS = {"s": 1, "m": 60, "h": 3600}
_MOST_RANKED = 5
"""Layers with the largest error that the output names: enough to see where quantization hurts."""


def repair(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model of this project.")],
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="One of its recipes.")],
    *,
    by: Annotated[
        Literal["bytes", "macs"],
        typer.Option(help="Cost that is kept low: bytes of the file, or multiply-accumulates."),
    ] = "bytes",
    int16: Annotated[
        bool,
        typer.Option("--int16", help="Give layers int16 activations, not floats."),
    ] = False,
    budget: Annotated[
        str, typer.Option(metavar="TIME", help="Time for the search, such as 90s, 10m or 2h.")
    ] = "10m",
    write: Annotated[
        bool, typer.Option("--write", help="Write the layers into the model's file.")
    ] = False,
) -> None:
    """Find the cheapest layers to leave out of quantization, so that a recipe keeps its limits.

    Prints the declaration as a diff of the model's file. Exit status 1 if no set keeps the limits.
    """
    seconds = _seconds(budget)
    options = parse(Path.cwd(), {}, settings(Path.cwd()))
    session = GateSession(options, _silent, partial(typer.echo, err=True))
    declared = declared_model(session.models, model)
    case = Case(model=declared, recipe=_recipe(declared, recipe))
    # Late: only this command needs the measures and their libraries.
    from litegate.gate.repair.repair import Repair

    repairer = Repair(
        session=session,
        case=case,
        by=by,
        field="int16_layers" if int16 else "float_layers",
        deadline=time.monotonic() + seconds,
        on_line=lambda line: typer.echo(plain(line), err=True),
    )
    try:
        result = repairer.run()
    except NotGated as reason:
        raise ConfigError(f"{model} cannot be judged here: {reason}") from None
    for line in summary(f"{model}/{recipe}", result):
        typer.echo(plain(line))
    if result.tried:
        _keep(session, case, result, repairer.field)
    if result.recipe:
        _declare(session, declared, result.recipe, repairer.field, write=write)
    elif not result.is_sound:
        raise typer.Exit(1)


def _keep(session: GateSession, case: Case, result: Result, field: str) -> None:
    """Keep what was found for the page, of the recipe as it is and as it is to be declared."""
    from litegate.gate.repair.repair_files import repair_row, save_repair

    model, recipes = case.model, [case.recipe, result.recipe]
    declared = [replace(model, recipes=(recipe,)) for recipe in recipes if recipe]
    keys = [session.pipeline.key(it, it.recipes[0].name) for it in declared]
    save_repair(session.options.history, keys, repair_row(case, result, field))


def _silent(_model: str, _event: Event) -> None:
    """Ignore a build's events: each trial gets a line of its own."""


def _recipe(model: Model, name: str) -> Recipe:
    by_name = {recipe.name: recipe for recipe in model.recipes}
    if name not in by_name:
        raise ConfigError(f"{model.name} has no recipe {name}", expected=", ".join(by_name))
    return by_name[name]


def _seconds(budget: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", budget)
    if not match or not float(match[1]):
        raise ConfigError(
            "--budget is not a time", expected="a number with s, m or h, such as 10m", got=budget
        )
    return float(match[1]) * _UNITS[match[2] or "s"]


def summary(subject: str, result: Result) -> Iterator[str]:
    """Yield the lines that report a repair."""
    from litegate.gate.repair.repair import shortfall

    if result.is_sound:
        yield f"{subject}: nothing to repair, {shortfall(result.plain)}"
        return
    yield f"{subject}: {shortfall(result.plain)}"
    if result.unprovable:
        yield "no search: these limits cannot be proven with the samples that judge"
        yield from (f"  {line}" for line in result.unprovable)
        return
    yield f"chosen on {result.choice}"
    ranked = sorted(result.layers, key=lambda layer: -layer.error)[:_MOST_RANKED]
    yield f"largest errors: {', '.join(layer.name for layer in ranked)}"
    yield from (f"not proposed: {name}, {reason}" for name, reason in result.refused)
    yield from _table(result)
    yield from _outcome(result)


def _table(result: Result) -> Iterator[str]:
    """Yield the table of the sets that no other is superior to: bytes, time, quality, layers."""
    from litegate.gate.repair.trials import named

    yield f"{len(result.tried)} sets tried; of those that no other excels in cost and quality:"
    for tried in result.pareto():
        time = text(result.seconds[tried.trial.layers], Unit.SECONDS)
        start = f"  {tried.size:>11,} B  {time:>8}"
        yield f"{start}  {_quality(tried)}  {named(tried.trial.layers)}"


def _quality(tried: Tried) -> str:
    """Return the first limit's value with its interval, on the samples that choose."""
    measurement = tried.quality[0].measurement
    value = f"{measurement.name} {text(measurement.value, measurement.unit)}"
    bounds = measurement.interval
    return f"{value} ({interval(bounds, measurement.unit)})" if bounds else value


def _outcome(result: Result) -> Iterator[str]:
    from litegate.gate.repair.repair import shortfall
    from litegate.gate.repair.trials import named

    for judged in result.judged:
        names = named(judged.tried.trial.layers)
        state = "proven" if judged.is_proven else "not proven"
        yield f"{names}: {state} on the samples that judge, at a third of the error"
        for before, after in zip(judged.tried.quality, judged.verdicts, strict=True):
            unit = before.measurement.unit
            values = [text(it.measurement.value, unit) for it in (before, after)]
            yield (
                f"  {after.measurement.name}: {values[0]} where it was chosen, {values[1]} where "
                f"it was judged (limit {after.relation} {after.limit})"
            )
    if result.recipe is None:
        trial, verdicts = result.nearest()
        place = " where it was judged" if result.judged else ""
        yield "no set keeps the limits"
        yield f"  nearest: {named(trial.layers)}, {shortfall(verdicts)}{place}"
        yield from (f"  blocked by {limit}" for limit in trial.blocked)


def _declare(
    session: GateSession, model: Model, recipe: Recipe, field: str, *, write: bool
) -> None:
    """Print the diff that declares a recipe's layers, and write it if `write` is set."""
    try:
        from litegate.cli.model_source import ModelSource, NotFound
        from litegate.cli.recipe_edits import declaration, diff, with_layers
    except ImportError as error:
        raise ConfigError(
            "the diff needs libcst, which is not installed",
            got=str(error),
            remedy=f'pip install "litegate[edit]", or add {field}={getattr(recipe, field)!r} to '
            f"{recipe.name}",
        ) from error
    project = session.options.project.resolve()
    try:
        source = ModelSource(model.file, (model.file.parent, project))
        edited = with_layers(source, recipe, field)
    except NotFound as reason:
        raise ConfigError(
            f"cannot edit {model.file.name}",
            got=str(reason),
            remedy=f"add {declaration(recipe, field)} to {recipe.name}",
        ) from None
    typer.echo(diff(model.file.read_bytes(), edited, Path(shown_path(model.file, project))))
    if not write:
        typer.echo(plain(f"add --write to apply it, then run pytest -k {model.name}"))
        return

    def check(file: Path) -> None:
        loaded = load_file(file, session.options.project)[model.name].recipe(recipe.name)
        if getattr(loaded, field) != getattr(recipe, field):
            raise ConfigError(
                f"after the edit, {model.file.name} does not declare {declaration(recipe, field)}",
                remedy="write it by hand",
            )

    try:
        demand_writable(model.file)
        write_atomically(model.file, edited, check=check)
    except OSError as error:
        raise ConfigError(f"{model.file} cannot be written", got=str(error.strerror)) from error
    typer.echo(plain(f"wrote {shown_path(model.file, project)}: review the change, and commit it"))
