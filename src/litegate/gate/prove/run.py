"""`--prove`: the proof of each accepted candidate, with the checks of this run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, final

import pytest

from litegate.core.errors import ConfigError, LitegateError
from litegate.core.escaping import plain
from litegate.gate.items import case_of, cases_of, requires
from litegate.gate.progress import uncaptured
from litegate.gate.prove.rebuilds import add_rebuilds
from litegate.gate.prove.replay import check_of, play
from litegate.gate.prove.wiring import wiring
from litegate.gate.session import BASELINE
from litegate.gate.state import Gate
from litegate.mutation.faults import Family, Fault, Scene
from litegate.mutation.faults.catalogue import chosen, own_faults, shipped_faults
from litegate.mutation.faults.scene import in_memory
from litegate.mutation.proof import Effort, Proof
from litegate.mutation.proof import prove as prove_scene
from litegate.mutation.report_rows import proof_row
from litegate.mutation.result import Play
from litegate.report.proof import title
from litegate.report.run_record import Place, error_row
from litegate.report.view import PROOF, outcome_of
from litegate.spec.cases import Case

ROUNDS = 100
"""Comparisons of identical models in a full proof."""


def faults_of(gate: Gate) -> tuple[Fault, ...]:
    """The faults that this run plants. UsageError where it cannot plant any.

    That is for a family that does not exist, a `faults.py` that cannot be loaded, and under
    pytest-xdist: faults are planted in one process.
    """
    if gate.config.getoption("numprocesses", default=None) or gate.is_worker:
        raise pytest.UsageError("--prove plants faults in one process: run it without -n")
    try:
        every = (*shipped_faults(), *own_faults(gate.options.checks))
        return chosen(every, gate.options.prove_families)
    except LitegateError as error:
        raise pytest.UsageError(str(error)) from error


def prove(gate: Gate, session: pytest.Session, faults: tuple[Fault, ...]) -> None:
    """Prove each accepted candidate; what it finds goes into the run's report."""
    if session.config.option.collectonly or session.shouldstop:
        return
    items = [item for item in (*session.items, *gate.plan.proof_only) if gate.is_check(item.path)]
    gate.recorder.check_digests = gate.recorder.check_digests or gate.declaration()["checks"]
    prover = _Prover(gate=gate, items=items, faults=faults)
    silent = sorted({item.nodeid.partition("[")[0] for item in items if not requires(item)})
    if silent:
        listed = ", ".join(plain(one) for one in silent)
        gate.recorder.run.notes.append(
            f"tests that gate nothing, for they do not ask for require: {listed}"
        )
    with _apart(gate):
        for case in cases_of(items):
            if case.recipe is not None:
                prover.prove(case)
        session._setupstate.teardown_exact(None)  # noqa: SLF001 the loop itself has ended by now


@contextmanager
def _apart(gate: Gate) -> Iterator[None]:
    """Leave nothing of the faults behind: no file, no row in the table of pytest-benchmark."""
    timed: Any = getattr(gate.config, "_benchmarksession", None)
    before = len(timed.benchmarks) if timed else 0
    try:
        with uncaptured(gate.config), gate.progress.shown(gate.config):
            yield
    finally:
        if timed:
            del timed.benchmarks[before:]
        shutil.rmtree(gate.options.report / "planted", ignore_errors=True)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class _Prover:
    """Proves one case after the other."""

    gate: Gate
    items: list[pytest.Item]
    faults: tuple[Fault, ...]
    clock: Callable[[], float] = field(default=time.monotonic)

    def prove(self, case: Case) -> None:
        """Prove one candidate, or say why there is nothing to prove."""
        run = self.gate.recorder.run
        if reason := self._not_accepted(case):
            run.notes.append(f"{plain(case.id)} was not accepted, so it is not proven: {reason}")
            return
        started = self.clock()
        try:
            proof = self._proof(case)
        except LitegateError as error:
            self.gate.recorder.add_errors([f"{plain(case.id)}: the gate is NOT proven: {error}"])
            return
        row = proof_row(proof, self.clock() - started)
        run.proofs.append(row)
        if not proof.holds:
            run.errors.append(error_row(self._place(case), title(row)))

    def _place(self, case: Case) -> Place:
        """Where a proof that does not hold points: to the model's own line."""
        root, file = self.gate.config.rootpath.resolve(), case.model.file
        shown = file.relative_to(root) if file.is_relative_to(root) else Path(file.name)
        return Place(
            id=PROOF,
            model=case.model.name,
            recipe=case.recipe.name if case.recipe else "",
            check=PROOF,
            requirement="The checks notice what is planted in what they accept.",
            file=shown.as_posix(),
            line=case.model.line,
        )

    def _not_accepted(self, case: Case) -> str:
        """Why a candidate was not accepted; empty where it was."""
        run = self.gate.recorder.run
        if case.model.name in run.not_gated:
            return "it was not gated"
        mine = partial(_concerns, case)
        failed = [row for row in run.verdicts if mine(row) and outcome_of(row) == "fail"]
        broken = [row for row in run.errors if mine(row)]
        accepted = any(mine(row) for row in run.verdicts)
        return "" if accepted and not failed and not broken else "its checks did not pass"

    def _proof(self, case: Case) -> Proof:
        items = {item.nodeid: item for item in self.items if _is_of(case, item)}
        (scene, said), options = in_memory(self._scene(case)), self.gate.options
        self.gate.recorder.run.notes += [said] if said else []
        checks = [check_of(item) for item in items.values()]
        run: Play = partial(play, items)
        full = options.prove_full
        effort = Effort(seconds=options.prove_budget, rounds=ROUNDS if full else 1, everything=full)
        proof = prove_scene(
            scene,
            self.faults,
            checks,
            run,
            effort,
            clock=self.clock,
            tell=lambda step: self.gate.progress.on_step(f"proving {scene.name}: {step}"),
        )
        proof.climbs += wiring(proof.scene, items) if self._whole() else []
        if full:
            add_rebuilds(proof, self.gate, run)
        return proof

    def _whole(self) -> bool:
        """Whether the faults of wiring are asked for, too."""
        families = self.gate.options.prove_families
        return not families or Family.PLUMBING in families

    def _scene(self, case: Case) -> Scene:
        if case.recipe is None:
            raise ConfigError(f"{case.id} has no candidate to prove")
        get = partial(self.gate.session.artifact, case.model)
        candidate = get(case.recipe.name)
        return Scene(
            model=case.model,
            recipe=case.recipe,
            candidate=candidate,
            reference=get(case.recipe.reference.name),
            baseline=get(BASELINE),
            base=candidate,
            anchored=self.gate.anchor is not None,
            shipped=candidate.tflite,
            seed=self.gate.options.prove_seed,
        )


def _concerns(case: Case, row: Mapping[str, Any]) -> bool:
    recipe = case.recipe.name if case.recipe else ""
    return bool(row["model"] == case.model.name and row["recipe"] in ("", recipe))


def _is_of(case: Case, item: pytest.Item) -> bool:
    """Whether an item is a check of this candidate, of its model, or of the whole project."""
    found = case_of(item)
    same = found is None or (
        found.model.name == case.model.name and found.recipe in (None, case.recipe)
    )
    return same and requires(item)
