"""`@model`: a builder function becomes a Model. Nothing is registered, nothing is run."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from litegate.errors import ConfigError
from litegate.spec import Budget, Data, Model, Recipe, Training

NO_BUDGET = Budget()


def model(
    *,
    data: Data,
    recipes: Sequence[Recipe],
    training: Training | None = None,
    budget: Budget = NO_BUDGET,
    name: str | None = None,
    renamed_from: str | None = None,
    files: Sequence[str | Path] = (),
) -> Callable[[Callable[..., Any]], Model]:
    """Declare the network that the decorated builder returns as a model to gate.

    The builder takes the `tf_keras` module and returns an uncompiled network, of tf_keras or of
    Keras 3. Its name is the model's (or `name`), its docstring's first line the model's summary.
    `renamed_from` is what the base knows the model by. `files` names what the builder reads, such
    as trained weights, by paths that start at the model's folder: their bytes are part of the key.

    Raises ConfigError for two recipes of one name or a model without a recipe.
    """

    def declare(builder: Callable[..., Any]) -> Model:
        called = name or builder.__name__
        file = Path(inspect.getfile(builder)).resolve()
        return Model(
            name=called,
            file=file,
            line=builder.__code__.co_firstlineno,
            build=builder,
            summary=(inspect.getdoc(builder) or "").partition("\n")[0],
            data=data,
            training=training or Training(),
            recipes=_checked(called, recipes),
            budget=budget,
            renamed_from=renamed_from,
            files=_beside(file, files),
        )

    return declare


def _checked(called: str, recipes: Sequence[Recipe]) -> tuple[Recipe, ...]:
    counts = Counter(recipe.name for recipe in recipes)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise ConfigError(
            f"model {called} has two recipes named {', '.join(twice)}",
            remedy="give one of them another name=...",
        )
    if not recipes:
        raise ConfigError(f"model {called} has no recipe", expected="at least one")
    return tuple(recipes)


def _beside(file: Path, files: Sequence[str | Path]) -> tuple[Path, ...]:
    if isinstance(files, str):
        raise ConfigError("files=... is a list", expected=f"[{files!r}]", got=repr(files))
    return tuple(file.parent / each for each in files)
