"""Build models on a Ray cluster: a task for each model, whose files end in the shared store."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, final

from litegate.build.cluster import facts
from litegate.build.cluster.job import Job, Outcomes, WorkerSettings
from litegate.build.cluster.requirements import can_run, demand_same, packages_for, unmet
from litegate.build.cluster.shipping import pack
from litegate.build.cluster.worker import build_job
from litegate.build.process import Event, Ready
from litegate.build.store import Store
from litegate.core.errors import BuildError, ConfigError, LitegateError

ADDRESS = "RAY_ADDRESS"
"""The environment variable with the cluster's address; Ray is started on this machine without."""
LOST_WORKERS = 3
"""Times that a job is started again after its worker was lost: a node that is taken away costs one,
and a build that kills its worker each time must end. Three is a choice."""
_LOOK = 0.5
"""Seconds between two looks at the cluster, as often as the tool chain reports."""
_GRACE = 5.0
"""Seconds for workers to end their builds after Ctrl-C, which have 3 s themselves
(`process.GRACE`); then Ray kills them with the run."""


@final
@dataclass(kw_only=True, eq=False)
class RayBuilder:
    """Builds jobs on the cluster that RAY_ADDRESS names, or on one of this machine."""

    store: Store
    settings: WorkerSettings
    project: Path
    wait: float
    """Seconds for which a job may wait for a node that has its resources."""
    on_event: Callable[[str, Event], None]
    on_notice: Callable[[str], None]
    _outcomes: dict[tuple[str, str], LitegateError | None] = field(default_factory=dict)

    def build(self, jobs: Sequence[Job]) -> Outcomes:
        """Build what this run has not yet tried; see `Builder`."""
        new = [_without(job, self._outcomes) for job in jobs]
        new = [job for job in new if job.keys]
        if new:
            try:
                self._build(new)
            except LitegateError as error:  # of all jobs: no cluster, other versions
                for job in new:
                    pending = _without(job, self._outcomes)
                    # Each its own: the error will name the model's file.
                    self.finish(pending, {name: copy(error) for name in pending.keys})
        return self._outcomes

    def _build(self, jobs: Sequence[Job]) -> None:
        if self.settings.is_readonly:
            raise ConfigError(
                "--litegate-builder ray needs a store that the workers may write to",
                got="--litegate-store-readonly",
                remedy="leave one of the two out",
            )
        ray = _import_ray()
        with self._connected(ray):
            self._check_workers(ray, jobs)
            _Run(ray=ray, builder=self, jobs=jobs).follow()

    @contextmanager
    def _connected(self, ray: Any) -> Iterator[None]:
        """Connect to the cluster with the project's files; disconnect in any case."""
        address = os.environ.get(ADDRESS) or "local"
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray sends statistics otherwise
        with TemporaryDirectory() as folder:
            archive = Path(folder) / "project.zip"
            pack(self.project, archive)
            try:
                ray.init(
                    address=address,
                    runtime_env={"working_dir": str(archive)},
                    # This builder reports the progress: Ray's lines would stand between the run's.
                    logging_level=logging.ERROR,
                    log_to_driver=False,
                    # Only costs start-up, and a cluster that runs already has decided.
                    include_dashboard=False if address == "local" else None,
                )
            except (ConnectionError, OSError, RuntimeError, ValueError) as error:
                raise ConfigError(
                    f"cannot connect to Ray at {address}",
                    got=str(error).partition("\n")[0],
                    remedy=f"check {ADDRESS}, and that Ray and Python have the same versions there",
                ) from error
            try:
                yield
            finally:
                ray.shutdown()

    def _check_workers(self, ray: Any, jobs: Sequence[Job]) -> None:
        """Ask each node that could run a job for its `facts`. Raises ConfigError."""
        packages = packages_for(jobs, in_bucket=bool(self.settings.remote))
        with self.store.staging() as staging:
            shared = "" if self.settings.remote else str(staging.resolve())
            ask = _by_value(ray, facts.facts)
            asked = [
                # No CPU, so that a busy node answers, too.
                ask.options(num_cpus=0, scheduling_strategy=_on(ray, node["NodeID"])).remote(
                    tuple(packages), shared
                )
                for node in _nodes(ray)
                if any(can_run(job, [node["Resources"]]) for job in jobs)
            ]
            here = facts.facts(tuple(packages), shared)
            try:
                answers = ray.get(asked, timeout=self.wait)
            except ray.exceptions.RayError as error:
                raise _refused(error, self.wait) from error
        for worker in answers:
            demand_same(here, worker, packages, str(self.store.root))

    def finish(self, job: Job, errors: Mapping[str, LitegateError | None]) -> None:
        """Keep the end of each recipe of a job."""
        self._outcomes |= {(job.model, key): errors[name] for name, key in job.keys.items()}


@final
@dataclass(kw_only=True, eq=False)
class _Run:
    """The tasks of one call of `build`."""

    ray: Any
    builder: RayBuilder
    jobs: Sequence[Job]
    _starts: dict[int, str] = field(default_factory=dict)
    """The worker that last started each job, by its position."""

    def follow(self) -> None:
        """Start all jobs and wait for them; cancel them after any exception, such as Ctrl-C."""
        # No CPU, so that the queue does not hold a core that a job needs.
        queue = self.ray.util.queue.Queue(actor_options={"num_cpus": 0})
        # Only a lost worker is tried again, never an error of the build.
        submit = self.ray.remote(max_retries=LOST_WORKERS, retry_exceptions=False)(_task)
        arguments = (self.builder.settings, str(self.builder.project.resolve()), queue)
        pending = {
            submit.options(
                name=f"litegate {job.model}",
                num_cpus=job.cpus,
                num_gpus=job.gpus,
                memory=job.memory or None,
            ).remote(number, job, *arguments): job
            for number, job in enumerate(self.jobs)
        }
        try:
            self._wait(pending, queue)
        except BaseException:
            self._cancel(list(pending))
            raise

    def _wait(self, pending: dict[Any, Job], queue: Any) -> None:
        possible_at = dict.fromkeys(pending, time.monotonic())
        while pending:
            done, _ = self.ray.wait(list(pending), num_returns=len(pending), timeout=_LOOK)
            self._report(queue)
            for task in done:
                job = pending.pop(task)
                self.builder.finish(job, self._errors(task, job))
                self.builder.on_event(job.model, Ready(recipe=""))  # nothing of it runs any more
            self._end_impossible(pending, possible_at)

    def _end_impossible(self, pending: dict[Any, Job], possible_at: dict[Any, float]) -> None:
        """End the jobs that no node could have run for the whole wait."""
        nodes = [node["Resources"] for node in _nodes(self.ray)]
        for task, job in list(pending.items()):
            if can_run(job, nodes):
                possible_at[task] = time.monotonic()
            elif time.monotonic() - possible_at[task] >= self.builder.wait:
                self._cancel([task])
                error = unmet(job, nodes, self.builder.wait)
                self.builder.finish(pending.pop(task), dict.fromkeys(job.keys, error))

    def _errors(self, task: Any, job: Job) -> Mapping[str, LitegateError | None]:
        try:
            errors: Mapping[str, LitegateError | None] = self.ray.get(task)
        except self.ray.exceptions.RayError as error:
            return dict.fromkeys(job.keys, _lost(self.ray, error, job))
        return errors

    def _report(self, queue: Any) -> None:
        """Show the events that workers have sent meanwhile."""
        while waiting := queue.qsize():
            for number, worker, event in queue.get_nowait_batch(waiting):
                if event is None:
                    self._report_start(number, worker)
                else:
                    shown = event if isinstance(event, Ready) else replace(event, worker=worker)
                    self.builder.on_event(self.jobs[number].model, shown)

    def _report_start(self, number: int, worker: str) -> None:
        if lost := self._starts.get(number):
            model = self.jobs[number].model
            self.builder.on_notice(f"{model} is built again on {worker}: lost a worker on {lost}")
        self._starts[number] = worker

    def _cancel(self, tasks: list[Any]) -> None:
        for task in tasks:
            with suppress(self.ray.exceptions.RayError):
                self.ray.cancel(task)
        self.ray.wait(tasks, num_returns=len(tasks), timeout=_GRACE)


def _task(
    number: int, job: Job, settings: WorkerSettings, head_project: str, queue: Any
) -> dict[str, LitegateError | None]:
    """Build a job: the body of a Ray task, whose working directory is the project's copy."""
    import platform

    import ray

    worker = f"{platform.node()} ({ray.get_runtime_context().get_node_id()[:6]})"
    queue.put((number, worker, None))

    def on_event(_model: str, event: Event) -> None:
        queue.put((number, worker, event))

    return build_job(job, settings, Path.cwd(), Path(head_project), on_event)


def _import_ray() -> Any:
    try:
        import ray
        import ray.exceptions
        import ray.util.queue
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise ConfigError(
            "--litegate-builder ray needs Ray",
            got=str(error),
            remedy="pip install 'litegate[ray]', here and on the workers",
        ) from error
    return ray


def _by_value(ray: Any, function: Callable[..., Any]) -> Any:
    """Return a remote function that does not need its module on the worker."""
    ray.cloudpickle.register_pickle_by_value(facts)
    # A node that is lost is reported, not asked again.
    return ray.remote(max_retries=0)(function)


def _on(ray: Any, node: str) -> Any:
    strategies = ray.util.scheduling_strategies
    # Not soft: the answer must be that node's.
    return strategies.NodeAffinitySchedulingStrategy(node_id=node, soft=False)


def _nodes(ray: Any) -> list[Mapping[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _without(job: Job, outcomes: Outcomes) -> Job:
    """Return the job without what was tried before in this run."""
    keys = {name: key for name, key in job.keys.items() if (job.model, key) not in outcomes}
    return replace(job, keys=keys)


def _refused(error: Exception, wait: float) -> ConfigError:
    return ConfigError(
        f"the Ray nodes did not answer within {wait:g} s, or could not",
        got=f"{type(error).__name__}: {error}".partition("\n")[0],
        remedy="check `ray status` and the logs of the nodes, or raise --litegate-ray-wait",
    )


def _lost(ray: Any, error: Exception, job: Job) -> LitegateError:
    """Return the error for a task that gave no result."""
    kinds = ("WorkerCrashedError", "NodeDiedError", "OutOfMemoryError", "LocalRayletDiedError")
    got = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, tuple(getattr(ray.exceptions, kind) for kind in kinds)):
        return BuildError(
            f"cannot build {job.model}: its Ray worker was lost {LOST_WORKERS + 1} times",
            got=got,
            remedy="the nodes probably ran out of memory: declare Training(resources="
            "lg.Resources(memory=...)), or reduce Training(batch_size=...)",
        )
    if isinstance(error, ray.exceptions.RayTaskError):
        got = str(error).strip().splitlines()[-1]  # below the traceback of the worker
    return BuildError(f"cannot build {job.model}: its Ray task failed", got=got)
