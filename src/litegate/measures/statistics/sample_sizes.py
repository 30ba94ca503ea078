"""Compute how many samples a limit needs: to be proven nine times in ten, and at the very least.

The limits are those of `proportions`: Tango's for a drop, Wilson's for a floor.
"""

from __future__ import annotations

import math

from litegate.core.units import Number
from litegate.measures.statistics.proportions import TAIL, gain_variance, upper_quantile

POWER = 0.9
"""The chance that the requested number of samples proves a true statement: the usual 90 %.

If 1 % of the decisions flip, 1,132 samples prove a limit of 1 point; with a power of 50 % it would
be 434, and every second sound model would collect them in vain."""


def n_deciding(broken: Number, fixed: Number, tolerance: Number) -> int | None:
    """Return the samples that prove a drop within `tolerance` nine times in ten.

    `broken` and `fixed` are the rates of flips. A gain counts as no drop with as many flips.
    Returns None if the drop is not below the tolerance.
    """
    drop, flips = max(broken - fixed, 0), float(broken + fixed)
    room = float(tolerance - drop)
    if room <= 0:
        return None
    rates = (flips + float(drop)) / 2, (flips - float(drop)) / 2
    null = math.sqrt(gain_variance(*rates, -float(tolerance)))
    true = math.sqrt(flips - float(drop) ** 2)
    return math.ceil(((upper_quantile(TAIL) * null + upper_quantile(1 - POWER) * true) / room) ** 2)


def n_proving(share: Number, floor: Number) -> int | None:
    """Return the samples that prove a share to be at least `floor` nine times in ten.

    `share` is the true share. The number is ((z_a sqrt(p0 (1 - p0)) + z_b sqrt(p1 (1 - p1))) /
    (p1 - p0))^2 of the test whose limits are Wilson's (Fleiss, Levin and Paik 2003, Statistical
    Methods for Rates and Proportions, 2.4), but not less than `n_least`. Returns None if the share
    is not above the floor.
    """
    low, high = float(floor), float(share)
    if high <= low:
        return None
    null, true = math.sqrt(low * (1 - low)), math.sqrt(high * (1 - high))
    needed = ((upper_quantile(TAIL) * null + upper_quantile(1 - POWER) * true) / (high - low)) ** 2
    return max(math.ceil(needed), n_least(1 - floor))


def n_least(tolerance: Number) -> int:
    """Return the least samples with which a run without flips proves a drop within `tolerance`.

    The same number proves a floor of 1 - `tolerance` if every sample is right (see `unseen_limit`).
    """
    z = upper_quantile(TAIL)
    return math.ceil(z * z * (1 - float(tolerance)) / float(tolerance))


def unseen_limit(n: int) -> float:
    """Return the one-sided 95 % upper limit of a share of which n samples showed nothing.

    z^2 / (n + z^2): Tango's limit of the drop without flips, and Wilson's limit of an error rate
    without errors.
    """
    z = upper_quantile(TAIL)
    return z * z / (n + z * z)
