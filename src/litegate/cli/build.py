"""Implement `litegate build`: build what the checks would judge, without judging it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from litegate.cli.common import declared_model, print_error
from litegate.core.digests import short_digest
from litegate.core.errors import ConfigError, LitegateError
from litegate.core.escaping import plain
from litegate.core.options import parse
from litegate.gate.progress import Progress
from litegate.gate.project_settings import settings
from litegate.gate.session import GateSession
from litegate.measures.lints.devices import device_notes
from litegate.spec import Model
from litegate.spec.recipe import BASELINE


def build(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model of this project.")],
    recipe: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECIPE",
            help="Recipes to build, including references such as float32+1 (default: all).",
        ),
    ] = None,
) -> None:
    """Build a model's recipes into the store without judging them; progress goes to stderr.

    Artifacts in the store are not built again. Without RECIPE, build all recipes and their
    references, as `pytest checks/` needs them. Exit status 1 if one cannot be built.
    """
    options = parse(Path.cwd(), {}, settings(Path.cwd()))
    session = GateSession(options, Progress().on_event, partial(typer.echo, err=True))
    declared = declared_model(session.all_models, model)
    names = _names(declared, recipe or [])
    stored = {name for name in names if session.pipeline.find(declared, name)}
    results = session.pipeline.ensure(declared, names)
    errors = {str(it): it for it in results.values() if isinstance(it, LitegateError)}
    for error in errors.values():  # one of data concerns all recipes
        print_error(error)
    for name, built in results.items():
        if not isinstance(built, LitegateError):
            how = "already in the store" if name in stored else "built"
            size = f"{len(built.tflite):,} B"
            typer.echo(plain(f"{built.name}: {how}, {size}, sha256 {short_digest(built.sha256)}"))
    artifacts = [it for it in results.values() if not isinstance(it, LitegateError)]
    for note in device_notes(declared, artifacts):
        typer.echo(plain(note), err=True)
    raise typer.Exit(int(bool(errors)))


def _names(model: Model, requested: list[str]) -> list[str]:
    """Return the recipes to build; raises ConfigError for one that the model does not have."""
    declared = [recipe.name for recipe in model.recipes]
    references = [BASELINE, *(recipe.reference.name for recipe in model.recipes)]
    known = list(dict.fromkeys([*declared, *references]))
    if unknown := [name for name in requested if name not in known]:
        raise ConfigError(
            f"{model.name} has no recipe {', '.join(unknown)}", expected=", ".join(known)
        )
    return list(dict.fromkeys(requested)) or known
