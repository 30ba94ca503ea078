"""Encode and decode the messages between the parent and the tool chain: JSON objects, one a line.

The parent sends one `Request`. The tool chain answers with reports until `Done` or `Failure`.
Needs only the standard library: the parent imports this without TensorFlow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, final

from litegate.core.escaping import excerpt
from litegate.spec import DataLocations, Kind, Model, Recipe
from litegate.spec.training import CPU

CONVERTED = "converted.tflite"
"""The converter's output, in the recipe's folder, if the recipe strips its `.tflite`."""
START = "start"
"""The pretrained network of a model with `start=`, a file or a folder in the staging folder."""
FLOAT = "float"
"""The float artifact's files, in a folder of the staging folder, if recipes quantize its
`.tflite`."""


Variant = Mapping[str, Any]
"""Fields of `Recipe` that differ from those of the recipe named by the field `variant_of`."""


def described(recipes: Iterable[Recipe]) -> dict[str, Variant]:
    """Describe variants of declared recipes, by name."""
    return {
        it.name: {"variant_of": it.variant_of, "kind": it.kind.value, **it.kept_layers}
        for it in recipes
    }


def with_variants(model: Model, variants: Mapping[str, Variant]) -> Model:
    """Return the model with the variants that `described` describes beside its own recipes."""
    added = tuple(
        replace(
            model.recipe(fields["variant_of"]),
            name=name,
            variant_of=fields["variant_of"],
            kind=Kind(fields["kind"]),
            float_layers=tuple(fields["float_layers"]),
            int16_layers=tuple(fields["int16_layers"]),
        )
        for name, fields in variants.items()
    )
    return replace(model, recipes=(*model.recipes, *added)) if added else model


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A model and the recipes to build."""

    file: Path
    """The file that declares the model."""
    project: Path
    """The folder that contains the user's modules."""
    model: str
    recipes: tuple[str, ...]
    """Names as in `Model.recipe`, references such as "float32+1" included."""
    locations: DataLocations
    staging: Path
    """An empty folder; each recipe's files are written to a folder in it."""
    seed: int | None = None
    """Replaces the model's own seed, unless None."""
    device: str = CPU
    """Replaces the model's own device."""
    is_base: bool = False
    """True for a commit that cannot be corrected any more: it may read undeclared files."""
    variants: Mapping[str, Variant] = field(default_factory=dict)
    """Recipes that the file does not declare, by name."""

    def encode(self) -> bytes:
        """Encode the request as a line of JSON."""
        paths = {"directory": self.locations.directory, "cache": self.locations.cache}
        fields = {
            "file": str(self.file),
            "project": str(self.project),
            "model": self.model,
            "recipes": self.recipes,
            "locations": {k: None if path is None else str(path) for k, path in paths.items()},
            "staging": str(self.staging),
            "device": self.device,
            "is_base": self.is_base,
        }
        seed = {} if self.seed is None else {"seed": self.seed}
        variants = {"variants": dict(self.variants)} if self.variants else {}
        return _line(fields | seed | variants)

    @classmethod
    def decode(cls, line: bytes) -> Request:
        """Decode a line. Raises ValueError, KeyError or TypeError if it is not a request."""
        fields = json.loads(line)
        paths = {k: Path(path) if path else None for k, path in fields["locations"].items()}
        return cls(
            file=Path(fields["file"]),
            project=Path(fields["project"]),
            model=fields["model"],
            recipes=tuple(fields["recipes"]),
            locations=DataLocations(**paths),
            staging=Path(fields["staging"]),
            seed=fields.get("seed"),
            device=fields["device"],
            is_base=fields["is_base"],
            variants=fields.get("variants", {}),
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage begins."""

    event: ClassVar[str] = "stage"
    recipe: str
    """The recipe that the stage belongs to; empty while the data is loaded."""
    stage: str
    """data, load, check layers, train, prune, cluster, quantize, fine-tune, convert or evaluate."""
    shared: bool = False
    """True if other recipes of the request depend on the stage too."""
    worker: str = ""
    """The machine that builds; empty for this one."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of a training."""

    event: ClassVar[str] = "progress"
    recipe: str
    stage: str
    epoch: int
    """Counted from 1 over the network's whole life: fine-tuning continues the count of training."""
    epochs: int
    """The last epoch of this stage, counted in the same way."""
    step: int
    steps: int
    """Batches done in this epoch, and batches in the epoch."""
    loss: float
    accuracy: float | None
    """Means over the epoch so far, on the training split; None if the loss has no accuracy."""
    eta: float
    """Estimated seconds until the end of the stage, at the pace so far."""
    worker: str = ""
    """As that of `Stage`."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A recipe's files are complete in its folder of the staging folder."""

    event: ClassVar[str] = "artifact"
    recipe: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """A sign of life during work that has no progress to report."""

    event: ClassVar[str] = "alive"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The build failed; the remaining artifacts are not built."""

    event: ClassVar[str] = "error"
    kind: str
    """data-unavailable, data, config, versions, builder, unsupported-layer, keras3, start,
    non-finite-loss, memory, convert, quantizer or other."""
    what: str
    expected: str = ""
    got: str = ""
    remedy: str = ""
    file: str = ""
    """The user's file that the exception passed through last; empty if there is none."""
    line: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """All recipes of the request are ready."""

    event: ClassVar[str] = "done"


Event = Stage | Progress | Ready
"""Reports that are passed on to a progress display."""
Report = Event | Alive | Failure | Done
"""A message of the tool chain to the parent."""
_REPORTS: dict[str, type[Report]] = {
    report.event: report for report in (Stage, Progress, Ready, Alive, Failure, Done)
}


def encode(report: Report) -> bytes:
    """Encode a report as a line of JSON."""
    return _line({"event": report.event} | asdict(report))


def decode(line: bytes) -> Report:
    """Decode a line. Raises ValueError if it is not a report."""
    try:
        fields = json.loads(line)
        return _REPORTS[fields.pop("event")](**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no report: {excerpt(repr(line))}") from error


def _line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, allow_nan=False).encode() + b"\n"
