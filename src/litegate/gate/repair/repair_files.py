"""Keep what a repair found, so that the page of a later run shows it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litegate.core.errors import ConfigError
from litegate.core.files import write_atomically
from litegate.measures.measurement import Relation
from litegate.report.schema import check_repair
from litegate.spec.cases import Case

if TYPE_CHECKING:
    from litegate.gate.repair.repair import Result
    from litegate.gate.repair.trials import Tried


def repair_row(case: Case, result: Result, field: str) -> dict[str, Any]:
    """Return the row of `repairs` in report.json: the sets that no other excels.

    `field` is the field of the recipe that gets the layers.
    """
    declared = [it.tried.trial.layers for it in result.judged if it.is_proven]
    sets = [
        _row(tried, result.seconds.get(tried.trial.layers))
        | {"declared": tried.trial.layers in declared}
        for tried in result.pareto()
    ]
    return {
        "model": case.model.name,
        "recipe": case.recipe.name if case.recipe else "",
        "field": field,
        "samples": result.choice,
        "sets": sets,
    }


def _row(tried: Tried, seconds: float | None) -> dict[str, Any]:
    """Describe a set by the first limit of quality, on the samples that choose."""
    verdict = tried.quality[0]
    measurement, bounds = verdict.measurement, verdict.measurement.interval
    return {
        "layers": sorted(tried.trial.layers),
        "bytes": tried.size,
        "latency": seconds,
        "measurement": measurement.name,
        "value": float(measurement.value),
        "low": float(bounds.low) if bounds else None,
        "high": float(bounds.high) if bounds else None,
        "unit": measurement.unit.value,
        "better": "higher" if verdict.relation is Relation.AT_LEAST else "lower",
    }


def save_repair(folder: Path, keys: Iterable[str], repair: Mapping[str, Any]) -> None:
    """Write a repair into the folder of the history, for each artifact key that it is of.

    Raises ConfigError if a file cannot be written.
    """
    for key in keys:
        path = _path(folder, key)
        try:
            write_atomically(path, json.dumps(repair, allow_nan=False).encode())
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the repair cannot be kept for the page in {folder}",
                got=str(error),
                remedy="choose a folder that you can write to with LITEGATE_HISTORY",
            ) from error


def load_repair(folder: Path, key: str) -> dict[str, Any] | None:
    """Return the last repair of an artifact; None without one, or if its file is damaged."""
    path = _path(folder, key)
    try:
        repair = json.loads(path.read_bytes())
        check_repair(repair, path.name)
    except (OSError, ValueError, RecursionError, ConfigError):
        return None
    return dict(repair)


def _path(folder: Path, key: str) -> Path:
    return folder / f"repair-{key}.json"
