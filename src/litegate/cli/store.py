"""Implement `litegate store`: list, prune and verify the store."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from litegate.build.signatures import PRIVATE_KEY, generate
from litegate.build.store import ANSWERS, BUILDS
from litegate.build.store_folder import adopt
from litegate.build.store_maintenance import Entry, entries, format_age, verify
from litegate.build.store_maintenance import prune as prune_entries
from litegate.core.digests import short_digest
from litegate.core.errors import StoreError
from litegate.core.escaping import plain
from litegate.core.options import parse
from litegate.gate.project_settings import settings
from litegate.gate.session import GateSession

store = typer.Typer(
    help="List, prune and verify the store of artifacts.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
_REMADE = (BUILDS, ANSWERS)
"""Groups whose entries a run makes again; only --all prunes the others."""
_ALL = (*_REMADE, "evaluations", "declarations")
_ROW = "{:12}  {:12}  {:>6}  {:>15}  {:6}  {}"


def _session() -> GateSession:
    options = parse(Path.cwd(), {}, settings(Path.cwd()))
    return GateSession(options, lambda _model, _event: None, partial(typer.echo, err=True))


def _needed(session: GateSession) -> dict[str, str]:
    """Return the keys that this project needs now, with the names that commands use for them.

    Empty if it declares no model. An empty key stands for an unknown one: a model's external file
    is missing, so that its digest cannot be computed.
    """
    if not session.options.models.is_dir():
        return {}
    names: dict[str, list[str]] = {}
    for model, declared in session.declared["models"].items():
        for recipe, key in declared["keys"].items():
            names.setdefault(key, []).append(f"{model}/{recipe}")
    for name, model in session.all_models.items():
        names.setdefault(session.pipeline.split_key(model), []).append(name)
    return {key: ", ".join(users) for key, users in names.items()}


@store.command("list")
def list_entries(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List the store's entries and sizes, newest first, and which of them this project needs.

    Entries that the project needs have their names in `litegate build`, others are named after
    their certificate.
    """
    session = _session()
    artifacts = session.pipeline.store
    needed = _needed(session)
    listed = [
        replace(entry, what=needed.get(entry.key, entry.what)) for entry in entries(artifacts)
    ]
    if as_json:
        rows = [asdict(entry) | {"needed": entry.key in needed} for entry in listed]
        typer.echo(json.dumps(rows, indent=1))
        return
    if listed:
        typer.echo(_ROW.format("KEY", "KIND", "AGE", "SIZE", "NEEDED", "WHAT").rstrip())
    for entry in listed:
        what = "" if entry.what == entry.group else entry.what
        mark = "needed" if entry.key in needed else ""
        cells = (
            short_digest(entry.key),
            entry.group,
            format_age(entry.age),
            f"{entry.size:,} B",
            mark,
            what,
        )
        typer.echo(plain(_ROW.format(*cells).rstrip()))
    objects = list(artifacts.object_paths())
    size = sum(path.stat().st_size for path in objects)
    typer.echo(f"{len(listed):,} entries, {len(objects):,} files, {size:,} B in {artifacts.root}")


@store.command()
def prune(
    *,
    older_than: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="DAYS",
            show_default=False,
            help="Remove only entries that are at least this many days old (default: any age).",
        ),
    ] = 0.0,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Also remove what this project needs, and what is kept for commits."
        ),
    ] = False,
) -> None:
    """Remove the artifacts that no model of this project needs now.

    If projects share a store, --older-than spares what the others use. Entries that a run has
    locked stay. Removed artifacts are built again if they are needed.
    """
    session = _session()
    artifacts = session.pipeline.store

    def on_locked(entry: Entry) -> None:
        typer.echo(plain(f"kept {entry.what}: another process holds its lock"), err=True)

    groups = _ALL if everything else _REMADE
    needed = {} if everything else _needed(session)
    if "" in needed:
        raise StoreError(
            "cannot tell what this project needs: a file that a model names is missing",
            remedy="provide the file (`litegate build` names it), or remove everything with --all",
        )
    removed, freed = prune_entries(artifacts, needed, on_locked, days=older_than, only=groups)
    typer.echo(f"{_counted(removed)}; {freed:,} B freed in {artifacts.root}")


def _counted(removed: list[Entry]) -> str:
    """Count the removed entries by kind."""
    if not removed:
        return "removed no entries"
    kinds = Counter(entry.group for entry in removed)
    by_kind = ", ".join(f"{count:,} of {kind}" for kind, count in sorted(kinds.items()))
    return f"{len(removed):,} {'entry' if len(removed) == 1 else 'entries'} removed: {by_kind}"


@store.command()
def keygen() -> None:
    """Print a new pair of keys for the entries of a bucket that others can write to.

    The public key belongs in the project's settings, the private one in a secret of the jobs that
    build what is merged.
    """
    private, public = generate()
    typer.echo(f"litegate_store_public_key = {json.dumps(public)}")
    typer.echo(f"{PRIVATE_KEY}={private}")
    typer.echo("commit the first line in pytest's settings; keep the second one secret", err=True)


@store.command("adopt")
def adopt_folder() -> None:
    """Mark a folder as a store, if an earlier version made it and it has no other files.

    Stores without the marker are neither used nor pruned. New stores have it.
    """
    root = _session().options.store
    done = adopt(root)
    typer.echo(f"marked {root} as a store" if done else f"{root} is a store already")


@store.command("verify")
def verify_files(
    *,
    remove: Annotated[
        bool,
        typer.Option("--remove", help="Remove damaged entries; the next run builds them again."),
    ] = False,
) -> None:
    """Compare every file of the store with its digest; exit status 1 if one is damaged.

    A run finds damage when it reads a file, and builds damaged artifacts again.
    """
    artifacts = _session().pipeline.store
    damaged = list(verify(artifacts))
    for group, key, what in damaged:
        typer.echo(plain(f"{group}/{short_digest(key)}: {what}"))
        if remove and group != "objects":
            artifacts.forget(group, key)
    if remove:
        artifacts.remove([], lambda _: None)
        still_damaged = list(verify(artifacts))
        if still_damaged:
            raise StoreError(f"{artifacts.root} still has damaged entries", got=still_damaged[0][2])
    typer.echo(
        f"{len(damaged):,} damaged in {artifacts.root}"
        if damaged
        else f"no damage in {artifacts.root}"
    )
    raise typer.Exit(int(bool(damaged) and not remove))
