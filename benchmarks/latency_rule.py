"""Claim: the latency rule leaves identical models alone and finds a slowdown of 5 to 6 %.

    python benchmarks/latency_rule.py                          # resnet8_int8 below LITEGATE_DATA
    python benchmarks/latency_rule.py model.tflite             # another model of less than 1 ms
    python benchmarks/latency_rule.py model.tflite slower.tflite

Every run is a process of its own, and a fail is repeated in one more, as the gate does it. The
slower file is the model with dense layers appended. Their width is sought until the ratio of the
two files, over many seconds of fresh pairs, lies between 1.05 and 1.06 with its whole interval.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from added_work import with_dense
from numpy.typing import NDArray
from scipy.stats import beta

from litegate.measures.latency import DEFAULT_LIMIT
from litegate.measures.latency.confirmation import (
    ConfirmedDecision,
    LatencyContest,
    time_and_confirm,
    time_in_fresh_process,
)
from litegate.measures.latency.interleaved_epochs import record_epochs
from litegate.measures.latency.timing import (
    TimedPair,
    clocks,
    garbage_collection_off,
    invoke_factory,
    measure_pace,
)
from litegate.measures.measurement import Outcome
from litegate.measures.statistics.sequential import hodges_lehmann
from litegate.runtimes.litert import Runner

DEFAULT = "mlperf_tiny/resnet8_int8.tflite"
LOW, AIM, HIGH = 1.05, 1.055, 1.06
SEARCH_SECONDS, ATTEMPTS = 3.0, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """How much longer the slower file takes, by a long recording of fresh pairs."""

    ratio: float
    low: float
    high: float
    wall: float
    microseconds: float
    epochs: int

    def __str__(self) -> str:
        return (
            f"{self.ratio:.4f}, 95 % interval {self.low:.4f} to {self.high:.4f}, "
            f"wall clock {self.wall:.4f}, {self.epochs} fresh pairs, "
            f"reference {self.microseconds:.1f} us"
        )


def main() -> int:
    """Establish the slowdown, run the rule, print what it did; 0 where the claim holds."""
    options = _options()
    base = options.files[0].read_bytes()
    sample = _noise(base)
    slower = options.files[1].read_bytes() if options.files[1:] else _slowed(base, sample)
    truths = [_truth(slower, base, sample, options.truth)]
    same = _runs(base, base, sample, options.identical)
    found = _runs(slower, base, sample, options.slower)
    truths.append(_truth(slower, base, sample, options.truth))
    print(f"\n{options.files[0].name}, {len(base):,} B; limit {DEFAULT_LIMIT}")
    for when, truth in zip(("before", "after"), truths, strict=True):
        print(f"true ratio, {when}: {truth}")
    print(HEAD)
    _print_row("identical", same)
    _print_row("slower", found)
    return _judged(truths, same, found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    data = os.environ.get("LITEGATE_DATA")
    usual = [Path(data) / DEFAULT] if data else None
    parser.add_argument("files", nargs="*", type=Path, default=usual, help="model, slower model")
    parser.add_argument("--identical", type=int, default=200, help="runs of a model on itself")
    parser.add_argument("--slower", type=int, default=100, help="runs of the slower model")
    parser.add_argument("--truth", type=float, default=20.0, help="seconds of each long recording")
    options = parser.parse_args()
    if not options.files:
        parser.error("name a .tflite file, or set LITEGATE_DATA")
    return options


def _noise(tflite: bytes) -> NDArray[Any]:
    shape = (1, *Runner(tflite).input.shape[1:])
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _slowed(base: bytes, sample: NDArray[Any]) -> bytes:
    """The model with as wide a dense layer as takes 5.5 % more time, by the secant rule."""
    widths, costs = [0.0], [0.0]
    width = 256.0
    for _ in range(ATTEMPTS):
        slower = with_dense(base, round(width))
        truth = _truth(slower, base, sample, SEARCH_SECONDS)
        print(f"width {width:.0f}: {truth}", file=sys.stderr)
        if truth.low > LOW + 0.003 and truth.high < HIGH - 0.003:
            return slower
        widths.append(width)
        costs.append(truth.ratio - 1)
        nearest = sorted(zip(costs, widths, strict=True), key=lambda at: abs(at[0] - AIM + 1))[:2]
        (cost, width), (other, elsewhere) = nearest
        slope = max((cost - other) / (width - elsewhere), 1e-9)
        width = min(max(1.0, width + (AIM - 1 - cost) / slope), 8 * width + 8)
    raise SystemExit("no width gives 5 to 6 % on this model: name a slower file, or another model")


def _truth(slower: bytes, base: bytes, sample: NDArray[Any], seconds: float) -> Truth:
    pair = TimedPair(
        candidate=invoke_factory(slower, sample, "slower"),
        reference=invoke_factory(base, sample, "base"),
    )
    clock, rng = clocks(), np.random.default_rng()
    with garbage_collection_off():
        recording = record_epochs(pair, measure_pace(pair, clock), clock, rng, clock.deciding())
        epochs = list(takewhile(lambda epoch: epoch.elapsed < seconds, recording))
    centre = hodges_lehmann(np.array([epoch.log_ratio for epoch in epochs]))
    return Truth(
        ratio=math.exp(centre.value),
        low=math.exp(centre.low),
        high=math.exp(centre.high),
        wall=math.exp(_median([epoch.wall_log_ratio for epoch in epochs])),
        microseconds=1e6 * _median([epoch.reference for epoch in epochs]),
        epochs=len(epochs),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What the rule said, and the seconds of each run with its process and its repetition."""

    results: list[ConfirmedDecision]
    seconds: list[float]

    def count(self, outcome: Outcome) -> int:
        """Runs with this outcome."""
        return sum(result.outcome is outcome for result in self.results)

    @property
    def alarms(self) -> int:
        """Runs whose first process said fail."""
        return sum(result.first.outcome is Outcome.FAIL for result in self.results)


def _runs(candidate: bytes, reference: bytes, sample: NDArray[Any], count: int) -> Runs:
    contest = LatencyContest(
        candidate=candidate, reference=reference, sample=sample, limit=DEFAULT_LIMIT
    )
    results, seconds = [], []
    for done in range(1, count + 1):
        start = time.perf_counter()
        results.append(time_and_confirm(contest, here=time_in_fresh_process))
        seconds.append(time.perf_counter() - start)
        print(f"\r{done}/{count}", end="", file=sys.stderr, flush=True)
    return Runs(results=results, seconds=seconds)


HEAD = (
    f"{'':10}{'runs':>6}{'fail, first':>13}{'fail, both':>12}{'inconclusive':>14}{'pass':>6}"
    f"{'median ratio':>14}{'lowest':>8}{'highest':>9}{'decided, s':>12}{'p95, s':>8}{'most, s':>9}"
    f"{'with processes, s':>19}"
)


def _print_row(name: str, runs: Runs) -> None:
    ratios = [result.first.ratio for result in runs.results]
    decided = [result.first.elapsed for result in runs.results]
    counts = [runs.count(each) for each in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)]
    print(
        f"{name:10}{len(ratios):6}{runs.alarms:13}{counts[0]:12}{counts[1]:14}{counts[2]:6}"
        f"{_median(ratios):14.4f}{min(ratios):8.4f}{max(ratios):9.4f}{_median(decided):12.3f}"
        f"{np.quantile(decided, 0.95):8.3f}{max(decided):9.3f}{_median(runs.seconds):19.2f}"
    )


def _judged(truths: list[Truth], same: Runs, found: Runs) -> int:
    """Print the one-sided 95 % Clopper-Pearson bounds and whether the claim holds."""
    failed, caught = same.count(Outcome.FAIL), found.count(Outcome.FAIL)
    n, m = len(same.results), len(found.results)
    most = beta.ppf(0.95, failed + 1, n - failed) if failed < n else 1.0
    least = beta.ppf(0.05, caught, m - caught + 1) if caught else 0.0
    decided = _median([each.first.elapsed for each in same.results + found.results])
    print(f"identical: {failed} of {n} failed, at most {most:.2%} with 95 % confidence")
    print(f"slower: {caught} of {m} found, at least {least:.2%} with 95 % confidence")
    print(f"median decision: {decided:.3f} s; load average {os.getloadavg()[0]:.1f}")
    real = all(truth.low >= LOW and truth.high <= HIGH for truth in truths)
    quick = decided < 0.5 and truths[0].microseconds < 1000
    holds = real and quick and not failed and caught >= 0.99 * m
    print("the claim holds" if holds else "the claim does NOT hold on this machine, in this run")
    return 0 if holds else 1


def _median(values: list[float]) -> float:
    return float(np.median(values))


if __name__ == "__main__":
    sys.exit(main())
