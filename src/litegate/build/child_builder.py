"""Build artifacts on this machine, in a child process, and put them into the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from litegate.build import process
from litegate.build.build_request import BuildRequest
from litegate.build.certificate import MODEL, certify
from litegate.build.external_files import ExternalFiles
from litegate.build.store import BUILDS, EVALUATIONS, Store
from litegate.build.store_arrays import SAMPLES
from litegate.build.toolchain.protocol import CONVERTED, FLOAT, START
from litegate.core.errors import BuildError, LitegateError
from litegate.data.array_files import load


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ChildBuilder:
    """Runs the tool chain for requests, of this checkout or of the base."""

    store: Store
    project: Path
    """This checkout."""
    external_files: ExternalFiles
    timeout: float
    on_event: Callable[[str, process.Event], None]
    """As that of `Pipeline`."""

    def run(self, request: BuildRequest, recipes: tuple[str, ...]) -> LitegateError | None:
        """Build recipes, as `process.build`, and store them; return the error that ended it."""
        with self.store.staging() as staging:
            child_request = process.Request(
                file=request.file,
                project=request.project,
                model=request.model,
                recipes=recipes,
                locations=self.external_files.locations,
                staging=staging,
                seed=request.seed,
                device=request.device,
                is_base=request.project != self.project,
                variants=process.described(request.variants.values()),
            )

            def on_event(event: process.Event) -> None:
                self.on_event(request.model, event)
                if isinstance(event, process.Ready):
                    self._put(request, event.recipe, staging)

            try:
                if request.float_key:
                    self.store.copy(BUILDS, request.float_key, staging / FLOAT)
                elif request.start:
                    self.external_files.copy_start(
                        request.start,
                        request.start_digest,
                        staging / START,
                        replace(self.external_files.locations, project=request.project),
                    )
                process.build(child_request, on_event, self.timeout)
            except LitegateError as error:
                return error
        return None

    def _put(self, request: BuildRequest, recipe: str, staging: Path) -> None:
        samples = _all_files(staging / "evaluation")
        if (staging / recipe / CONVERTED).exists():
            _demand_same_answers(request, recipe, staging)
        # The split before the artifact: a run that is killed between must not leave an artifact
        # that looks complete and has nothing to be judged on.
        self.store.put(EVALUATIONS, request.data_key, samples)
        files = _all_files(staging / recipe)
        files.pop(CONVERTED, None)
        key, stem = request.keys[recipe], request.stems[recipe]
        certify(files, key, stem)
        self.store.put(BUILDS, key, files, stem=stem)


def _demand_same_answers(request: BuildRequest, recipe: str, staging: Path) -> None:
    """Raise BuildError for this recipe if stripping changed the file's outputs."""
    # Late: only a recipe with `strip` that was just built needs it.
    from litegate.runtimes.equivalence import demand_same_outputs

    converted, stripped = (staging / recipe / name for name in (CONVERTED, MODEL))
    samples = load(staging / "evaluation", SAMPLES)
    subject = f"{request.model}/{recipe}"
    try:
        demand_same_outputs(converted.read_bytes(), stripped.read_bytes(), samples, subject=subject)
    except BuildError as error:
        error.recipe, error.shared = recipe, False
        raise


def _all_files(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.iterdir() if path.is_file()}
