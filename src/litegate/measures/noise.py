"""Noise of training: how far accuracy moves when nothing but the seed changes.

Standard library alone. The interval of the SD is the chi-square interval of a normal sample.
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
from litegate.core.files import write_whole
from litegate.core.units import Number, Quantity, Unit
from litegate.measures.measurement import Interval
from litegate.measures.statistics.proportions import bisected
from litegate.spec import Model
from litegate.spec.digests import data_key

LEAST_SEEDS = 2
"""An SD needs two numbers; an interval that is of use needs about ten."""
HONEST = 2
"""A limit on the loss against the base that honest changes keep is at least so many SD."""
METHOD = "chi-square"
_TAIL = 0.025


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Accuracies of one model and recipe, each from another seed, and what they say."""

    accuracies: tuple[Fraction, ...]
    """Shares of one evaluation split."""

    def __post_init__(self) -> None:
        if len(self.accuracies) < LEAST_SEEDS:
            raise MeasurementError(
                "the noise of training needs several seeds",
                expected=f"at least {LEAST_SEEDS}",
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
            self.sd * math.sqrt(free / chi_square(share, free)) for share in (1 - _TAIL, _TAIL)
        )
        return Interval(low=low, high=high, method=METHOD)

    @property
    def least_limit(self) -> Quantity:
        """The lowest limit of the loss against the base that honest changes can keep: two SD."""
        return Quantity(HONEST * self.sd, Unit.POINTS)

    def differing(self, limit: Number) -> Fraction:
        """The share of pairs of seeds whose accuracies differ by more than `limit`, a share."""
        return differing(self.accuracies, limit)


def differing(accuracies: Sequence[Fraction], limit: Number) -> Fraction:
    """The share of pairs of numbers, of at least two, that differ by more than `limit`."""
    pairs = [abs(one - other) > limit for one, other in combinations(accuracies, 2)]
    return Fraction(sum(pairs), len(pairs))


@cache
def chi_square(share: float, free: int) -> float:
    """The number that `share` of the chi-square distribution of `free` degrees lies below."""
    high = float(free)
    while _below(high, free) < share:
        high *= 2
    return bisected(lambda x: _below(x, free) < share, 0.0, high)


def _below(x: float, free: int) -> float:
    """The chi-square distribution function: the series of the lower incomplete gamma function."""
    half, a = x / 2, free / 2
    if half <= 0:
        return 0.0
    term = total = math.exp(a * math.log(half) - half - math.lgamma(a + 1))
    step = a
    while term > total * 1e-17:
        step += 1
        term *= half / step
        total += term
    return total


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
