"""The side of a Ray cluster that asks, against a stand-in of Ray."""

import sys
from types import SimpleNamespace

import pytest

from litegate.build.cluster import ray_builder
from litegate.build.cluster.job import Job, WorkerSettings
from litegate.build.cluster.ray_builder import RayBuilder
from litegate.build.process import Ready, Stage
from litegate.build.store import Store
from litegate.core.errors import BuildError, ConfigError

KEY = "k" * 64


class RayError(Exception):
    pass


class WorkerCrashedError(RayError):
    pass


class TaskError(RayError):
    pass


class FakeRay:
    """A cluster: tasks end as `ends` says by their model, in the order of the looks."""

    def __init__(self, nodes, ends, events=()):
        self.ends, self.events, self.cancelled, self.options = ends, list(events), [], {}
        self.nodes = lambda: [{"Alive": True, "Resources": it, "NodeID": "n"} for it in nodes]
        names = ("NodeDiedError", "OutOfMemoryError", "LocalRayletDiedError")
        kinds = {name: type(name, (RayError,), {}) for name in names}
        self.exceptions = SimpleNamespace(
            RayError=RayError,
            RayTaskError=TaskError,
            WorkerCrashedError=WorkerCrashedError,
            **kinds,
        )
        self.util = SimpleNamespace(queue=SimpleNamespace(Queue=lambda **_: self))

    def remote(self, **_options):
        def submit(number, job, *_arguments):
            return job.model

        def options(**chosen):
            self.options[chosen.pop("name")] = chosen
            return SimpleNamespace(remote=submit)

        return lambda _function: SimpleNamespace(options=options)

    def wait(self, tasks, **_):
        done = [task for task in tasks if task in self.ends]
        if any(self.ends[task] is KeyboardInterrupt for task in done):
            raise KeyboardInterrupt
        return done, []

    def get(self, task):
        if isinstance(self.ends[task], Exception):
            raise self.ends[task]
        return self.ends[task]

    def cancel(self, task):
        self.cancelled.append(task)

    def qsize(self):
        return len(self.events)

    def get_nowait_batch(self, count):
        batch, self.events = self.events[:count], self.events[count:]
        return batch


def job(model="kws", **resources):
    needs = {"needs_tensorflow": True, "needs_quantizer": False}
    resources = {"cpus": 1, "gpus": 0, "memory": 0} | resources
    keys = {"int8_qat": KEY}
    return Job(model=model, file="m.py", keys=keys, seed=7, device="cpu", **resources, **needs)


class Head:
    """A builder whose cluster is a stand-in, with what it showed."""

    def __init__(self, folder, *, readonly=False):
        self.shown, self.notices = [], []
        self.builder = RayBuilder(
            store=Store(folder / "store"),
            settings=WorkerSettings(
                remote="",
                store=str(folder),
                is_readonly=readonly,
                public_key="",
                data="",
                import_folders=(),
                build_timeout=1,
                lock_timeout=1,
            ),
            project=folder,
            wait=0.01,
            on_event=lambda *it: self.shown.append(it),
            on_notice=self.notices.append,
        )

    def follow(self, ray, *jobs):
        ray_builder._Run(ray=ray, builder=self.builder, jobs=jobs).follow()
        return {model: error for (model, _), error in self.builder._outcomes.items()}


@pytest.fixture
def head(tmp_path):
    return Head(tmp_path)


def test_each_job_ends_as_its_task_does(head):
    """A build's own error comes back as it was; a job of another model is not concerned."""
    error = BuildError("cannot build ic/int8_qat (train): the loss is nan")
    ray = FakeRay([{"CPU": 2.0}], {"kws": {"int8_qat": None}, "ic": {"int8_qat": error}})
    assert head.follow(ray, job(), job("ic", cpus=2, memory=9)) == {"kws": None, "ic": error}
    assert ray.options["litegate ic"] == {"num_cpus": 2, "num_gpus": 0, "memory": 9}
    assert ray.options["litegate kws"]["memory"] is None


def test_a_lost_worker_and_an_unforeseen_exception_are_told_apart(head):
    trace = TaskError("ray::litegate()\n  File x\nKeyError: 'a'")
    ray = FakeRay([{"CPU": 1.0}], {"kws": WorkerCrashedError("died\nmore"), "ic": trace})
    errors = head.follow(ray, job(), job("ic"))
    assert "was lost 4 times" in errors["kws"].what
    assert (errors["kws"].got, errors["ic"].got) == ("died", "KeyError: 'a'")
    assert errors["ic"].what == "cannot build ic: its Ray task failed"


def test_a_request_that_no_node_can_meet_ends_after_the_wait(head):
    """The others go on."""
    ray = FakeRay([{"CPU": 1.0}], {"kws": {"int8_qat": None}})
    errors = head.follow(ray, job(), job("ic", gpus=1))
    assert errors["kws"] is None
    assert "no node of the Ray cluster can build ic" in errors["ic"].what
    assert ray.cancelled == ["ic"]


def test_ctrl_c_cancels_what_runs(head):
    ray = FakeRay([{"CPU": 1.0}], {"ic": KeyboardInterrupt})
    with pytest.raises(KeyboardInterrupt):
        head.follow(ray, job(), job("ic"))
    assert ray.cancelled == ["kws", "ic"]


def test_events_name_model_and_worker(head):
    """A model that starts twice has lost its worker."""
    stage = Stage(recipe="int8_qat", stage="train")
    events = [(0, "a (1)", None), (0, "a (1)", stage), (0, "b (2)", None)]
    events += [(0, "b (2)", Ready(recipe="int8_qat"))]
    head.follow(FakeRay([{"CPU": 1.0}], {"kws": {"int8_qat": None}}, events), job())
    shown = [event for _, event in head.shown]
    assert shown[0] == Stage(recipe="int8_qat", stage="train", worker="a (1)")
    assert shown[1:] == [Ready(recipe="int8_qat"), Ready(recipe="")]
    assert {model for model, _ in head.shown} == {"kws"}
    assert head.notices == ["kws is built again on b (2): lost a worker on a (1)"]


def test_without_ray_each_job_has_the_error_that_installs_it(head, monkeypatch):
    """It is tried once in a run."""
    monkeypatch.setitem(sys.modules, "ray", None)
    outcomes = head.builder.build([job(), job("ic")])
    errors = list(outcomes.values())
    assert all(isinstance(error, ConfigError) for error in errors)
    assert errors[0] is not errors[1]
    assert "pip install 'litegate[ray]'" in errors[0].remedy
    assert head.builder.build([job()]) == outcomes


def test_workers_need_a_store_that_they_may_write_to(tmp_path):
    head = Head(tmp_path, readonly=True)
    [error] = head.builder.build([job()]).values()
    assert "--litegate-store-readonly" in error.got
