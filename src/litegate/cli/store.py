"""`litegate store`: look after what is kept of builds, between runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from litegate.cli.help import Command, Group
from litegate.errors import StoreError
from litegate.escaping import plain
from litegate.options import parse
from litegate.session import Session
from litegate.settings import settings
from litegate.store import ANSWERS, BUILDS, Store
from litegate.upkeep import DAY, Entry, entries, verify
from litegate.upkeep import prune as prune_entries

store = typer.Typer(help="Look after the store of artifacts.", no_args_is_help=True, cls=Group)
_REMADE = (BUILDS, ANSWERS)
_ALL = (*_REMADE, "evaluations", "declarations")


def _session() -> Session:
    options = parse(Path.cwd(), {}, settings(Path.cwd()))
    return Session(options, lambda _model, _event: None, partial(typer.echo, err=True))


def _needed(session: Session) -> set[str]:
    """The keys that this project needs as it stands; none where it declares no model.

    An empty one stands for what cannot be told, since a file from elsewhere is not here.
    """
    if not session.options.models.is_dir():
        return set()
    found = {key for one in session.declared["models"].values() for key in one["keys"].values()}
    return found | {session.pipeline.split_key(model) for model in session.all_models.values()}


@store.command("list", cls=Command)
def list_entries(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False
) -> None:
    """List what the store keeps, the newest first, with sizes and what this project needs."""
    session = _session()
    kept = Store(session.options.store)
    needed = _needed(session)
    found = entries(kept)
    if as_json:
        rows = [asdict(one) | {"needed": one.key in needed} for one in found]
        typer.echo(json.dumps(rows, indent=1))
        return
    for one in found:
        mark = "needed" if one.key in needed else ""
        age = f"{one.age / DAY:.1f} d"
        typer.echo(plain(f"{one.key[:12]}  {age:>8}  {one.size:>13,} B  {mark:6}  {one.what}"))
    objects = list(kept.root.glob("objects/*/*"))
    size = sum(path.stat().st_size for path in objects)
    typer.echo(f"{len(found):,} entries, {len(objects):,} files, {size:,} B in {kept.root}")


@store.command(cls=Command)
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
    needed = set() if everything else _needed(session)
    if "" in needed:
        raise StoreError(
            "what this project needs cannot be told: a file that a model names is not here",
            remedy="bring the file (`litegate build` says which), or remove everything with --all",
        )
    freed = prune_entries(kept, needed, on_kept, days=older_than, only=only)
    typer.echo(f"{freed:,} B freed in {kept.root}")


@store.command("verify", cls=Command)
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
