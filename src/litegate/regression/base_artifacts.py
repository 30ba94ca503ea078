"""Find or build the artifacts of another commit: the merge base, or the anchor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from litegate.build.build_request import BuildRequest
from litegate.build.pipeline import Built, Pipeline
from litegate.build.store import BUILDS
from litegate.core.errors import BuildError, ConfigError, LitegateError
from litegate.regression.base_declaration import Base
from litegate.regression.declared_changes import declared_changes
from litegate.regression.weakening import predecessor
from litegate.spec import Artifact, File, Model
from litegate.spec.cases import Case
from litegate.spec.recipe import BASELINE, QUANTIZER_KINDS


@final
@dataclass(kw_only=True, eq=False)
class Counterpart:
    """Finds the other commit's artifact of each case, or builds it."""

    base: Base
    role: str
    """The commit's name in messages: "base" or "anchor"."""
    pipeline: Pipeline
    declared: Mapping[str, Any]
    """The declaration of this checkout."""
    toolchain_changed: set[str] = field(default_factory=set)
    """Ids of cases that were rebuilt with this checkout's tool chain, because the other commit's is
    gone: they cannot show what the change of the tool chain does."""
    _built: dict[str, Built] = field(default_factory=dict)

    def find_names(self, case: Case) -> tuple[str, str] | None:
        """Return the names of a case's model and recipe in that commit; None for a new one."""
        if case.recipe is None:
            return None
        model = predecessor(self.base.declaration, self.declared, case.model.name)
        if model is None or case.recipe.name not in self.base.models[model]["recipes"]:
            return None
        return model, case.recipe.name

    def declared_key(self, case: Case) -> str:
        """Return the key of a case's artifact as that commit declares it; empty for a new case.

        Depends on sources alone, and so is the same on every machine.
        """
        names = self.find_names(case)
        return str(self.base.models[names[0]]["keys"][names[1]]) if names else ""

    def has_same_data(self, case: Case) -> bool:
        """Return True if that commit declares the same data, labels and preprocessing."""
        names = self.find_names(case)
        if names is None:
            return False
        before = self.base.models[names[0]]["data"]
        after = self.declared["models"][case.model.name]["data"]
        return all(before[part] == after[part] for part in ("key", "preprocessing"))

    def declared_changes(self, case: Case) -> list[str]:
        """List what a case's model declares differently from that commit; empty for a new case."""
        names = self.find_names(case)
        if names is None:
            return []
        model, recipe = names
        after = self.declared["models"][case.model.name]
        return declared_changes(self.base.models[model], after, recipe)

    def build(self, cases: Iterable[Case]) -> None:
        """Find or build the artifact of each case; `artifact` raises the error of a failed one."""
        for case in cases:
            if case.id not in self._built:
                try:
                    self._built[case.id] = self._find_or_build(case)
                except LitegateError as error:
                    self._built[case.id] = error

    def artifact(self, case: Case) -> Artifact:
        """Return the artifact of a case, with this run's evaluation split.

        Raises the error that prevented it, such as BuildError.
        """
        self.build([case])
        built = self._built[case.id]
        if isinstance(built, LitegateError):
            raise built
        return built

    def _find_or_build(self, case: Case) -> Artifact:
        names = self.find_names(case)
        if names is None or case.recipe is None:
            raise ConfigError(f"{case.id} does not exist in the {self.role}")
        model, recipe = names
        declared = self.base.models[model]
        key = self._key(case, declared, recipe)
        artifact = self._find(case.model, case.recipe.name, declared, key)
        if artifact is None:
            with self.base.checkout() as tree:
                self.pipeline.build(_build_request(model, declared, tree, recipe), recipe)
            artifact = self._find(case.model, case.recipe.name, declared, key)
        if artifact is None:
            raise BuildError(
                f"the {self.role}'s {model}/{recipe} was built but is missing from the store"
            )
        return artifact

    def stored(self, case: Case) -> Artifact | None:
        """Return the artifact of a case if it is in the store, else None; never builds."""
        if built := self._built.get(case.id):
            return built if isinstance(built, Artifact) else None
        names = self.find_names(case)
        if names is None or case.recipe is None:
            return None
        model, recipe = names
        declared = self.base.models[model]
        key = self._key(case, declared, recipe)
        return self._find(case.model, case.recipe.name, declared, key)

    def _find(
        self, model: Model, recipe: str, declared: Mapping[str, Any], key: str
    ) -> Artifact | None:
        return self.pipeline.find_by_key(
            model,
            recipe,
            key,
            signature=str(declared.get("signature", "")),
            prebuilt=recipe in declared["prebuilt"],
        )

    def _key(self, case: Case, declared: Mapping[str, Any], recipe: str) -> str:
        """Return the key of the other commit's artifact.

        The declared key names the tool chain of this process, which loaded the declaration. If that
        commit pins another tool chain, prefer an artifact that the other tool chain built.
        """
        key = str(declared["keys"][recipe])
        if recipe in declared["prebuilt"] or not self._has_other_toolchain():
            return key
        return self._key_of_other_toolchain(case, key, declared["stems"][recipe])

    def _has_other_toolchain(self) -> bool:
        return bool(self.base.declaration["toolchain"] != self.declared["toolchain"])

    def _key_of_other_toolchain(self, case: Case, key: str, stem: str) -> str:
        """Return the key of a stored artifact of another tool chain; `key` if there is none."""
        others = [other for other in self.pipeline.store.keys_of(BUILDS, stem) if other != key]
        if not others:
            self.toolchain_changed.add(case.id)
        return others[0] if others else key


def _build_request(name: str, declared: Mapping[str, Any], tree: Path, recipe: str) -> BuildRequest:
    is_quantized = declared["recipes"][recipe]["kind"] in QUANTIZER_KINDS
    return BuildRequest(
        model=name,
        file=tree / declared["file"],
        project=tree,
        keys=declared["keys"],
        stems=declared["stems"],
        data_key=declared["data"]["key"],
        device=declared["training"]["device"],
        prebuilt={recipe: File(**file) for recipe, file in declared["prebuilt"].items()},
        start=File(**declared["start"]["file"]) if declared["start"] else None,
        start_digest=declared["start"]["digest"] if declared["start"] else "",
        float_key=declared["keys"][BASELINE] if is_quantized else "",
    )
