"""Describe a model's build for another machine: what to build, with which settings, and its end.

These objects cross machines, so they contain no path of this one but those of shared folders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, final

from litegate.build.toolchain.protocol import Variant, described
from litegate.core.errors import LitegateError
from litegate.spec import Model
from litegate.spec.recipe import QUANTIZER_KINDS


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Recipes of a model of this checkout that the store does not have."""

    model: str
    file: str
    """The model's file, relative to the project."""
    keys: Mapping[str, str]
    """Artifact keys by recipe, as this machine computes them."""
    seed: int
    device: str
    cpus: float
    gpus: float
    memory: int
    """Bytes; 0 for any."""
    needs_tensorflow: bool
    needs_quantizer: bool
    variants: Mapping[str, Variant] = field(default_factory=dict)
    """Those of the recipes that no file declares, by name."""

    @property
    def resources(self) -> dict[str, float]:
        """Resources that the job needs of a node, by Ray's names."""
        needed = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory}
        return {name: amount for name, amount in needed.items() if amount}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Settings that all workers of a run share."""

    remote: str
    """The address of the bucket; empty if the store is a folder."""
    store: str
    """The folder that all nodes share; empty if the store is a bucket."""
    is_readonly: bool
    """True if this run must not write to the bucket."""
    public_key: str
    data: str
    """The folder of data sets, which a worker's own LITEGATE_DATA replaces; empty without one."""
    import_folders: tuple[str, ...]
    """The project's folders on the import path, relative to it: they are part of keys."""
    build_timeout: float
    lock_timeout: float


Outcomes = Mapping[tuple[str, str], LitegateError | None]
"""By model and artifact key: None if the store has the artifact, or the error that prevented it."""


class Builder(Protocol):
    """Builds on other machines, into the store that they share with this one."""

    def build(self, jobs: Sequence[Job]) -> Outcomes:
        """Build what this run has not yet tried, and return how all of the jobs ended."""
        ...


def job_for(model: Model, keys: Mapping[str, str], project: Path) -> Job:
    """Return the job that builds the recipes of `keys`."""
    training = model.training
    recipes = [model.recipe(name) for name in keys]
    return Job(
        model=model.name,
        file=model.file.relative_to(project.resolve()).as_posix(),
        keys=keys,
        seed=training.seed,
        device=training.device,
        cpus=training.cpus,
        gpus=training.gpus,
        memory=int(training.resources.memory or 0),
        needs_tensorflow=not model.prebuilt,
        needs_quantizer=any(it.kind in QUANTIZER_KINDS for it in recipes),
        variants=described(it for it in recipes if it.variant_of),
    )


def with_folder(error: LitegateError, folder: Path, replacement: Path) -> LitegateError:
    """Return an error of a worker with this machine's project in place of the worker's copy."""

    def replaced(text: str) -> str:
        return text.replace(str(folder), str(replacement))

    return type(error)(
        replaced(error.what),
        expected=replaced(error.expected),
        got=replaced(error.got),
        remedy=replaced(error.remedy),
    )
