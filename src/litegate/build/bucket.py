"""Read and write a prefix of a bucket, by obstore: Amazon S3, Azure Blob Storage, Google Cloud."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, final

from litegate.core.errors import ConfigError

_TIMEOUT = 4.0
"""Seconds for one request without its bytes. With the retry below an unreachable store costs less
than 10 s; obstore's own defaults are 30 s a request and 3 minutes of retries."""
_RETRY_TIMEOUT = 6.0
"""Seconds after which a failed request is not tried again: with `_TIMEOUT` less than 10 s."""
_RETRIES = 2
"""Tries after the first, which outlast a dropped connection; obstore's own are ten."""
_SLOWEST = 128 << 10
"""Bytes a second below which a transfer is given up: 1 Mbit/s, less than any usable line."""
PAGE = 1000
"""Paths of one request for a list, as S3 limits it."""
_LONGEST = 3600.0
"""Seconds for one download; one below `_SLOWEST` is given up earlier. At that speed an hour is
470 MB, more than a file of a store has."""


class BucketError(Exception):
    """A request that failed for another reason than a missing or an existing object."""


class BucketDenied(BucketError):
    """A request that these credentials do not allow."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """The facts that a store has of an object besides its bytes."""

    path: str
    size: int
    modified: float
    """Seconds since 1970, by the store's clock."""
    etag: str
    """The store's name for these bytes at this path; a conditional put compares it."""
    version: str | None
    """The number of this write, if the store has one."""


@final
class Bucket:
    """A prefix of a bucket. Paths are relative to it; each method may raise BucketError.

    Credentials, region and endpoint come from the environment, as each cloud's own tools read them.
    """

    def __init__(self, url: str) -> None:
        """Remember the address, such as s3://bucket/prefix; nothing is requested yet."""
        self.url = url

    def read(self, path: str) -> tuple[Iterator[bytes], ObjectInfo]:
        """Return an object's bytes in chunks. Raises FileNotFoundError if there is none."""
        with _errors():
            result = self._downloads.get(path)
            return _at_least_slowest(result.stream()), _info(result.meta)

    def create(self, path: str, content: bytes | Path) -> bool:
        """Write an object; return False, and change nothing, if there is one."""
        return self._put(path, content, "create")

    def replace(self, content: bytes | Path, info: ObjectInfo) -> bool:
        """Replace an object, unless it is another one by now, or gone: then return False."""
        # Google compares the version, the others the ETag.
        version = {"version": info.version} if info.version else {}
        return self._put(info.path, content, {"e_tag": info.etag} | version)

    def demand_conditional_puts(self, path: str, content: bytes) -> None:
        """Create an object twice; raise BucketDenied unless the second time is refused."""
        self.create(path, content)
        if self.create(path, content):
            raise BucketDenied(
                "it ignores If-None-Match, so that a second writer would overwrite the first"
            )

    def info(self, path: str) -> ObjectInfo | None:
        """Return what the store knows of an object; None if there is none."""
        try:
            with _errors():
                return _info(self._requests.head(path))
        except FileNotFoundError:
            return None

    def objects(self, folder: str) -> Iterator[ObjectInfo]:
        """Yield the objects below a folder."""
        for page in self._pages(folder):
            yield from map(_info, page)

    def pages(self, folder: str) -> Iterator[list[str]]:
        """Yield the paths below a folder in lists of `PAGE`, but for the last one."""
        for page in self._pages(folder):
            yield [meta["path"] for meta in page]

    def delete(self, paths: list[str]) -> None:
        """Delete objects; those that do not exist are no error."""
        try:
            with _errors():
                self._requests.delete(paths)
        except FileNotFoundError:  # Azure and Google report it, S3 does not
            return

    def _pages(self, folder: str) -> Iterator[Any]:
        try:
            with _errors():
                yield from self._requests.list(folder, chunk_size=PAGE)
        except FileNotFoundError:
            return  # there is no such bucket: it reads as empty, and the first write reports it

    def _put(self, path: str, content: bytes | Path, mode: Any) -> bool:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        size = content.stat().st_size if isinstance(content, Path) else len(content)
        seconds = _TIMEOUT + size / _SLOWEST
        # obstore's timeout includes the bytes, so a large upload needs a client of its own.
        client = self._requests if size < _SLOWEST else self._open(seconds, seconds)
        try:
            with _errors():
                client.put(path, content, mode=mode)
        except (AlreadyExistsError, PreconditionError):
            return False
        except FileNotFoundError as error:
            raise BucketError(_first_line(error)) from error  # there is no such bucket
        return True

    @cached_property
    def _requests(self) -> Any:
        return self._open(_TIMEOUT, _TIMEOUT)

    @cached_property
    def _downloads(self) -> Any:
        return self._open(_LONGEST, _TIMEOUT)

    def _open(self, timeout: float, read_timeout: float) -> Any:
        """Return an obstore client.

        `timeout` limits a request with its bytes, `read_timeout` the wait for the next of them.
        """
        try:
            from obstore.store import from_url
        except ImportError as error:
            raise ConfigError(
                f"the store {self.url} needs obstore",
                got=str(error),
                remedy="pip install 'litegate[remote]'",
            ) from error
        options = {
            "connect_timeout": timedelta(seconds=_TIMEOUT),
            "timeout": timedelta(seconds=timeout),
            "read_timeout": timedelta(seconds=read_timeout),
            # Options given here replace those that obstore reads from the environment.
            "allow_http": _is_set("AWS_ALLOW_HTTP") or _is_set("AZURE_ALLOW_HTTP"),
        }
        retry = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_TIMEOUT)}
        with _errors():
            return from_url(self.url, client_options=options, retry_config=retry)


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").lower() in ("1", "true")


def _info(meta: Any) -> ObjectInfo:
    return ObjectInfo(
        path=meta["path"],
        size=meta["size"],
        modified=meta["last_modified"].timestamp(),
        etag=meta["e_tag"] or "",
        version=meta["version"],
    )


def _at_least_slowest(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks; raise BucketError if they stop, or come too slowly to wait for."""
    start, size = time.monotonic(), 0
    with _errors():
        for chunk in chunks:
            size += len(chunk)
            # Twice: before the first bytes, and in one pause, each may take a request's time.
            if time.monotonic() - start > 2 * _TIMEOUT + size / _SLOWEST:
                raise BucketError(f"slower than {_SLOWEST:,} B/s")
            yield bytes(chunk)


@contextmanager
def _errors() -> Iterator[None]:
    """Turn every error of obstore into BucketError, but not what the callers handle."""
    from obstore import exceptions

    try:
        yield
    except (
        GeneratorExit
    ):  # of a listing that ends with the process: obstore's errors are gone by then
        raise
    except (
        BucketError,
        FileNotFoundError,
        exceptions.AlreadyExistsError,
        exceptions.PreconditionError,
    ):
        raise
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        raise BucketDenied(_first_line(error)) from error
    except (exceptions.BaseError, OSError, ValueError) as error:
        raise BucketError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    """Return what happened; the lines below show obstore's own objects."""
    return str(error).partition("\n")[0]
