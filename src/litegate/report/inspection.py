"""An inspection, for a person at a terminal of any width."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from rich.table import Table
from rich.text import Text

from litegate.core.escaping import plain, shortened
from litegate.measures.structure.inspection import Inspection, Placed
from litegate.measures.structure.macs import Cost
from litegate.measures.structure.operators import named
from litegate.report.columns import console
from litegate.tflite.graph import Operator, Signature, Tensor

_MOST_TENSORS = 500
_MOST_REASONS = 8
_NAME = 48
"""Characters of a tensor's name; those of fused layers run to hundreds."""


def show(found: Inspection, title: str) -> None:
    """Print everything, in tables that fold where the terminal is narrow."""
    out = console()
    out.print(_text(title), style="bold")
    out.print(grid(_facts(found)))
    out.print(_table(("", "name", "type", "shape", "scale", "zero"), _ports(found)))
    out.print(_table(("operator", "version", "count", "MACs"), _operators(found)))
    rows = [_row(one) for one in found.tensors[:_MOST_TENSORS]]
    out.print(_table(("", "tensor", "role", "type", "shape", "bytes", "scales"), rows))
    if more := len(found.tensors) - len(rows):
        out.print(_text(f"and {more:,} more tensors: --json has them all"))
    for head, reasons in _hindrances(found):
        out.print(_text(head), style="bold")
        out.print(grid(("-", reason) for reason in _some(reasons)))


def grid(rows: Iterable[tuple[str, str]]) -> Table:
    """Two columns without lines: what it is, and its value."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*map(_text, row))
    return table


def _text(value: object) -> Text:
    """A cell: what it says is text, whatever the file says."""
    return Text(plain(str(value)))


def _table(heads: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for head in heads:
        number = head in ("bytes", "count", "MACs", "scales", "zero")
        table.add_column(head, overflow="fold", justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(_text, row))
    return table


def _facts(found: Inspection) -> Iterator[tuple[str, str]]:
    yield "types", found.origin.form
    yield "quantized by", found.origin.way
    yield "converter", found.origin.converter
    yield "least runtime", found.origin.min_runtime
    for one in found.signatures if len(found.signatures) > 1 else ():
        yield f"signature {one.name}", _signature(one)
    yield "MACs", _macs(found)
    constants = f", other constants {found.constant_bytes:,} B" if found.constant_bytes else ""
    yield "weights", f"{found.weight_bytes:,} B{constants}"
    yield "activations", f"{found.activation_bytes:,} B, each with memory of its own"
    yield "arena", _arena(found)
    yield "fully integer", _answer(found.not_integer)
    for target, breaches in found.targets.items():
        yield f"target {target}", _answer(breaches)


def _signature(one: Signature) -> str:
    taken, given = (", ".join(name for _, name in ports) for ports in (one.inputs, one.outputs))
    return f"graph {one.graph}: {taken} to {given}"


def _macs(found: Inspection) -> str:
    if not found.uncounted:
        return f"{found.macs:,}"
    missing = ", ".join(map(named, found.uncounted[:_MOST_REASONS]))
    return f"at least {found.macs:,}; not known for {len(found.uncounted)}: {missing}"


def _arena(found: Inspection) -> str:
    if found.plan is None:
        return f"not known: {found.unplanned}"
    busiest = found.plan.busiest or "the input"
    return f"{found.plan.arena:,} B ({busiest} alone needs {found.plan.least:,} B)"


def _answer(breaches: tuple[str, ...]) -> str:
    noun = "reason" if len(breaches) == 1 else "reasons"
    return f"no, {len(breaches)} {noun} below" if breaches else "yes"


def _ports(found: Inspection) -> Iterator[tuple[Any, ...]]:
    for side, tensors in (("in", found.inputs), ("out", found.outputs)):
        for name, one in tensors.items():
            scales = ", ".join(f"{scale:.6g}" for scale in one.scales[:3])
            zeros = ", ".join(map(str, one.zero_points[:3]))
            yield side, name, one.dtype, _shape(one.shape_signature), scales, zeros


def _shape(shape: tuple[int, ...]) -> str:
    """A shape in words; a free size is a question mark."""
    return "x".join("?" if size < 0 else str(size) for size in shape) or "scalar"


def _operators(found: Inspection) -> Iterator[tuple[Any, ...]]:
    spent = Counter[tuple[str, int]]()
    for one in found.costs:
        spent[_kind(one.operator)] += one.macs or 0
    unknown = {_kind(one) for one in found.uncounted}
    for name, version, count in found.operators:
        macs = spent[name, version]
        shown = "not known" if (name, version) in unknown else f"{macs:,}" if macs else ""
        yield name, version, count, shown


def _kind(operator: Operator) -> tuple[str, int]:
    return f"{operator.name} {operator.custom_code}".strip(), operator.version


def _row(one: Placed) -> tuple[Any, ...]:
    tensor = one.tensor
    number = f"{one.graph}.{tensor.index}" if one.graph else tensor.index
    scales = len(tensor.scales) or ""
    size = "" if tensor.memory is None else f"{tensor.memory:,}"
    return (
        number,
        shortened(tensor.name, _NAME),
        one.role,
        tensor.dtype,
        _shape(tensor.shape),
        size,
        scales,
    )


def _hindrances(found: Inspection) -> Iterator[tuple[str, tuple[str, ...]]]:
    if found.not_integer:
        yield "what keeps it from being fully integer", found.not_integer
    for target, breaches in found.targets.items():
        if breaches:
            yield f"what {target} does not take", breaches


def _some(reasons: tuple[str, ...]) -> Iterator[str]:
    yield from reasons[:_MOST_REASONS]
    if len(reasons) > _MOST_REASONS:
        yield f"and {len(reasons) - _MOST_REASONS} more: --json has them all"


def as_json(found: Inspection) -> dict[str, Any]:
    """Everything; what is not known is null, beside the reason."""
    plan = found.plan
    return {
        "bytes": found.size,
        "form": found.origin.form,
        "quantized_by": found.origin.way,
        "converter": found.origin.converter,
        "min_runtime": found.origin.min_runtime,
        "macs": None if found.uncounted else found.macs,
        "macs_known": found.macs,
        "macs_unknown": [named(one) for one in found.uncounted],
        "weight_bytes": found.weight_bytes,
        "constant_bytes": found.constant_bytes,
        "activation_bytes": found.activation_bytes,
        "arena": plan.arena if plan else None,
        "arena_variables": plan.variables if plan else None,
        "arena_least": plan.least if plan else None,
        "arena_busiest": plan.busiest if plan else None,
        "arena_unknown": found.unplanned,
        "inputs": [_port(*each) for each in found.inputs.items()],
        "outputs": [_port(*each) for each in found.outputs.items()],
        "signatures": [_signature_row(one) for one in found.signatures],
        "operator_counts": [
            {"name": name, "version": version, "count": count}
            for name, version, count in found.operators
        ],
        "operators": [_operator(one) for one in found.costs],
        "tensors": [_tensor(one) for one in found.tensors],
        "not_integer": list(found.not_integer),
        "targets": {name: list(breaches) for name, breaches in found.targets.items()},
    }


def _signature_row(one: Signature) -> dict[str, Any]:
    sides = {"inputs": one.inputs, "outputs": one.outputs}
    named = {side: {name: index for index, name in ports} for side, ports in sides.items()}
    return {"name": one.name, "graph": one.graph, **named}


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
    one = cost.operator
    return {
        "index": one.index,
        "name": one.name,
        "version": one.version,
        "custom_code": one.custom_code,
        "activation": one.activation,
        "options": dict(one.options),
        "inputs": list(one.inputs),
        "outputs": list(one.outputs),
        "macs": cost.macs,
    }


def _tensor(one: Placed) -> dict[str, Any]:
    tensor = one.tensor
    return {
        "graph": one.graph,
        "index": tensor.index,
        "name": tensor.name,
        "role": one.role.value,
        "type": tensor.dtype,
        "shape": list(tensor.shape),
        "bytes": tensor.memory,
        "file_bytes": tensor.nbytes,
        "scales": len(tensor.scales),
    }
