"""`litegate`: what pytest cannot do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from litegate.errors import LitegateError
from litegate.options import parse
from litegate.session import Session
from litegate.spec import Model
from litegate.store import BUILDS, Store

app = typer.Typer(
    help="A quality gate for .tflite models. The gate itself runs as `pytest checks/`.",
    no_args_is_help=True,
    add_completion=False,
)
store = typer.Typer(help="Look after the store of artifacts.", no_args_is_help=True)
app.add_typer(store, name="store")


def _session() -> Session:
    return Session(parse(Path.cwd(), {}, {}), lambda _model, _event: None, typer.echo)


@app.command("list")
def list_models(
    *, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """List the models of this project, their recipes and whether the store holds them."""
    session = _session()
    rows = [_described(session, model) for model in session.models.values()]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        typer.echo(f"{row['model']}: {row['summary']}")
        for recipe in row["recipes"]:
            state = "gated" if recipe["gate"] else "shown"
            kept = "in the store" if recipe["stored"] else "not built"
            typer.echo(f"  {recipe['name']:20} {state}  {kept}")


def _described(session: Session, model: Model) -> dict[str, Any]:
    recipes = [
        {
            "name": recipe.name,
            "gate": recipe.gate,
            "stored": session.pipeline.store.has(BUILDS, session.pipeline.key(model, recipe.name)),
        }
        for recipe in model.recipes
    ]
    return {"model": model.name, "summary": model.summary, "recipes": recipes}


@store.command()
def prune() -> None:
    """Remove the artifacts that no model of this project needs as it stands now."""
    session = _session()
    keep = [
        session.pipeline.key(model, name)
        for model in session.models.values()
        for recipe in model.recipes
        for name in ("float32", recipe.name, recipe.reference.name)
    ]
    freed = Store(session.options.store).prune(BUILDS, keep)
    typer.echo(f"{freed:,} B freed in {session.options.store}")


def main() -> None:
    """Run a command; a foreseen fault is a message and exit status 1, never a traceback."""
    try:
        app()
    except LitegateError as error:
        typer.secho(f"litegate: {error}", err=True, fg="red")
        raise SystemExit(1) from None
