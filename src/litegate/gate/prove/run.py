"""Prove each accepted candidate of a run with `--prove`, with the checks of that run."""

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
from litegate.gate.checks.pytest_items import calls_of, case_of, cases_of, requires
from litegate.gate.invocation import narrowed
from litegate.gate.progress import uncaptured
from litegate.gate.prove.rebuilds import add_rebuilds
from litegate.gate.prove.rerun import check_info, run_items
from litegate.gate.prove.wiring import run_wiring_faults
from litegate.gate.state import Gate
from litegate.mutation.faults import Family, Fault, Scene
from litegate.mutation.faults.catalogue import custom_faults, select_faults, shipped_faults
from litegate.mutation.faults.scene import fit_in_memory
from litegate.mutation.proof import Effort, Proof
from litegate.mutation.proof import prove as prove_scene
from litegate.mutation.report_rows import proof_row
from litegate.mutation.result import CheckRunner
from litegate.mutation.selection import Selection
from litegate.report.outcomes import PROOF, outcome_of
from litegate.report.proof import title
from litegate.report.run_record import Place, error_row
from litegate.spec.cases import Case
from litegate.spec.recipe import BASELINE

ROUNDS = 100
"""Comparisons of identical models in a full proof. For `digits_cnn`, they and the rebuilds make 805
results; without an alarm, these bound the false alarm rate below 0.4 % (prove.md)."""


def load_faults(gate: Gate) -> tuple[Fault, ...]:
    """Load the faults that this run plants.

    Raises UsageError for an unknown family, for a `faults.py` that cannot be loaded, and under
    pytest-xdist, because faults are planted in one process.
    """
    if gate.config.getoption("numprocesses", default=None) or gate.is_worker:
        raise pytest.UsageError("--prove does not work under pytest-xdist: run it without -n")
    try:
        faults = (*shipped_faults(), *custom_faults(gate.options.checks))
        return select_faults(faults, gate.options.prove_families)
    except LitegateError as error:
        raise pytest.UsageError(str(error)) from error


def prove(gate: Gate, session: pytest.Session, faults: tuple[Fault, ...]) -> None:
    """Prove each accepted candidate and add the proofs to the run's report."""
    if session.config.option.collectonly or session.shouldstop:
        return
    items = [item for item in (*session.items, *gate.plan.proof_only) if gate.is_check(item.path)]
    prover = _Prover(gate=gate, items=items, faults=faults)
    plain_tests = sorted({item.nodeid.partition("[")[0] for item in items if not requires(item)})
    if plain_tests:
        listed = ", ".join(plain(test_id) for test_id in plain_tests)
        gate.recorder.run.notes.append(
            f"tests that judge nothing, since they do not use `require`: {listed}"
        )
    with _without_traces(gate):
        for case in cases_of(items):
            if case.recipe is not None:
                prover.prove(case)
        # pytest's own loop has ended, so nothing else would tear down what the proof set up
        session._setupstate.teardown_exact(None)  # noqa: SLF001


@contextmanager
def _without_traces(gate: Gate) -> Iterator[None]:
    """Remove the planted files and their rows in the table of pytest-benchmark afterwards."""
    # pytest-benchmark has no public way to its rows.
    benchmark_session: Any = getattr(gate.config, "_benchmarksession", None)
    rows_before = len(benchmark_session.benchmarks) if benchmark_session else 0
    try:
        with uncaptured(gate.config), gate.progress.shown(gate.config):
            yield
    finally:
        if benchmark_session:
            del benchmark_session.benchmarks[rows_before:]
        shutil.rmtree(gate.options.report / "planted", ignore_errors=True)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class _Prover:
    """Proves the candidates of a run."""

    gate: Gate
    items: list[pytest.Item]
    faults: tuple[Fault, ...]
    clock: Callable[[], float] = field(default=time.monotonic)

    def prove(self, case: Case) -> None:
        """Prove one candidate, or add a note with the reason why it is not proven."""
        run = self.gate.recorder.run
        if reason := self._refusal(case):
            run.notes.append(f"{plain(case.id)} was not accepted, so it is not proven: {reason}")
            return
        started = self.clock()
        try:
            proof = self._run_proof(case)
        except LitegateError as error:
            self.gate.recorder.add_errors([f"{plain(case.id)}: the gate is NOT proven: {error}"])
            return
        row = proof_row(proof, self.clock() - started)
        run.proofs.append(row)
        if not proof.is_proven:
            run.errors.append(error_row(self._place(case), title(row)))

    def _place(self, case: Case) -> Place:
        """Return the place of an error about a failed proof: the line that declares the model."""
        root, file = self.gate.config.rootpath.resolve(), case.model.file
        shown = file.relative_to(root) if file.is_relative_to(root) else Path(file.name)
        return Place(
            id=PROOF,
            model=case.model.name,
            recipe=case.recipe.name if case.recipe else "",
            check=PROOF,
            requirement="The checks notice faults that are planted in accepted artifacts.",
            file=shown.as_posix(),
            line=case.model.line,
        )

    def _refusal(self, case: Case) -> str:
        """Return the reason why a candidate was not accepted; empty if it was."""
        run = self.gate.recorder.run
        if case.model.name in run.not_gated:
            return "it was not gated"
        verdicts = [row for row in run.verdicts if _concerns(case, row)]
        has_failed = any(outcome_of(row) == "fail" for row in verdicts)
        has_errors = any(_concerns(case, row) for row in run.errors)
        is_accepted = verdicts and not has_failed and not has_errors
        return "" if is_accepted else "its checks did not pass"

    def _run_proof(self, case: Case) -> Proof:
        options = self.gate.options
        items = {item.nodeid: item for item in self.items if _is_check_of(case, item)}
        scene, note = fit_in_memory(self._scene(case))
        if note:
            self.gate.recorder.run.notes.append(note)
        checks = [check_info(item) for item in items.values()]
        runner: CheckRunner = partial(run_items, items)
        is_full = options.prove_full
        effort = Effort(
            seconds=options.prove_budget, rounds=ROUNDS if is_full else 1, all_checks=is_full
        )
        proof = prove_scene(
            scene,
            self.faults,
            checks,
            runner,
            effort,
            clock=self.clock,
            report_step=lambda step: self.gate.progress.on_step(f"proving {scene.name}: {step}"),
        )
        proof.selection = self._selection(case)
        if not options.prove_families or Family.PLUMBING in options.prove_families:
            proof.fault_runs += run_wiring_faults(proof.scene, items)
        if is_full:
            add_rebuilds(proof, self.gate, runner)
        return proof

    def _selection(self, case: Case) -> Selection:
        """Describe how this run was narrowed, and which checks of a candidate that left out."""
        config, folder = self.gate.config, self.gate.options.checks
        run_ids = {item.nodeid for item in self.items}
        left_out = [item for item in self.gate.plan.checks if item.nodeid not in run_ids]
        how = ", ".join(narrowed(config, folder, left_out=bool(left_out)))
        return Selection(
            how=how or ("a plugin" if left_out else ""),
            families=self.gate.options.prove_families,
            left_out=tuple(calls_of(item) for item in left_out if _is_check_of(case, item)),
            has_unread_files=any(narrowed(config, folder, left_out=False)),
        )

    def _scene(self, case: Case) -> Scene:
        if case.recipe is None:
            raise ConfigError(f"{case.id} has no candidate to prove")
        artifact = partial(self.gate.session.artifact, case.model)
        candidate = artifact(case.recipe.name)
        return Scene(
            model=case.model,
            recipe=case.recipe,
            candidate=candidate,
            reference=artifact(case.recipe.reference.name),
            baseline=artifact(BASELINE),
            base=candidate,
            anchored=self.gate.anchor is not None,
            shipped=candidate.tflite,
            seed=self.gate.options.prove_seed,
        )


def _concerns(case: Case, row: Mapping[str, Any]) -> bool:
    """Return True if a report row is about this candidate or its whole model."""
    recipe = case.recipe.name if case.recipe else ""
    return bool(row["model"] == case.model.name and row["recipe"] in ("", recipe))


def _is_check_of(case: Case, item: pytest.Item) -> bool:
    """Return True if an item checks this candidate, its model, or the whole project."""
    item_case = case_of(item)
    is_same = item_case is None or (
        item_case.model.name == case.model.name and item_case.recipe in (None, case.recipe)
    )
    return is_same and requires(item)
