"""Time two files against each other; confirm a FAIL in a fresh process.

The fresh process is `python -m litegate.measures.latency.confirmation DIRECTORY`. It reads
`candidate.tflite`, `reference.tflite`, `sample.npy` (one for each of several inputs) and
`terms.json` in the directory, and prints its decision as one line of JSON.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

import numpy as np

from litegate.core.child_process import ChildError, environment_for, own_module, run, tail
from litegate.core.errors import ConfigError, MeasurementError
from litegate.data.array_files import load, save
from litegate.measures.latency.interleaved_epochs import record_epochs
from litegate.measures.latency.paired_test import (
    Decision,
    Terms,
    budget_for,
    decide,
    fits_budget,
    not_timed,
)
from litegate.measures.latency.timing import (
    TimedPair,
    clocks,
    garbage_collection_off,
    invoke_factory,
    measure_pace,
)
from litegate.measures.measurement import Outcome
from litegate.spec import Samples

START_UP_SECONDS = 60.0
"""Seconds that a fresh process may take to start, in addition to its budget: importing NumPy and
LiteRT takes a second or two, on a loaded machine many. After that it counts as hanging."""
_BUSY = 8
"""Seconds that a second of the budget, which is of CPU time, may take: a process may share a core
with seven others."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatencyContest:
    """Two files to time against each other, the sample for both, and the limit of their ratio."""

    candidate: bytes
    reference: bytes
    sample: Samples
    """Real-valued, shape (1, ...)."""
    limit: float | None
    """The largest ratio allowed; None reports the ratio and decides nothing."""
    models: int = 1
    """The number of models that are gated in this run."""
    budget: float | None = None
    """Seconds; None depends on the models' speed."""
    floor: float = 0.0
    """The growth in seconds that is allowed whatever the ratio."""
    signatures: tuple[str, str] = ("", "")
    """The signatures to run in the candidate and in the reference; empty for the only one."""

    def __post_init__(self) -> None:
        if self.models < 1 or (self.budget is not None and not 0 < self.budget < math.inf):
            raise ConfigError(
                "latency cannot be measured with these settings",
                expected="at least one model and a budget of more than 0 s",
                got=f"{self.models} models, {self.budget} s",
            )


Timer = Callable[[LatencyContest], Decision]
"""Times a contest until it is decided: in this process, or in another."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedDecision:
    """The decision of this process and, after a FAIL, that of a fresh process."""

    first: Decision
    confirmation: Decision | None = None

    @property
    def last(self) -> Decision:
        """The decision that the report shows."""
        return self.confirmation or self.first

    @property
    def outcome(self) -> Outcome | None:
        """FAIL only if both decisions fail; a FAIL that is not confirmed is inconclusive."""
        if self.confirmation is None or self.confirmation.outcome is Outcome.FAIL:
            return self.first.outcome
        return Outcome.INCONCLUSIVE


def time_here(contest: LatencyContest) -> Decision:
    """Time both files in this process, on this thread, until the rule decides.

    Raises ArtifactError if LiteRT refuses a file or the sample.
    """
    candidate_signature, reference_signature = contest.signatures
    pair = TimedPair(
        candidate=invoke_factory(
            contest.candidate, contest.sample, "the candidate", candidate_signature
        ),
        reference=invoke_factory(
            contest.reference, contest.sample, "the reference", reference_signature
        ),
    )
    clock, rng = clocks(), np.random.default_rng()
    with garbage_collection_off():
        started = clock.deciding()
        cost = measure_pace(pair, clock)
        budget = budget_for(cost) if contest.budget is None else contest.budget
        terms = Terms(
            limit=contest.limit, budget=budget, floor=contest.floor, models=contest.models
        )
        if not fits_budget(cost, budget):
            return not_timed(cost, terms, clock.name)
        return decide(record_epochs(pair, cost, clock, rng, started), terms, clock.name)


def time_in_fresh_process(contest: LatencyContest) -> Decision:
    """Time both files in a new process, so that effects that last for a process are redrawn.

    Raises MeasurementError if the process gives no decision.
    """
    with TemporaryDirectory(prefix="litegate-latency-") as name:
        _write_contest(contest, Path(name))
        return _parse_decision(_run(name, START_UP_SECONDS + _BUSY * (contest.budget or 0.0)))


def time_and_confirm(
    contest: LatencyContest, *, here: Timer = time_here, elsewhere: Timer = time_in_fresh_process
) -> ConfirmedDecision:
    """Time `here`; after a FAIL time once more `elsewhere`, with twice the budget.

    A false FAIL must then happen twice, and only failing models pay for the second timing. Twice
    the budget, so that a real slowdown is seldom undecided the second time.
    """
    first = here(contest)
    if first.outcome is not Outcome.FAIL:
        return ConfirmedDecision(first=first)
    return ConfirmedDecision(
        first=first, confirmation=elsewhere(replace(contest, budget=2 * first.budget))
    )


def _write_contest(contest: LatencyContest, directory: Path) -> None:
    (directory / "candidate.tflite").write_bytes(contest.candidate)
    (directory / "reference.tflite").write_bytes(contest.reference)
    save(directory, "sample", contest.sample)
    fields = ("limit", "models", "budget", "floor", "signatures")
    terms = {name: getattr(contest, name) for name in fields}
    (directory / "terms.json").write_text(json.dumps(terms), encoding="utf-8")


def _run(directory: str, timeout: float) -> str:
    command = own_module("litegate.measures.latency.confirmation", directory)
    try:
        child = run(command, env=environment_for(), timeout=timeout, check=True)
    except ChildError as error:
        raise MeasurementError(
            "latency failed, and the repeated measurement in a fresh process gave no result",
            got=f"{error}\n{tail(error.stderr)}".strip(),
            remedy="run the check again; report the message above if it persists",
        ) from error
    return child.stdout


def _parse_decision(stdout: str) -> Decision:
    try:
        values = json.loads(stdout.strip().splitlines()[-1])
        outcome = None if values["outcome"] is None else Outcome(values["outcome"])
        return Decision(**values | {"outcome": outcome})
    except (ValueError, LookupError, TypeError) as error:
        raise MeasurementError(
            "the repeated measurement printed no result",
            expected="one line of JSON",
            got=repr(tail(stdout)),
        ) from error


def main(directory: str) -> None:
    """Time the contest that is stored in a directory, and print the decision."""
    path = Path(directory)
    contest = LatencyContest(
        candidate=(path / "candidate.tflite").read_bytes(),
        reference=(path / "reference.tflite").read_bytes(),
        sample=load(path, "sample"),
        **json.loads((path / "terms.json").read_text(encoding="utf-8")),
    )
    sys.stdout.write(json.dumps(asdict(time_here(contest))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
