"""The same models as another commit has them: that of the merge base, or of the anchor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from litegate.build.pipeline import Built, Pipeline, Target
from litegate.build.store import BUILDS
from litegate.core.errors import BuildError, ConfigError, LitegateError
from litegate.regression.base import Base
from litegate.regression.weakening import predecessor
from litegate.spec import Artifact, File
from litegate.spec.cases import Case


@final
@dataclass(kw_only=True, eq=False)
class Counterpart:
    """Gives the other commit's artifact of a case, built if it must be."""

    base: Base
    role: str
    """How messages call it: "base" or "anchor"."""
    pipeline: Pipeline
    declared: Mapping[str, Any]
    """What this checkout declares."""
    unseparated: set[str] = field(default_factory=set)
    """Cases that had to be built again, by another tool chain than they were accepted with."""
    _built: dict[str, Built] = field(default_factory=dict)

    def knows(self, case: Case) -> tuple[str, str] | None:
        """The model and recipe of a case as that commit calls them, or None for a new one."""
        if case.recipe is None:
            return None
        before = predecessor(self.base.declaration, self.declared, case.model.name)
        if before is None or case.recipe.name not in self.base.models[before]["recipes"]:
            return None
        return before, case.recipe.name

    def build(self, cases: Iterable[Case]) -> None:
        """Have the artifact of each case; what prevents one is told by its checks."""
        for case in cases:
            if case.id not in self._built:
                try:
                    self._built[case.id] = self._find_or_build(case)
                except LitegateError as error:
                    self._built[case.id] = error

    def artifact(self, case: Case) -> Artifact:
        """The artifact of a case, to be judged on this run's split, or what prevented it."""
        self.build([case])
        built = self._built[case.id]
        if isinstance(built, LitegateError):
            raise built
        return built

    def _find_or_build(self, case: Case) -> Artifact:
        found = self.knows(case)
        if found is None or case.recipe is None:
            raise ConfigError(f"{case.id} has no counterpart in the {self.role}")
        declared, recipe = self.base.models[found[0]], found[1]
        key = self._key(case, declared, recipe)
        signature = str(declared.get("signature", ""))
        kept = self.pipeline.find_other(case.model, case.recipe.name, key, signature)
        if kept is None:
            with self.base.files() as tree:
                self.pipeline.build_other(_target(found[0], declared, tree), recipe)
            kept = self.pipeline.find_other(case.model, case.recipe.name, key, signature)
        if kept is None:
            whose = f"the {self.role}'s {found[0]}/{recipe}"
            raise BuildError(f"{whose} was built and is not in the store")
        return kept

    def stored(self, case: Case) -> Artifact | None:
        """The artifact of a case where the store holds it, or None; never builds."""
        found, built = self.knows(case), self._built.get(case.id)
        if isinstance(built, Artifact) or found is None or case.recipe is None:
            return built if isinstance(built, Artifact) else None
        declared = self.base.models[found[0]]
        key, signature = self._key(case, declared, found[1]), str(declared.get("signature", ""))
        return self.pipeline.find_other(case.model, case.recipe.name, key, signature)

    def _key(self, case: Case, declared: Mapping[str, Any], recipe: str) -> str:
        """The key of the other commit's recipe; where its tool chain is gone, of what is kept."""
        key = str(declared["keys"][recipe])
        built = self._toolchain_moved() and not declared["prebuilt"]
        return self._older(case, key, declared["stems"][recipe]) if built else key

    def _toolchain_moved(self) -> bool:
        """Whether that commit pins another tool chain than this checkout."""
        return bool(self.base.declaration["toolchain"] != self.declared["toolchain"])

    def _older(self, case: Case, key: str, stem: str) -> str:
        """The key of what the old tool chain built; without one `key`, and that is remembered."""
        older = [k for k in self.pipeline.store.keys_of(BUILDS, stem) if k != key]
        if not older:
            self.unseparated.add(case.id)
        return older[0] if older else key


def _target(name: str, declared: Mapping[str, Any], tree: Path) -> Target:
    return Target(
        model=name,
        file=tree / declared["file"],
        project=tree,
        keys=declared["keys"],
        stems=declared["stems"],
        data_key=declared["data"]["key"],
        prebuilt={recipe: File(**file) for recipe, file in declared["prebuilt"].items()},
        start=File(**declared["start"]["file"]) if declared["start"] else None,
        start_digest=declared["start"]["digest"] if declared["start"] else "",
    )
