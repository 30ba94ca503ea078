"""What a worker must have in common with the machine that asks, and a node with a job."""

import pytest

from litegate.build.cluster.facts import facts
from litegate.build.cluster.job import Job
from litegate.build.cluster.requirements import can_run, demand_same, packages_for, unmet
from litegate.build.toolchain.pins import PINS
from litegate.core.errors import ConfigError


def job(cpus=1, gpus=0, memory=0, **needs):
    needs = {"needs_tensorflow": True, "needs_quantizer": False} | needs
    resources = {"cpus": cpus, "gpus": gpus, "memory": memory}
    return Job(model="kws", file="", keys={}, seed=0, device="cpu", **resources, **needs)


def described(**changes):
    """The facts of a machine with everything."""
    packages = packages_for([job(needs_quantizer=True)], in_bucket=True)
    versions = {name: PINS.get(name, "1.0") for name in packages}
    versions |= {"litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "litegate": "0.1.0"}
    machine = {"host": "node7", "python": "3.12", "toolchain": "a" * 64, "shares_store": True}
    return machine | {"versions": versions | changes.pop("versions", {})} | changes


def demand(worker, here=None, **needs):
    packages = packages_for([job(**needs)], in_bucket=True)
    demand_same(here or described(), worker, packages, "/store")


def test_a_machine_has_its_own_environment(tmp_path):
    file = tmp_path / "shared"
    packages = tuple(packages_for([job()], in_bucket=False))
    here = facts(packages, str(file))
    assert here["shares_store"] is False
    file.touch()
    here = facts(packages, str(file))
    if all(here["versions"].get(name) == pin for name, pin in PINS.items()):
        demand_same(here, here, packages_for([job()], in_bucket=False), "")


@pytest.mark.parametrize(
    ("changes", "expected", "got"),
    [
        ({"python": "3.11"}, "Python 3.12", "Python 3.11"),
        ({"versions": {"litegate": "0.0.9"}}, "litegate 0.1.0", "litegate 0.0.9"),
        ({"versions": {"litegate": ""}}, "litegate 0.1.0", "litegate not installed"),
        ({"toolchain": "b" * 64}, "tool chain aaaaaaaaaa", "tool chain bbbbbbbbbb"),
        ({"versions": {"tensorflow": ""}}, "tensorflow 2.21.0", "tensorflow not installed"),
        ({"versions": {"obstore": ""}}, "obstore any version", "obstore not installed"),
    ],
)
def test_another_environment_is_refused_with_what_installs_it(changes, expected, got):
    with pytest.raises(ConfigError, match="the Ray node node7 has another environment") as caught:
        demand(described(**changes))
    assert (caught.value.expected, caught.value.got) == (expected, got)
    install = 'pip install "litegate[ray,remote,train]==0.1.0" there, with Python 3.12'
    assert caught.value.remedy == install


def test_what_decides_no_byte_may_differ():
    """And this machine, which only compares, may be without the tool chain."""
    bare = {"tensorflow": "", "litert-quantizer": ""}
    demand(described(versions={"obstore": "2.0", "litert-quantizer": ""}), described(versions=bare))
    with pytest.raises(ConfigError, match=r"litegate\[ray,remote,train,quantizer\]"):
        demand(described(versions={"litert-quantizer": "0.10"}), needs_quantizer=True)
    quantized = {"needs_tensorflow": False, "needs_quantizer": True}
    demand(described(versions={"tensorflow": ""}), **quantized)


def test_a_store_that_a_node_does_not_see_is_refused():
    with pytest.raises(ConfigError, match=r"node7 does not see the store /store[\s\S]*s3://"):
        demand(described(shares_store=False))


NODES = [{"CPU": 2.0, "memory": 100.0}, {"CPU": 1.0, "GPU": 1.0, "memory": 50.0}]


@pytest.mark.parametrize(
    ("needed", "is_possible"),
    [
        (job(cpus=2), True),
        (job(cpus=2.1), False),
        (job(gpus=1), True),
        (job(gpus=0.5, memory=50), True),
        (job(gpus=0.5, memory=51), False),
        (job(cpus=2, gpus=1), False),
        (job(memory=100), True),
        (job(memory=101), False),
    ],
)
def test_one_node_must_have_all_that_a_job_needs(needed, is_possible):
    assert can_run(needed, NODES) is is_possible
    assert not can_run(needed, [])


def test_the_error_names_what_the_nodes_have():
    error = unmet(job(gpus=2, memory=10), NODES[:1] * 3, 60)
    assert error.what == "no node of the Ray cluster can build kws"
    assert error.expected == "one with 1 CPUs, 2 GPUs, 10 B of memory, within 60 s"
    assert error.got == "2 CPUs, 0 GPUs, 100 B of memory"
    assert "--litegate-ray-wait" in error.remedy
    assert "--litegate-device cpu" in error.remedy
    assert "--litegate-device cpu" not in unmet(job(cpus=9), [], 60).remedy
    assert unmet(job(cpus=9), [], 60).got == "no node at all"
