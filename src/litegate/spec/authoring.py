"""`@model`, `trained`, `prebuilt`: what a model file declares becomes a Model. Nothing is run."""

from __future__ import annotations

import inspect
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from litegate.core.errors import ConfigError
from litegate.spec.budget import OF_LABELS, Budget
from litegate.spec.metric import Metric
from litegate.spec.model import Data, File, Model, Training
from litegate.spec.recipe import Kind, Recipe

NO_BUDGET = Budget()
AS_IT_IS = Training(epochs=0)
_INSTEAD = {
    "labels": "agreement=... and output_error=... hold it to its reference instead",
    "classes": "metrics=... and output_error=... judge what is no choice between classes",
}


_declaring: list[list[Model]] = []
"""The lists that note what is declared now, the innermost last."""


@contextmanager
def noted() -> Iterator[list[Model]]:
    """Every model that is declared meanwhile, whether a variable holds it or not."""
    found: list[Model] = []
    _declaring.append(found)
    try:
        yield found
    finally:
        _declaring.remove(found)


def _declared(**fields: Any) -> Model:
    made = Model(**fields)
    _check_name(made.name)
    _check_data(made.name or made.summary, made.data)
    for each in _declaring[-1:]:
        each.append(made)
    return made


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

    Raises ConfigError for two recipes of one name, a model without a recipe, or limits that need
    labels, classes or slices where the data set has none.
    """

    def declare(builder: Callable[..., Any]) -> Model:
        called = name or builder.__name__
        _check_builder(builder)
        _check_labels(called, data, budget, *(each.budget for each in recipes if each.budget))
        file = Path(inspect.getfile(builder)).resolve()
        return _declared(
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


def trained(
    start: str | File,
    *,
    data: Data,
    recipes: Sequence[Recipe],
    training: Training = AS_IT_IS,
    budget: Budget = NO_BUDGET,
    name: str = "",
    renamed_from: str | None = None,
) -> Model:
    """Declare a trained network as a model to gate: its recipes start from the weights in a file.

    `start` is a `.keras` or `.h5` file of tf_keras or Keras 3, or the folder of a SavedModel. Its
    path starts at the project's root; `litegate.File` names one that git does not hold. The
    variable that it is assigned to names the model, or `name` does. By default nothing is trained
    but what the recipes tune.

    Raises ConfigError as `model` does, and for a recipe that trains from scratch.
    """
    file = _file(start)
    _check_labels(
        name or str(file), data, budget, *(each.budget for each in recipes if each.budget)
    )
    if scratch := [each.name for each in recipes if each.from_scratch]:
        raise ConfigError(
            f"{', '.join(scratch)} would train {name or file} from scratch, and it is trained",
            expected="recipes that start from its weights",
            remedy="drop from_scratch=True",
        )
    frame = sys._getframe(1)  # noqa: SLF001 where the declaration stands
    return _declared(
        name=name,
        file=Path(frame.f_code.co_filename).resolve(),
        line=frame.f_lineno,
        build=_nothing_to_build,
        summary=f"{file}, trained",
        data=data,
        training=training,
        recipes=_checked(name or str(file), recipes),
        budget=budget,
        renamed_from=renamed_from,
        start=file,
    )


def prebuilt(  # noqa: PLR0913 keywords only
    *,
    reference: str | File,
    candidate: str | File,
    data: Data,
    budget: Budget = NO_BUDGET,
    kind: str = Kind.INT8_PTQ,
    input_type: str | None = None,
    output_type: str | None = None,
    name: str = "",
    renamed_from: str | None = None,
    shipped: str | None = None,
    signature: str = "",
) -> Model:
    """Declare two ready-made `.tflite` files as a model to gate; nothing is trained or converted.

    The variable that it is assigned to names the model, or `name` does. Paths start at the
    project's root; `litegate.File` names a file that git does not hold. The recipe is called as
    `kind`, whose promises its tensors must keep. The types of its ports are int8 for an int8 kind,
    else float32, where `input_type` and `output_type` do not say otherwise. Of files with several
    signatures `signature` names the one that is judged.

    Raises ConfigError for a kind that is none, or limits that need labels without them.
    """
    if kind not in set(Kind) - {Kind.FLOAT32}:
        known = ", ".join(each for each in Kind if each is not Kind.FLOAT32)
        raise ConfigError("prebuilt(kind=...) is no way to quantize", expected=known, got=kind)
    _check_labels(name or str(candidate), data, budget)
    _check_no_keras(name or str(candidate), budget)
    frame = sys._getframe(1)  # noqa: SLF001 where the declaration stands
    port = "int8" if kind in (Kind.INT8_QAT, Kind.INT8_PTQ) else "float32"
    recipe = Recipe(
        name=Kind(kind).value,
        kind=Kind(kind),
        input_type=input_type or port,
        output_type=output_type or port,
        shipped=shipped,
    )
    return _declared(
        name=name,
        file=Path(frame.f_code.co_filename).resolve(),
        line=frame.f_lineno,
        build=_nothing_to_build,
        summary=f"{candidate}, prebuilt",
        data=data,
        training=Training(),
        recipes=(recipe,),
        budget=budget,
        renamed_from=renamed_from,
        signature=signature,
        prebuilt={recipe.reference.name: _file(reference), recipe.name: _file(candidate)},
    )


def _check_builder(builder: Callable[..., Any]) -> None:
    try:
        inspect.signature(builder).bind(None)
    except TypeError as error:
        raise ConfigError(
            f"the builder {builder.__name__} cannot be called",
            expected=f"one argument, the module of Keras: def {builder.__name__}(keras)",
            got=str(error),
        ) from error


def _check_no_keras(called: str, budget: Budget) -> None:
    limited = [each for each in ("keras_agreement", "keras_difference") if getattr(budget, each)]
    if limited:
        raise ConfigError(
            f"{called} limits {', '.join(limited)}, and ready-made files have no Keras network",
            expected="limits of files: agreement=..., output_error=...",
        )


def _check_name(name: str) -> None:
    if set(name) & {"/", "\\"} or name in (".", ".."):
        raise ConfigError(
            f"a model cannot be named {name!r}",
            expected="a name without slashes: files of the report are called by it",
            remedy="correct name=...",
        )


def _check_data(called: str, data: Data) -> None:
    """Raise ConfigError for a preprocessing without a source, or a domain that is none."""
    if not getattr(data.preprocess, "__name__", "").isidentifier():
        raise ConfigError(
            f"the preprocessing of {called} is no named function",
            expected="a function at the top of a module: its source is part of the artifact's key",
            got=repr(data.preprocess),
            remedy="write it with def",
        )
    domains = data.domain.values() if isinstance(data.domain, Mapping) else [data.domain]
    for low, high in domains:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ConfigError(
                f"the domain of {called} is no range",
                expected="(least, greatest) of a preprocessed value, both finite",
                got=f"({low}, {high})",
            )


def _file(named: str | File) -> File:
    return named if isinstance(named, File) else File(path=named)


def _nothing_to_build(_keras: object) -> NoReturn:
    raise ConfigError("a model that files make has no builder")


def _check_labels(called: str, data: Data, *budgets: Budget) -> None:
    """Raise ConfigError for limits of what the data set does not have: labels, classes, slices."""
    metrics = [metric for budget in budgets for metric in budget.metrics]
    for metric in metrics:
        _check_metric(called, data, metric)
    if data.digests and not data.slices and any(budget.slice_drop for budget in budgets):
        raise _no_slices(f"{called} limits slice_drop", data)
    lacking = "labels" if not data.labels else "" if data.classes else "classes"
    others = [metric.name for metric in metrics if not metric.chooses]
    if not lacking and not others:
        return
    unset = set.intersection(*(set(budget.unset()) for budget in budgets))
    if needless := sorted(OF_LABELS.difference(unset, {"regression.accuracy"})):
        limited = f"{called} limits {', '.join(needless)}, and its"
        if not lacking:
            raise ConfigError(
                f"{limited} metric {others[0]} is of a network that chooses between no classes",
                expected="limits of one or of the other",
            )
        raise ConfigError(
            f"{limited} data set {data.name} has no {lacking}",
            expected=f"{lacking}, or limits that need none",
            remedy=_INSTEAD[lacking],
        )


def _check_metric(called: str, data: Data, metric: Metric) -> None:
    whose = f"the metric {metric.name} of {called}"
    if metric.needs_labels and not data.labels:
        raise ConfigError(
            f"{whose} needs labels, and its data set {data.name} has no labels",
            expected="labels, or a metric whose function asks for outputs and inputs alone",
        )
    if isinstance(metric.of, str) and metric.of not in data.classes:
        raise ConfigError(
            f"{whose} is of the class {metric.of!r}, which {data.name} does not name",
            expected=", ".join(data.classes) or "a number: it names no classes",
        )
    if metric.slice_loss is not None and data.digests and not data.slices:
        raise _no_slices(f"{whose} limits slice_loss", data)


def _no_slices(who: str, data: Data) -> ConfigError:
    return ConfigError(
        f"{who}, and its data set {data.name} has no slices",
        expected='lg.Splits(..., slices={"night": mask}), and the digest of each in lg.Data',
    )


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
