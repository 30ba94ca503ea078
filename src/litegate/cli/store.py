"""`litegate store`: look after what is kept of builds, between runs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from litegate.build.store import ANSWERS, BUILDS, Store
from litegate.build.store_maintenance import Entry, entries, in_words, verify
from litegate.build.store_maintenance import prune as prune_entries
from litegate.core.errors import StoreError
from litegate.core.escaping import plain
from litegate.core.options import parse
from litegate.gate.project_settings import settings
from litegate.gate.session import GateSession

store = typer.Typer(
    help="Look after the store of artifacts.", no_args_is_help=True, rich_markup_mode="markdown"
)
_REMADE = (BUILDS, ANSWERS)
_ALL = (*_REMADE, "evaluations", "declarations")
_ROW = "{:12}  {:12}  {:>6}  {:>15}  {:6}  {}"


def _session() -> GateSession:
    options = parse(Path.cwd(), {}, settings(Path.cwd()))
    return GateSession(options, lambda _model, _event: None, partial(typer.echo, err=True))


def _needed(session: GateSession) -> dict[str, str]:
    """The keys that this project needs as it stands, and what each is of, as commands call it.

    None where it declares no model. An empty key stands for what cannot be told, since a file from
    elsewhere is not here.
    """
    if not session.options.models.is_dir():
        return {}
    names: dict[str, list[str]] = {}
    for model, declared in session.declared["models"].items():
        for recipe, key in declared["keys"].items():
            names.setdefault(key, []).append(f"{model}/{recipe}")
    for name, model in session.all_models.items():
        names.setdefault(session.pipeline.split_key(model), []).append(name)
    return {key: ", ".join(found) for key, found in names.items()}


@store.command("list")
def list_entries(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False
) -> None:
    """List what the store keeps, the newest first, with sizes and what this project needs.

    What it needs is called as `litegate build` calls it; the rest by its certificate.
    """
    session = _session()
    kept = Store(session.options.store)
    needed = _needed(session)
    found = [replace(one, what=needed.get(one.key, one.what)) for one in entries(kept)]
    if as_json:
        rows = [asdict(one) | {"needed": one.key in needed} for one in found]
        typer.echo(json.dumps(rows, indent=1))
        return
    if found:
        typer.echo(_ROW.format("KEY", "KIND", "AGE", "SIZE", "NEEDED", "WHAT").rstrip())
    for one in found:
        what = "" if one.what == one.group else one.what
        mark = "needed" if one.key in needed else ""
        cells = (one.key[:12], one.group, in_words(one.age), f"{one.size:,} B", mark, what)
        typer.echo(plain(_ROW.format(*cells).rstrip()))
    objects = list(kept.root.glob("objects/*/*"))
    size = sum(path.stat().st_size for path in objects)
    typer.echo(f"{len(found):,} entries, {len(objects):,} files, {size:,} B in {kept.root}")


@store.command()
def prune(
    *,
    older_than: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="DAYS",
            show_default=False,
            help="Only what was put into the store so many days ago or earlier; else of any age.",
        ),
    ] = 0.0,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also what this project needs, and what is kept of commits."),
    ] = False,
) -> None:
    """Remove the artifacts that no model of this project needs as it stands now.

    Where other projects share the store, --older-than spares what they are at work on. What a run
    has under its lock stays. What is removed and needed again is built again.
    """
    session = _session()
    kept = Store(session.options.store)

    def on_kept(entry: Entry) -> None:
        typer.echo(plain(f"left {entry.what}: another process holds its lock"), err=True)

    only = _ALL if everything else _REMADE
    needed = {} if everything else _needed(session)
    if "" in needed:
        raise StoreError(
            "what this project needs cannot be told: a file that a model names is not here",
            remedy="bring the file (`litegate build` says which), or remove everything with --all",
        )
    gone, freed = prune_entries(kept, needed, on_kept, days=older_than, only=only)
    typer.echo(f"{_counted(gone)}; {freed:,} B freed in {kept.root}")


def _counted(gone: list[Entry]) -> str:
    """How many entries went, of which kind."""
    if not gone:
        return "no entry removed"
    kinds = Counter(one.group for one in gone)
    told = ", ".join(f"{count:,} of {kind}" for kind, count in sorted(kinds.items()))
    return f"{len(gone):,} {'entry' if len(gone) == 1 else 'entries'} removed: {told}"


@store.command("verify")
def verify_files(
    *,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove damaged entries: they are built again.")
    ] = False,
) -> None:
    """Read every file of the store and hold it to its digest; exit status 1 where one is damaged.

    A run finds damage by itself, when it reads, and builds what is damaged again.
    """
    kept = Store(_session().options.store)
    damaged = list(verify(kept))
    for group, key, what in damaged:
        typer.echo(plain(f"{group}/{key[:12]}: {what}"))
        if remove and group != "objects":
            kept.forget(group, key)
    if remove:
        kept.remove([], lambda _: None)
        left = list(verify(kept))
        if left:
            raise StoreError(f"damage is left in {kept.root}", got=left[0][2])
    typer.echo(f"{len(damaged):,} damaged in {kept.root}" if damaged else f"{kept.root} is whole")
    raise typer.Exit(int(bool(damaged) and not remove))
