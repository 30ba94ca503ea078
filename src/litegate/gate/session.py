"""Compose a run: options in; models, artifacts and the run's record out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import Any, final

from litegate.build.pipeline import Built, Pipeline
from litegate.build.process import Event
from litegate.build.store_answers import keep_answers
from litegate.core.errors import ConfigError, DataUnavailable, LitegateError, StoreError
from litegate.core.git import Commit
from litegate.core.options import GateOptions
from litegate.core.units import text
from litegate.gate.environment import describe
from litegate.gate.trusted_store import open_builder, open_store
from litegate.regression.base_artifacts import Counterpart
from litegate.regression.base_commit import merge_base, resolve
from litegate.regression.base_declaration import Base, read_base
from litegate.report.run_record import Run
from litegate.spec import Artifact, DataLocations, Model
from litegate.spec.cases import (
    Case,
    check_recipes,
    check_runtimes,
    gated_recipes,
    select_models,
    select_recipes,
)
from litegate.spec.loader import discover
from litegate.spec.model import on_device
from litegate.spec.recipe import BASELINE


class NotGated(Exception):
    """A model that cannot be judged on this machine; the text says why and what to do."""


@final
@dataclass(eq=False)
class GateSession:
    """One run of the gate; loads models and builds artifacts on first use."""

    options: GateOptions
    on_event: Callable[[str, Event], None]
    on_notice: Callable[[str], None]
    on_wait: Callable[[str], None] | None = None
    """Called instead of `on_notice` with what this run waits for: the line must be seen at once."""
    _built: dict[tuple[str, str], Built] = field(default_factory=dict)
    own_answers: dict[str, dict[str, str]] = field(default_factory=dict)
    """The digests of the answers that this run's processes computed, as of `keep_answers`."""
    unchanged: frozenset[str] = frozenset()
    """Models that are as in the base, and that this run was asked to leave out."""

    @cached_property
    def all_models(self) -> dict[str, Model]:
        """Every model in the folder, by name, on the device that this run builds it on.

        Raises ConfigError if a file does not load.
        """
        models = discover(self.options.models, self.options.project)
        return {name: on_device(model, self.options.device) for name, model in models.items()}

    @cached_property
    def models(self) -> dict[str, Model]:
        """The selected models that are not `unchanged`, by name. Raises as `selected`."""
        return {name: it for name, it in self.selected.items() if name not in self.unchanged}

    @cached_property
    def selected(self) -> dict[str, Model]:
        """The selected models, by name. Raises ConfigError for a misspelt one, or for none."""
        models = self.all_models
        if not models:
            raise ConfigError(
                f"{self.options.models} declares no model",
                expected="a function with @litegate.model, or a variable set to "
                "litegate.prebuilt(...) or litegate.trained(...)",
                remedy="write one, or run `litegate init` in an empty folder for an example",
            )
        chosen = select_models(models, self.options.only_models)
        check_recipes(chosen, self.options.only_recipes)
        return chosen

    @cached_property
    def pipeline(self) -> Pipeline:
        """Finds artifacts in the store and builds the missing ones."""
        options, notice = self.options, self.on_wait or self.on_notice
        store = open_store(options, lambda: self._base_commit, notice)
        return Pipeline(
            store=store,
            project=options.project,
            locations=DataLocations(
                directory=options.data,
                cache=options.store.parent / "data",
                project=options.project,
            ),
            timeout=options.build_timeout,
            on_event=self.on_event,
            on_notice=self.on_notice,
            builder=open_builder(options, store, self.on_event, notice),
        )

    @cached_property
    def _base_commit(self) -> Commit | None:
        """The merge base. Raises ConfigError if there is none."""
        return merge_base(self.options.against, self.options.project)

    @cached_property
    def base(self) -> Base | None:
        """The base that this run compares with. Raises ConfigError if it cannot be read."""
        return self._read(self._base_commit)

    @cached_property
    def anchor(self) -> Base | None:
        """The pinned commit that this run compares with, too, such as the last release."""
        return self._read(resolve(self.options.anchor, self.options.project))

    def _read(self, commit: Commit | None) -> Base | None:
        if commit is None:
            return None
        options = self.options
        return read_base(
            commit,
            options.project,
            options.models,
            self.pipeline.store,
            self.on_notice,
            device=options.device,
        )

    @cached_property
    def declared(self) -> dict[str, Any]:
        """The declaration of this checkout: its models and its tool chain."""
        # Late: only a comparison with a base, and commands that list keys, describe the checkout.
        from litegate.regression.declaration import declared_model, declared_toolchain

        project = self.options.project
        models = {
            name: declared_model(
                model,
                project,
                partial(_declared_key, self.pipeline.key, model),
                partial(_declared_key, self.pipeline.stem, model),
                _declared_key(lambda it, _: self.pipeline.start_digest(it), model, ""),
            )
            for name, model in self.all_models.items()
        }
        return {"models": models, "toolchain": declared_toolchain(project)}

    @cached_property
    def counterparts(self) -> Mapping[str, Counterpart]:
        """The commits that this run compares with, by the fixture that gives their artifacts."""
        sides = {"base": self.base, "anchor": self.anchor}
        return {
            role: Counterpart(base=side, role=role, pipeline=self.pipeline, declared=self.declared)
            for role, side in sides.items()
            if side
        }

    def knows(self, role: str, case: Case) -> bool:
        """Return True if the run has that commit, and it the model and recipe of a case."""
        side = self.counterparts.get(role)
        return side is not None and side.find_names(case) is not None

    def with_same_data(self, case: Case) -> list[str]:
        """Return the roles of the commits that declare the same data for a case."""
        return [role for role, side in self.counterparts.items() if side.has_same_data(case)]

    def new_cases(self) -> list[Case]:
        """The gated recipes that the base does not know; none without a base."""
        if self.base is None:
            return []
        cases = (
            Case(model=model, recipe=recipe)
            for model in self.models.values()
            for recipe in gated_recipes(model, self.options.only_recipes)
        )
        return [case for case in cases if not self.knows("base", case)]

    def growth_notes(self, case: Case) -> Iterator[str]:
        """Yield the growth of a file against the base, if its model declares that it is a note."""
        base = self.counterparts.get("base")
        if base is None or case.recipe is None or case.regression.size is not None:
            return
        from litegate.measures.regression import size_growth  # late: it loads NumPy

        before, after = base.stored(case), self.pipeline.find(case.model, case.recipe.name)
        if before and after and (growth := size_growth(before, after)).value > 0:
            sizes = f"{len(before.tflite):,} B -> {len(after.tflite):,} B"
            share = text(growth.value, growth.unit)
            yield (
                f"{after.name}: the file grew by {share}, {sizes}; a note, since "
                f"Regression(size=None) leaves it to Budget(size={case.budget.size})"
            )

    def demand_declarations(self) -> None:
        """Raise ConfigError if a model's file does not load, or cannot be compared with a base."""
        if self.all_models and self.counterparts:
            _ = self.declared

    def demand_selection(self) -> None:
        """Raise ConfigError if a model, recipe or runtime that was asked for does not exist."""
        check_recipes(self.selected, self.options.only_recipes)
        check_runtimes(self.options.only_runtimes)

    def unjudged_runtimes(self) -> list[str]:
        """Return the runtimes that models declare and that this run was told to leave out."""
        only = self.options.only_runtimes
        declared = (
            runtime
            for model in (self.models.values() if only else ())
            for recipe in gated_recipes(model, self.options.only_recipes)
            for runtime in model.budget_of(recipe).judged_runtimes
        )
        return [runtime for runtime in dict.fromkeys(declared) if runtime not in only]

    def new_run(self) -> Run:
        """Start the record of a run: its environment and the commits that it compares with."""
        return Run(
            environment=describe(self.options),
            strict=self.options.strict,
            base=_named(self.base),
            anchor=_named(self.anchor),
        )

    def store_incidents(self) -> dict[str, Any]:
        """Return the problems with the bucket in this process, in types that cross processes."""
        remote = self.pipeline.store.remote
        return asdict(remote.incidents) if remote else {}

    def add_store_incidents(self, incidents: Mapping[str, Any]) -> None:
        """Add the `store_incidents` of a worker of pytest-xdist."""
        remote = self.pipeline.store.remote
        if remote and incidents:
            remote.incidents.add(**incidents)

    def build(self, cases: Iterable[Case]) -> None:
        """Build the missing artifacts of these cases and of the table of recipes."""
        wanted: dict[str, dict[str, None]] = {}
        for case in cases:
            wanted.setdefault(case.model.name, {}).update(dict.fromkeys(_needs(case)))
        for name, recipes in wanted.items():
            shown = select_recipes(self.models[name], self.options.only_recipes)
            recipes.update(dict.fromkeys(recipe.name for recipe in shown))
        self.pipeline.prepare((self.models[name], recipes) for name, recipes in wanted.items())
        for name, recipes in wanted.items():
            self._ensure(self.models[name], recipes)

    def artifact(self, model: Model, recipe: str) -> Artifact:
        """Return one artifact, built if the store does not have it.

        Raises NotGated if its data are not available on a laptop, else the error that prevented it.
        """
        if (model.name, recipe) not in self._built:
            self._ensure(model, [recipe])
        built = self._built[model.name, recipe]
        if isinstance(built, DataUnavailable) and not self.options.in_ci:
            remedy = f"; {built.remedy}" if built.remedy else ""
            raise NotGated(f"{built.what}{remedy}")
        if isinstance(built, LitegateError):
            raise built
        return self.with_stored_answers(built)

    def built(self, model: Model, recipe: str) -> Artifact | None:
        """Return an artifact that this run has built or found already; None for any other."""
        built = self._built.get((model.name, recipe))
        if built is None or isinstance(built, LitegateError):
            return None
        return self.with_stored_answers(built)

    def with_stored_answers(self, artifact: Artifact) -> Artifact:
        """Return the artifact, whose outputs are put into the store, and on a laptop taken from it.

        In CI all are computed, by this process or by a worker of pytest-xdist: a store may have
        been filled by somebody else.
        """
        return keep_answers(
            self.pipeline.store,
            artifact,
            read=not self.options.in_ci,
            own=self.own_answers,
            on_notice=self.on_wait or self.on_notice,
        )

    def _ensure(self, model: Model, recipes: Iterable[str]) -> None:
        names = [name for name in recipes if (model.name, name) not in self._built]
        built = self.pipeline.ensure(model, names)
        self._built |= {(model.name, name): artifact for name, artifact in built.items()}

    def digests(self, case: Case, roles: Iterable[str]) -> dict[str, str]:
        """Return the SHA-256 of a case's artifacts by role, without those that were not built.

        `roles` are those of other commits that are wanted besides the case's own.
        """
        if case.recipe is None:
            return {}
        names = {"candidate": case.recipe.name, "reference": case.recipe.reference.name}
        names["baseline"] = BASELINE
        built = {role: self._built.get((case.model.name, name)) for role, name in names.items()}
        built |= {role: self.counterparts[role].stored(case) for role in roles}
        return {role: it.sha256 for role, it in built.items() if isinstance(it, Artifact)}

    def stored(self, model: Model) -> Mapping[str, Artifact]:
        """Return a model's artifacts in the store by recipe, references included."""
        recipes = select_recipes(model, self.options.only_recipes)
        wanted = [BASELINE, *(r.reference.name for r in recipes), *(r.name for r in recipes)]
        artifacts = {name: self._find(model, name) for name in dict.fromkeys(wanted)}
        return {
            name: self.with_stored_answers(artifact)
            for name, artifact in artifacts.items()
            if artifact
        }

    def _find(self, model: Model, recipe: str) -> Artifact | None:
        try:
            return self.pipeline.find(model, recipe)
        except StoreError:
            return None  # a bucket that failed; checks that need the artifact report it


def _declared_key(key: Callable[[Model, str], str], model: Model, recipe: str) -> str:
    """Return a key; empty if an external file is missing, which the model's checks report."""
    try:
        return key(model, recipe)
    except LitegateError:
        if model.external_files:
            return ""
        raise


def _named(side: Base | None) -> dict[str, Any] | None:
    return {"commit": side.commit.sha, "ref": side.commit.ref} if side else None


def _needs(case: Case) -> list[str]:
    if not case.recipe:
        return [BASELINE]
    return [case.recipe.name, case.recipe.reference.name, BASELINE]
