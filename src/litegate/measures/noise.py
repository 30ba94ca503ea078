"""Measure training noise: how much accuracy varies if only the seed changes.

Uses the standard library alone. The interval of the SD is the chi-square interval of a normal
sample.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, final

from litegate.core.errors import ConfigError, LitegateError, MeasurementError
from litegate.core.files import write_atomically
from litegate.core.units import Number, Quantity, Unit
from litegate.measures.measurement import Interval
from litegate.measures.statistics.proportions import bisect
from litegate.spec import Model
from litegate.spec.artifact_keys import data_key

MIN_SEEDS = 2
"""Fewest seeds that have an SD; a useful interval needs about ten, and each costs a training.

With two, the interval reaches from 0.45 to 32 times the SD, with ten from 0.69 to 1.83 times."""
MIN_LIMIT_SD = 2
"""Smallest sensible limit on a regression, as a multiple of the SD from seed to seed.

The difference of two builds has sqrt(2) times the SD of one. At 2 SD about one harmless retraining
in thirteen exceeds the limit by training noise alone, at 3 SD one in sixty: below 2 most limits
would be noise, and a higher least value would forbid limits that some teams want."""
METHOD = "chi-square"
_TAIL = 0.025
"""Each side of a two-sided 95 % interval, which every report uses, so that intervals compare."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Accuracies of one model and recipe, trained from different seeds, and their statistics."""

    accuracies: tuple[Fraction, ...]
    """Shares of the same evaluation split, one for each seed."""

    def __post_init__(self) -> None:
        if len(self.accuracies) < MIN_SEEDS:
            raise MeasurementError(
                "the noise of training needs several seeds",
                expected=f"at least {MIN_SEEDS}",
                got=str(len(self.accuracies)),
            )

    @property
    def mean(self) -> float:
        return fmean(self.accuracies)

    @property
    def sd(self) -> float:
        """The standard deviation of accuracy from seed to seed, with n - 1, a share."""
        return float(stdev(self.accuracies))

    @property
    def interval(self) -> Interval:
        """The two-sided 95 % interval of the SD."""
        free = len(self.accuracies) - 1
        low, high = (
            self.sd * math.sqrt(free / chi_square_quantile(share, free))
            for share in (1 - _TAIL, _TAIL)
        )
        return Interval(low=low, high=high, method=METHOD)

    @property
    def least_limit(self) -> Quantity:
        """The smallest limit on a regression that honest changes satisfy: two SD."""
        return Quantity(MIN_LIMIT_SD * self.sd, Unit.POINTS)

    def differing(self, limit: Number) -> Fraction:
        """Return the share of pairs of seeds that differ by more than `limit`, a share."""
        return differing(self.accuracies, limit)


def differing(accuracies: Sequence[Fraction], limit: Number) -> Fraction:
    """Return the share of pairs, of two or more numbers, that differ by more than `limit`."""
    pairs = [abs(first - second) > limit for first, second in combinations(accuracies, 2)]
    return Fraction(sum(pairs), len(pairs))


@cache
def chi_square_quantile(share: float, free: int) -> float:
    """Return the `share` quantile of the chi-square distribution of `free` degrees."""
    high = float(free)
    while _chi_square_cdf(high, free) < share:
        high *= 2
    return bisect(lambda x: _chi_square_cdf(x, free) < share, 0.0, high)


def _chi_square_cdf(x: float, free: int) -> float:
    """Return the chi-square distribution function (series of the incomplete gamma function)."""
    half, a = x / 2, free / 2
    if half <= 0:
        return 0.0
    term = total = math.exp(a * math.log(half) - half - math.lgamma(a + 1))
    step = a
    while term > total * 1e-17:  # below the resolution of a double, 1.1e-16
        step += 1
        term *= half / step
        total += term
    return total


RECORD = Path("litegate-noise.json")
"""The file of measured noise, relative to the project's folder."""
VERSION = 1
"""Of the record's format, so that a later litegate recognizes old files."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseRow:
    """The counts of right answers of one recipe, seed by seed; a row of the record."""

    model: str
    recipe: str
    data: str
    """The data set's key."""
    samples: int
    """Size of the evaluation split."""
    seeds: tuple[int, ...]
    right: tuple[int, ...]
    """Number of right answers, seed by seed."""

    @property
    def noise(self) -> Noise:
        """The statistics of the row. Raises MeasurementError for fewer than two seeds."""
        return Noise(accuracies=tuple(Fraction(count, self.samples) for count in self.right))

    @property
    def key(self) -> tuple[str, str, str]:
        """Model, recipe and data set, of which the record has one row."""
        return self.model, self.recipe, self.data


def recorded_sd(project: Path, model: Model, recipe: str) -> float | None:
    """Return the SD of accuracy from seed to seed, a share; None if it was not measured.

    Raises ConfigError if the record is damaged.
    """
    key = (model.name, recipe, data_key(model.data, project))
    return next((row.noise.sd for row in read_record(project) if row.key == key), None)


def read_record(project: Path) -> tuple[NoiseRow, ...]:
    """Read all rows of a project's record, or none without a file; ConfigError if damaged."""
    path = project / RECORD
    try:
        return tuple(_row(fields) for fields in json.loads(path.read_text("utf-8"))["rows"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError, ArithmeticError, LitegateError) as error:
        raise ConfigError(
            f"{path} is not what `litegate noise` writes",
            got=f"{type(error).__name__}: {error}",
            remedy="remove it and measure again",
        ) from error


def _row(fields: Mapping[str, Any]) -> NoiseRow:
    lists = {name: tuple(map(int, fields[name])) for name in ("seeds", "right")}
    row = NoiseRow(**{**fields, **lists})
    if len(row.seeds) != len(row.right) or not 0 <= min(row.right) <= max(row.right) <= row.samples:
        raise ValueError(f"the counts of {row.model}/{row.recipe} cannot be")
    _ = row.noise  # raises for fewer than two seeds
    return row


def write_row(project: Path, row: NoiseRow) -> Path:
    """Add a row to the record in place of one with the same key; return the file's path."""
    rows = [asdict(old) for old in read_record(project) if old.key != row.key]
    document = {"schema_version": VERSION, "rows": [*rows, asdict(row)]}
    path = project / RECORD
    write_atomically(path, (json.dumps(document, indent=1) + "\n").encode())
    return path
