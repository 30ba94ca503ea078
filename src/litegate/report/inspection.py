"""Format the inspection of a file, for a terminal of any width and as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

from rich.table import Table
from rich.text import Text

from litegate.core.escaping import plain, shortened
from litegate.measures.structure.inspection import InspectedTensor, Inspection
from litegate.measures.structure.macs import Cost
from litegate.measures.structure.operators import operator_label
from litegate.measures.structure.runtime_trial import RuntimeTrial
from litegate.report.columns import console
from litegate.spec.runtimes import TFLM
from litegate.tflite.graph import Operator, Signature, Tensor
from litegate.tflite.npu import NpuContents
from litegate.tflite.variables import User, Variable

_MOST_TENSORS = 500
"""Rows of the table: a terminal keeps about a thousand lines; `--json` has all tensors."""
_MOST_REASONS = 8
"""Reasons of one recipe or target: more would push the other recipes off the screen."""
_MOST_SCALES = 3
"""Scales of a port, which has one in nearly every file; a crafted one may have thousands."""
_NAME = 48
"""Characters of a tensor's name; names of fused layers have hundreds."""


def show(inspection: Inspection, title: str, trials: Sequence[RuntimeTrial] = ()) -> None:
    """Print the inspection in tables, whose cells wrap in a narrow terminal."""
    with console() as output:
        output.print(_text(title), style="bold")
        output.print(grid([*_facts(inspection), *chain.from_iterable(map(_trial, trials))]))
        output.print(_table(("", "name", "type", "shape", "scale", "zero"), _ports(inspection)))
        output.print(_table(("operator", "version", "count", "MACs"), _operators(inspection)))
        if inspection.variables:
            heads = ("variable", "type", "shape", "bytes", "first value", "read by")
            output.print(_table(heads, _variables(inspection.variables[:_MOST_TENSORS])))
        rows = [_tensor_cells(placed) for placed in inspection.tensors[:_MOST_TENSORS]]
        output.print(_table(("", "tensor", "role", "type", "shape", "bytes", "scales"), rows))
        if left_out := len(inspection.tensors) - len(rows):
            output.print(_text(f"and {left_out:,} more tensors: --json has them all"))
        for head, reasons in _breaches(inspection):
            output.print(_text(head), style="bold")
            output.print(grid(("-", reason) for reason in _first_reasons(reasons)))


def refusals(inspection: Inspection, trials: Sequence[RuntimeTrial], title: str) -> Iterator[str]:
    """Yield the lines that say which targets and runtimes do not take a file, with reasons."""
    for target, breaches in inspection.targets.items():
        if breaches:
            yield plain(f"{title}: {target} does not take it")
            yield from (f"  - {plain(reason)}" for reason in _first_reasons(breaches))
    for trial in trials:
        if trial.refusal:
            yield plain(f"{title}: {trial.runtime} does not run it")
            yield f"  - {plain(trial.refusal)}"


def grid(rows: Iterable[tuple[str, str]]) -> Table:
    """Make a table of two columns, name and value, without lines."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*map(_text, row))
    return table


def _text(value: object) -> Text:
    """Make a cell; names from the file are never read as markup or control characters."""
    return Text(plain(str(value)))


def _table(heads: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for head in heads:
        number = head in ("bytes", "count", "MACs", "scales", "zero")
        table.add_column(head, overflow="fold", justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(_text, row))
    return table


def _facts(inspection: Inspection) -> Iterator[tuple[str, str]]:
    yield "types", inspection.origin.form
    yield "quantized by", inspection.origin.quantization
    yield "converter", inspection.origin.converter
    yield "least runtime", inspection.origin.min_runtime
    for signature in inspection.signatures if len(inspection.signatures) > 1 else ():
        yield f"signature {signature.name}", _signature(signature)
    yield "MACs", _macs(inspection)
    constants = inspection.constant_bytes
    other_constants = f", other constants {constants:,} B" if constants else ""
    yield "weights", f"{inspection.weight_bytes:,} B{other_constants}"
    yield "activations", f"{inspection.activation_bytes:,} B, each with memory of its own"
    yield "state", _state(inspection)
    yield "arena", _arena(inspection)
    if inspection.npu.operators:
        yield "NPU", _npu(inspection.npu)
    yield "fully integer", _yes_or_no(inspection.not_integer)
    for target, breaches in inspection.targets.items():
        yield f"target {target}", _yes_or_no(breaches)


def _trial(trial: RuntimeTrial) -> Iterator[tuple[str, str]]:
    """Yield what a runtime does with the file, its recorded memory and its answers."""
    label = f"runtime {trial.runtime}"
    if trial.refusal:
        yield label, f"no: {trial.refusal}"
        return
    device = f" on {trial.device}" if trial.device not in ("", trial.runtime) else ""
    yield label, f"runs it{device}, version {trial.version}"
    if arena := trial.arena:
        named = (*arena.parts.items(), ("rest", arena.rest))
        parts = ", ".join(f"{name} {size:,} B" for name, size in named)
        recorded = f"{arena.total:,} B recorded: head {arena.head:,} B, tail {arena.tail:,} B"
        is_here = trial.runtime == TFLM
        board = "; reference kernels on this machine, not your board" if is_here else ""
        yield f"arena on {trial.runtime}", f"{recorded} ({parts}){board}"
    for output in trial.outputs:
        yield f"answers on {trial.runtime}", f"{output}, to {trial.samples} drawn samples"


def _signature(signature: Signature) -> str:
    sides = (signature.inputs, signature.outputs)
    inputs, outputs = (", ".join(name for _, name in ports) for ports in sides)
    return f"graph {signature.graph}: {inputs} to {outputs}"


def _macs(inspection: Inspection) -> str:
    if not inspection.uncounted:
        return f"{inspection.macs:,}"
    missing = ", ".join(map(operator_label, inspection.uncounted[:_MOST_REASONS]))
    return f"at least {inspection.macs:,}; not known for {len(inspection.uncounted)}: {missing}"


def _npu(npu: NpuContents) -> str:
    """Describe a compiled file; nothing here runs it."""
    noun = "operator" if npu.operators == 1 else "operators"
    parts = f"{npu.commands:,} B of commands, {npu.constants:,} B of constants"
    return f"compiled for an Ethos-U: {npu.operators:,} {noun}, {parts}; it runs there alone"


def _state(inspection: Inspection) -> str:
    count = len(inspection.variables)
    noun = "variable" if count == 1 else "variables"
    return f"{inspection.state_bytes:,} B in {count} {noun}" if count else "none"


def _variables(variables: Iterable[Variable]) -> Iterator[tuple[Any, ...]]:
    for variable in variables:
        values = variable.values
        yield (
            shortened(variable.name, _NAME),
            values.dtype if values else "",
            _shape(values.shape) if values else "not known",
            "" if variable.memory is None else f"{variable.memory:,}",
            _first_value(variable),
            ", ".join(_user_labels(variable.readers)) or "no operator",
        )


def _first_value(variable: Variable) -> str:
    """Return "0", or the operators that set another first value."""
    if variable.starts_at_zero:
        return "0"
    return f"set by {', '.join(_user_labels(variable.initializers))}"


def _user_labels(users: Sequence[User]) -> list[str]:
    """Label the operators that use a variable; one graph may have thousands."""
    labels = [
        f"graph {graph}, {operator_label(operator)}" if graph else operator_label(operator)
        for graph, operator in users[:_MOST_REASONS]
    ]
    left_out = len(users) - len(labels)
    return [*labels, f"{left_out:,} more"] if left_out else labels


def _arena(inspection: Inspection) -> str:
    if inspection.plan is None:
        return f"not known: {inspection.unplanned}"
    busiest = inspection.plan.busiest or "the input"
    return f"{inspection.plan.arena:,} B ({busiest} alone needs {inspection.plan.least:,} B)"


def _yes_or_no(breaches: tuple[str, ...]) -> str:
    noun = "reason" if len(breaches) == 1 else "reasons"
    return f"no, {len(breaches)} {noun} below" if breaches else "yes"


def _ports(inspection: Inspection) -> Iterator[tuple[Any, ...]]:
    for side, tensors in (("in", inspection.inputs), ("out", inspection.outputs)):
        for name, tensor in tensors.items():
            scales = ", ".join(f"{scale:.6g}" for scale in tensor.scales[:_MOST_SCALES])
            zeros = ", ".join(map(str, tensor.zero_points[:_MOST_SCALES]))
            yield side, name, tensor.dtype, _shape(tensor.shape_signature), scales, zeros


def _shape(shape: tuple[int, ...]) -> str:
    """Format a shape; a free size is a question mark."""
    return "x".join("?" if size < 0 else str(size) for size in shape) or "scalar"


def _operators(inspection: Inspection) -> Iterator[tuple[Any, ...]]:
    macs_by_kind = Counter[tuple[str, int]]()
    for cost in inspection.costs:
        macs_by_kind[_kind(cost.operator)] += cost.macs or 0
    unknown = {_kind(operator) for operator in inspection.uncounted}
    for name, version, count in inspection.operators:
        macs = macs_by_kind[name, version]
        macs_cell = "not known" if (name, version) in unknown else f"{macs:,}" if macs else ""
        yield name, version, count, macs_cell


def _kind(operator: Operator) -> tuple[str, int]:
    return f"{operator.name} {operator.custom_code}".strip(), operator.version


def _tensor_cells(placed: InspectedTensor) -> tuple[Any, ...]:
    tensor = placed.tensor
    number = f"{placed.graph}.{tensor.index}" if placed.graph else tensor.index
    scales = len(tensor.scales) or (f"each {tensor.block_size}" if tensor.is_quantized else "")
    size = "" if tensor.memory is None else f"{tensor.memory:,}"
    return (
        number,
        shortened(tensor.name, _NAME),
        placed.role,
        tensor.dtype,
        _shape(tensor.shape),
        size,
        scales,
    )


def _breaches(inspection: Inspection) -> Iterator[tuple[str, tuple[str, ...]]]:
    if inspection.not_integer:
        yield "what keeps it from being fully integer", inspection.not_integer
    for target, breaches in inspection.targets.items():
        if breaches:
            yield f"what {target} does not take", breaches


def _first_reasons(reasons: tuple[str, ...]) -> Iterator[str]:
    yield from reasons[:_MOST_REASONS]
    if len(reasons) > _MOST_REASONS:
        yield f"and {len(reasons) - _MOST_REASONS} more: --json has them all"


def as_json(inspection: Inspection, trials: Sequence[RuntimeTrial] = ()) -> dict[str, Any]:
    """Return the inspection in JSON's types; an unknown number is null, beside its reason."""
    plan = inspection.plan
    return {
        "bytes": inspection.size,
        "form": inspection.origin.form,
        "quantized_by": inspection.origin.quantization,
        "converter": inspection.origin.converter,
        "min_runtime": inspection.origin.min_runtime,
        "macs": None if inspection.uncounted else inspection.macs,
        "macs_known": inspection.macs,
        "macs_unknown": [operator_label(operator) for operator in inspection.uncounted],
        "weight_bytes": inspection.weight_bytes,
        "constant_bytes": inspection.constant_bytes,
        "activation_bytes": inspection.activation_bytes,
        "state_bytes": inspection.state_bytes,
        "arena": plan.arena if plan else None,
        "arena_variables": plan.variables if plan else None,
        "arena_least": plan.least if plan else None,
        "arena_busiest": plan.busiest if plan else None,
        "arena_unknown": inspection.unplanned,
        "inputs": [_port(name, tensor) for name, tensor in inspection.inputs.items()],
        "outputs": [_port(name, tensor) for name, tensor in inspection.outputs.items()],
        "signatures": [_signature_row(signature) for signature in inspection.signatures],
        "operator_counts": [
            {"name": name, "version": version, "count": count}
            for name, version, count in inspection.operators
        ],
        "operators": [_operator(cost) for cost in inspection.costs],
        "variables": [_variable(variable) for variable in inspection.variables],
        "tensors": [_tensor(placed) for placed in inspection.tensors],
        "npu": asdict(inspection.npu) if inspection.npu.operators else None,
        "not_integer": list(inspection.not_integer),
        "targets": {name: list(breaches) for name, breaches in inspection.targets.items()},
        "runtimes": {trial.runtime: _trial_row(trial) for trial in trials},
    }


def _trial_row(trial: RuntimeTrial) -> dict[str, Any]:
    arena = trial.arena
    return {
        "device": trial.device,
        "version": trial.version,
        "runs": not trial.refusal,
        "refusal": trial.refusal,
        "samples": trial.samples,
        "outputs": list(trial.outputs),
        "arena": arena and asdict(arena) | {"rest": arena.rest},
    }


def _signature_row(signature: Signature) -> dict[str, Any]:
    sides = {"inputs": signature.inputs, "outputs": signature.outputs}
    indices = {side: {name: index for index, name in ports} for side, ports in sides.items()}
    return {"name": signature.name, "graph": signature.graph, **indices}


def _port(name: str, tensor: Tensor) -> dict[str, Any]:
    return {
        "called": name,
        "name": tensor.name,
        "type": tensor.dtype,
        "shape": list(tensor.shape),
        "shape_signature": list(tensor.shape_signature),
        "scales": [scale if math.isfinite(scale) else str(scale) for scale in tensor.scales],
        "zero_points": list(tensor.zero_points),
    }


def _operator(cost: Cost) -> dict[str, Any]:
    operator = cost.operator
    return {
        "index": operator.index,
        "name": operator.name,
        "version": operator.version,
        "custom_code": operator.custom_code,
        "activation": operator.activation,
        "options": dict(operator.options),
        "inputs": list(operator.inputs),
        "outputs": list(operator.outputs),
        "macs": cost.macs,
    }


def _variable(variable: Variable) -> dict[str, Any]:
    values = variable.values
    users = {
        "readers": variable.readers,
        "writers": variable.writers,
        "initializers": variable.initializers,
    }
    return {
        "name": variable.name,
        "kind": "resource" if variable.is_resource else "tensor",
        "type": values.dtype if values else None,
        "shape": list(values.shape) if values else None,
        "bytes": variable.memory,
        "starts_at_zero": variable.starts_at_zero,
        **{
            side: [{"graph": graph, "operator": operator.index} for graph, operator in operators]
            for side, operators in users.items()
        },
    }


def _tensor(placed: InspectedTensor) -> dict[str, Any]:
    tensor = placed.tensor
    return {
        "graph": placed.graph,
        "index": tensor.index,
        "name": tensor.name,
        "role": placed.role.value,
        "type": tensor.dtype,
        "shape": list(tensor.shape),
        "bytes": tensor.memory,
        "file_bytes": tensor.nbytes,
        "scales": len(tensor.scales),
        "block_size": tensor.block_size,
    }
