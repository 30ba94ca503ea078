"""An inspection, for programs: JSON's types, and null where something is not known."""

from __future__ import annotations

import math
from typing import Any

from litegate.measures.structure.inspection import Inspection, Placed
from litegate.measures.structure.macs import Cost
from litegate.measures.structure.operators import named
from litegate.tflite.graph import Signature, Tensor


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
        "signatures": [_signature(one) for one in found.signatures],
        "operator_counts": [
            {"name": name, "version": version, "count": count}
            for name, version, count in found.operators
        ],
        "operators": [_operator(one) for one in found.costs],
        "tensors": [_tensor(one) for one in found.tensors],
        "not_integer": list(found.not_integer),
        "targets": {name: list(breaches) for name, breaches in found.targets.items()},
    }


def _signature(one: Signature) -> dict[str, Any]:
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
