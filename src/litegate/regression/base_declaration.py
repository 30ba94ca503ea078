"""Read what the base commit and this checkout declare, from their own files.

A child process loads the models of each: two versions of one module cannot be imported into one
process, and code of the project that runs beside the checks could change what this process reads.
Source of checks is read here, before any file of models or checks is loaded. A commit never
changes, so its declaration is cached in the store under a key with the commit's hash.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, final

from litegate.build.store import Store
from litegate.build.store_folder import DECLARATIONS
from litegate.core.child_process import ChildError, Finished, environment_for, own_module, run
from litegate.core.digests import digest_of
from litegate.core.errors import ConfigError, StoreCorrupt
from litegate.core.escaping import listed
from litegate.core.git import Commit, models_elsewhere, prefix, worktree
from litegate.core.import_paths import PACKAGE, own_folders, path_for
from litegate.regression.check_sources import declared_sources
from litegate.regression.workflow_files import declared_workflows
from litegate.spec.training import CPU

_FILES = ("declaration.json",)
NOTHING: Mapping[str, Any] = {
    section: {}
    for section in (
        *("models", "settings"),
        *("checks", "shared", "statements", "conftests", "modules", "workflows"),
    )
}
"""The declaration of a checkout that does not use litegate yet."""
_TIMEOUT = 300.0
"""Time limit in seconds for loading a checkout's models and collecting its checks.

No build or data set is loaded, so only a hanging model file or conftest takes this long.
"""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Base:
    """The commit that a change is compared with, and its declaration."""

    commit: Commit
    project: Path
    declaration: Mapping[str, Any]

    @property
    def models(self) -> Mapping[str, Any]:
        """The base's models by name; empty if it did not use litegate yet."""
        models: Mapping[str, Any] = self.declaration["models"]
        return models

    @contextmanager
    def checkout(self) -> Iterator[Path]:
        """Check out the base's files into a temporary worktree, and yield its folder."""
        with worktree(self.project, self.commit) as folder:
            yield folder


def read_base(
    commit: Commit,
    project: Path,
    models: Path,
    store: Store,
    on_notice: Callable[[str], None],
    *,
    device: str,
) -> Base:
    """Read the declaration of a commit, from the store or with a child process in a worktree.

    `models` is the folder of models of this checkout, `device` its option: a file of the CPU is
    compared with one of the CPU.

    Raises ConfigError if the base's models do not load, or if the base has models, but none in the
    folders that its own settings name.
    """
    folders = [str(folder.relative_to(project.resolve())) for folder in own_folders(project)]
    # Each version of Python writes source in a normalized layout of its own.
    parts = [commit.sha, prefix(project), _own_source(), folders, sys.version_info[:2]]
    key = digest_of([*parts, device])
    declaration = _load(store, key)
    if declaration is None:
        on_notice(f"reading the declarations of the base {commit.short}")
        declaration = _describe(commit, project, store, key, device)
    if not declaration["models"]:
        _refuse_moved(commit, project, models)
    return Base(commit=commit, project=project, declaration=declaration)


def read_head(project: Path, arguments: Sequence[str]) -> Mapping[str, Any]:
    """Read the declaration of this checkout with a child process.

    `arguments` are those of pytest with which its models and checks are collected. Raises
    ConfigError if they cannot be.
    """
    with TemporaryDirectory() as folder:
        output = Path(folder) / "declaration.json"
        completed = _run(
            _environment(project, project), project, output, "this checkout", arguments
        )
        if completed.exit_code or not output.is_file():
            raise ConfigError(
                "cannot collect the models and checks of this checkout",
                got=completed.last_output,
                remedy="fix the error that pytest prints here: nothing can be compared with the "
                "base before",
            )
        return with_sources(json.loads(output.read_bytes()), project)


def with_sources(collected: Mapping[str, Any], project: Path) -> dict[str, Any]:
    """Complete what was collected in a checkout's folder to its declaration.

    Of the collection, `nodes` names the checks, `folder` is theirs, and `paths` are the folders on
    the import path; both are relative to the project.
    """
    declaration = dict(collected)
    nodes, folder = declaration.pop("nodes"), project / declaration.pop("folder")
    paths = [project / path for path in declaration.pop("paths")]
    sources = declared_sources(nodes, project, folder, paths)
    return declaration | sources | {"workflows": declared_workflows(project)}


def _refuse_moved(commit: Commit, project: Path, models: Path) -> None:
    """Raise ConfigError if the base declares models elsewhere.

    Otherwise a project that moved to another folder, or whose folders are named on the command line
    only, would pass as new, and nothing would be compared.
    """
    moved = models_elsewhere(project, commit, models)
    if moved:
        folder = prefix(project) or "the repository's top"
        raise ConfigError(
            f"the base {commit.short} declares models, but not as a project in {folder}",
            expected="the same project in both, or all its models would count as new",
            got=listed(moved),
            remedy="name litegate_models and litegate_checks in pytest's settings, not on the "
            "command line; move a project to another folder in a change of its own, with "
            "--against none",
        )


def _own_source() -> str:
    """Digest litegate's source: another version may read the same commit differently."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _run(
    environment: Mapping[str, str],
    tree: Path,
    output: Path,
    subject: str,
    arguments: Sequence[str] = (),
) -> Finished:
    try:
        return run(
            own_module("litegate.gate.checkout_declaration", str(output), *arguments),
            stdin=b"",
            cwd=tree,
            env=environment,
            timeout=_TIMEOUT,
        )
    except ChildError as error:
        raise ConfigError(
            f"{subject} could not be read within {_TIMEOUT:g} s",
            remedy="check for a model file or a conftest that hangs",
        ) from error


def _environment(project: Path, tree: Path) -> dict[str, str]:
    """Return the child's environment, in which the base imports its own modules.

    PYTEST_ADDOPTS is meant for this run; the base is read with its own settings alone.
    """
    environment = environment_for(path_for(project, tree))
    environment.pop("PYTEST_ADDOPTS", None)
    return environment


def _load(store: Store, key: str) -> Any:
    try:
        return json.loads(store.get(DECLARATIONS, key, _FILES)["declaration.json"])
    except KeyError:
        return None
    except (StoreCorrupt, ValueError):
        store.forget(DECLARATIONS, key)
        return None


def _describe(commit: Commit, project: Path, store: Store, key: str, device: str) -> Any:
    with worktree(project, commit) as tree, TemporaryDirectory() as folder:
        if not tree.is_dir():
            return NOTHING
        output = Path(folder) / "declaration.json"
        environment = _environment(project, tree) | (
            {"LITEGATE_DEVICE": CPU} if device == CPU else {}
        )
        completed = _run(environment, tree, output, f"the base {commit.short}")
        if completed.exit_code or not output.is_file():
            raise ConfigError(
                f"the models of the base {commit.short} do not load",
                got=completed.last_output,
                remedy="fix the base, or compare with another commit: --against REF",
            )
        collected = json.loads(output.read_bytes())
        declaration = with_sources(collected, tree) if collected["models"] else NOTHING
        output.write_text(json.dumps(declaration), "utf-8")
        store.put(DECLARATIONS, key, dict.fromkeys(_FILES, output))
        return declaration
