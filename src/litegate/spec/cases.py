"""Select the models, recipes and metrics that each check runs on."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.core.escaping import plain
from litegate.spec.budget import (
    ACCURACY_LIMITS,
    ANSWER_LIMITS,
    LATENCY_LIMITS,
    NPU_LIMITS,
    Budget,
    Regression,
    limit_fields,
)
from litegate.spec.metric import LIMITS as METRIC_LIMITS
from litegate.spec.metric import Metric
from litegate.spec.model import Model
from litegate.spec.recipe import Recipe
from litegate.spec.runtimes import REFERENCE, TFLM, XNNPACK, runtime_names

_OWNERS: Mapping[str, type] = {"budget": Budget, "regression": Regression, "metric": Metric}
"""Classes with limits, by the name of their fixture."""
_METRIC_PREFIX = "metric."
_PROPERTIES = "property_violations"
"""The measure of answers that needs no limit of the budget."""
_TARGET = "target_violations"
"""The measure of operators, which TensorFlow Lite Micro's interpreter can be asked about."""
LIMITS = (
    *Budget().unset_limits(),
    *(f"regression.{f.name}" for f in limit_fields(Regression)),
    *(f"{_METRIC_PREFIX}{name}" for name in METRIC_LIMITS),
)
"""Names of all limits: "size", "regression.size", "metric.loss"."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The parameters of a test: a model, and a recipe if the check runs on each recipe."""

    model: Model
    recipe: Recipe | None

    @property
    def id(self) -> str:
        """The part of the test id in brackets."""
        name = plain(self.model.name)
        return f"{name}-{self.recipe.name}" if self.recipe else name

    @property
    def budget(self) -> Budget:
        """The limits that apply."""
        return self.model.budget_of(self.recipe) if self.recipe else self.model.budget

    @property
    def regression(self) -> Regression:
        """The limits against the base that apply."""
        return self.budget.regression or Regression()

    def limit(self, name: str) -> Any:
        """Return one of `LIMITS`; None if it is unset, or the model has no accuracy."""
        if name in ACCURACY_LIMITS and not self.model.has_accuracy:
            return None
        owner, _, field = name.rpartition(".")
        return getattr(self.regression if owner else self.budget, field)

    def unset_limits(self, *, compared: bool) -> tuple[str, ...]:
        """Return the limits that could be set; `compared` adds those against a base."""
        against_base = (f"regression.{name}" for name in self.regression.unset_limits())
        of_metrics = (
            name
            for metric in self.budget.metrics
            for name in metric.unset_limits(compared=compared)
        )
        unset = (
            *self.budget.unset_limits(),
            *(against_base if compared else ()),
            *of_metrics,
        )
        not_applicable = {
            *(() if self.model.has_accuracy else ACCURACY_LIMITS),
            *(() if self.model.data.slices else ("slice_drop",)),
            *(() if self.budget.vela else NPU_LIMITS),
            *(() if self.model.data.sequences else ("real_time_factor",)),
        }
        return tuple(name for name in unset if name not in not_applicable)

    def unchecked_limits(self, named: Collection[str], *, compared: bool) -> tuple[str, ...]:
        """Return the limits that are set, but not among those that checks name.

        `named` are names of `LIMITS`; `compared` includes the limits against a base.
        """
        own = (name for name in Budget().unset_limits() if self.limit(name) is not None)
        metrics = (
            f"{metric.name}.{limit}"
            for metric in self.budget.metrics
            for limit in metric.limits()
            if f"{_METRIC_PREFIX}{limit}" not in named and (compared or limit != "regression")
        )
        return (*(name for name in own if name not in named), *metrics)

    @property
    def target(self) -> str | None:
        """Name or file of the target that must support every operator."""
        return self.budget.target

    @property
    def shipped(self) -> str | None:
        """Path of the file in the project that must equal the candidate."""
        return self.recipe.shipped if self.recipe else None


def select_models(models: Mapping[str, Model], names: Iterable[str]) -> dict[str, Model]:
    """Return the models with these names, or all models without a name.

    Raises ConfigError for an unknown name.
    """
    selected = list(names)
    unknown = [name for name in selected if name not in models]
    if unknown:
        raise ConfigError(
            f"--litegate-model: there is no model {', '.join(unknown)}",
            expected=", ".join(models) or "a folder with models, but it has none",
        )
    return {name: model for name, model in models.items() if not selected or name in selected}


def select_recipes(model: Model, names: Iterable[str]) -> tuple[Recipe, ...]:
    """Return the recipes of a model with these names, or all recipes without a name."""
    selected = list(names)
    return tuple(r for r in model.recipes if not selected or r.name in selected)


def check_recipes(models: Mapping[str, Model], names: Iterable[str]) -> None:
    """Raise ConfigError for a recipe that no selected model has."""
    known = {recipe.name for model in models.values() for recipe in model.recipes}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            f"--litegate-recipe: no model has a recipe {', '.join(unknown)}",
            expected=", ".join(sorted(known)),
        )


def cases(
    models: Mapping[str, Model],
    only_recipes: Iterable[str],
    function: Callable[..., Any],
    *,
    per_recipe: bool,
) -> list[Case]:
    """Return the cases of a check: the models, or their gated recipes, that set all its limits."""
    names = list(only_recipes)
    candidates = [
        Case(model=model, recipe=recipe)
        for model in models.values()
        for recipe in (gated_recipes(model, names) if per_recipe else [None])
    ]
    used = [name for name in limits_used(function) if not name.startswith(_METRIC_PREFIX)]
    return [case for case in candidates if all(case.limit(name) is not None for name in used)]


def cases_by_metric(
    cases: Iterable[Case], function: Callable[..., Any]
) -> list[tuple[Case, Metric]]:
    """Pair the cases of a check of metrics with each metric that sets all limits it names."""
    used = limits_used(function)
    fields = [name.removeprefix(_METRIC_PREFIX) for name in used if name.startswith(_METRIC_PREFIX)]
    return [
        (case, metric)
        for case in cases
        for metric in case.budget.metrics
        if all(getattr(metric, field) is not None for field in fields)
    ]


def runtimes_of(
    case: Case,
    function: Callable[..., Any],
    only: Collection[str] = (),
    *,
    asks_for_runtime: bool = False,
    has_tflm: bool = True,
) -> tuple[str, ...]:
    """Return the runtimes that a check of a case runs on; of checks of answers those in `only`.

    A check of answers, which names a limit of answers or of a metric, or searches for a property's
    counterexamples, runs on each runtime that the budget names. One that asks for the fixture
    `runtime` runs on those besides the default, and the check of their agreement on the reference
    kernels too. A check of the arena, or of the operators that a target takes, runs on "tflm" alone
    if the budget names it and this machine has it. A check of latency runs on the default runtime,
    and on those of the project's own that report times.
    """
    used = limits_used(function)
    runtimes = case.budget.judged_runtimes
    if "runtime_agreement" in used:
        compared = dict.fromkeys((REFERENCE, *(name for name in runtimes if name != XNNPACK)))
        # The reference kernels are compared in any case; `only` selects among declared runtimes.
        return tuple(it for it in compared if not only or it in only or it not in runtimes)
    is_of_answers = judges_samples(function) or _PROPERTIES in _names(function)
    if used & LATENCY_LIMITS:
        timed = (command.name for command in case.budget.commands if command.times)
        return (XNNPACK, *(name for name in timed if not only or name in only))
    if not (asks_for_runtime or is_of_answers):
        is_asked = "arena" in used or (_TARGET in _names(function) and _suits_tflm(case.target))
        has_tflm = has_tflm and TFLM in runtimes and (not only or TFLM in only)
        return (TFLM,) if is_asked and has_tflm else (XNNPACK,)
    if asks_for_runtime:
        runtimes = tuple(runtime for runtime in runtimes if runtime != XNNPACK)
    return tuple(runtime for runtime in runtimes if not only or runtime in only)


def _suits_tflm(target: str | None) -> bool:
    """Return True for the target "tflm" and a list of the user's own, for the firmware's operators.

    litegate's other lists are of what runs elsewhere.
    """
    return target is not None and (target == TFLM or target.endswith(".toml"))


def judges_samples(function: Callable[..., Any]) -> bool:
    """Return True for a check of a limit on the answers to the samples of a split."""
    used = limits_used(function)
    return bool(used & ANSWER_LIMITS) or any(name.startswith(_METRIC_PREFIX) for name in used)


def _names(function: Callable[..., Any]) -> frozenset[str]:
    """Return the names that the source of a check reads."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def check_runtimes(names: Iterable[str]) -> None:
    """Raise ConfigError for a runtime that does not exist."""
    if unknown := [name for name in names if name not in runtime_names()]:
        raise ConfigError(
            f"--litegate-runtime: there is no runtime {', '.join(unknown)}",
            expected=", ".join(runtime_names()),
        )


def gated_recipes(model: Model, names: Iterable[str]) -> list[Recipe]:
    """Return the gated recipes of a model with these names, or all of them without a name."""
    return [recipe for recipe in select_recipes(model, names) if recipe.gate]


def limits_used(function: Callable[..., Any]) -> frozenset[str]:
    """Return the `LIMITS` that the source of a check names, such as ``budget.size``.

    Raises ConfigError for a limit that does not exist.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    used = {
        (node.value.id, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in _OWNERS
    }
    for owner, name in sorted(used):
        if not hasattr(_OWNERS[owner], name):
            raise ConfigError(
                f"{function.__name__} names a limit that {owner} does not have: {name}",
                expected=", ".join(LIMITS),
            )
    named = (name if owner == "budget" else f"{owner}.{name}" for owner, name in used)
    return frozenset(named) & frozenset(LIMITS)
