"""`litegate-noise.json`: what `litegate noise` measured, for later runs to print.

It holds counts, and everything else is computed from them. A row is of one model, recipe and data
set; measured again it takes the old one's place. Once committed, everyone's runs know it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, final

from litegate.core.errors import ConfigError, LitegateError
from litegate.core.files import write_whole
from litegate.measures.noise import Noise
from litegate.spec import Model
from litegate.spec.digests import data_key

PLACE = Path("litegate-noise.json")
"""Below the project."""
VERSION = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How one recipe of a model did, seed by seed."""

    model: str
    recipe: str
    data: str
    """The data set's key."""
    samples: int
    """Of the evaluation split."""
    seeds: tuple[int, ...]
    right: tuple[int, ...]
    """Samples that were right, seed by seed."""

    @property
    def noise(self) -> Noise:
        """MeasurementError for fewer than two seeds."""
        return Noise(accuracies=tuple(Fraction(count, self.samples) for count in self.right))

    @property
    def of(self) -> tuple[str, str, str]:
        """What it belongs to."""
        return self.model, self.recipe, self.data


def known(project: Path, model: Model, recipe: str) -> float | None:
    """The SD of accuracy from seed to seed, a share; None where it was not measured.

    ConfigError where the record is damaged.
    """
    wanted = (model.name, recipe, data_key(model.data, project))
    return next((row.noise.sd for row in read(project) if row.of == wanted), None)


def read(project: Path) -> tuple[Row, ...]:
    """Every row of a project's record, none where there is no record; ConfigError for damage."""
    path = project / PLACE
    try:
        return tuple(_row(each) for each in json.loads(path.read_text("utf-8"))["rows"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError, ArithmeticError, LitegateError) as error:
        raise ConfigError(
            f"{path} is not what `litegate noise` writes",
            got=f"{type(error).__name__}: {error}",
            remedy="remove it and measure again",
        ) from error


def _row(written: Mapping[str, Any]) -> Row:
    lists = {name: tuple(map(int, written[name])) for name in ("seeds", "right")}
    row = Row(**{**written, **lists})
    if len(row.seeds) != len(row.right) or not 0 <= min(row.right) <= max(row.right) <= row.samples:
        raise ValueError(f"the counts of {row.model}/{row.recipe} cannot be")
    _ = row.noise
    return row


def keep(project: Path, row: Row) -> Path:
    """Write a row into the record, in the place of an older one, and give the record's path."""
    rows = [asdict(each) for each in read(project) if each.of != row.of]
    document = {"schema_version": VERSION, "rows": [*rows, asdict(row)]}
    path = project / PLACE
    write_whole(path, (json.dumps(document, indent=1) + "\n").encode())
    return path
