"""What the parent and the tool chain say to each other: one JSON object a line.

The parent sends one `Request`. The tool chain answers with reports until `Done` or `Failure`.
Standard library alone: the parent reads this without TensorFlow.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, final

from litegate.spec import DataLocations

CONVERTED = "converted.tflite"
"""Beside a recipe's files where its `.tflite` was stripped: what it was made of."""
START = "start"
"""The trained network, a file or a folder, in the staging folder of a model that begins so."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One model and what is to be made of it."""

    file: Path
    """The file that declares the model."""
    project: Path
    """The folder that the user's own modules lie below."""
    model: str
    recipes: tuple[str, ...]
    """Names as in `Model.recipe`, references such as "float32+1" included."""
    locations: DataLocations
    staging: Path
    """An empty folder for what is made; a folder for each recipe appears in it."""
    seed: int | None = None
    """Takes the place of the model's own; None leaves it."""

    def encode(self) -> bytes:
        """The request as a line."""
        fields = {"file": str(self.file), "project": str(self.project), "model": self.model}
        places = {"directory": self.locations.directory, "cache": self.locations.cache}
        written = {name: None if path is None else str(path) for name, path in places.items()}
        rest = {"recipes": self.recipes, "locations": written, "staging": str(self.staging)}
        return _line(fields | rest | ({} if self.seed is None else {"seed": self.seed}))

    @classmethod
    def decode(cls, line: bytes) -> Request:
        """The request of a line; ValueError, KeyError or TypeError where it is none."""
        got = json.loads(line)
        places = {name: Path(path) if path else None for name, path in got["locations"].items()}
        return cls(
            file=Path(got["file"]),
            project=Path(got["project"]),
            model=got["model"],
            recipes=tuple(got["recipes"]),
            locations=DataLocations(**places),
            staging=Path(got["staging"]),
            seed=got.get("seed"),
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage begins."""

    event: ClassVar[str] = "stage"
    recipe: str
    """The recipe it is done for; empty for the data."""
    stage: str
    """data, load, train, prune, cluster, quantize, fine-tune, convert or evaluate."""
    shared: bool = False
    """Whether other recipes of the request rest on it too."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a training has come."""

    event: ClassVar[str] = "progress"
    recipe: str
    stage: str
    epoch: int
    """Counted from 1 over the network's whole life: fine-tuning goes on where training ended."""
    epochs: int
    """The last epoch of this stage, counted in the same way."""
    step: int
    steps: int
    """Batches done in this epoch, and in all of it."""
    loss: float
    accuracy: float | None
    """Means over the epoch so far, on the training split; None where the loss has no accuracy."""
    eta: float
    """Seconds that the rest of the stage will take at the pace so far."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A recipe's files are complete in its folder of the staging folder."""

    event: ClassVar[str] = "artifact"
    recipe: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """Work goes on, and there is nothing to say about it."""

    event: ClassVar[str] = "alive"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The build is over without the rest of its artifacts."""

    event: ClassVar[str] = "error"
    kind: str
    """data-unavailable, data, config, versions, builder, unsupported-layer, keras3, start,
    non-finite-loss, memory, convert or other."""
    what: str
    expected: str = ""
    got: str = ""
    remedy: str = ""
    file: str = ""
    """The user's own file that an exception passed through last; empty where there is none."""
    line: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Everything that was asked for is ready."""

    event: ClassVar[str] = "done"


Event = Stage | Progress | Ready
"""What a progress display is told."""
Report = Event | Alive | Failure | Done
"""What the tool chain writes."""
_REPORTS: dict[str, type[Report]] = {
    each.event: each for each in (Stage, Progress, Ready, Alive, Failure, Done)
}


def encode(report: Report) -> bytes:
    """A report as a line."""
    return _line({"event": report.event} | asdict(report))


def decode(line: bytes) -> Report:
    """The report of a line; ValueError where it is none."""
    try:
        fields = json.loads(line)
        return _REPORTS[fields.pop("event")](**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no report: {line[:200]!r}") from error


def _line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, allow_nan=False).encode() + b"\n"
