"""The composition root: options in, models, artifacts and a run's record out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

from litegate.child import Event
from litegate.discovery import discover
from litegate.environment import describe
from litegate.errors import ConfigError, DataUnavailable, LitegateError
from litegate.options import GateOptions
from litegate.pipeline import Built, Pipeline
from litegate.reports.record import Run
from litegate.selection import Case, check_recipes, choose, recipes_of
from litegate.spec import Artifact, DataLocations, Model
from litegate.store import Store

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

    @cached_property
    def models(self) -> dict[str, Model]:
        """The models that were chosen, by name. ConfigError for a misspelt one, or for none."""
        found = discover(self.options.models, self.options.project)
        if not found:
            raise ConfigError(
                f"{self.options.models} declares no model",
                expected="at least one function with @litegate.model",
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
    def run(self) -> Run:
        """What was found so far."""
        return Run(environment=describe(self.options), strict=self.options.strict)

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


def _needs(case: Case) -> list[str]:
    if not case.recipe:
        return [BASELINE]
    return [case.recipe.name, case.recipe.reference.name, BASELINE]


def conclude(session: Session) -> dict[str, Any]:
    """Fill in what stands beside the verdicts, and give the report as a JSON object."""
    from litegate.measures.overview import advice, overview
    from litegate.reports.json_report import document

    run = session.run
    gated = dict.fromkeys(row["model"] for row in run.verdicts if row["model"])
    for model in (session.models[name] for name in gated):
        artifacts = session.stored(model)
        rows, notes = overview(model, artifacts, BASELINE)
        run.recipes += rows
        run.notes += [*notes, *advice(model, artifacts)]
        run.artifacts |= {a.sha256: a.certificate for a in artifacts.values()}
    return document(run)
