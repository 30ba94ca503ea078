"""Files from elsewhere on their way to the store or to a build, known by their digests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from litegate.build.store import BUILDS, EVALUATIONS, Store
from litegate.core.errors import BuildError, ConfigError, DataError, LitegateError, StoreError
from litegate.core.git import is_ignored
from litegate.data import prepare
from litegate.data.sources import digest, expand_path, files_of, locate
from litegate.data.prepare import save_evaluation
from litegate.spec.digests import digest_of
from litegate.runtimes.sandbox import demand_trial
from litegate.spec import Data, DataLocations, File, Splits
from litegate.spec.digests import digest_of
from litegate.tflite.reader import parse


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Intake:
    """Takes files and evaluation splits into a store; trains and converts nothing."""

    store: Store
    locations: DataLocations
    timeout: float
    """Seconds that a command may take, and a trial."""
    on_notice: Callable[[str], None]
    _keys: dict[File, str] = field(default_factory=dict)

    def key(self, file: File, *, folder: bool = False) -> str:
        """The SHA-256 of a file's bytes: as it is pinned where it is not here, else as it is read.

        With `folder`, it may be a folder, too. Looked at once: a run judges the same bytes to its
        end. Raises as `locate`, and ConfigError for a file of the project that no commit would
        hold.
        """
        if file not in self._keys:
            with self._alone(file):
                self._keys[file] = self._looked_at(file, folder=folder)
        return self._keys[file]

    def _looked_at(self, file: File, *, folder: bool) -> str:
        path = None if file.url else expand_path(file.path, self.locations.project)
        if file.sha256 and (path is None or file.command or not path.exists()):
            return file.sha256
        found = locate(file, self.locations, timeout=self.timeout, folder=folder)
        if not (file.sha256 or file.command) and any(map(is_ignored, files_of(found))):
            raise ConfigError(
                f"git ignores {file}, so that no commit says what it holds",
                expected="a file in git, or its digest, or a command that makes it",
                remedy=f"litegate.File(path={file.path!r}, sha256={digest(found)!r})",
            )
        return digest(found)

    def take(self, file: File, key: str, locations: DataLocations | None = None) -> None:
        """Put a file into the store under its key, with a birth certificate.

        `locations` are those of another checkout. What the store holds has stood its trial. Raises
        as `locate`, `parse` and `run_in_sandbox`, and BuildError where the bytes are not those of
        `key`.
        """
        with self._staging() as staging, self._alone(file):
            path = locate(file, locations or self.locations, timeout=self.timeout)
            written = {
                "model.tflite": path.read_bytes(),
                "history.json": b"[]",
                "certificate.json": json.dumps(_certificate(file, key), indent=1).encode(),
            }
            for name, data in written.items():
                (staging / name).write_bytes(data)
            _check_same(file, key, digest(staging / "model.tflite"))
            parse(written["model.tflite"], subject=str(file))
            run_in_sandbox(written["model.tflite"], subject=str(file), timeout=self.timeout)
            self.store.put(BUILDS, key, {name: staging / name for name in written}, stem=key)

    def copy_start(
        self, file: File, key: str, to: Path, locations: DataLocations | None = None
    ) -> None:
        """Copy a trained network, a file or a folder, to where the tool chain finds it.

        `locations` are those of another checkout. Raises as `locate`, and BuildError where the
        bytes are not those of `key`.
        """
        with self._alone(file):
            found = locate(file, locations or self.locations, timeout=self.timeout, folder=True)
            try:
                (shutil.copytree if found.is_dir() else shutil.copyfile)(found, to)
            except OSError as error:
                raise StoreError(f"{file} cannot be copied to {to}", got=str(error)) from error
        _check_same(file, key, digest(to))

    def take_split(self, data: Data, key: str) -> None:
        """Put a data set's evaluation split into the store, unless it is there.

        Raises as `prepare`, and DataError for whatever else the user's own functions raise.
        """
        if not self.store.has(EVALUATIONS, key):
            with self._staging() as staging:
                folder = staging / "evaluation"
                splits = _prepared(data, self.locations, folder)
                self.store.put(EVALUATIONS, key, save_evaluation(splits, folder))

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """A folder of the store's to write in; StoreError where that fails, as on a full disk."""
        try:
            with self.store.staging() as staging:
                yield staging
        except OSError as error:
            raise StoreError(
                f"the store {self.store.root} cannot take a file",
                got=str(error),
                remedy="free some space, or set LITEGATE_STORE to another place",
            ) from error

    def _alone(self, file: File) -> AbstractContextManager[None]:
        """A command is run by one process at a time."""
        if not file.command:
            return nullcontext()
        notice = f"waiting for another run of `{file.command}`"
        return self.store.lock([digest_of(file.command)], lambda: self.on_notice(notice))


def _certificate(file: File, key: str) -> dict[str, object]:
    told = {name: getattr(file, name) for name in ("path", "url", "command")}
    return {"prebuilt": {name: text for name, text in told.items() if text}, "sha256": key}


def _check_same(file: File, key: str, got: str) -> None:
    if got != key:
        raise BuildError(
            f"{file} is not what it was when it was first looked at",
            expected=f"SHA-256 {key}",
            got=got,
            remedy="its command must give the same bytes each time" if file.command else "",
        )


def _prepared(data: Data, locations: DataLocations, folder: Path) -> Splits:
    try:
        return prepare(data, locations, folder)
    except LitegateError:
        raise
    except Exception as error:
        raise DataError(
            f"the data set {data.name} cannot be loaded", got=f"{type(error).__name__}: {error}"
        ) from error
