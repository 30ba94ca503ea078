"""How likely counts of flips are."""

import math

from litegate.measures.statistics.proportions import FlipCounts


def chance(pairs: FlipCounts, discordance: float) -> float:
    """How likely these counts are where no drop is true: broken and fixed are equally frequent."""
    rest = pairs.n - pairs.flips
    ways = math.lgamma(pairs.n + 1) - sum(
        math.lgamma(k + 1) for k in (pairs.broken, pairs.fixed, rest)
    )
    odds = pairs.flips * math.log(discordance / 2) + rest * math.log1p(-discordance)
    return math.exp(ways + odds)
