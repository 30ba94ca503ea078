"""Claim: limits of event rates, and of paired differences of them, are missed as seldom as stated.

    python benchmarks/event_rates.py                   # 2,000 simulations of each setting
    python benchmarks/event_rates.py --simulations 200

Recordings of 5 to 25 minutes have false accepts at a known rate: independent ones, or bursts of
three on average, as from one noise that a detector hears several times. A second detector keeps a
share of the events, loses others and has new ones: only those differ, and they are simulated.
The one-sided limits of 95 % decide verdicts, and each should hold in 95 % of the simulations.
Widths are medians of the distance from the true rate to the upper limit, as a share of the rate of
events.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from litegate.measures.statistics.rates import difference_limits, rate_limits

BURST = 3.0
"""Mean events of a burst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    recordings: int
    events: float
    """Expected events in all recordings."""
    clustered: bool

    def __str__(self) -> str:
        kind = "bursts of 3" if self.clustered else "independent"
        return f"{self.recordings:4} recordings  {self.events:4g} events  {kind:11}"


def draw(
    rng: np.random.Generator, means: NDArray[np.float64], *, clustered: bool
) -> NDArray[np.float64]:
    """Return the events of each recording, with these means."""
    if not clustered:
        return rng.poisson(means).astype(np.float64)
    bursts = rng.poisson(means / BURST)
    sizes = (rng.geometric(1 / BURST, size=count).sum() for count in bursts)
    return np.array([*sizes], np.float64)


def coverage(setting: Setting, simulations: int, *, paired: bool) -> tuple[float, float, float]:
    """Return how often the one-sided lower and upper limit of 95 % hold, and the median width."""
    rng = np.random.default_rng(7)
    lower = upper = 0
    widths = []
    for _ in range(simulations):
        hours = rng.uniform(5 / 60, 25 / 60, setting.recordings)
        means = setting.events * hours / hours.sum()
        first = draw(rng, means, clustered=setting.clustered)
        truth = 0.0 if paired else setting.events / hours.sum()
        if paired:
            second = draw(rng, means, clustered=setting.clustered)
            low, high = difference_limits(first, second, hours)
        else:
            low, high = rate_limits(first, hours)
        lower += low <= truth
        upper += truth <= high
        widths.append((high - truth) * hours.sum() / setting.events)
    return lower / simulations, upper / simulations, float(np.median(widths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=2000)
    simulations = parser.parse_args().simulations
    settings = [
        Setting(recordings=recordings, events=events, clustered=clustered)
        for clustered in (False, True)
        for recordings in (20, 60)
        for events in (10, 40)
    ]
    for paired, title in ((False, "false accepts per hour"), (True, "paired difference")):
        print(f"{title}, {simulations:,} simulations: lower, upper limit of 95 %, width")
        for setting in settings:
            low, high, width = coverage(setting, simulations, paired=paired)
            print(f"  {setting}  {100 * low:5.1f} %  {100 * high:5.1f} %  {width:5.2f}", flush=True)


if __name__ == "__main__":
    main()
