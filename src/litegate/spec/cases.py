"""Which check runs on which model and recipe."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.core.escaping import plain
from litegate.spec.budget import OF_LABELS, Budget, Regression
from litegate.spec.metric import LIMITS as METRIC_LIMITS
from litegate.spec.metric import Metric
from litegate.spec.model import Model
from litegate.spec.recipe import Recipe

_OWNERS: Mapping[str, type] = {"budget": Budget, "regression": Regression, "metric": Metric}
"""What holds limits, by the name of its fixture."""
_OF_METRICS = "metric."
LIMITS = (
    *Budget().unset(),
    *(f"regression.{each.name}" for each in fields(Regression)),
    *(f"{_OF_METRICS}{name}" for name in METRIC_LIMITS),
)
"""Every limit by its name: "size", "regression.size", "metric.loss"."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model, and the candidate's recipe for a check that looks at one."""

    model: Model
    recipe: Recipe | None

    @property
    def id(self) -> str:
        """The part of the test id in brackets."""
        name = plain(self.model.name)
        return f"{name}-{self.recipe.name}" if self.recipe else name

    @property
    def budget(self) -> Budget:
        """The limits that hold here."""
        return self.model.budget_of(self.recipe) if self.recipe else self.model.budget

    @property
    def regression(self) -> Regression:
        """How much worse than the base is allowed here."""
        return self.budget.regression or Regression()

    def limit(self, name: str) -> Any:
        """One of `LIMITS`; None where it is unset, or needs classes that there are not."""
        if name in OF_LABELS and not self.model.chooses:
            return None
        owner, _, field = name.rpartition(".")
        return getattr(self.regression if owner else self.budget, field)

    def unset(self, *, compared: bool) -> tuple[str, ...]:
        """The names of limits that could be set; `compared`: of those against a base too."""
        against = (f"regression.{name}" for name in self.regression.unset())
        metrics = (name for each in self.budget.metrics for name in each.unset(compared=compared))
        every = (*self.budget.unset(), *(against if compared else ()), *metrics)
        idle = () if self.model.chooses else OF_LABELS
        idle = (*idle, *(() if self.model.data.slices else ("slice_drop",)))
        return tuple(name for name in every if name not in idle)

    def unnamed(self, named: Collection[str], *, compared: bool) -> tuple[str, ...]:
        """The limits that are set and not among those `named`, as `LIMITS` has them."""
        own = (name for name in Budget().unset() if self.limit(name) is not None)
        metrics = (
            f"{metric.name}.{limit}"
            for metric in self.budget.metrics
            for limit in metric.limits()
            if f"{_OF_METRICS}{limit}" not in named and (compared or limit != "regression")
        )
        return (*(name for name in own if name not in named), *metrics)

    @property
    def target(self) -> str | None:
        """The name or the file of what must take every operator."""
        return self.budget.target

    @property
    def shipped(self) -> str | None:
        """The file of the project that must hold the candidate's bytes."""
        return self.recipe.shipped if self.recipe else None


def choose(models: Mapping[str, Model], names: Iterable[str]) -> dict[str, Model]:
    """The models to gate: those named, or all. ConfigError lists the known for a misspelt one."""
    wanted = list(names)
    unknown = [name for name in wanted if name not in models]
    if unknown:
        raise ConfigError(
            f"--litegate-model: there is no model {', '.join(unknown)}",
            expected=", ".join(models) or "a folder with models; it has none",
        )
    return {name: model for name, model in models.items() if not wanted or name in wanted}


def recipes_of(model: Model, names: Iterable[str]) -> tuple[Recipe, ...]:
    """The recipes of a model to build: those named, or all."""
    wanted = list(names)
    return tuple(r for r in model.recipes if not wanted or r.name in wanted)


def check_recipes(models: Mapping[str, Model], names: Iterable[str]) -> None:
    """Raise ConfigError for a recipe that no chosen model has."""
    known = {recipe.name for model in models.values() for recipe in model.recipes}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            f"--litegate-recipe: no model has a recipe {', '.join(unknown)}",
            expected=", ".join(sorted(known)),
        )


def cases(
    models: Mapping[str, Model], only: Iterable[str], function: Callable[..., Any], *, each: bool
) -> list[Case]:
    """The cases of one check: `each` gated recipe, or each model, whose limits are all set."""
    wanted = list(only)
    found = [
        Case(model=model, recipe=recipe)
        for model in models.values()
        for recipe in (gated(model, wanted) if each else [None])
    ]
    used = [name for name in limits_used(function) if not name.startswith(_OF_METRICS)]
    return [case for case in found if all(case.limit(name) is not None for name in used)]


def by_metric(found: Iterable[Case], function: Callable[..., Any]) -> list[tuple[Case, Metric]]:
    """Each case of a check that asks for a metric, with each one that has all limits it names."""
    used = limits_used(function)
    fields = [name.removeprefix(_OF_METRICS) for name in used if name.startswith(_OF_METRICS)]
    return [
        (case, metric)
        for case in found
        for metric in case.budget.metrics
        if all(getattr(metric, field) is not None for field in fields)
    ]


def gated(model: Model, only: Iterable[str]) -> list[Recipe]:
    """The recipes of a model that are judged: those named, or all."""
    return [recipe for recipe in recipes_of(model, only) if recipe.gate]


def limits_used(function: Callable[..., Any]) -> frozenset[str]:
    """Those of `LIMITS` that a check names. ConfigError for one that does not exist."""
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
                f"{function.__name__} names a limit that a {owner} does not have: {name}",
                expected=", ".join(LIMITS),
            )
    named = (name if owner == "budget" else f"{owner}.{name}" for owner, name in used)
    return frozenset(named) & frozenset(LIMITS)
