"""Model and recipe to artifact: out of the store, or built once and put there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, final

from litegate.build import process
from litegate.build.external_files import Intake
from litegate.build.store import BUILDS, EVALUATIONS, Store
from litegate.build.store_arrays import (
    KERAS,
    SAMPLES,
    stored_answers,
    stored_labels,
    stored_samples,
    stored_slices,
)
from litegate.build.toolchain.protocol import CONVERTED, START
from litegate.core.errors import BuildError, DataUnavailable, LitegateError, StoreCorrupt
from litegate.data.array_files import load
from litegate.measures.lints.saturation import demand_representable
from litegate.spec import Artifact, DataLocations, Evaluation, File, Model
from litegate.spec.digests import (
    artifact_key,
    artifact_stem,
    data_key,
    digest_of,
    module_digest,
    toolchain_digest,
)

FILES = ("model.tflite", "history.json", "certificate.json")
"""What the store keeps of every artifact."""

Built = Artifact | LitegateError


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A model as the tool chain finds it: this checkout's, or the base's in its worktree."""

    model: str
    """The name in its file."""
    file: Path
    project: Path
    keys: Mapping[str, str]
    """Artifact keys by recipe."""
    stems: Mapping[str, str]
    """What each key holds besides the tool chain."""
    data_key: str
    seed: int | None = None
    """Takes the place of the seed that the file declares."""
    prebuilt: Mapping[str, File] = field(default_factory=dict)
    """As `Model.prebuilt`."""
    start: File | None = None
    """As `Model.start`."""
    start_digest: str = ""


@final
@dataclass(kw_only=True, eq=False)
class Pipeline:
    """Gives artifacts; builds what the store does not hold."""

    store: Store
    project: Path
    locations: DataLocations
    timeout: float
    on_event: Callable[[str, process.Event], None]
    """Called with the model's name and what the tool chain reports."""
    on_notice: Callable[[str], None]
    """Called with a line for the person: waiting for another run, damage under repair."""
    _toolchain: str = field(default="", init=False)
    _evaluations: dict[str, Evaluation] = field(default_factory=dict, init=False)
    _found: dict[tuple[str, str, str], Artifact] = field(default_factory=dict, init=False)

    @cached_property
    def intake(self) -> Intake:
        """Where ready-made artifacts come from."""
        return Intake(
            store=self.store,
            locations=self.locations,
            timeout=self.timeout,
            on_notice=self.on_notice,
        )

    def key(self, model: Model, recipe: str) -> str:
        """The key of one artifact; of a ready-made file the digest of its bytes.

        For such a file, raises what keeps it from being had.
        """
        if model.prebuilt:
            return self.intake.key(model.prebuilt[recipe])
        if not self._toolchain:
            self._toolchain = toolchain_digest(Path(__file__).with_name("toolchain"))
        return artifact_key(self.stem(model, recipe), self._toolchain)

    def split_key(self, model: Model) -> str:
        """The key of the evaluation split: the data, and all source that preprocessing may use."""
        return digest_of(
            [data_key(model.data, self.project), module_digest(model.file, self.project)]
        )

    def start_digest(self, model: Model) -> str:
        """SHA-256 of the trained network that a model starts from; empty where a builder makes it.

        Raises what keeps the file from being had.
        """
        return self.intake.key(model.start, folder=True) if model.start else ""

    def stem(self, model: Model, recipe: str) -> str:
        """The part of the key that this project makes, whichever tool chain builds it."""
        if model.prebuilt:
            return self.key(model, recipe)
        return artifact_stem(
            model, model.recipe(recipe), self.project, start=self.start_digest(model)
        )

    def find(self, model: Model, recipe: str) -> Artifact | None:
        """The artifact out of the store, or None; never builds. Damage is told and forgotten."""
        try:
            key = self.key(model, recipe)
        except LitegateError:
            if model.external_files:
                return None  # `ensure` says why
            raise
        place = (model.name, recipe, key)
        try:
            if place not in self._found:
                self._found[place] = self._load(model, recipe, key, built=not model.prebuilt)
        except KeyError:
            return None
        except StoreCorrupt as damage:
            self.on_notice(f"{damage.what}: {model.name}/{recipe} is built again")
            self.store.forget(BUILDS, key)
            self.store.forget(EVALUATIONS, self.split_key(model))
            return None
        return self._found[place]

    def ensure(self, model: Model, recipes: Iterable[str]) -> dict[str, Built]:
        """Each recipe's artifact, built where it must be, or the error that prevented it."""
        wanted = list(dict.fromkeys(recipes))
        if model.prebuilt:
            taken = self._taken_together(model)
            return {name: taken[name] for name in wanted}
        built: dict[str, Built] = {}
        missing = [name for name in wanted if self._keep(built, model, name)]
        if missing:
            try:
                keys = [self.key(model, name) for name in missing]
                with self.store.lock(keys, self._waiting(model)):
                    self._build_missing(model, missing, built)
            except LitegateError as error:
                built |= {name: error for name in missing if name not in built}
        return built

    def _taken_together(self, model: Model) -> dict[str, Built]:
        """Each ready-made artifact; where one is not to be had here, the model is none to judge."""
        taken = {name: self._taken(model, name) for name in model.prebuilt}
        missing = [one for one in taken.values() if isinstance(one, DataUnavailable)]
        return dict.fromkeys(taken, missing[0]) if missing else taken

    def _taken(self, model: Model, recipe: str) -> Built:
        """A ready-made artifact, taken into the store where it must be, or why it is none."""
        try:
            found = self.find(model, recipe) or self._take(model, recipe)
            demand_representable(found)
        except LitegateError as error:
            return error
        return found

    def _take(self, model: Model, recipe: str) -> Artifact:
        self.intake.take_split(model.data, self.split_key(model))
        key = self.key(model, recipe)
        self.intake.take(model.prebuilt[recipe], key)
        return self._load(model, recipe, key)

    def _keep(self, built: dict[str, Built], model: Model, recipe: str) -> bool:
        """Put what the store holds into `built`; whether it holds nothing."""
        artifact = self.find(model, recipe)
        if artifact:
            built[recipe] = artifact
        return artifact is None

    def _waiting(self, model: Model) -> Callable[[], None]:
        return lambda: self.on_notice(f"waiting for another run that is building {model.name}")

    def _build_missing(self, model: Model, missing: list[str], built: dict[str, Built]) -> None:
        """Build until each recipe has its artifact or its error."""
        waiting = [name for name in missing if self._keep(built, model, name)]
        while waiting:
            keys = {name: self.key(model, name) for name in waiting}
            target = Target(
                model=model.name,
                file=model.file,
                project=self.project,
                keys=keys,
                stems={name: self.stem(model, name) for name in waiting},
                data_key=self.split_key(model),
                seed=model.training.seed,
                start=model.start,
                start_digest=self.start_digest(model),
            )
            error = self._run_child(target, _distinct(keys))
            left = [name for name in waiting if self._keep(built, model, name)]
            if error is None and left:
                error = BuildError(
                    f"the tool chain ended without {', '.join(left)} of {model.name}"
                )
            failed = left if _concerns_all(error, left) else [getattr(error, "recipe", "")]
            built |= {name: error for name in failed if error}
            waiting = [name for name in left if name not in failed]

    def _run_child(self, target: Target, recipes: tuple[str, ...]) -> LitegateError | None:
        with self.store.staging() as staging:
            request = process.Request(
                file=target.file,
                project=target.project,
                model=target.model,
                recipes=recipes,
                locations=self.locations,
                staging=staging,
                seed=target.seed,
            )

            def on_event(event: process.Event) -> None:
                self.on_event(target.model, event)
                if isinstance(event, process.Ready):
                    self._put(target, event.recipe, staging)

            try:
                if target.start:
                    there = replace(self.locations, project=target.project)
                    place = staging / START
                    self.intake.copy_start(target.start, target.start_digest, place, there)
                process.build(request, on_event, self.timeout)
            except LitegateError as error:
                return error
        return None

    def _put(self, target: Target, recipe: str, staging: Path) -> None:
        samples = _all_files(staging / "evaluation")
        if (staging / recipe / CONVERTED).exists():
            _demand_same_answers(target, recipe, staging)
        self.store.put(EVALUATIONS, target.data_key, samples)
        files = _all_files(staging / recipe)
        files.pop(CONVERTED, None)
        self.store.put(BUILDS, target.keys[recipe], files, stem=target.stems[recipe])

    def find_other(
        self, model: Model, recipe: str, key: str, signature: str = ""
    ) -> Artifact | None:
        """The artifact under a key of another checkout, to be judged on this one's split.

        `signature` is what that checkout judges of it.
        """
        try:
            return replace(self._load(model, recipe, key), signature=signature)
        except KeyError:
            return None
        except StoreCorrupt as damage:
            self.on_notice(f"{damage.what}: the base's {model.name}/{recipe} is built again")
            self.store.forget(BUILDS, key)
            return None

    def build_other(self, target: Target, recipe: str) -> None:
        """Build one recipe of another checkout's model, unless the store holds it by now."""
        key = target.keys[recipe]
        if target.prebuilt:
            there = replace(self.locations, project=target.project)
            self.intake.take(target.prebuilt[recipe], key, there)
            return
        notice = f"waiting for another run that is building the base's {target.model}"
        with self.store.lock([key], lambda: self.on_notice(notice)):
            if not self.store.has(BUILDS, key):
                error = self._run_child(target, (recipe,))
                if error:
                    raise error

    def _load(self, model: Model, recipe: str, key: str, *, built: bool = False) -> Artifact:
        import hashlib

        files = self.store.get(BUILDS, key, FILES)
        answers = stored_answers(files)
        if built and answers is None:
            raise StoreCorrupt(f"{model.name}/{recipe} in the store does not list {KERAS}.npy")
        return Artifact(
            model=model.name,
            recipe=model.recipe(recipe),
            tflite=files["model.tflite"],
            sha256=hashlib.sha256(files["model.tflite"]).hexdigest(),
            certificate=_json(files, "certificate.json"),
            training_curve=tuple(_json(files, "history.json")),
            evaluation=self._evaluation(model),
            keras_outputs=answers,
            signature=model.signature,
        )

    def _evaluation(self, model: Model) -> Evaluation:
        key = self.split_key(model)
        if key not in self._evaluations:
            files = self.store.locate(EVALUATIONS, key)
            data, labels = model.data, stored_labels(files, model.data.output)
            if data.labels and labels is None:
                raise StoreCorrupt(f"the split of {data.name} in the store does not list y.npy")
            self._evaluations[key] = Evaluation(
                digest=key,
                x=stored_samples(files),
                y=labels,
                classes=data.classes,
                domain=data.domain,
                output=data.output,
                slices=stored_slices(files, data.slices),
            )
        return self._evaluations[key]


def _demand_same_answers(target: Target, recipe: str, staging: Path) -> None:
    """A stripped file answers as the converted one does; BuildError of this recipe otherwise."""
    from litegate.runtimes.equivalence import demand_same_outputs

    before, after = (staging / recipe / name for name in (CONVERTED, "model.tflite"))
    samples = load(staging / "evaluation", SAMPLES)
    subject = f"{target.model}/{recipe}"
    try:
        demand_same_outputs(before.read_bytes(), after.read_bytes(), samples, subject=subject)
    except BuildError as error:
        error.recipe, error.shared = recipe, False
        raise


def _all_files(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.iterdir() if path.is_file()}


def _distinct(keys: Mapping[str, str]) -> tuple[str, ...]:
    """One recipe of each key: two names for the same thing are built once."""
    return tuple({key: name for name, key in reversed(list(keys.items()))}.values())[::-1]


def _concerns_all(error: LitegateError | None, left: list[str]) -> bool:
    """Whether an error stands in the way of every recipe that is left, not of one alone."""
    return getattr(error, "recipe", None) not in left or getattr(error, "shared", True)


def _json(files: Mapping[str, bytes], name: str) -> Any:
    try:
        return json.loads(files[name], parse_constant=_refuse)
    except ValueError as error:
        raise StoreCorrupt(f"{name} in the store is no JSON: {error}") from error


def _refuse(number: str) -> None:
    """Python reads NaN and Infinity; a report that holds one could not be written."""
    raise ValueError(f"{number} is no number of JSON's")
