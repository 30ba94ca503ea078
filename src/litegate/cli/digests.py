"""Implement `litegate digests`: compare a data set with its digests, and write them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from litegate.cli.common import declared_model
from litegate.core.digests import short_digest
from litegate.core.errors import ConfigError, LitegateError
from litegate.core.escaping import listed, plain
from litegate.core.files import write_atomically
from litegate.core.options import parse
from litegate.data.digests import ArrayDigest, command_for, digests_code
from litegate.gate.project_settings import settings
from litegate.gate.session import GateSession
from litegate.spec import Model
from litegate.spec.loader import load_file

if TYPE_CHECKING:
    from litegate.cli.model_source import Declared


def digests(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model of this project.")],
    *,
    write: Annotated[
        bool,
        typer.Option("--write", help="Write the digests into the model's file (not in CI)."),
    ] = False,
) -> None:
    """Load a model's data set, and list the arrays that changed, were added or were removed.

    Without --write, print the lines to paste. Exit status 1 if digests differ and are not written.
    """
    # TensorFlow, which a loader may import, prints that it finds no GPU.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options = parse(Path.cwd(), {}, settings(Path.cwd()))
    if write and options.in_ci:
        raise ConfigError(
            "litegate digests --write does not run if CI is set: a person decides which data count",
            remedy="run it on your own machine, commit the file and have it reviewed",
        )
    session = GateSession(options, lambda _model, _event: None, partial(typer.echo, err=True))
    declared = declared_model(session.all_models, model)
    arrays = session.pipeline.external_files.current_digests(declared.data)
    current = {name: str(digest) for name, digest in arrays.items()}
    if current == declared.data.digests:
        typer.echo(plain(f"{model}: all {len(current)} digests of {declared.data.name} match"))
        return
    for line in changes(declared.data.digests, arrays):
        typer.echo(plain(line))
    if not write:
        typer.echo(f"to write them, run {command_for(model)}, or paste{digests_code(current)}")
        raise typer.Exit(1)
    for line in write_digests(declared, current, session):
        typer.echo(plain(line))


def changes(old: Mapping[str, str], new: Mapping[str, ArrayDigest]) -> Iterator[str]:
    """Yield a line for each array that changed, was added or is gone; arrays in their order."""
    for name, digest in new.items():
        now = f"{short_digest(str(digest))}  {digest.description}"
        if name not in old:
            yield f"added    {name}  {now}"
        elif old[name] == digest.of_bytes:
            yield f"renewed  {name}  {now}: the same values; the old digest covered only the bytes"
        elif old[name] != str(digest):
            yield f"changed  {name}  {short_digest(old[name])} -> {now}"
    yield from (f"removed  {name}  {short_digest(old[name])}" for name in old if name not in new)


def write_digests(model: Model, current: Mapping[str, str], session: GateSession) -> Iterator[str]:
    """Put digests into the model's file; yield the lines that say what was done.

    Raises ConfigError, with the lines to paste, if that cannot be done; the file is unchanged then.
    """
    project = session.options.project
    site, source = _edited(model, current, project)
    others: list[str] = []

    def check(file: Path) -> None:
        loaded = _loaded(file, model, current, project)
        if loaded[model.name].data.digests != current:
            raise _refusal(model, current, f"the declaration at {site.place} does not set them")
        others.extend(
            name
            for name, reloaded in loaded.items()
            if name != model.name and reloaded.data.digests != session.all_models[name].data.digests
        )

    try:
        demand_writable(model.file)
        write_atomically(model.file, source, check=check)
    except OSError as error:
        raise _refusal(model, current, f"{model.file}: {error.strerror or error}") from error
    yield f"wrote {site.place}: review the change, and commit it"
    if others:
        yield f"the same digests also apply to {listed(others)}"


def _edited(model: Model, current: Mapping[str, str], project: Path) -> tuple[Declared, bytes]:
    """Return where the digests are declared, and the source with the current ones."""
    try:
        from litegate.cli.digest_edits import with_digests
        from litegate.cli.model_source import ModelSource, NotFound
    except ImportError as error:
        raise ConfigError(
            "litegate digests --write needs libcst, which is not installed",
            got=str(error),
            remedy=f'pip install "litegate[edit]", or paste{digests_code(current)}',
        ) from error
    # Loaded once more: a model that a helper declares has the helper's own file and line here.
    declared = load_file(model.file, project)[model.name]
    try:
        source = ModelSource(declared.file, (model.file.parent, project.resolve()))
        site = source.find(declared.line)
    except NotFound as reason:
        raise _refusal(model, current, str(reason)) from None
    if site.source.path != model.file:
        raise _refusal(
            model, current, f"{site.place} declares them in a module that other files may import"
        )
    return site, with_digests(site, current)


def _loaded(
    file: Path, model: Model, current: Mapping[str, str], project: Path
) -> dict[str, Model]:
    try:
        return load_file(file, project)
    except LitegateError as error:
        reason = str(error.what).replace(file.name, model.file.name)
        raise _refusal(model, current, f"after the edit, {reason}") from error


def demand_writable(file: Path) -> None:
    """Raise PermissionError for a read-only file, which a rename would replace nevertheless."""
    if not (os.access(file, os.W_OK) and file.stat().st_mode & 0o222):  # root may write any file
        raise PermissionError(errno.EACCES, "the file is read-only")


def _refusal(model: Model, current: Mapping[str, str], reason: str) -> ConfigError:
    return ConfigError(
        f"cannot write the digests of {model.name} into {model.file.name}",
        got=reason,
        remedy=f"paste these lines there{digests_code(current)}",
    )
