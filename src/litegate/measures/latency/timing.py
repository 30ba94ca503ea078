"""A glance at the time of several artifacts: for a table, never for a verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

from litegate.measures.latency.clock import fresh, no_collection, one_sample, quickest
from litegate.spec import Artifact

_SHARE = 0.05
"""Seconds that each artifact is timed for in all; a slow one is timed thrice at least."""
_ROUNDS = 3


def glance(artifacts: Mapping[str, Artifact]) -> dict[str, float]:
    """Seconds of one invocation, one sample, one thread, of each artifact.

    The median, over rounds in which each has its turn, of the quickest invocation in a turn. It
    ranks recipes side by side on this machine; noise of some per cent stays in it. ArtifactError
    where LiteRT refuses an artifact, MeasurementError for an empty evaluation split.
    """
    invokes = {
        name: fresh(one.tflite, one_sample(one), one.name, one.signature)()
        for name, one in artifacts.items()
    }
    turns: dict[str, list[float]] = {name: [] for name in invokes}
    begun, rounds = time.perf_counter(), 0
    with no_collection():
        while rounds < _ROUNDS or time.perf_counter() - begun < _SHARE * len(invokes):
            rounds += 1
            for name, invoke in invokes.items():
                turns[name].append(quickest(invoke, time.perf_counter_ns))
    return {name: median(found) for name, found in turns.items()}
