"""The composition root: options in, models, artifacts and a run's record out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, final

from litegate.base import Base, read_base
from litegate.child import Event
from litegate.discovery import discover
from litegate.environment import describe
from litegate.errors import BuildError, ConfigError, DataUnavailable, LitegateError
from litegate.git import merge_base
from litegate.loosening import predecessor
from litegate.options import GateOptions
from litegate.pipeline import Built, Pipeline, Target
from litegate.reports.record import Run
from litegate.selection import Case, check_recipes, choose, gated, recipes_of
from litegate.spec import Artifact, DataLocations, Model
from litegate.store import BUILDS, Store

BASELINE = "float32"


class NotGated(Exception):
    """A model that nothing can be said about here; the text says why and what to do."""


@final
@dataclass(eq=False)
class Session:
    """One run of the gate. Models are loaded and artifacts built when they are first asked for."""

    options: GateOptions
    on_event: Callable[[str, Event], None]
    on_notice: Callable[[str], None]
    _built: dict[tuple[str, str], Built] = field(default_factory=dict)
    _base_built: dict[str, Built] = field(default_factory=dict)
    unseparated: set[str] = field(default_factory=set)
    """Cases whose base was built again by another tool chain than it was accepted with."""

    @cached_property
    def all_models(self) -> dict[str, Model]:
        """Every model that the folder declares, by name. ConfigError where a file does not load."""
        return discover(self.options.models, self.options.project)

    @cached_property
    def models(self) -> dict[str, Model]:
        """The models that were chosen, by name. ConfigError for a misspelt one, or for none."""
        found = self.all_models
        if not found:
            raise ConfigError(
                f"{self.options.models} declares no model",
                expected="at least one function with @litegate.model",
                remedy="write one; `litegate init` in an empty folder gives an example",
            )
        chosen = choose(found, self.options.only_models)
        check_recipes(chosen, self.options.only_recipes)
        return chosen

    @cached_property
    def pipeline(self) -> Pipeline:
        """Where artifacts come from."""
        options = self.options
        return Pipeline(
            store=Store(options.store),
            project=options.project,
            locations=DataLocations(directory=options.data, cache=options.store.parent / "data"),
            timeout=options.build_timeout,
            on_event=self.on_event,
            on_notice=self.on_notice,
        )

    @cached_property
    def base(self) -> Base | None:
        """The base that this run is held against. ConfigError where there is none to be had."""
        commit = merge_base(self.options.against, self.options.project)
        if commit is None:
            return None
        return read_base(commit, self.options.project, self.pipeline.store, self.on_notice)

    @cached_property
    def declared(self) -> dict[str, Any]:
        """What this checkout declares of its models and its tool chain."""
        from litegate.declarations import declared_model, declared_toolchain

        project = self.options.project
        models = {
            name: declared_model(
                model,
                project,
                partial(self.pipeline.key, model),
                partial(self.pipeline.stem, model),
            )
            for name, model in self.all_models.items()
        }
        return {"models": models, "toolchain": declared_toolchain(project)}

    @cached_property
    def _toolchain_moved(self) -> bool:
        """Whether this change moves what builds artifacts."""
        from litegate.declarations import declared_toolchain

        here = declared_toolchain(self.options.project)
        return bool(self.base and self.base.models and self.base.declaration["toolchain"] != here)

    def _older(self, case: Case, key: str, stem: str) -> str:
        """The key of the base as the old tool chain built it; without one, `key`."""
        older = [k for k in self.pipeline.store.keys_of(BUILDS, stem) if k != key]
        if not older:
            self.unseparated.add(case.id)
        return older[0] if older else key

    def build_base(self, cases: Iterable[Case]) -> None:
        """Have the base's artifact of each case; what prevents one is told by its checks."""
        for case in cases:
            if case.id not in self._base_built:
                try:
                    self._base_built[case.id] = self._base_of(case)
                except LitegateError as error:
                    self._base_built[case.id] = error

    def in_base(self, case: Case) -> tuple[str, str] | None:
        """The model and recipe of a case as the base knows them, or None for a new one."""
        if self.base is None or case.recipe is None:
            return None
        before = predecessor(self.base.declaration, self.declared, case.model.name)
        known = before is not None and case.recipe.name in self.base.models[before]["recipes"]
        return (before, case.recipe.name) if before is not None and known else None

    def new_cases(self) -> list[Case]:
        """The gated recipes that the base does not know; none without a base."""
        if self.base is None:
            return []
        cases = (
            Case(model=model, recipe=recipe)
            for model in self.models.values()
            for recipe in gated(model, self.options.only_recipes)
        )
        return [case for case in cases if not self.in_base(case)]

    def base_artifact(self, case: Case) -> Artifact:
        """The base's artifact of a case, built if it must be, or the error that prevented it."""
        self.build_base([case])
        built = self._base_built[case.id]
        if isinstance(built, LitegateError):
            raise built
        return built

    def _base_of(self, case: Case) -> Artifact:
        found = self.in_base(case)
        if self.base is None or found is None or case.recipe is None:
            raise ConfigError(f"{case.id} has no counterpart in a base")
        declared, recipe = self.base.models[found[0]], found[1]
        key = declared["keys"][recipe]
        if self._toolchain_moved:
            key = self._older(case, key, declared["stems"][recipe])
        kept = self.pipeline.find_other(case.model, case.recipe.name, key)
        if kept is None:
            with self.base.files() as tree:
                self.pipeline.build_other(_target(found[0], declared, tree), recipe)
            kept = self.pipeline.find_other(case.model, case.recipe.name, key)
        if kept is None:
            raise BuildError(f"the base's {found[0]}/{recipe} was built and is not in the store")
        return kept

    @cached_property
    def run(self) -> Run:
        """What was found so far."""
        base = self.base and {"commit": self.base.commit.sha, "ref": self.base.commit.ref}
        return Run(environment=describe(self.options), strict=self.options.strict, base=base)

    def build(self, cases: Iterable[Case]) -> None:
        """Have every artifact that these cases and the table beside them need."""
        wanted: dict[str, dict[str, None]] = {}
        for case in cases:
            wanted.setdefault(case.model.name, {}).update(dict.fromkeys(_needs(case)))
        for name, recipes in wanted.items():
            model = self.models[name]
            shown = (recipe.name for recipe in recipes_of(model, self.options.only_recipes))
            self._ensure(model, dict.fromkeys([*recipes, *shown]))

    def artifact(self, model: Model, recipe: str) -> Artifact:
        """One artifact, built if it must be.

        Raises NotGated where its data cannot be had on a laptop, else the error that prevented it.
        """
        if (model.name, recipe) not in self._built:
            self._ensure(model, [recipe])
        built = self._built[model.name, recipe]
        if isinstance(built, DataUnavailable) and not self.options.in_ci:
            remedy = f"; {built.remedy}" if built.remedy else ""
            raise NotGated(f"{built.what}{remedy}")
        if isinstance(built, LitegateError):
            raise built
        return built

    def _ensure(self, model: Model, recipes: Iterable[str]) -> None:
        names = [name for name in recipes if (model.name, name) not in self._built]
        built = self.pipeline.ensure(model, names)
        self._built |= {(model.name, name): one for name, one in built.items()}

    def stored(self, model: Model) -> Mapping[str, Artifact]:
        """The artifacts that the store holds of a model, by recipe, references included."""
        recipes = recipes_of(model, self.options.only_recipes)
        wanted = [BASELINE, *(r.reference.name for r in recipes), *(r.name for r in recipes)]
        found = {name: self.pipeline.find(model, name) for name in dict.fromkeys(wanted)}
        return {name: artifact for name, artifact in found.items() if artifact}


def _target(name: str, declared: Mapping[str, Any], tree: Path) -> Target:
    return Target(
        model=name,
        file=tree / declared["file"],
        project=tree,
        keys=declared["keys"],
        stems=declared["stems"],
        data_key=declared["data"]["key"],
    )


def _needs(case: Case) -> list[str]:
    if not case.recipe:
        return [BASELINE]
    return [case.recipe.name, case.recipe.reference.name, BASELINE]


def conclude(session: Session) -> dict[str, Any]:
    """Fill in what stands beside the verdicts, and give the report as a JSON object."""
    from litegate.measures.overview import advice, overview
    from litegate.reports.json_report import document
    from litegate.reports.slack import slack

    run = session.run
    judged = dict.fromkeys(row["model"] for row in run.verdicts if row["model"])
    for model in (session.models[name] for name in judged):
        artifacts = session.stored(model)
        rows, notes = overview(model, artifacts, BASELINE)
        run.recipes += rows
        run.notes += [*notes, *advice(model, artifacts)]
        for recipe in gated(model, session.options.only_recipes):
            its = (row for row in run.verdicts if row["model"] == model.name)
            mine = [row for row in its if row["recipe"] == recipe.name]
            run.notes += slack(model.budget_of(recipe), mine)
        run.artifacts |= {a.sha256: a.certificate for a in artifacts.values()}
    return document(run)
