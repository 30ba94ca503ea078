"""Claim: stopping early contradicts the verdict of all samples in at most 3 % of orders.

    python benchmarks/early_stopping.py                        # runs the pair: ten minutes
    python benchmarks/early_stopping.py --answers kept.npz     # keeps them, or takes them from it
    python benchmarks/early_stopping.py --runtime reference    # a runtime that needs no package

MLPerf Tiny's ResNet8 pair on the 10,000 test images of CIFAR-10 below LITEGATE_DATA, in 200 random
orders: limits from which the value is one sample away on either side, and limits that it clearly
keeps and breaks. A pass of a broken limit is a contradiction, and so is a fail of a kept one.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from litegate.measures.accuracy.early_stopping import ERROR, looks
from litegate.measures.statistics.betting import Decision, Losses
from litegate.runtimes.inference import predict
from litegate.spec import Artifact, Evaluation
from litegate.spec.recipes import float32, int8_ptq
from litegate.spec.runtimes import REFERENCE, TFLM, XNNPACK

ORDERS, MOST_WRONG = 200, 6
CHECKS = 4
"""Checks that share the chance of an error: floor, drop, extra errors and agreement."""
NAMES = ("resnet8_float32", "resnet8_int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One limit on one loss."""

    name: str
    losses: NDArray[np.float64]
    least: int
    limit: Fraction

    @property
    def is_kept(self) -> bool:
        """True if the value of all samples keeps the limit."""
        return Fraction(int(self.losses.sum()), len(self.losses)) <= self.limit


def main() -> int:
    """Print a row for each limit; 0 if the claim holds."""
    options = _options()
    chosen = _decisions(options.answers, options.runtime)
    print("| limit | kept | stopped | contradicted | samples judged, median | on average |")
    print("|---|---|---|---|---|---|")
    return int(max(_replay(case) for case in _cases(chosen)) > MOST_WRONG)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--answers", type=Path)
    parser.add_argument("--runtime", choices=(REFERENCE, TFLM), default=TFLM)
    return parser.parse_args()


def _cases(chosen: dict[str, NDArray[np.intp]]) -> Iterator[Case]:
    """Yield each loss with limits beside its mean and far from it."""
    labels = chosen["labels"]
    before, after = (chosen[name] == labels for name in NAMES)
    differ = chosen["resnet8_int8"] != chosen[XNNPACK]
    losses = {
        "accuracy drop": (before.astype(float) - after, -1, (2, -2)),
        "error rate": ((~after).astype(float), 0, (5, -5)),
        "decisions that differ": (differ.astype(float), 0, (2, -2)),
    }
    for name, (values, least, clear) in losses.items():
        n, total = len(values), int(values.sum())
        value = 100 * total / n
        for samples in (1, -1):
            limit = Fraction(total + samples, n)
            yield Case(
                name=f"{name} {value:.2f} %, limit {samples:+d} sample",
                losses=values,
                least=least,
                limit=limit,
            )
        for room in clear:
            limit = Fraction(total, n) + Fraction(room, 100)
            yield Case(
                name=f"{name} {value:.2f} %, limit {100 * float(limit):.2f} %",
                losses=values,
                least=least,
                limit=limit,
            )


def _replay(case: Case) -> int:
    """Stop in each order, print how that went, and return the number of contradictions."""
    wrong, judged = 0, []
    for seed in range(ORDERS):
        order = np.random.default_rng(seed).permutation(case.losses)
        n, decision = _stop(case, order)
        judged.append(n)
        wrong += decision is not None and (decision is Decision.WITHIN) is not case.is_kept
    stopped = sum(n < len(case.losses) for n in judged)
    print(
        f"| {case.name} | {'yes' if case.is_kept else 'no'} | {stopped} | {wrong} |"
        f" {int(np.median(judged)):,} | {int(np.mean(judged)):,} |",
        flush=True,
    )
    return wrong


def _stop(case: Case, order: NDArray[np.float64]) -> tuple[int, Decision | None]:
    """Return the samples that are judged, and the decision on fewer than all."""
    limit, error = float(case.limit), ERROR / CHECKS
    for end in looks(len(order)):
        losses = Losses(
            values=order[:end],
            least=case.least,
            declared=len(order),
            first=np.ones(end, dtype=np.bool_),
        )
        if decision := losses.decide(limit, error, error):
            return end, decision
    return len(order), None


def _decisions(answers: Path | None, runtime: str) -> dict[str, NDArray[np.intp]]:
    """Return labels and decisions: both files' on the runtime, the int8 file's on XNNPACK."""
    if answers and answers.exists():
        with np.load(answers) as arrays:
            return dict(arrays)
    data = Path(os.environ["LITEGATE_DATA"])
    with np.load(data / "cifar10_test.npz") as arrays:
        x, y = arrays["x_test"].astype(np.float32), arrays["y_test"]
    split = Evaluation(digest="", x=x, y=y, classes=tuple("0123456789"), domain=(0.0, 255.0))
    artifacts = {name: _artifact(data, name, split, runtime) for name in NAMES}
    here = replace(artifacts[NAMES[1]], runtime=XNNPACK)
    chosen = {"labels": y, XNNPACK: predict(here).raw.argmax(axis=1)}
    for name, artifact in artifacts.items():
        print(f"running {artifact.name}, {len(x):,} samples", file=sys.stderr, flush=True)
        chosen[name] = predict(artifact).raw.argmax(axis=1)
    if answers:
        np.savez(answers, **chosen)
    return chosen


def _artifact(data: Path, name: str, split: Evaluation, runtime: str) -> Artifact:
    tflite = (data / "mlperf_tiny" / f"{name}.tflite").read_bytes()
    is_int8 = name.endswith("int8")
    return Artifact(
        model="resnet8",
        recipe=int8_ptq(input_type="int8", output_type="int8") if is_int8 else float32(),
        tflite=tflite,
        sha256=hashlib.sha256(tflite).hexdigest(),
        certificate={},
        evaluation=split,
        runtime=runtime,
    )


if __name__ == "__main__":
    sys.exit(main())
