"""Implement `litegate store`: list, prune and verify the store."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from litegate.build import remote_maintenance as in_bucket
from litegate.build.remote_store import RemoteStore
from litegate.build.signatures import PRIVATE_KEY, generate
from litegate.build.store import ANSWERS, BUILDS, EVALUATIONS, Store
from litegate.build.store_folder import adopt
from litegate.build.store_maintenance import Entry, entries, format_age, object_sizes, verify
from litegate.build.store_maintenance import prune as prune_entries
from litegate.core.digests import short_digest
from litegate.core.errors import StoreError
from litegate.core.escaping import plain
from litegate.core.options import parse
from litegate.gate.project_settings import settings
from litegate.gate.session import GateSession

store = typer.Typer(
    help="List, prune and verify the store of artifacts, and copy it to and from a bucket.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
_REMADE = (BUILDS, ANSWERS)
"""Groups whose entries a run makes again; only --all prunes the others."""
_ALL = (*_REMADE, "evaluations", "declarations")
_NEEDED = (EVALUATIONS, BUILDS)
"""Groups of the keys that a project needs."""
_ROW = "{:12}  {:12}  {:>6}  {:>15}  {:6}  {}"


def _session() -> GateSession:
    # A bucket that fails is an error here: no command can do without it.
    flags = {"litegate_store_required": "true"}
    options = parse(Path.cwd(), flags, settings(Path.cwd()))
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
    remote = artifacts.remote
    unnamed = in_bucket.entries(remote) if remote else entries(artifacts)
    listed = [replace(entry, what=needed.get(entry.key, entry.what)) for entry in unnamed]
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
    sizes = in_bucket.object_sizes(remote) if remote else object_sizes(artifacts)
    count = f"{len(listed):,} entries, {len(sizes):,} files"
    typer.echo(f"{count}, {sum(sizes):,} B in {_place(artifacts)}")


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
    removed, freed = (
        in_bucket.prune(artifacts.remote, needed, days=older_than, only=groups)
        if artifacts.remote
        else prune_entries(artifacts, needed, on_locked, days=older_than, only=groups)
    )
    typer.echo(f"{_counted(removed)}; {freed:,} B freed in {_place(artifacts)}")


def _counted(removed: list[Entry]) -> str:
    """Count the removed entries by kind."""
    if not removed:
        return "removed no entries"
    kinds = Counter(entry.group for entry in removed)
    by_kind = ", ".join(f"{count:,} of {kind}" for kind, count in sorted(kinds.items()))
    return f"{len(removed):,} {'entry' if len(removed) == 1 else 'entries'} removed: {by_kind}"


_EVERYTHING = Annotated[
    bool, typer.Option("--all", help="Also copy what this project does not need.")
]


@store.command()
def push(*, everything: _EVERYTHING = False) -> None:
    """Copy what this project needs from the local folder to the bucket, if it is missing."""
    session = _session()
    artifacts, remote = _with_bucket(session)
    remote.demand_writable()
    needed, count = {} if everything else _needed(session), 0
    for path in artifacts.manifest_paths():
        group, key = path.parent.name, path.stem
        if (everything or key in needed) and not remote.has(group, key):
            artifacts.locate(group, key)  # nothing damaged is copied
            artifacts.share(group, key)
            count += 1
    typer.echo(f"copied {count:,} entries to {remote.url}")


@store.command()
def pull(*, everything: _EVERYTHING = False) -> None:
    """Copy what this project needs from the bucket to the local folder, if it is missing."""
    session = _session()
    artifacts, remote = _with_bucket(session)
    keys = (
        [(entry.group, entry.key) for entry in in_bucket.entries(remote)]
        if everything
        else [(group, key) for key in _needed(session) if key for group in _NEEDED]
    )
    missing = [it for it in keys if not artifacts.manifest_path(*it).is_file()]
    count = sum(artifacts.has(*it) for it in missing)
    typer.echo(f"copied {count:,} entries to {artifacts.root}")


def _with_bucket(session: GateSession) -> tuple[Store, RemoteStore]:
    artifacts = session.pipeline.store
    if artifacts.remote is None:
        raise StoreError(
            f"the store {artifacts.root} is a folder",
            expected="a bucket, which other machines can reach",
            remedy="set LITEGATE_STORE=s3://BUCKET/PREFIX, and LITEGATE_CACHE to the folder",
        )
    return artifacts, artifacts.remote


def _place(artifacts: Store) -> str:
    return artifacts.remote.url if artifacts.remote else str(artifacts.root)


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
    remote, place = artifacts.remote, _place(artifacts)
    damaged = list(in_bucket.verify(remote) if remote else verify(artifacts))
    for group, key, what in damaged:
        typer.echo(plain(f"{group}/{short_digest(key)}: {what}"))
        if remove and group != "objects" and remote is None:
            artifacts.forget(group, key)
    if remove and remote:
        in_bucket.remove_damaged(remote, damaged)
    elif remove:
        artifacts.remove([], lambda _: None)
        still_damaged = list(verify(artifacts))
        if still_damaged:
            raise StoreError(f"{place} still has damaged entries", got=still_damaged[0][2])
    typer.echo(f"{len(damaged):,} damaged in {place}" if damaged else f"no damage in {place}")
    raise typer.Exit(int(bool(damaged) and not remove))
