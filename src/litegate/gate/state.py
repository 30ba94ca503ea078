"""The facts of one run, and the keys under which pytest's configuration keeps them."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import pytest

from litegate.core.errors import ConfigError, LitegateError
from litegate.core.escaping import plain
from litegate.core.git import changed_files, commit_hash
from litegate.core.import_paths import own_folders
from litegate.core.options import OPTIONS, GateOptions
from litegate.gate.checks.coverage import LimitCoverage
from litegate.gate.environment import header
from litegate.gate.invocation import collect_arguments, looks, narrowed, setting, whole_folder
from litegate.gate.progress import Progress, uncaptured
from litegate.gate.recorder import Recorder
from litegate.gate.session import GateSession
from litegate.gate.trusted_store import demand_store
from litegate.regression import waiver_file
from litegate.regression.base_commit import NONE
from litegate.regression.base_declaration import Base, read_head, with_sources
from litegate.regression.unchanged import shared_change, unchanged_models
from litegate.regression.waivers import Waiver, find_waiver, today
from litegate.regression.weakening import (
    WeakenedLimits,
    compare,
    compare_model,
    compare_project,
)
from litegate.report.outcomes import NOT_JUDGED_ON
from litegate.spec.cases import Case

if TYPE_CHECKING:
    from litegate.mutation.faults import Scene

ROLES = frozenset({"base", "anchor"})
"""Fixtures that give an artifact of another commit."""


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """The checks of a run, once they are collected."""

    functions: Mapping[str, Any] = field(default_factory=dict)
    """The function of every test below the folder of checks, by node id without brackets."""
    coverage: LimitCoverage = field(default_factory=LimitCoverage)
    shown: Mapping[str, str] = field(default_factory=dict)
    """The models without a gated recipe, each with what to do."""
    checks: tuple[pytest.Item, ...] = ()
    """The checks that were collected and have their case, before `-k` and its like select."""
    proof_only: tuple[pytest.Item, ...] = ()
    """Checks that compare with a base that this run does not have: `--prove` alone runs them."""


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Gate:
    """The facts of a run that was pointed at the folder of checks."""

    config: pytest.Config
    options: GateOptions
    session: GateSession
    base: Base | None
    """The merge base that the run compares with."""
    anchor: Base | None
    """The pinned commit that it compares with, too."""
    head: Mapping[str, Any] | None
    """The declaration of this checkout from a process of its own; None without a base."""
    weakened: Mapping[str, WeakenedLimits] | ConfigError
    """The limits that this checkout weakens, by model and "" for the project, or why they are not
    known. Compared before its models and checks are loaded: their code could replace the
    comparison."""
    waivers: tuple[Waiver, ...]
    """The exceptions that the project's reviewed file names."""
    progress: Progress
    recorder: Recorder

    @classmethod
    def open(cls, config: pytest.Config, options: GateOptions) -> Gate:
        """Read what the run depends on.

        Raises ConfigError for a misspelt model, a model file that does not load, a base that cannot
        be read, or a damaged file of waivers, and StoreError for a store that cannot be used.
        """
        progress = Progress()

        def on_wait(notice: str) -> None:
            with uncaptured(config):  # pytest captures what a check prints
                progress.on_wait(notice)

        session = GateSession(options, progress.on_event, progress.on_notice, on_wait)
        if not (hasattr(config, "workerinput") or looks(config)):
            demand_store(session.pipeline.store, options)  # before the first model's file is loaded
        if options.only_models or options.only_recipes or options.only_runtimes:
            session.demand_selection()
        base, anchor = session.base, session.anchor
        head, weakened = _compare_with_base(config, options, base)
        if not looks(config):
            session.unchanged = _left_out(options, base, head, on_notice=progress.on_notice)
            session.demand_declarations()  # late: what this checkout weakens is known by now
        return cls(
            config=config,
            options=options,
            session=session,
            base=base,
            anchor=anchor,
            head=head,
            weakened=weakened,
            waivers=waiver_file.load(config.rootpath, today()),
            progress=progress,
            recorder=Recorder(run=session.new_run()),
        )

    @property
    def is_worker(self) -> bool:
        """Return True in a worker of pytest-xdist."""
        return hasattr(self.config, "workerinput")

    @property
    def plan(self) -> Plan:
        """The checks of the run; empty until they are collected."""
        return self.config.stash.get(PLAN, Plan())

    @property
    def scene(self) -> Scene | None:
        """The planted artifacts that checks get during a proof, or None."""
        return self.config.stash.get(SCENE, None)

    def header(self) -> list[str]:
        """Lines for pytest's header."""
        words = {"base": "against {}, the merge base with {}", "anchor": "and {}, the anchor {}"}
        # Not the counterparts: they load the models, and an error here would be pytest's own.
        sides = (("base", self.base), ("anchor", self.anchor))
        commits = ((role, side.commit) for role, side in sides if side)
        compared = [words[role].format(commit.short, plain(commit.ref)) for role, commit in commits]
        if self.base is None:
            compared.insert(0, f"against {NONE}: nothing is compared with a base")
        elif self.base.commit.sha == commit_hash(self.config.rootpath, "HEAD"):
            compared.append("the base is HEAD itself: only changes that are not committed count")
        return header(self.recorder.run.environment) + compared

    @cached_property
    def declaration(self) -> Mapping[str, Any]:
        """The declaration of this checkout; without a base its checks must be collected."""
        return self.head or with_sources(self.collected(), self.config.rootpath)

    def collected(self) -> dict[str, Any]:
        """Return what this process collected of a declaration, in JSON types."""
        project = self.config.rootpath
        paths = (*self.config.getini("pythonpath"), *own_folders(project))
        settings = {name: setting(self.config, name) for name in _SETTINGS}
        return self.session.declared | {
            "settings": settings | {"addopts": shlex.join(self.config.getini("addopts"))},
            "nodes": list(self.plan.functions),
            "folder": os.path.relpath(self.options.checks, project),
            "paths": [os.path.relpath(path, project) for path in paths],
        }

    def is_check(self, path: Path) -> bool:
        """Return True if a test file is below the folder of checks."""
        return path.resolve().is_relative_to(self.options.checks.resolve())

    def is_asked_for_all(self) -> bool:
        """Return True if the command line names the whole folder of checks."""
        return whole_folder(self.config, self.options.checks)

    def weakened_limits(self, case: Case | None) -> WeakenedLimits:
        """The weakened limits of a model, or of the project. Raises ConfigError without a base."""
        name = case.model.name if case else ""
        if self.scene:
            head = self.declaration
            base = self.scene.derive_base_declaration(head)
            return compare_model(base, head, name) if case else compare_project(base, head)
        if isinstance(self.weakened, ConfigError):
            raise self.weakened
        if name not in self.weakened:
            raise ConfigError(f"{name} is missing if another process loads the models")
        return self.weakened[name]

    def declares_otherwise(self) -> list[str]:
        """Return the models that this process declares otherwise than the process of their own.

        A model's file may ask which process it is in. Limits that hold there count for nothing.
        """
        if self.head is None:
            return []
        here, there = self.session.declared["models"], self.head["models"]
        names = dict.fromkeys((*here, *there))
        return [name for name in names if _as_text(here.get(name)) != _as_text(there.get(name))]

    def subset_notes(self) -> list[str]:
        """Notes on how this run was narrowed to a subset of the checks; empty if it has all."""
        left_out = self.recorder.left_out
        checks = self.options.checks
        how = ", ".join(narrowed(self.config, checks, left_out=bool(left_out)))
        unjudged = self.session.unjudged_runtimes()
        notes = [f"only some of the checks were run: {plain(how)}"] if how else []
        if unchanged := self.session.unchanged:
            whole = f"{len(unchanged):,} of {len(self.session.all_models):,} models"
            notes.append(f"{whole} are as in the base and not judged, as --litegate-changed asks")
        if unjudged:
            notes.append(f"{NOT_JUDGED_ON} {', '.join(unjudged)}, as --litegate-runtime asks")
        if left_out:
            count = f"{len(left_out)} of {len(self.recorder.offered)} checks were left out"
            notes.append(f"{count}, such as {plain(left_out[0])}")
        return notes

    def build(self, cases: list[Case], cases_by_role: Mapping[str, list[Case]]) -> None:
        """Build the artifacts of some cases, and of other commits by role, showing progress."""
        try:
            with uncaptured(self.config), self.progress.shown(self.config):
                self.session.build(cases)
                for role, side in self.session.counterparts.items():
                    side.build(cases_by_role[role])
        except LitegateError as error:  # an error of one artifact alone is its checks' to report
            raise pytest.UsageError(str(error)) from error

    def failing_folder(self) -> Path:
        """The folder for files that failing checks leave behind; made if it is missing."""
        folder = self.options.report / ("planted" if self.scene else "failing")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def waiver_row(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The waiver that covers a verdict's row, as a row of the report; or None."""
        waiver = find_waiver(self.waivers, row, today())
        return waiver.to_row() if waiver else None


def _compare_with_base(
    config: pytest.Config, options: GateOptions, base: Base | None
) -> tuple[Mapping[str, Any] | None, Mapping[str, WeakenedLimits] | ConfigError]:
    """Read the declaration of this checkout, and return it with what it weakens, or an error."""
    if base is None or looks(config):
        return None, ConfigError("weakened limits need a base to compare with", remedy=_AGAINST)
    try:
        head = _read_head(config, options)
    except ConfigError as error:
        return None, error
    return head, compare(base.declaration, head)


def _left_out(
    options: GateOptions,
    base: Base | None,
    head: Mapping[str, Any] | None,
    *,
    on_notice: Callable[[str], None],
) -> frozenset[str]:
    """Return the models that `--litegate-changed` leaves out. Raises ConfigError without a base."""
    if not options.only_changed:
        return frozenset()
    if options.prove:
        raise ConfigError(
            "--litegate-changed leaves models out, and --prove proves the gate of all models",
            remedy="run the two apart",
        )
    if base is None:
        raise ConfigError("--litegate-changed needs a base to compare with", remedy=_AGAINST)
    if head is None:
        return frozenset()  # nothing is known of this checkout: all of it is judged
    written = (options.store, options.report, options.history)
    changed = [
        file
        for file in changed_files(options.project, base.commit)
        if not any((options.project / file).is_relative_to(folder) for folder in written)
    ]
    if file := shared_change(base.models, head["models"], changed):
        on_notice(f"all models are judged: {file} differs from the base and belongs to none")
    return unchanged_models(base.models, head["models"], changed)


def _read_head(config: pytest.Config, options: GateOptions) -> Mapping[str, Any]:
    """Read the declaration of this checkout; a worker of pytest-xdist has its controller's."""
    worker_input: Mapping[str, Any] = getattr(config, "workerinput", {})
    if HEAD in worker_input:
        declaration: Mapping[str, Any] = json.loads(worker_input[HEAD])
        return declaration
    return read_head(config.rootpath, collect_arguments(config, options))


_AGAINST = "run with --against REF"
HEAD = "litegate_head"
"""Key of the head's declaration among what a worker of pytest-xdist gets, as JSON."""
GATE = pytest.StashKey[Gate]()
PLAN = pytest.StashKey[Plan]()
SCENE = pytest.StashKey["Scene | None"]()
_SETTINGS = tuple(option.name for option in OPTIONS if not option.personal)
"""Settings that a checkout shares, and that a change may weaken."""


def _as_text(model: Any) -> str:
    """Return a declared model as JSON, in which a NaN equals itself."""
    return json.dumps(model, sort_keys=True)
