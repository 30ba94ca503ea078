"""Store prebuilt files and evaluation splits, and copy pretrained networks, by their digests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import final

from litegate.build.certificate import CERTIFICATE, HISTORY, MODEL
from litegate.build.store import BUILDS, EVALUATIONS, Store
from litegate.core.digests import digest_of
from litegate.core.errors import BuildError, ConfigError, DataError, LitegateError, StoreError
from litegate.core.git import is_ignored, tracked_files
from litegate.data import prepare
from litegate.data.digests import ArrayDigest
from litegate.data.prepare import current_digests, save_evaluation
from litegate.data.sources import digest, expand_path, files_of, locate
from litegate.runtimes.sandbox import run_in_sandbox
from litegate.spec import Data, DataLocations, File, Splits
from litegate.spec.declared_files import watched_data
from litegate.tflite.parser import parse


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ExternalFiles:
    """Stores files and evaluation splits from outside; trains and converts nothing."""

    store: Store
    locations: DataLocations
    timeout: float
    """Limit in seconds of a file's command, and of a sandbox run."""
    on_notice: Callable[[str], None]
    _keys: dict[File, str] = field(default_factory=dict)

    def key(self, file: File, *, folder: bool = False) -> str:
        """Return the SHA-256 of a file's bytes; the declared one if the file does not exist here.

        With `folder`, it may be a folder. The file is read once, so that one run judges the same
        bytes from start to end. Raises as `locate`, and ConfigError for a file of the project
        that git ignores.
        """
        if file not in self._keys:
            with self._command_lock(file):
                self._keys[file] = self._read_key(file, folder=folder)
        return self._keys[file]

    def _read_key(self, file: File, *, folder: bool) -> str:
        path = None if file.url else expand_path(file.path, self.locations.project)
        if file.sha256 and (path is None or file.command or not path.exists()):
            return file.sha256
        located = locate(file, self.locations, timeout=self.timeout, folder=folder)
        if not (file.sha256 or file.command) and any(map(self._is_ignored, files_of(located))):
            raise ConfigError(
                f"git ignores {file}, so no commit records its contents",
                expected="a file in git, or its digest, or a command that generates it",
                remedy=f"litegate.File(path={file.path!r}, sha256={digest(located)!r})",
            )
        return digest(located)

    def _is_ignored(self, file: Path) -> bool:
        # One process lists what git tracks; asking for each file takes two milliseconds a model.
        return file.resolve() not in self._tracked and is_ignored(file)

    @cached_property
    def _tracked(self) -> frozenset[Path]:
        folder = (self.locations.project or Path()).resolve()
        try:
            return frozenset(folder / name for name in tracked_files(folder))
        except ConfigError:  # outside of git
            return frozenset()

    def store_file(self, file: File, key: str, locations: DataLocations | None = None) -> None:
        """Store a file under its key, with a birth certificate, after a sandbox run.

        `locations` are those of another checkout. Raises as `locate`, `parse` and `run_in_sandbox`,
        and BuildError if the bytes do not have the digest `key`.
        """
        with self._staging() as staging, self._command_lock(file):
            path = locate(file, locations or self.locations, timeout=self.timeout)
            contents = {
                MODEL: path.read_bytes(),
                HISTORY: b"[]",
                CERTIFICATE: json.dumps(_certificate(file, key), indent=1).encode(),
            }
            for name, data in contents.items():
                (staging / name).write_bytes(data)
            _check_same(file, key, digest(staging / MODEL))
            # Parsed first: it is quick, and its errors name the damage; LiteRT may only crash.
            graph = parse(contents[MODEL], subject=str(file))
            run_in_sandbox(
                contents[MODEL],
                subject=str(file),
                timeout=self.timeout,
                may_refuse=graph.is_compiled,
            )
            self.store.put(BUILDS, key, {name: staging / name for name in contents}, stem=key)

    def copy_start(
        self, file: File, key: str, to: Path, locations: DataLocations | None = None
    ) -> None:
        """Copy a pretrained network, a file or a folder, to where the tool chain expects it.

        `locations` are those of another checkout. Raises as `locate`, and BuildError if the bytes
        do not have the digest `key`.
        """
        with self._command_lock(file):
            path = locate(file, locations or self.locations, timeout=self.timeout, folder=True)
            try:
                (shutil.copytree if path.is_dir() else shutil.copyfile)(path, to)
            except OSError as error:
                raise StoreError(f"{file} cannot be copied to {to}", got=str(error)) from error
        _check_same(file, key, digest(to))

    def store_split(self, data: Data, key: str) -> None:
        """Store a data set's evaluation split, unless it is stored already.

        Raises as `prepare`, and DataError for every other exception of the user's functions.
        """
        if not self.store.has(EVALUATIONS, key):
            with self._staging() as staging:
                folder = staging / "evaluation"
                with _user_functions(data):
                    splits = prepare(self._watched(data), self.locations, folder)
                self.store.put(EVALUATIONS, key, save_evaluation(splits, folder))

    def current_digests(self, data: Data) -> dict[str, ArrayDigest]:
        """Return the digests of a data set's arrays; stores nothing. Raises as `store_split`."""
        with self._staging() as staging, _user_functions(data):
            return current_digests(self._watched(data), self.locations, staging / "evaluation")

    def prepared(self, data: Data) -> Splits:
        """Load and preprocess a data set, of which the training split is in memory.

        The evaluation split may not be read any more. Raises as `store_split`.
        """
        with self._staging() as staging, _user_functions(data):
            return prepare(self._watched(data), self.locations, staging / "evaluation")

    def _watched(self, data: Data) -> Data:
        return watched_data(data, self.locations.project or Path.cwd())

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """Create a staging folder; raise StoreError if writing fails, as on a full disk."""
        try:
            with self.store.staging() as staging:
                yield staging
        except OSError as error:
            raise StoreError(
                f"cannot write a file into the store {self.store.root}",
                got=str(error),
                remedy="free disk space, or set LITEGATE_STORE to another place",
            ) from error

    def _command_lock(self, file: File) -> AbstractContextManager[None]:
        """Lock the file's command, so that only one process runs it at a time."""
        if not file.command:
            return nullcontext()
        notice = f"waiting for another run of `{file.command}`"
        return self.store.lock([digest_of(file.command)], lambda: self.on_notice(notice))


def _certificate(file: File, key: str) -> dict[str, object]:
    origin = {name: getattr(file, name) for name in ("path", "url", "command")}
    return {"prebuilt": {name: text for name, text in origin.items() if text}, "sha256": key}


def _check_same(file: File, key: str, actual_digest: str) -> None:
    if actual_digest != key:
        raise BuildError(
            f"{file} changed while it was read",
            expected=f"SHA-256 {key}",
            got=actual_digest,
            remedy="its command must write the same bytes each time" if file.command else "",
        )


@contextmanager
def _user_functions(data: Data) -> Iterator[None]:
    """Raise DataError for every unforeseen exception: the user's functions may raise anything."""
    try:
        yield
    except LitegateError:
        raise
    except Exception as error:
        raise DataError(
            f"loading the data set {data.name} raised an exception",
            got=f"{type(error).__name__}: {error}",
        ) from error
