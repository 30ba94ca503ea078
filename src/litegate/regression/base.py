"""The base: the merge base's declarations and artifacts, read from its own files.

Its models are loaded in a child process that runs in a worktree of the commit, never in this one.
What a commit declares does not change, so it is kept in the store by the commit's hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, final

from litegate.build.store import Store
from litegate.core.errors import ConfigError, StoreCorrupt
from litegate.core.git import Commit, left_behind, prefix, worktree
from litegate.core.import_paths import PACKAGE, own_folders, path_for
from litegate.spec.digests import digest_of

DECLARATIONS = "declarations"
_FILES = ("declaration.json",)
NOTHING: Mapping[str, Any] = {"models": {}, "checks": {}, "settings": {}, "conftests": {}}
"""What a checkout declares that has no litegate yet."""
_TIMEOUT = 300.0
"""Seconds that loading the base's models and collecting its checks may take."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Base:
    """The commit that a change is held against, and what it declares."""

    commit: Commit
    project: Path
    declaration: Mapping[str, Any]

    @property
    def models(self) -> Mapping[str, Any]:
        """The base's models by name; empty where it had no litegate yet."""
        found: Mapping[str, Any] = self.declaration["models"]
        return found

    @contextmanager
    def files(self) -> Iterator[Path]:
        """The base's files, for as long as something is built from them."""
        with worktree(self.project, self.commit) as folder:
            yield folder


def read_base(
    commit: Commit, project: Path, models: Path, store: Store, on_notice: Callable[[str], None]
) -> Base:
    """What a commit declares: out of the store, or by a child process in a worktree.

    ConfigError where the base's models do not load, or where it has models that its settings, read
    as those of this `project`, do not name; `models` is the folder of this checkout's.
    """
    folders = [str(one.relative_to(project.resolve())) for one in own_folders(project)]
    key = digest_of([commit.sha, prefix(project), _own_source(), folders])
    declaration = _kept(store, key)
    if declaration is None:
        on_notice(f"reading what the base {commit.short} declares")
        declaration = _described(commit, project, store, key)
    if not declaration["models"]:
        _refuse_moved(commit, project, models)
    return Base(commit=commit, project=project, declaration=declaration)


def _refuse_moved(commit: Commit, project: Path, models: Path) -> None:
    """A project that moved, or was named on the command line alone, is not a new one."""
    moved = left_behind(project, commit, models)
    if moved:
        folder = prefix(project) or "the repository's top"
        raise ConfigError(
            f"the base {commit.short} declares models, but not as a project in {folder}",
            expected="the same project in both: its models would all pass for new ones",
            got=", ".join(moved[:3]) + (f" and {len(moved) - 3} more" if moved[3:] else ""),
            remedy="name litegate_models and litegate_checks in pytest's settings, not on the "
            "command line; a project that moves to another folder does so in a change that nothing "
            "else is part of, held against nothing: --against none",
        )


def _own_source() -> str:
    """A digest of litegate itself, which reads the base's files."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _run(
    project: Path, tree: Path, answer: Path, commit: Commit
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 our own interpreter
            [sys.executable, "-P", "-m", "litegate.gate.describe", str(answer)],
            cwd=tree,
            env=_environment(project, tree),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"the base {commit.short} could not be read within {_TIMEOUT:g} s",
            remedy="look for a model file or a conftest there that hangs",
        ) from error


def _environment(project: Path, tree: Path) -> dict[str, str]:
    """Its modules are imported from its own folders, which those of this checkout would hide."""
    mine = {k: v for k, v in os.environ.items() if k != "PYTEST_ADDOPTS"}
    return mine | {"PYTHONPATH": os.pathsep.join(path_for(project, tree))}


def _kept(store: Store, key: str) -> Any:
    try:
        return json.loads(store.get(DECLARATIONS, key, _FILES)["declaration.json"])
    except KeyError:
        return None
    except (StoreCorrupt, ValueError):
        store.forget(DECLARATIONS, key)
        return None


def _described(commit: Commit, project: Path, store: Store, key: str) -> Any:
    with worktree(project, commit) as tree, TemporaryDirectory() as folder:
        if not tree.is_dir():
            return NOTHING
        answer = Path(folder) / "declaration.json"
        done = _run(project, tree, answer, commit)
        if done.returncode or not answer.is_file():
            raise ConfigError(
                f"the models of the base {commit.short} do not load",
                got=(done.stderr.strip() or done.stdout.strip())[-2000:],
                remedy="mend the base, or compare with another commit: --against REF",
            )
        store.put(DECLARATIONS, key, dict.fromkeys(_FILES, answer))
        return json.loads(answer.read_bytes())
