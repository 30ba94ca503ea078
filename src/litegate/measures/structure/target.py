"""Find the operators of a file that a target (a runtime or accelerator) does not take."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

from litegate.core.escaping import LISTED, shortened
from litegate.measures.measurement import Measurement, violations
from litegate.measures.names import Name
from litegate.measures.structure.operators import graph_prefix, operator_label
from litegate.measures.structure.runtime_trial import trial_of
from litegate.measures.structure.target_conditions import (
    CONDITIONS,
    OperatorContext,
    Reason,
    Reasons,
    Surroundings,
)
from litegate.measures.structure.tensor_roles import Role, roles
from litegate.runtimes.program import Refused
from litegate.spec import Artifact
from litegate.spec.runtimes import TFLM
from litegate.spec.targets import Target
from litegate.tflite.graph import ABSENT, Graph, Operator, Subgraph, Tensor
from litegate.tflite.parser import parse

_ASKED = "the interpreter was asked to load the file and to run it"
_NAME_LENGTH = 48
"""The longest tensor name in a reason; the names of fused layers have hundreds of characters, and
would push the reason itself off the line."""


def target_violations(candidate: Artifact, target: Target) -> Measurement:
    """Count the operators that are missing from the target's list or break its conditions.

    On the runtime "tflm" its interpreter loads the file and runs it. A refusal is an offender, in
    the interpreter's words. It replaces litegate's own list `tflm`; any other list bounds the file
    besides. Else the offenders name each operator with all reasons. Raises ArtifactError if the
    file cannot be read, or if the interpreter crashes; MeasurementError if it has no operator.
    """
    graph = parse(candidate.tflite, subject=candidate.name)
    breaches = target_breaches(graph, target)
    asked: tuple[str, ...] = ()
    offenders = breaches
    if candidate.runtime == TFLM:
        offenders, asked = _asked(candidate, target, breaches)
    measurement = violations(
        Name.UNSUPPORTED_OPERATORS,
        candidate.name,
        offenders,
        n=sum(len(subgraph.operators) for subgraph in graph.subgraphs),
        artifacts=(candidate.sha256,),
    )
    return replace(measurement, evidence=(f"target {target}", *asked))


def _asked(
    candidate: Artifact, target: Target, breaches: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ask the interpreter; return the offenders, and evidence. Raises ArtifactError if it crashes.

    The breaches of litegate's own list explain a refusal: they name the operator.
    """
    trial = trial_of(candidate)
    if trial.error and not isinstance(trial.error, Refused):
        raise trial.error
    refusal = (trial.refusal,) if trial.error else ()
    if target.name != TFLM:
        return (*refusal, *breaches), (_ASKED,)
    return refusal, (_ASKED, *(f"by the list of {target.name}: {it}" for it in breaches[:LISTED]))


def target_breaches(graph: Graph, target: Target) -> tuple[str, ...]:
    """Return a sentence for each operator of a graph that a target does not take, in order."""
    return breaches_by_target(graph, (target,))[target.name]


def breaches_by_target(graph: Graph, targets: tuple[Target, ...]) -> dict[str, tuple[str, ...]]:
    """Return the sentences of `target_breaches` for several targets, by their names."""
    sentences: dict[str, list[str]] = {target.name: [] for target in targets}
    for subgraph in graph.subgraphs:
        for operator, target, reasons in _breaches(graph, subgraph, targets):
            label = f"{graph_prefix(subgraph)}{operator_label(operator)}"
            sentences[target.name].append(f"{label}: {'; '.join(reasons)}")
    return {name: tuple(lines) for name, lines in sentences.items()}


def refused_operators(graph: Graph, target: Target) -> dict[int, str]:
    """Return the reasons against operators of the main graph, by the operators' index."""
    return {
        operator.index: "; ".join(reasons)
        for operator, _, reasons in _breaches(graph, graph.main, (target,))
    }


def _breaches(
    graph: Graph, subgraph: Subgraph, targets: tuple[Target, ...]
) -> Iterator[tuple[Operator, Target, tuple[str, ...]]]:
    tensor_roles = roles(subgraph)
    facts = [_tensor_facts(*pair) for pair in zip(subgraph.tensors, tensor_roles, strict=True)]
    # Large networks repeat a few kinds of operators thousands of times.
    breaches_by_kind: dict[Hashable, tuple[tuple[Target, tuple[Reason, ...]], ...]] = {}
    for operator in subgraph.operators:
        kind = _operator_facts(operator, facts)
        if kind not in breaches_by_kind:
            around = _surroundings(graph, subgraph, operator, tensor_roles)
            asked = ((target, tuple(_reasons(around, target))) for target in targets)
            breaches_by_kind[kind] = tuple(
                (target, reasons) for target, reasons in asked if reasons
            )
        for target, reasons in breaches_by_kind[kind]:
            yield (
                operator,
                target,
                tuple(_in_words(reason, subgraph, operator) for reason in reasons),
            )


def _tensor_facts(tensor: Tensor, role: Role) -> Hashable:
    """Return all that a condition may depend on; names are only printed."""
    buffer = tensor.buffer if tensor.is_constant else None
    scales = (len(tensor.scales), tensor.is_quantized)
    return role, tensor.dtype, tensor.shape, scales, buffer


def _operator_facts(operator: Operator, facts: Sequence[Hashable]) -> Hashable:
    """Return all that a condition may depend on, with the facts of the tensors around it."""
    operands = (*operator.inputs, *operator.outputs)
    return (
        (operator.name, operator.custom_code, operator.version),
        (operator.activation, operator.options, len(operator.inputs)),
        tuple(None if index == ABSENT else facts[index] for index in operands),
        # one tensor may be two operands
        tuple(map(operands.index, operands)),
    )


def _in_words(reason: Reason, subgraph: Subgraph, operator: Operator) -> str:
    """Return a reason against an operator, with the name of its own tensor."""
    if isinstance(reason, str):
        return reason
    tensor = subgraph.tensors[(*operator.inputs, *operator.outputs)[reason.operand]]
    name = repr(shortened(tensor.name, _NAME_LENGTH))
    return f"{reason.before}{name}{reason.after}"


def _surroundings(
    graph: Graph, subgraph: Subgraph, operator: Operator, tensor_roles: tuple[Role, ...]
) -> Surroundings:
    def with_roles(indices: tuple[int, ...]) -> tuple[tuple[Tensor, Role], ...]:
        return tuple((subgraph.tensors[i], tensor_roles[i]) for i in indices if i != ABSENT)

    return Surroundings(
        graph=graph,
        operator=operator,
        read=with_roles(operator.inputs),
        written=with_roles(operator.outputs),
    )


def _reasons(around: Surroundings, target: Target) -> Reasons:
    if target.folds_shapes and around.computes_shapes:
        return
    operator = around.operator
    if operator.name == "CUSTOM":
        if operator.custom_code not in target.custom:
            yield f"{target.name} has no custom operator {operator.custom_code}"
        return
    rule = target.operators.get(operator.name)
    if rule is None:
        yield f"it is not on the list of {target.name}"
        return
    context = OperatorContext(around, rule)
    for condition in CONDITIONS:
        yield from condition(context, rule)
