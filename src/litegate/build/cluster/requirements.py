"""Compare workers with this machine, and jobs with the resources of a cluster's nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from litegate.build.cluster.job import Job
from litegate.build.toolchain.pins import PINS, QUANTIZER_PINS
from litegate.core.errors import BuildError, ConfigError

_PINNED = {**PINS, **QUANTIZER_PINS}
_UNITS = {"CPU": "CPUs", "GPU": "GPUs", "memory": "B of memory"}


def packages_for(jobs: Iterable[Job], *, in_bucket: bool) -> dict[str, str]:
    """Return the distributions that the jobs' workers need, with the extra that installs each."""
    jobs = list(jobs)
    packages = {"litegate": "ray"}
    if in_bucket:
        packages["obstore"] = "remote"
    if any(job.needs_tensorflow for job in jobs):
        packages |= dict.fromkeys(PINS, "train")
    if any(job.needs_quantizer for job in jobs):
        packages |= dict.fromkeys(QUANTIZER_PINS, "quantizer")
    return packages


def demand_same(
    here: Mapping[str, Any], worker: Mapping[str, Any], packages: Mapping[str, str], store: str
) -> None:
    """Raise ConfigError unless a worker makes the files that this machine asks for.

    `here` and `worker` are their `facts`, `packages` those of `packages_for`. This machine itself
    may be without the tool chain, whose versions are pinned.
    """
    version = here["versions"]["litegate"]
    expected = {"Python": here["python"], "litegate": version}
    expected |= {name: _PINNED[name] for name in packages if name in _PINNED}
    actual = {"Python": worker["python"]} | worker["versions"]
    # A development version may have another source under the same number. Ten digits tell apart.
    expected["tool chain"], actual["tool chain"] = (it["toolchain"][:10] for it in (here, worker))
    expected |= {name: actual[name] or "any version" for name in packages if name not in expected}
    if differing := [name for name, text in expected.items() if actual[name] != text]:
        extras = ",".join(dict.fromkeys(packages.values()))
        raise ConfigError(
            f"the Ray node {worker['host']} has another environment than this machine",
            expected=", ".join(f"{name} {expected[name]}" for name in differing),
            got=", ".join(f"{name} {actual[name] or 'not installed'}" for name in differing),
            remedy=f'pip install "litegate[{extras}]=={version}" there, with Python '
            f"{here['python']}",
        )
    if not worker["shares_store"]:
        raise ConfigError(
            f"the Ray node {worker['host']} does not see the store {store}",
            expected="a store that this machine and all nodes share",
            remedy="use a bucket, such as --litegate-store s3://BUCKET/PREFIX, or a folder that "
            "all nodes mount at this path",
        )


def can_run(job: Job, nodes: Iterable[Mapping[str, float]]) -> bool:
    """Return True if one of the nodes has what a job needs, whoever uses it now."""
    needed = job.resources.items()
    return any(all(node.get(name, 0) >= amount for name, amount in needed) for node in nodes)


def unmet(job: Job, nodes: Iterable[Mapping[str, float]], waited: float) -> BuildError:
    """Return the error for a job that no node could run within the wait."""
    described = [_amounts(node) for node in nodes]
    return BuildError(
        f"no node of the Ray cluster can build {job.model}",
        expected=f"one with {_amounts(job.resources)}, within {waited:g} s",
        got="; ".join(dict.fromkeys(described)) or "no node at all",
        remedy="add a node, lower Training(resources=...), raise --litegate-ray-wait"
        + (", or build on the CPU: --litegate-device cpu" if job.gpus else ""),
    )


def _amounts(resources: Mapping[str, float]) -> str:
    return ", ".join(f"{resources.get(name, 0):,g} {unit}" for name, unit in _shown(resources))


def _shown(resources: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return the resources to name: always CPUs and GPUs."""
    return [(name, unit) for name, unit in _UNITS.items() if name != "memory" or name in resources]
