"""Build a job on a worker: in its copy of the project, into the store that all machines share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from litegate.build.cluster.job import Job, WorkerSettings, with_folder
from litegate.build.pipeline import Pipeline
from litegate.build.process import Event
from litegate.build.remote_store import RemoteStore
from litegate.build.signatures import PRIVATE_KEY
from litegate.build.store import BUILDS, EVALUATIONS, Store
from litegate.build.store_answers import keep_answers
from litegate.build.toolchain.protocol import with_variants
from litegate.core.errors import ConfigError, LitegateError
from litegate.core.import_paths import PACKAGE, own_folders
from litegate.runtimes.inference import predict_all
from litegate.spec import Artifact, DataLocations, Model
from litegate.spec.loader import load_file

_CACHE = "~/.cache/litegate/store"
"""The folder before the bucket, of all projects on a node, unless its LITEGATE_CACHE names one."""


def build_job(
    job: Job,
    settings: WorkerSettings,
    project: Path,
    head_project: Path,
    on_event: Callable[[str, Event], None],
) -> dict[str, LitegateError | None]:
    """Build the recipes of a job, and compute the answers of their files; both go into the store.

    `project` is the worker's copy; errors name `head_project` in its place. Modules of
    `head_project` are not imported. Returns the end of each recipe, and raises nothing of litegate.
    """
    _remove_from_path(head_project)
    try:
        outcomes = _build(job, settings, project, on_event)
    except LitegateError as error:
        outcomes = dict.fromkeys(job.keys, error)
    return {
        name: error and with_folder(error, project, head_project)
        for name, error in outcomes.items()
    }


def _build(
    job: Job, settings: WorkerSettings, project: Path, on_event: Callable[[str, Event], None]
) -> dict[str, LitegateError | None]:
    store = _store(settings)
    pipeline = Pipeline(
        store=store,
        project=project,
        locations=_locations(settings, project, store),
        timeout=settings.build_timeout,
        on_event=on_event,
        on_notice=lambda _: None,
    )
    model = _model(job, settings, project)
    _demand_same_keys(job, {name: pipeline.key(model, name) for name in job.keys})
    built = pipeline.ensure(model, job.keys)
    artifacts = {name: it for name, it in built.items() if isinstance(it, Artifact)}
    # The split first, as in `ChildBuilder._put`.
    _share(store, {(EVALUATIONS, pipeline.split_key(model))} if artifacts else ())
    _share(store, [(BUILDS, job.keys[name]) for name in artifacts])
    for artifact in artifacts.values():
        # An error of a file is its checks' to report, on the machine that judges it.
        with suppress(LitegateError):
            predict_all(keep_answers(store, artifact, read=True))
    return {name: None if isinstance(it, Artifact) else it for name, it in built.items()}


def _remove_from_path(head_project: Path) -> None:
    """Import no module of the asking machine's project: Ray copies its import path to workers.

    The folder may exist here, in another state than the copy.
    """
    theirs = [folder for folder in own_folders(head_project) if folder != PACKAGE.parent]
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() not in theirs]


def _store(settings: WorkerSettings) -> Store:
    if not settings.remote:
        return Store(Path(settings.store), lock_timeout=settings.lock_timeout)
    remote = RemoteStore(
        settings.remote,
        required=True,
        public_key=settings.public_key,
        private_key=os.environ.get(PRIVATE_KEY, ""),
    )
    remote.demand_writable()
    cache = Path(os.environ.get("LITEGATE_CACHE") or _CACHE).expanduser()
    return Store(cache, remote=remote, lock_timeout=settings.lock_timeout)


def _locations(settings: WorkerSettings, project: Path, store: Store) -> DataLocations:
    data = os.environ.get("LITEGATE_DATA") or settings.data
    return DataLocations(
        directory=Path(data) if data else None, cache=store.root.parent / "data", project=project
    )


def _model(job: Job, settings: WorkerSettings, project: Path) -> Model:
    """Load the model's file, with the seed, the device and the variants of the job."""
    for folder in reversed(settings.import_folders):  # each goes to the front, so the first is last
        if (path := str((project / folder).resolve())) not in sys.path:
            sys.path.insert(0, path)
    models = load_file(project / job.file, project)
    if job.model not in models:
        raise ConfigError(f"{job.file} declares no model {job.model} on the Ray worker")
    model = replace(models[job.model], file=(project / job.file).resolve())
    training = replace(model.training, seed=job.seed, device=job.device)
    return with_variants(replace(model, training=training), job.variants)


def _demand_same_keys(job: Job, keys: dict[str, str]) -> None:
    """Raise ConfigError if the worker's copy would give other files than this checkout's."""
    if differing := [name for name, key in keys.items() if key != job.keys[name]]:
        raise ConfigError(
            f"the Ray worker computes other keys for {job.model}: {', '.join(differing)}",
            expected="the same source and files as on the machine that asks",
            remedy="add the files that the model's file imports or reads to git: only those that "
            "git tracks are sent",
        )


def _share(store: Store, entries: Iterable[tuple[str, str]]) -> None:
    """Copy entries to the bucket that the node's own folder had before, and the bucket has not."""
    for group, key in entries:
        if store.remote and not store.remote.has(group, key):
            store.share(group, key)
