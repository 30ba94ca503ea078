"""Get the artifact of a model and recipe: from the store, or built once and stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import final

from litegate.build import process
from litegate.build.build_request import BuildRequest
from litegate.build.certificate import (
    BUILD_FILES,
    CERTIFICATE,
    HISTORY,
    MODEL,
    demand_bytes,
    demand_origin,
    read_json,
)
from litegate.build.child_builder import ChildBuilder
from litegate.build.cluster.job import Builder, Job, Outcomes, job_for
from litegate.build.external_files import ExternalFiles
from litegate.build.key_cache import KeyCache
from litegate.build.store import BUILDS, EVALUATIONS, Store
from litegate.build.store_arrays import (
    KERAS,
    stored_evaluation,
    stored_keras_outputs,
)
from litegate.core.errors import (
    BuildError,
    ConfigError,
    DataUnavailable,
    LitegateError,
    StoreCorrupt,
)
from litegate.core.files import shown_path
from litegate.data.digests import name_model
from litegate.measures.lints.saturation import demand_representable
from litegate.spec import Artifact, DataLocations, Evaluation, Model
from litegate.spec.artifact_keys import (
    artifact_key,
    toolchain_digest,
)
from litegate.spec.declared_files import demand_declared
from litegate.spec.recipe import BASELINE, QUANTIZER_KINDS

Built = Artifact | LitegateError
"""An artifact, or the error that prevented it."""


@final
@dataclass(kw_only=True, eq=False)
class Pipeline:
    """Finds artifacts in the store and builds the missing ones."""

    store: Store
    project: Path
    locations: DataLocations
    timeout: float
    on_event: Callable[[str, process.Event], None]
    """Called with the model's name and each event that the tool chain reports."""
    on_notice: Callable[[str], None]
    """Called with a line to print: waiting for another run, or rebuilding a damaged artifact."""
    builder: Builder | None = None
    """Builds on other machines; None for this one. The base's artifacts are always built here."""
    _toolchain: str = field(default="", init=False)
    _evaluations: dict[tuple[str, bool], Evaluation] = field(default_factory=dict, init=False)
    _found: dict[tuple[str, str, str], Artifact] = field(default_factory=dict, init=False)

    @cached_property
    def _keys(self) -> KeyCache:
        return KeyCache(self.project)

    @cached_property
    def external_files(self) -> ExternalFiles:
        """The source of prebuilt artifacts and pretrained networks."""
        return ExternalFiles(
            store=self.store,
            locations=self.locations,
            timeout=self.timeout,
            on_notice=self.on_notice,
        )

    @cached_property
    def child(self) -> ChildBuilder:
        """Builds artifacts on this machine."""
        return ChildBuilder(
            store=self.store,
            project=self.project,
            external_files=self.external_files,
            timeout=self.timeout,
            on_event=self.on_event,
        )

    def key(self, model: Model, recipe: str) -> str:
        """Return the key of an artifact; for a ready-made file, the digest of its bytes.

        Raises as `locate` if a prebuilt file is not available.
        """
        if recipe in model.prebuilt:
            return self.external_files.key(model.prebuilt[recipe])
        if not self._toolchain:
            self._toolchain = toolchain_digest(Path(__file__).with_name("toolchain"))
        return artifact_key(self.stem(model, recipe), self._toolchain)

    def split_key(self, model: Model) -> str:
        """Return the key of the evaluation split."""
        return self._keys.evaluation(model)

    def start_digest(self, model: Model) -> str:
        """Return the SHA-256 of the pretrained network, or of the ready-made file to quantize.

        Empty if a builder makes the network. Raises as `locate` if the file is not available.
        """
        if model.prebuilt:
            return self.external_files.key(model.prebuilt[BASELINE])
        return self.external_files.key(model.start, folder=True) if model.start else ""

    def stem(self, model: Model, recipe: str) -> str:
        """Return the part of the key that does not depend on the tool chain."""
        if recipe in model.prebuilt:
            return self.key(model, recipe)
        return self._keys.stem(model, recipe, self.start_digest(model))

    def find(self, model: Model, recipe: str) -> Artifact | None:
        """Return the artifact from the store, or None; never build.

        Damaged entries are reported to `on_notice` and removed.
        """
        try:
            key = self.key(model, recipe)
        except LitegateError:
            if model.external_files:
                return None  # `ensure` returns the error
            raise
        place = (model.name, recipe, key)
        try:
            if place not in self._found:
                self._found[place] = self._load_own(model, recipe, key)
        except KeyError:
            return None
        except StoreCorrupt as damage:
            self.on_notice(f"{damage.what}: {model.name}/{recipe} is built again")
            self.store.forget(BUILDS, key)
            self.store.forget(EVALUATIONS, self.split_key(model))
            return None
        return self._found[place]

    def ensure(self, model: Model, recipes: Iterable[str]) -> dict[str, Built]:
        """Return each recipe's artifact, built if missing, or the error that prevented it."""
        built = self._ensure(model, list(dict.fromkeys(recipes)))
        for error in built.values():
            if isinstance(error, LitegateError):
                name_model(error, model.name)
                error.name_place(shown_path(model.file, self.project.resolve()), model.line)
        return built

    def prepare(self, wanted: Iterable[tuple[Model, Iterable[str]]]) -> None:
        """Build what several models lack on other machines, all at once.

        Does nothing if models are built on this machine: `ensure` builds one after another.
        """
        if self.builder:
            lacking = [(model, self._stored(model, list(names))[1]) for model, names in wanted]
            self._build_elsewhere(lacking)

    def _stored(self, model: Model, names: list[str]) -> tuple[dict[str, Built], list[str]]:
        """Return what need not be built, or cannot be, by recipe, and the other recipes."""
        try:
            demand_declared(model, model.reads, self.project)
        except ConfigError as error:
            return dict.fromkeys(names, error), []
        ready_made = self._ensure_prebuilt(model) if model.prebuilt else {}
        built = {name: ready_made[name] for name in names if name in ready_made}
        missing = [name for name in names if name not in built]
        return built, [name for name in missing if not self._find_into(built, model, name)]

    def _build_elsewhere(self, lacking: Iterable[tuple[Model, list[str]]]) -> Outcomes:
        """Let the builder build recipes; `_collect` returns errors of their keys."""
        jobs: list[Job] = []
        for model, names in lacking:
            with suppress(LitegateError):
                keys = {name: self.key(model, name) for name in names}
                jobs += [job_for(model, keys, self.project)] if keys else []
        outcomes = self.builder.build(jobs) if self.builder and jobs else {}
        if self.store.remote and jobs:
            self.store.remote.look_again()
        return outcomes

    def _collect(self, model: Model, names: list[str], outcomes: Outcomes) -> dict[str, Built]:
        """Return the artifacts that the builder has put into the store, or its errors."""
        built: dict[str, Built] = {}
        for name in names:
            try:
                error = outcomes.get((model.name, self.key(model, name)))
                if error:
                    raise error
                if not self._find_into(built, model, name):
                    raise BuildError(
                        f"{model.name}/{name} was built elsewhere, but is not in the store",
                        remedy="check that this machine and the workers use one store",
                    )
            except LitegateError as error_of_recipe:
                built[name] = error_of_recipe
        return built

    def _ensure(self, model: Model, names: list[str]) -> dict[str, Built]:
        built, missing = self._stored(model, names)
        if self.builder and missing:
            return built | self._collect(model, missing, self._build_elsewhere([(model, missing)]))
        for is_quantized, group in _by_tool(model, missing).items():
            try:
                float_key = self._float_key(model) if is_quantized else ""
                keys = [self.key(model, name) for name in group]
                with self.store.lock(keys, self._wait_notice(model)):
                    self._build_missing(model, group, built, float_key)
            except LitegateError as error:
                built |= {name: error for name in group if name not in built}
        return built

    def _float_key(self, model: Model) -> str:
        """Return the key of the model's float artifact, built if missing; raise its error."""
        floats = self._ensure(model, [BASELINE])[BASELINE]
        if isinstance(floats, LitegateError):
            raise floats
        return self.key(model, BASELINE)

    def _ensure_prebuilt(self, model: Model) -> dict[str, Built]:
        """Return all prebuilt artifacts of a model; if one is unavailable here, all are."""
        built = {name: self._find_or_store(model, name) for name in model.prebuilt}
        unavailable = [error for error in built.values() if isinstance(error, DataUnavailable)]
        return dict.fromkeys(built, unavailable[0]) if unavailable else built

    def _find_or_store(self, model: Model, recipe: str) -> Built:
        try:
            artifact = self.find(model, recipe) or self._store_prebuilt(model, recipe)
            demand_representable(artifact)
        except LitegateError as error:
            return error
        return artifact

    def _store_prebuilt(self, model: Model, recipe: str) -> Artifact:
        # The split before the artifact, as in `ChildBuilder._put`: a run that is killed between
        # must not leave an artifact that has nothing to be judged on.
        self.external_files.store_split(model.data, self.split_key(model))
        key = self.key(model, recipe)
        self.external_files.store_file(model.prebuilt[recipe], key)
        return self._load_own(model, recipe, key)

    def _find_into(self, built: dict[str, Built], model: Model, recipe: str) -> bool:
        """Add the artifact to `built` if the store has it; return True if it does."""
        artifact = self.find(model, recipe)
        if artifact:
            built[recipe] = artifact
        return artifact is not None

    def _wait_notice(self, model: Model) -> Callable[[], None]:
        return lambda: self.on_notice(f"waiting for another run that is building {model.name}")

    def _build_missing(
        self, model: Model, missing: list[str], built: dict[str, Built], float_key: str
    ) -> None:
        """Build until each recipe has an artifact or an error in `built`.

        `float_key` is that of `BuildRequest`. An error of one recipe ends the child process; the
        other recipes are then tried again.
        """
        # Another run may have built some of them before this one acquired their locks.
        pending = [name for name in missing if not self._find_into(built, model, name)]
        while pending:
            keys = {name: self.key(model, name) for name in pending}
            request = BuildRequest(
                model=model.name,
                file=model.file,
                project=self.project,
                keys=keys,
                stems={name: self.stem(model, name) for name in pending},
                data_key=self.split_key(model),
                seed=model.training.seed,
                device=model.training.device,
                start=model.start,
                start_digest=self.start_digest(model),
                variants={it.name: it for it in map(model.recipe, pending) if it.variant_of},
                float_key=float_key,
            )
            error = self.child.run(request, _one_recipe_per_key(keys))
            unbuilt = [name for name in pending if not self._find_into(built, model, name)]
            if error is None and unbuilt:
                error = BuildError(f"the build of {model.name} ended without {', '.join(unbuilt)}")
            failed = unbuilt if _concerns_all(error, unbuilt) else [getattr(error, "recipe", "")]
            built |= {name: error for name in failed if error}
            pending = [name for name in unbuilt if name not in failed]

    def find_by_key(
        self, model: Model, recipe: str, key: str, *, signature: str = "", prebuilt: bool = False
    ) -> Artifact | None:
        """Return another checkout's artifact by its key, with this checkout's evaluation split.

        `signature` is the signature that the other checkout declares, and `prebuilt` is True if
        that checkout names a ready-made file. Returns None if the store does not contain the
        artifact; never builds.
        """
        try:
            artifact = self._load(model, recipe, key)
            if prebuilt:
                demand_bytes(artifact.sha256, key)
            return replace(artifact, signature=signature)
        except KeyError:
            return None
        except StoreCorrupt as damage:
            self.on_notice(f"{damage.what}: the base's {model.name}/{recipe} is built again")
            self.store.forget(BUILDS, key)
            return None

    def build(self, request: BuildRequest, recipe: str) -> None:
        """Build one recipe of another checkout's model, unless the store contains it already."""
        key = request.keys[recipe]
        if recipe in request.prebuilt:
            locations = replace(self.locations, project=request.project)
            self.external_files.store_file(request.prebuilt[recipe], key, locations)
            return
        if request.float_key and not self.store.has(BUILDS, request.float_key):
            self.build(replace(request, float_key=""), BASELINE)
        notice = f"waiting for another run that is building the base's {request.model}"
        with self.store.lock([key], lambda: self.on_notice(notice)):
            if not self.store.has(BUILDS, key):
                error = self.child.run(request, (recipe,))
                if error:
                    raise error

    def _load_own(self, model: Model, recipe: str, key: str) -> Artifact:
        """Load an artifact of this checkout, of which more is known than its key."""
        artifact = self._load(model, recipe, key)
        if recipe in model.prebuilt:
            demand_bytes(artifact.sha256, key)
            return artifact
        if artifact.keras_outputs is None and not model.prebuilt:
            raise StoreCorrupt(f"{model.name}/{recipe} in the store does not list {KERAS}.npy")
        demand_origin(artifact.certificate, artifact.recipe.spec(), self.start_digest(model))
        return artifact

    def _load(self, model: Model, recipe: str, key: str) -> Artifact:
        files = self.store.get(BUILDS, key, BUILD_FILES)
        return Artifact(
            model=model.name,
            recipe=model.recipe(recipe),
            tflite=files[MODEL],
            sha256=hashlib.sha256(files[MODEL]).hexdigest(),
            certificate=read_json(files[CERTIFICATE], CERTIFICATE, dict),
            training_curve=tuple(read_json(files[HISTORY], HISTORY, list)),
            evaluation=self._evaluation(model),
            keras_outputs=stored_keras_outputs(files),
            signature=model.signature,
        )

    def _evaluation(self, model: Model) -> Evaluation:
        key = self.split_key(model)
        # What ready-made files were trained on is unknown, whatever the data set's training split.
        place = (key, bool(model.prebuilt))
        if place not in self._evaluations:
            files = self.store.locate(EVALUATIONS, key)
            self._evaluations[place] = stored_evaluation(
                files, key, model.data, is_training_known=not model.prebuilt
            )
        return self._evaluations[place]


def _by_tool(model: Model, names: list[str]) -> dict[bool, list[str]]:
    """Group recipes by whether litert-quantizer makes them from the float artifact; those last."""
    groups: dict[bool, list[str]] = {False: [], True: []}
    for name in names:
        groups[model.recipe(name).kind in QUANTIZER_KINDS].append(name)
    return {is_quantized: group for is_quantized, group in groups.items() if group}


def _one_recipe_per_key(keys: Mapping[str, str]) -> tuple[str, ...]:
    """Return the first recipe of each key: recipes with equal keys are built once."""
    return tuple({key: name for name, key in reversed(list(keys.items()))}.values())[::-1]


def _concerns_all(error: LitegateError | None, unbuilt: list[str]) -> bool:
    """Return True if an error prevents all `unbuilt` recipes, not a single one."""
    return getattr(error, "recipe", None) not in unbuilt or getattr(error, "shared", True)
