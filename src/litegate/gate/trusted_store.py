"""Open the store of a run and its builder, and refuse a store that a change could have brought."""

from __future__ import annotations

import os
from collections.abc import Callable

from litegate.build.cluster.job import Builder, WorkerSettings
from litegate.build.process import Event
from litegate.build.store import Store
from litegate.core.errors import StoreError
from litegate.core.git import Commit, tracked_in
from litegate.core.import_paths import own_folders
from litegate.core.option_table import LOCAL
from litegate.core.options import GateOptions
from litegate.gate.project_settings import committed_settings
from litegate.regression.base_commit import NONE


def open_store(
    options: GateOptions, base: Callable[[], Commit | None], on_notice: Callable[[str], None]
) -> Store:
    """Return the store of a run, with the bucket behind it if it has one.

    `base` is called for the commit whose settings name the public key, if there is a bucket. Raises
    ConfigError if the keys for signed entries do not belong together.
    """
    remote = None
    if options.remote:
        # Late: most runs have none.
        from litegate.build.remote_store import RemoteStore
        from litegate.build.signatures import PRIVATE_KEY

        remote = RemoteStore(
            options.remote,
            readonly=options.store_readonly,
            required=options.store_required,
            public_key=trusted_public_key(options, base()),
            private_key=os.environ.get(PRIVATE_KEY, ""),
            on_notice=on_notice,
        )
    return Store(
        options.store, remote=remote, lock_timeout=options.lock_timeout, on_notice=on_notice
    )


def open_builder(
    options: GateOptions,
    store: Store,
    on_event: Callable[[str, Event], None],
    on_notice: Callable[[str], None],
) -> Builder | None:
    """Return what builds on other machines into a store; None if this machine builds."""
    if options.builder == LOCAL:
        return None
    # Late: most runs build here.
    from litegate.build.cluster.ray_builder import RayBuilder

    root = options.project.resolve()
    return RayBuilder(
        store=store,
        settings=WorkerSettings(
            remote=options.remote,
            store="" if options.remote else str(options.store.resolve()),
            is_readonly=bool(options.remote) and options.store_readonly,
            public_key=store.remote.public_key if store.remote else "",
            data=str(options.data.resolve()) if options.data else "",
            import_folders=tuple(str(it.relative_to(root)) for it in own_folders(root)),
            build_timeout=options.build_timeout,
            lock_timeout=options.lock_timeout,
        ),
        project=options.project,
        wait=options.ray_wait,
        on_event=on_event,
        on_notice=on_notice,
    )


def demand_store(store: Store, options: GateOptions) -> None:
    """Raise StoreError if the store cannot be used, or comes with the change that is judged.

    Whoever wrote its entries decides the verdicts, so none may come out of a commit.
    """
    store.demand_folder()
    if store.remote:
        store.remote.demand_reachable()
    if not options.in_ci and options.against == NONE:
        return
    if tracked := tracked_in(options.store):
        raise StoreError(
            f"git tracks a file of the store: {tracked}",
            expected="a store in a folder that git ignores",
            got="a file that a commit brings, which could replace the artifact to judge",
            remedy=f"run `git rm -r {options.store}`, and add the folder to .gitignore",
        )


def trusted_public_key(options: GateOptions, base: Commit | None) -> str:
    """Return the key with which entries of the bucket must be signed; empty if any is used.

    It is the base commit's if there is one, so that a change cannot bring its own key.
    """
    settings = committed_settings(options.project, base) if base else {}
    return settings.get("litegate_store_public_key", "").strip() or options.store_public_key
