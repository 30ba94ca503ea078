"""Compute each key of a model's sources once: many look-ups of a run need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from litegate.spec import Model
from litegate.spec.artifact_keys import artifact_stem, evaluation_key


@final
@dataclass(frozen=True, eq=False)
class KeyCache:
    """The keys of models of one project, of which only the sources decide."""

    project: Path
    _keys: dict[tuple[int, str], tuple[Model, str]] = field(default_factory=dict)

    def evaluation(self, model: Model) -> str:
        """Return the key of the evaluation split."""
        return self._once(model, "", lambda: evaluation_key(model, self.project))

    def stem(self, model: Model, recipe: str, start: str) -> str:
        """Return the stem of an artifact's key; `start` is as in `artifact_stem`."""
        declared = model.recipe(recipe)
        return self._once(
            model, recipe, lambda: artifact_stem(model, declared, self.project, start=start)
        )

    def _once(self, model: Model, recipe: str, compute: Callable[[], str]) -> str:
        place = (id(model), recipe)
        if place not in self._keys:
            self._keys[place] = (model, compute())  # the model, so that no other gets its id
        return self._keys[place][1]
