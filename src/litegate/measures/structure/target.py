"""Target: which operators of a file the promised runtime or accelerator does not take, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from litegate.measures.measurement import Measurement, violations
from litegate.measures.structure.operators import named, part
from litegate.measures.structure.target_rules import RULES, View
from litegate.measures.structure.tensor_roles import Role, roles
from litegate.spec import Artifact
from litegate.spec.targets import Target
from litegate.tflite.graph import ABSENT, Graph, Operator, Subgraph, Tensor
from litegate.tflite.reader import parse

NAME = "operators outside the target"


def target_violations(candidate: Artifact, target: Target) -> Measurement:
    """Count the operators that are not on the target's list, or not as it wants them.

    Each is named with every reason. ArtifactError where the file cannot be read, MeasurementError
    where it holds no operator.
    """
    graph = parse(candidate.tflite, subject=candidate.name)
    found = violations(
        NAME,
        candidate.name,
        target_breaches(graph, target),
        n=sum(len(subgraph.operators) for subgraph in graph.subgraphs),
        artifacts=(candidate.sha256,),
    )
    return replace(found, evidence=(f"target {target}",))


def target_breaches(graph: Graph, target: Target) -> tuple[str, ...]:
    """A sentence for each operator of a graph that a target does not take, in their order."""
    return tuple(
        f"{part(subgraph)}{named(operator)}: {'; '.join(reasons)}"
        for subgraph in graph.subgraphs
        for operator, reasons in _broken(subgraph, target)
    )


def _broken(subgraph: Subgraph, target: Target) -> Iterator[tuple[Operator, tuple[str, ...]]]:
    found = roles(subgraph)
    for operator in subgraph.operators:
        if reasons := tuple(_reasons(_view(subgraph, operator, found), target)):
            yield operator, reasons


def _view(subgraph: Subgraph, operator: Operator, found: tuple[Role, ...]) -> View:
    def around(indices: tuple[int, ...]) -> tuple[tuple[Tensor, Role], ...]:
        return tuple((subgraph.tensors[i], found[i]) for i in indices if i != ABSENT)

    return View(operator=operator, read=around(operator.inputs), written=around(operator.outputs))


def _reasons(view: View, target: Target) -> Iterator[str]:
    operator = view.operator
    if operator.name == "CUSTOM":
        if operator.custom_code not in target.custom:
            yield f"{target.name} has no custom operator {operator.custom_code}"
        return
    rule = target.operators.get(operator.name)
    if rule is None:
        yield f"it is not on the list of {target.name}"
        return
    for each in RULES:
        yield from each(view, rule)
