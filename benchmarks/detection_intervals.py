"""Claim: intervals of mean average precision, and of paired losses, contain the truth as stated.

    python benchmarks/detection_intervals.py                       # 100 simulations, 100 images
    python benchmarks/detection_intervals.py --simulations 2000 --images 100 1000 --workers 2

Images have boxes of three classes. A detector finds most of them, with scores that tend to be
higher for right detections, shifts their corners, and adds detections of nothing; a second one
shifts them further and misses more. The truth is the mean over 100 draws of 20,000 images. The
interval is the two-sided 95 % one of the BCa bootstrap over images, as reports show it; `lower` and
`upper` are the shares of truths beyond its ends, which should be 2.5 % each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from litegate.measures.metrics.average_precision import average_precision
from litegate.measures.metrics.box_matching import ClassMatches
from litegate.measures.metrics.values import mean_over_classes
from litegate.measures.statistics.bootstrap import bca, jackknife_samples, resamples
from litegate.measures.statistics.proportions import TAIL
from litegate.spec.metric import MetricKind

CLASSES, MOST_BOXES, MOST_EXTRA = 3, 4, 3
OVERLAPS = np.linspace(0.5, 0.95, 10)
TRUTH_IMAGES, TRUTH_DRAWS = 20_000, 100
"""Their error is a fortieth of that of 1,000 images. That of one draw is a quarter, and a truth so
far off is outside of 7 % of the intervals that contain the right one with 95 %."""

Real = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    miss: float
    """Share of boxes without a detection."""
    quality: float
    """Mean intersection over union of a detection with its box."""


BEFORE = Detector(miss=0.1, quality=0.85)
AFTER = Detector(miss=0.13, quality=0.83)


def draw(rng: np.random.Generator, images: int) -> dict[str, Real]:
    """Draw what both detectors share: boxes, the difficulty of each, and detections of nothing."""
    shape = (images, CLASSES, MOST_BOXES)
    # Images differ in difficulty, so that the boxes of one resemble each other.
    hard = rng.normal(0, 0.5, (images, 1, 1))
    return {
        "has_box": rng.random(shape) < rng.beta(2, 3, (images, 1, 1)),
        "missed": rng.random(shape),
        "overlap": hard + rng.normal(0, 1, shape),
        "score": rng.normal(0, 1, shape) - hard,
        "extra": rng.normal(-1.5, 1, (images, CLASSES, MOST_EXTRA)),
        "has_extra": rng.random((images, CLASSES, MOST_EXTRA)) < 0.4,
    }


def matches(drawn: dict[str, Real], detector: Detector) -> list[ClassMatches]:
    """Match a detector's answers: one detection of a box, with the overlap drawn for it."""
    is_found = (drawn["has_box"] > 0) & (drawn["missed"] > detector.miss)
    overlap = 1 - (1 - detector.quality) * np.exp(drawn["overlap"] * 0.6 - 0.18)
    classes = []
    for number in range(CLASSES):
        image, place = np.nonzero(is_found[:, number])
        nothing = np.nonzero(drawn["has_extra"][:, number])
        near = overlap[image, number, place]
        scores = np.concatenate(
            [drawn["score"][image, number, place], drawn["extra"][nothing[0], number, nothing[1]]]
        )
        hits = np.zeros((len(OVERLAPS), len(scores)), np.bool_)
        hits[:, : len(near)] = near >= OVERLAPS[:, None]
        order = np.argsort(-scores, kind="stable")
        classes.append(
            ClassMatches(
                image=np.concatenate([image, nothing[0]])[order],
                score=scores[order],
                matched=np.where(hits, 0, -1)[:, order],
                ignored=np.zeros_like(hits),
                boxes=drawn["has_box"][:, number].sum(axis=1).astype(np.float64),
            )
        )
    return classes


def value(classes: Sequence[ClassMatches], counts: Real) -> Real:
    """Return the mean average precision of each row of counts."""
    columns = [average_precision(it, counts, MetricKind.MAP_COCO) for it in classes]
    return mean_over_classes(np.stack(columns, axis=1))


def estimator(drawn: dict[str, Real]) -> Callable[[Real], Real]:
    """Return a function from counts, (r, n), to the value after and the loss, shape (r, 2)."""
    sides = [matches(drawn, detector) for detector in (BEFORE, AFTER)]

    def estimates(counts: Real) -> Real:
        before, after = (value(classes, counts) for classes in sides)
        return np.stack([after, before - after], axis=1)

    return estimates


def truth_of() -> Real:
    """Return the value after and the loss of the population, shape (2,)."""
    every = np.ones((1, TRUTH_IMAGES))
    draws = (draw(np.random.default_rng((1, it)), TRUTH_IMAGES) for it in range(TRUTH_DRAWS))
    truth: Real = np.mean([estimator(drawn)(every)[0] for drawn in draws], axis=0)
    return truth


def simulate(truth: Real, images: int, number: int) -> Real:
    """Return 1 for a truth below, and above, the interval, for value and loss, shape (2, 2)."""
    estimates = estimator(draw(np.random.default_rng((2, images, number)), images))
    once = estimates(np.ones((1, images)))[0]
    resampled, jackknifed = (
        np.concatenate([estimates(block) for block in blocks])
        for blocks in (resamples(images), jackknife_samples(images))
    )
    beyond = np.zeros((2, 2))
    for column in range(2):
        limits = bca(once[column], resampled[:, column], jackknifed[:, column], TAIL / 2)
        beyond[column] = truth[column] < limits[0], truth[column] > limits[1]
    return beyond


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--simulations", type=int, default=100)
    parser.add_argument("--images", type=int, nargs="+", default=[100])
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    truth, count = truth_of(), arguments.simulations
    print(f"truth: value {truth[0]:.4f}, loss {truth[1]:.4f}")
    with ProcessPoolExecutor(arguments.workers) as pool:
        for images in arguments.images:
            run = partial(simulate, truth, images)
            shares = np.mean(list(pool.map(run, range(count), chunksize=8)), axis=0)
            for name, (low, high) in zip(("value", "loss"), shares, strict=True):
                print(
                    f"{images:5} images  {name:5}  covered {1 - low - high:6.1%}"
                    f"  lower {low:5.1%}  upper {high:5.1%}  ({count:,} simulations)"
                )


if __name__ == "__main__":
    main()
