"""Implement `litegate export`: write the accepted bytes of a recipe to a file."""

from __future__ import annotations

import hashlib
import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from litegate.cli.common import declared_model
from litegate.core.errors import ConfigError
from litegate.core.files import write_atomically
from litegate.gate.acceptance import demand_accepted, not_judged, read_report
from litegate.gate.collect_only import Check, collect
from litegate.gate.session import GateSession
from litegate.gate.state import Gate
from litegate.regression.source_digests import sources_digest
from litegate.runtimes.vela import compile_file
from litegate.spec import Artifact, Model, Recipe

_LINES = 15
"""Of pytest's output, the lines that an error quotes: enough for the end of one traceback, which
names the cause; more would hide the error's own sentence."""


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model of this project.")],
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="One of its gated recipes.")],
    to: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.", dir_okay=False)],
    *,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compiled",
            help="Write the file that Vela compiles from them, configured by Budget(vela=...).",
        ),
    ] = False,
) -> None:
    """Write the accepted bytes of a recipe to a file.

    Reads the store, and requires that the last run of `pytest checks/` judged exactly these bytes
    by every check, without a fail or an error.
    """
    gate, checks = _collected()
    declared = _declared(gate.session, model, recipe)
    artifact = _stored(gate.session, *declared)
    needed = [
        check.id
        for check in checks
        if check.concerns(model, recipe) and "shipped" not in check.fixtures
    ]
    report = read_report(gate.options.report, artifact.name)
    sources = sources_digest(gate.options)
    demand_accepted(report, artifact, needed, sources=sources, strict=gate.options.strict)
    tflite = artifact.tflite
    if compiled:
        tflite = _compiled(gate.session, *declared, artifact)
    write(tflite, to)
    typer.echo(f"{to}: sha256 {hashlib.sha256(tflite).hexdigest()}, {len(tflite):,} B")


def _compiled(session: GateSession, model: Model, recipe: Recipe, artifact: Artifact) -> bytes:
    """Return the compiled file. Raises ConfigError without a configuration, or without Vela."""
    vela = model.budget_of(recipe).vela
    if vela is None:
        raise ConfigError(
            f"{artifact.name} has no configuration to compile it with",
            expected="Budget(vela=litegate.Vela(...))",
            remedy="add it to the model's budget, or leave out --compiled",
        )
    project = session.options.project
    return compile_file(artifact.tflite, vela.located(project), artifact.name).tflite


def _collected() -> tuple[Gate, tuple[Check, ...]]:
    """Collect the checks of the working directory; return the gate and the checks.

    Raises ConfigError, with the end of pytest's output, if they cannot be collected.
    """
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        collected = collect(lambda gate: gate, ".")
    if collected.gate is None or not collected.ended_well:
        if collected.gate:
            collected.gate.session.demand_selection()  # a model file's own error says it best
        last_lines = output.getvalue().strip().splitlines()[-_LINES:]
        raise ConfigError(
            "pytest could not collect the checks of this project",
            got="\n    ".join(["its last output:", *last_lines]),
            remedy="run `pytest checks/ --collect-only` until it succeeds",
        )
    return collected.gate, collected.checks


def write(data: bytes, to: Path) -> None:
    """Write a file atomically; raises ConfigError if it cannot be written."""
    try:
        write_atomically(to, data)
    except OSError as error:
        raise ConfigError(
            f"{to} cannot be written",
            got=str(error.strerror or error),
            remedy="choose a file in a folder that you can write to",
        ) from error


def _declared(session: GateSession, model: str, recipe_name: str) -> tuple[Model, Recipe]:
    """Return the model and its gated recipe; raises ConfigError for an unknown name."""
    declared = declared_model(session.models, model)
    recipes = {recipe.name: recipe for recipe in declared.recipes}
    gated = ", ".join(name for name, recipe in recipes.items() if recipe.gate) or "none"
    if recipe_name not in recipes:
        raise ConfigError(f"{model} has no recipe {recipe_name}", expected=f"a gated one: {gated}")
    if not recipes[recipe_name].gate:
        raise ConfigError(
            f"{model}/{recipe_name} has gate=False, so no check judges it",
            expected=f"a gated recipe: {gated}",
            remedy="remove gate=False from the recipe",
        )
    return declared, recipes[recipe_name]


def _stored(session: GateSession, model: Model, recipe: Recipe) -> Artifact:
    artifact = session.pipeline.find(model, recipe.name)
    if artifact is None:
        raise not_judged(
            f"{model.name}/{recipe.name}", "the store has no artifact for its current declaration"
        )
    return artifact
