"""Declare models: `@model`, `trained` and `prebuilt` make a Model and validate it."""

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
from litegate.spec.budget import ACCURACY_LIMITS, Budget
from litegate.spec.metric import Metric
from litegate.spec.model import Data, File, Model
from litegate.spec.recipe import BASELINE, QUANTIZER_KINDS, Kind, Recipe, default_port_type
from litegate.spec.training import Training

NO_BUDGET = Budget()
AS_IT_IS = Training(epochs=0)
_ALTERNATIVES = {
    "labels": "compare it with its reference instead: agreement=..., output_error=...",
    "classes": "judge a network that does not classify by metrics=... and output_error=...",
}


_recordings: list[list[Model]] = []
"""The lists that record declared models, the innermost last."""


@contextmanager
def record_models() -> Iterator[list[Model]]:
    """Record every model that is declared in the context, even if no variable refers to it.

    With nested contexts only the innermost one records.
    """
    recording: list[Model] = []
    _recordings.append(recording)
    try:
        yield recording
    finally:
        _recordings.pop()


def _declare(**fields: Any) -> Model:
    model = Model(**fields)
    _check_name(model.name)
    _check_data(model.name or model.summary, model.data)
    _check_growth(model)
    if _recordings:
        _recordings[-1].append(model)
    return model


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
    Keras 3. The model's name is the builder's, or `name`; its summary is the first line of the
    builder's docstring. `renamed_from` is the model's name in the base. `files` lists what the
    builder reads, such as trained weights, relative to the model file's folder: their bytes are
    part of the artifact's key. A build in which it reads another file of the project is an error.

    Raises ConfigError for two recipes with the same name, a model without a recipe, or limits that
    need labels, classes or slices that the data set does not have.
    """

    def declare(builder: Callable[..., Any]) -> Model:
        model_name = name or builder.__name__
        _check_builder(builder)
        _check_budgets(model_name, data, budget, *(r.budget for r in recipes if r.budget))
        file = Path(inspect.getfile(builder)).resolve()
        return _declare(
            name=model_name,
            file=file,
            line=builder.__code__.co_firstlineno,
            build=builder,
            summary=(inspect.getdoc(builder) or "").partition("\n")[0],
            data=data,
            training=training or Training(),
            recipes=_validated_recipes(model_name, recipes),
            budget=budget,
            renamed_from=renamed_from,
            files=_resolved(file, files),
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

    `start` is a `.keras` or `.h5` file of tf_keras or Keras 3, or the folder of a SavedModel,
    relative to the project's root; `litegate.File` describes a file that is not in git. The model's
    name is `name`, or that of the variable that it is assigned to. By default only the recipes
    train, as in fine-tuning.

    Raises ConfigError as `model` does, and for a recipe that trains from scratch.
    """
    file = _as_file(start)
    _check_budgets(name or str(file), data, budget, *(r.budget for r in recipes if r.budget))
    if scratch := [recipe.name for recipe in recipes if recipe.from_scratch]:
        raise ConfigError(
            f"{', '.join(scratch)} would train {name or file} from scratch, but it is already "
            "trained",
            expected="recipes that start from its weights",
            remedy="remove from_scratch=True",
        )
    # The caller's frame: its file is the model's file, and its line is for messages. One frame up,
    # so that a wrapper makes its own module the model's file.
    frame = sys._getframe(1)  # noqa: SLF001 inspect.currentframe().f_back is the same, untyped
    return _declare(
        name=name,
        file=Path(frame.f_code.co_filename).resolve(),
        line=frame.f_lineno,
        build=_nothing_to_build,
        summary=f"{file}, trained",
        data=data,
        training=training,
        recipes=_validated_recipes(name or str(file), recipes),
        budget=budget,
        renamed_from=renamed_from,
        start=file,
    )


def prebuilt(  # noqa: PLR0913 keywords only
    *,
    reference: str | File,
    candidate: str | File | None = None,
    data: Data,
    budget: Budget = NO_BUDGET,
    recipes: Sequence[Recipe] = (),
    kind: str = Kind.INT8_PTQ,
    input_type: str | None = None,
    output_type: str | None = None,
    name: str = "",
    renamed_from: str | None = None,
    shipped: str | None = None,
    signature: str = "",
) -> Model:
    """Declare two ready-made `.tflite` files as a model to gate; nothing is trained or converted.

    Instead of a `candidate`, or beside it, `recipes` of litert-quantizer quantize the reference;
    recipes whose names begin with static are calibrated on the data set's training samples.

    The model's name is `name`, or that of the variable that it is assigned to. Paths are relative
    to the project's root; `litegate.File` describes a file that is not in git. The recipe is named
    as its `kind`, which defines the types that the candidate's tensors must have. Inputs and
    outputs are int8 for an int8 kind, int16 for static_wi8_ai16, else float32, unless `input_type`
    and `output_type` are set.
    Of files with several signatures `signature` is judged.

    Raises ConfigError for an unknown kind, recipes that need TensorFlow, neither candidate nor
    recipes, or for limits that need labels if there are none.
    """
    subject = name or str(candidate or reference)
    _check_quantizer_recipes(subject, recipes, has_candidate=candidate is not None)
    kinds = [known for known in Kind if known is not Kind.FLOAT32]
    if kind not in kinds:
        expected = ", ".join(kinds)
        raise ConfigError(
            "prebuilt(kind=...) is not a known kind of quantization", expected=expected, got=kind
        )
    for limits in (budget, *(recipe.budget for recipe in recipes if recipe.budget)):
        _check_budgets(subject, data, limits)
        _check_no_training(subject, limits)
    # The caller's frame: its file is the model's file, and its line is for messages. One frame up,
    # so that a wrapper makes its own module the model's file.
    frame = sys._getframe(1)  # noqa: SLF001 inspect.currentframe().f_back is the same, untyped
    port_type = default_port_type(Kind(kind))
    ready_made = Recipe(
        name=Kind(kind).value,
        kind=Kind(kind),
        input_type=input_type or port_type,
        output_type=output_type or port_type,
        shipped=shipped,
    )
    candidates = {} if candidate is None else {ready_made.name: _as_file(candidate)}
    return _declare(
        name=name,
        file=Path(frame.f_code.co_filename).resolve(),
        line=frame.f_lineno,
        build=_nothing_to_build,
        summary=f"{candidate or reference}, prebuilt",
        data=data,
        training=Training(),
        recipes=_validated_recipes(subject, [*((ready_made,) if candidates else ()), *recipes]),
        budget=budget,
        renamed_from=renamed_from,
        signature=signature,
        prebuilt={BASELINE: _as_file(reference)} | candidates,
    )


def _check_quantizer_recipes(
    subject: str, recipes: Sequence[Recipe], *, has_candidate: bool
) -> None:
    """Raise ConfigError unless a ready-made file has a candidate, or recipes that make one."""
    if not (recipes or has_candidate):
        raise ConfigError(
            f"{subject} has neither a candidate nor recipes",
            expected="candidate=..., the quantized file, or recipes that quantize the reference",
            remedy="recipes=[litegate.recipes.static_wi8_ai8()]",
        )
    if foreign := [it.name for it in recipes if it.kind not in (Kind.FLOAT32, *QUANTIZER_KINDS)]:
        raise ConfigError(
            f"{', '.join(foreign)} cannot be made of a ready-made file: TensorFlow starts from a "
            "network",
            expected=", ".join(sorted(QUANTIZER_KINDS)),
            remedy="litegate.trained(...) starts from a .keras file or a SavedModel",
        )


def _check_builder(builder: Callable[..., Any]) -> None:
    try:
        inspect.signature(builder).bind(None)
    except TypeError as error:
        raise ConfigError(
            f"the builder {builder.__name__} cannot be called",
            expected=f"one parameter, the Keras module: def {builder.__name__}(keras)",
            got=str(error),
        ) from error


def _check_no_training(model_name: str, budget: Budget) -> None:
    limited = [name for name in ("keras_agreement", "keras_difference") if getattr(budget, name)]
    if limited:
        raise ConfigError(
            f"{model_name} limits {', '.join(limited)}, but prebuilt files have no Keras network",
            expected="limits on files: agreement=..., output_error=...",
        )
    if budget.leaked_samples is not None:
        raise ConfigError(
            f"{model_name} limits leaked_samples, but the training data of prebuilt files are "
            "unknown",
            expected="a limit that needs no training split",
        )


def _check_name(name: str) -> None:
    if set(name) & {"/", "\\"} or name in (".", ".."):
        raise ConfigError(
            f"{name!r} cannot be the name of a model",
            expected="a name without slashes, since report files are named after it",
            remedy="correct name=...",
        )


def _check_data(model_name: str, data: Data) -> None:
    """Raise ConfigError for a preprocessing without source, or an invalid domain."""
    if not getattr(data.preprocess, "__name__", "").isidentifier():
        raise ConfigError(
            f"the preprocessing of {model_name} is not a named function",
            expected="a function at the top of a module: its source is part of the artifact's key",
            got=repr(data.preprocess),
            remedy="write it with def",
        )
    domains = data.domain.values() if isinstance(data.domain, Mapping) else [data.domain]
    for low, high in domains:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ConfigError(
                f"the domain of {model_name} is not a range",
                expected="(minimum, maximum) of the preprocessed values, both finite",
                got=f"({low}, {high})",
            )


def _as_file(path: str | File) -> File:
    return path if isinstance(path, File) else File(path=path)


def _nothing_to_build(_keras: object) -> NoReturn:
    # Part of the artifact keys of `trained` models: its name must not change.
    raise ConfigError("a model that files make has no builder")


def _check_budgets(model_name: str, data: Data, *budgets: Budget) -> None:
    """Raise ConfigError for limits that need labels, classes or slices that the data set lacks."""
    metrics = [metric for budget in budgets for metric in budget.metrics]
    for metric in metrics:
        _check_metric(model_name, data, metric)
    if data.digests and not data.slices and any(budget.slice_drop for budget in budgets):
        raise _no_slices(f"{model_name} limits slice_drop", data)
    if not data.sequences and any(budget.real_time_factor is not None for budget in budgets):
        raise _no_sequences(f"{model_name} limits real_time_factor, which", data)
    missing = "labels" if not data.labels else "" if data.classes else "classes"
    not_for_classifiers = [metric.name for metric in metrics if not metric.fits_classifier]
    if not missing and not not_for_classifiers:
        return
    unset = set.intersection(*(set(budget.unset_limits()) for budget in budgets))
    # `unset` has names of `Budget` alone, so regression.accuracy would always seem to be set.
    if limits := sorted(ACCURACY_LIMITS.difference(unset, {"regression.accuracy"})):
        prefix = f"{model_name} limits {', '.join(limits)}, but its"
        if not missing:
            raise ConfigError(
                f"{prefix} metric {not_for_classifiers[0]} is for networks that do not classify",
                expected="limits for one of the two",
            )
        raise ConfigError(
            f"{prefix} data set {data.name} has no {missing}",
            expected=f"{missing}, or limits that need none",
            remedy=_ALTERNATIVES[missing],
        )


def _check_growth(model: Model) -> None:
    """Raise ConfigError for a gated recipe whose file may grow without any limit."""
    for recipe in model.recipes:
        budget = model.budget_of(recipe)
        if recipe.gate and budget.regression and budget.regression.size is budget.size is None:
            raise ConfigError(
                f"{model.name or model.summary}/{recipe.name} may grow without a limit",
                expected="Budget(size=...) beside Regression(size=None)",
                remedy="write size=litegate.kib(...) into the budget, or remove size=None",
            )


def _check_metric(model_name: str, data: Data, metric: Metric) -> None:
    subject = f"the metric {metric.name} of {model_name}"
    if metric.needs_labels and not data.labels:
        raise ConfigError(
            f"{subject} needs labels, but its data set {data.name} has no labels",
            expected="labels, or a metric whose function takes only outputs and inputs",
        )
    if metric.needs_sequences and not data.sequences:
        raise _no_sequences(subject, data)
    if isinstance(metric.of, str) and metric.of not in data.classes:
        raise ConfigError(
            f"{subject} names the class {metric.of!r}, which {data.name} does not have",
            expected=", ".join(data.classes)
            or ("a class number, since the data set has no class names"),
        )
    if metric.slice_loss is not None and data.digests and not data.slices:
        raise _no_slices(f"{subject} limits slice_loss", data)


def _no_sequences(subject: str, data: Data) -> ConfigError:
    return ConfigError(
        f"{subject} needs frames in order, but {data.name} has no sequences",
        expected="lg.Data(sequences=lg.Frames(period=lg.ms(20))), and lengths in lg.Splits",
    )


def _no_slices(subject: str, data: Data) -> ConfigError:
    return ConfigError(
        f"{subject}, but its data set {data.name} has no slices",
        expected='lg.Splits(..., slices={"night": mask}), and the digest of each in lg.Data',
    )


def _validated_recipes(model_name: str, recipes: Sequence[Recipe]) -> tuple[Recipe, ...]:
    counts = Counter(recipe.name for recipe in recipes)
    duplicates = sorted(name for name, count in counts.items() if count > 1)
    if duplicates:
        raise ConfigError(
            f"model {model_name} has two recipes named {', '.join(duplicates)}",
            remedy="give one of them another name=...",
        )
    if not recipes:
        raise ConfigError(f"model {model_name} has no recipe", expected="at least one")
    return tuple(recipes)


def _resolved(model_file: Path, files: Sequence[str | Path]) -> tuple[Path, ...]:
    """Return the paths of files that are given relative to the folder of the model's file."""
    if isinstance(files, str):
        raise ConfigError("files=... must be a list", expected=f"[{files!r}]", got=repr(files))
    return tuple(model_file.parent / file for file in files)
