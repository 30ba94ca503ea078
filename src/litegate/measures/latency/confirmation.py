"""A contest of two files: timed here, and once more in a fresh process where it fails.

`python -m litegate.measures.latency.confirmation DIRECTORY` is that process: it reads
`candidate.tflite`, `reference.tflite`, `sample.npy` (one for each of several inputs) and
`terms.json` there, and prints its decision as one line of JSON.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

import numpy as np

from litegate.core.errors import ConfigError, MeasurementError
from litegate.data.array_files import load, save
from litegate.measures.latency.epochs import fresh_pairs
from litegate.measures.latency.paired_test import (
    Decision,
    Terms,
    affordable,
    budget_for,
    decide,
    unaffordable,
)
from litegate.measures.latency.timing import Pair, clocks, fresh, no_collection, pace
from litegate.measures.measurement import Outcome
from litegate.spec import Samples

START_UP = 60.0
"""Seconds that a fresh process may take beside its budget."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contest:
    """Two files, the input of both, and the limit that one must keep against the other."""

    candidate: bytes
    reference: bytes
    sample: Samples
    """Real-valued, shape (1, ...)."""
    limit: float | None
    """The largest ratio allowed; None reports the ratio and decides nothing."""
    models: int = 1
    """How many models are gated in this run."""
    budget: float | None = None
    """Seconds; None goes by the models' speed."""
    signatures: tuple[str, str] = ("", "")
    """What is run of the candidate and of the reference; empty where a file has one signature."""

    def __post_init__(self) -> None:
        if self.models < 1 or (self.budget is not None and not 0 < self.budget < math.inf):
            raise ConfigError(
                "latency cannot be timed on these terms",
                expected="at least one model and a budget of more than 0 s",
                got=f"{self.models} models, {self.budget} s",
            )


Trial = Callable[[Contest], Decision]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The decision here and, where that was a FAIL, the one of a fresh process."""

    first: Decision
    again: Decision | None = None

    @property
    def last(self) -> Decision:
        """The decision that the report shows."""
        return self.again or self.first

    @property
    def outcome(self) -> Outcome | None:
        """FAIL only where both say so; a FAIL that did not come again is inconclusive."""
        if self.again is None or self.again.outcome is Outcome.FAIL:
            return self.first.outcome
        return Outcome.INCONCLUSIVE


def trial(contest: Contest) -> Decision:
    """Time both files in this process, on this thread, until the rule decides.

    Raises ArtifactError where LiteRT refuses a file or the sample.
    """
    one, other = contest.signatures
    pair = Pair(
        candidate=fresh(contest.candidate, contest.sample, "the candidate", one),
        reference=fresh(contest.reference, contest.sample, "the reference", other),
    )
    clock, rng = clocks(), np.random.default_rng()
    with no_collection():
        started = clock.wall()
        cost = pace(pair, clock)
        budget = budget_for(cost) if contest.budget is None else contest.budget
        terms = Terms(limit=contest.limit, budget=budget, models=contest.models)
        if not affordable(cost, budget):
            return unaffordable(cost, terms)
        return decide(fresh_pairs(pair, cost, clock, rng, started), terms, clock.name)


def fresh_process(contest: Contest) -> Decision:
    """The same in another process, which draws everything that lasts as long as a process anew.

    Raises MeasurementError where it gives no decision.
    """
    with TemporaryDirectory(prefix="litegate-latency-") as name:
        _write(contest, Path(name))
        return _read(_run(name, START_UP + 2 * (contest.budget or 0.0)))


def confirmed(contest: Contest, *, here: Trial = trial, elsewhere: Trial = fresh_process) -> Result:
    """Time `here`; on a FAIL time once more `elsewhere`, with twice the budget."""
    first = here(contest)
    if first.outcome is not Outcome.FAIL:
        return Result(first=first)
    return Result(first=first, again=elsewhere(replace(contest, budget=2 * first.budget)))


def _write(contest: Contest, directory: Path) -> None:
    (directory / "candidate.tflite").write_bytes(contest.candidate)
    (directory / "reference.tflite").write_bytes(contest.reference)
    save(directory, "sample", contest.sample)
    kept = ("limit", "models", "budget", "signatures")
    terms = {name: getattr(contest, name) for name in kept}
    (directory / "terms.json").write_text(json.dumps(terms), encoding="utf-8")


def _run(directory: str, timeout: float) -> str:
    command = [sys.executable, "-P", "-m", "litegate.measures.latency.confirmation", directory]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, env=environment, capture_output=True, text=True, timeout=timeout, check=True
        )
    except subprocess.SubprocessError as error:
        said = str(getattr(error, "stderr", "") or "").strip()
        raise MeasurementError(
            "latency failed, and the process that was to time it once more gave no decision",
            got=f"{error}\n{said[-2000:]}".strip(),
            remedy="run the check again; report the message above if it stays",
        ) from error
    return done.stdout


def _read(stdout: str) -> Decision:
    try:
        values = json.loads(stdout.strip().splitlines()[-1])
        outcome = None if values["outcome"] is None else Outcome(values["outcome"])
        return Decision(**values | {"outcome": outcome})
    except (ValueError, LookupError, TypeError) as error:
        raise MeasurementError(
            "the process that timed once more printed no decision",
            expected="one line of JSON",
            got=repr(stdout[-500:]),
        ) from error


def main(directory: str) -> None:
    """Time the contest that lies in a directory and print the decision."""
    place = Path(directory)
    contest = Contest(
        candidate=(place / "candidate.tflite").read_bytes(),
        reference=(place / "reference.tflite").read_bytes(),
        sample=load(place, "sample"),
        **json.loads((place / "terms.json").read_text(encoding="utf-8")),
    )
    sys.stdout.write(json.dumps(asdict(trial(contest))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
