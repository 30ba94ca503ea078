"""Which gates are weakened on purpose, and what the proof of each must name."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import weakening
from weakening import Weaken

PROJECT = Path(__file__).resolve().parents[2]
DIGITS, MNIST = "digits_cnn", "mnist_cnn"
WHOLE = """
    extra_errors=lg.per_thousand(20), class_drop=lg.points(10), agreement=lg.percent(95),
    output_error=lg.percent(30), keras_difference=lg.quanta(8), compressed_size=lg.kib(6),
    macs=10_000, arena=lg.kib(4), target="tflm",
    vela=lg.Vela(
        accelerator="ethos-u55-128", system_config="Ethos_U55_High_End_Embedded",
        memory_mode="Shared_Sram",
    ),
    npu_share=lg.percent(90), npu_cycles=4_000, npu_sram=lg.kib(4), npu_off_chip_flash=lg.kib(12),
    slice_drop=lg.points(10), leaked_samples=0, metrics=(
        lg.metrics.f1(least=0.9, loss=0.05, class_loss=0.1, slice_loss=0.1, regression=0.02),
        lg.metrics.mean("error_rate", wrong, better="lower", bounded=True, most=0.1),
    ),
"""
"""The limits that `digits_cnn` does not set, so that every check has a case."""
AGAINST_BASE = """
    accuracy=lg.points(0.5), size=lg.percent(1), latency=lg.percent(2.5), lost_types=0,
    agreement=lg.percent(98), operators=0,
"""
"""Its limits against the base."""
SLICED = """
from dataclasses import replace

import numpy as np
from litegate.data.digests import array_digest

def wrong(outputs, labels):
    return outputs.argmax(axis=1) != labels

def sliced(data):
    first = np.arange(360) < 180
    def load(locations):
        return replace(data.load(locations), slices={"first": first})
    digests = {**data.digests, "slices.first": array_digest(first)}
    return replace(data, load=load, digests=digests)

"""
"""What these limits need: a function, and a data set with a slice."""
RECIPE, LEAN = "int8_qat", "int8_pcqat"
LEAN_RECIPE = """
    lg.recipes.int8_qat(
        fine_tune_epochs=5, pruning=lg.Pruning(sparsity=lg.percent(50)),
        clustering=lg.Clustering(clusters=16),
        budget=lg.Budget(sparsity=lg.percent(40), unique_weights=17),
    ),
"""
"""A second candidate, whose weights are pruned and clustered."""
GUARDS = {
    "test_accuracy_reaches_its_floor": ("accuracy", "accuracy"),
    "test_accuracy_stays_within_tolerance": ("accuracy drop", "accuracy"),
    "test_errors_stay_within_tolerance": ("extra errors", "accuracy"),
    "test_no_class_collapses": ("worst class's accuracy drop", "accuracy"),
    "test_no_slice_collapses": ("worst slice's accuracy drop", "accuracy"),
    "test_samples_are_not_in_the_training_split": ("leaked samples", "plumbing"),
    "test_metric_reaches_its_floor": ("f1", "accuracy"),
    "test_metric_stays_below_its_ceiling": ("error_rate", "accuracy"),
    "test_metric_stays_within_tolerance": ("f1 drop", "accuracy"),
    "test_no_class_loses_its_metric": ("worst class's f1 drop", "accuracy"),
    "test_no_slice_loses_its_metric": ("worst slice's f1 drop", "accuracy"),
    "test_metric_is_not_lost": ("f1 regression", "accuracy"),
    "test_metric_has_not_drifted": ("f1 regression since the anchor", "accuracy"),
    "test_file_decides_as_its_reference": ("agreement with the reference", "accuracy"),
    "test_file_answers_as_its_reference": ("output error", "accuracy"),
    "test_file_decides_as_keras": ("agreement with Keras", "accuracy"),
    "test_file_answers_as_keras": ("max difference from Keras", "accuracy"),
    "test_runtimes_decide_alike": ("runtime agreement", "accuracy"),
    "test_runtime_takes_the_file": ("runtime violations", "operators"),
    "test_property_holds_for_any_input": (
        "output range: counterexamples",
        "accuracy",
    ),
    "test_accuracy_is_not_lost": ("accuracy regression", "accuracy"),
    "test_decisions_stay": ("agreement with the base", "accuracy"),
    "test_accuracy_has_not_drifted": ("accuracy regression since the anchor", "accuracy"),
    "test_tensors_keep_their_types": ("tensor type violations", "types"),
    "test_operators_are_builtin_and_integer": ("operator violations", "types"),
    "test_reference_is_really_float": ("reference (float) violations", "types"),
    "test_no_integer_type_is_lost": ("tensors and operators no longer integer", "types"),
    "test_no_integer_type_has_drifted": (
        "tensors and operators no longer integer since the anchor",
        "types",
    ),
    "test_file_is_smaller_than_its_reference": ("size saving", "size"),
    "test_size_stays_within_budget": ("size", "size"),
    "test_size_ratio_stays_within_budget": ("size ratio", "size"),
    "test_compressed_size_stays_within_budget": ("compressed size", "size"),
    "test_file_does_not_grow": ("size growth", "size"),
    "test_size_has_not_drifted": ("size growth since the anchor", "size"),
    "test_operators_stay": ("operator changes against the base", "operators"),
    "test_interface_stays": ("interface changes against the base", "types"),
    "test_target_takes_every_operator": ("operators unsupported by the target", "operators"),
    "test_latency_stays_within_budget": ("latency", "latency"),
    "test_latency_stays_near_its_reference": ("latency ratio", "latency"),
    "test_latency_does_not_grow": ("latency growth", "latency"),
    "test_macs_stay_within_budget": ("multiply-accumulates", "latency"),
    "test_arena_stays_within_budget": ("arena", "latency"),
    "test_npu_runs_its_share": ("NPU share", "operators"),
    "test_npu_cycles_stay_within_budget": ("NPU cycles", "operators"),
    "test_npu_sram_stays_within_budget": ("NPU SRAM", "operators"),
    "test_npu_off_chip_flash_stays_within_budget": ("NPU off-chip flash", "operators"),
    "test_weights_are_sparse": ("sparsity", "size"),
    "test_weights_are_clustered": ("unique weights", "size"),
    "test_shipped_file_is_the_gated_one": ("shipped file differences", "plumbing"),
    "test_model_promises_no_less_than_its_base": ("weakened limits", "plumbing"),
    "test_project_promises_no_less_than_its_base": ("weakened limits", "plumbing"),
}
"""What a proof must name where a check is weakened, and the family of faults that shows it."""
WITHOUT_CASE = {
    "test_frames_keep_up_with_real_time": "real_time_factor",
    "test_npu_dram_stays_within_budget": "npu_dram",
    "test_npu_on_chip_flash_stays_within_budget": "npu_on_chip_flash",
}
"""Checks, with their limits, that `digits_cnn` cannot have: it reads no frames, and its memory mode
uses neither of these memories."""
FLOORS = (
    "accuracy",
    "npu_share",
    "agreement",
    "keras_agreement",
    "runtime_agreement",
    "metric.least",
    "regression.agreement",
    "sparsity",
)
SYMMETRIC = (
    "test_file_decides_as_its_reference",
    "test_file_answers_as_its_reference",
    "test_decisions_stay",
    "test_operators_stay",
    "test_interface_stays",
)
"""Checks whose measures give the same, or nearly so, when their arguments are swapped."""
EDITS = ("deleted", "forgotten", "never_called", "wrong_sign", "swapped")
LOOSENED = "loosened"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A gate with one edit."""

    edit: str
    of: str
    """The check, or the limit, that is weakened."""
    check: str
    """The check that is weakened by it."""
    file: str
    """What is edited, from the project's root."""
    weaken: Weaken
    model: str = DIGITS
    """The model that shows it."""

    @property
    def id(self) -> str:
        """As pytest shows it."""
        return f"{self.edit}-{self.model}-{self.of}"

    @property
    def measurement(self) -> str:
        """What the proof must name."""
        return GUARDS[self.check][0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """What a proof is asked for: the family that shows it."""
        anchor = ("--anchor", "HEAD") if "anchor" in self.measurement else ()
        recipe = LEAN if self.check.startswith("test_weights_") else RECIPE
        of = ("--litegate-model", self.model, "--litegate-recipe", recipe)
        held = ("--against", "none", *anchor, "-k", self._chosen())
        # A check is weakened on all runtimes alike, and the second one takes most of the time.
        default = () if "runtime" in self.check else ("--litegate-runtime", "xnnpack")
        return ("--prove", "--prove-family", GUARDS[self.check][1], *of, *held, *default)

    def _chosen(self) -> str:
        """The checks that are run. Comparisons in time take long, and so do properties.

        A deleted one is missed among all others. Other mutants need some sound check beside
        them: those of the size are quick.
        """
        family = GUARDS[self.check][1]
        if self.edit != "deleted" or family == "latency":
            # Both checks of weakened limits: what one misses is not tried if the other is left out.
            check = "promises_no_less" if "promises_no_less" in self.check else self.check
            return f"{check} or test_size_"
        return "not latency" if "property" in self.check else "not latency and not property"


def checks() -> dict[str, tuple[str, ast.FunctionDef]]:
    """Every check of this project with its file."""
    return {
        name: (f"checks/{path.name}", function)
        for path in sorted((PROJECT / "checks").glob("test_*.py"))
        for name, function in weakening.checks_of(ast.parse(path.read_bytes())).items()
    }


def model(name: str) -> ast.Module:
    """A model's file; that of `digits_cnn` has every limit and a second candidate."""
    text = (PROJECT / "models" / f"{name}.py").read_text("utf-8")
    if name == DIGITS:
        for head, more in (
            ("regression=lg.Regression(", AGAINST_BASE),
            ("budget=lg.Budget(", WHOLE),
            ("recipes=[", LEAN_RECIPE),
        ):
            assert text.count(head) == 1, f"{name} has not one {head}"
            text = text.replace(head, head + more)
        text = text.replace("import litegate as lg\n", f"import litegate as lg\n{SLICED}")
        text = text.replace("data=lg.datasets.digits()", "data=sliced(lg.datasets.digits())")
    return ast.parse(text)


LOOSER = {"regression.latency": 1000}
"""Factors of limits that a hundred times do not make useless.

`digits_cnn` takes 2 us on a fast machine, of which 250 % are less than the 10 us that the largest
fault adds to any network."""


def mutants() -> Iterator[Mutant]:
    """Every known check edited in every way, and every limit of every model."""
    known = {name: found for name, found in checks().items() if name in GUARDS}
    for name, (file, function) in known.items():
        for edit in EDITS:
            if edit != "swapped" or (weakening.pair_of(function) and name not in SYMMETRIC):
                weaken = getattr(weakening, edit)(name)
                yield Mutant(edit=edit, of=name, check=name, file=file, weaken=weaken)
    limits = {weakening.limit_named(function): name for name, (_, function) in known.items()}
    for name in (DIGITS, MNIST):
        for limit in weakening.limits_of(model(name)):
            if limit in limits:
                yield _loosened(limit, limits[limit], name)


def _loosened(limit: str, check: str, name: str) -> Mutant:
    """A limit a hundred times as loose, or `LOOSER`."""
    return Mutant(
        edit=LOOSENED,
        of=limit,
        check=check,
        file=f"models/{name}.py",
        weaken=weakening.scaled(limit, 0.01 if limit in FLOORS else LOOSER.get(limit, 100)),
        model=name,
    )
