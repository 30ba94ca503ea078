"""Compare a file's interface with its base's: what an application that runs it relies on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

from litegate.spec.budget import ARROW
from litegate.tflite.graph import Graph, Signature, Tensor

_KEEP_VALUES = frozenset({"QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
"""Operators that change the type or the shape of an output, and not its meaning."""
_FINAL_ACTIVATIONS = frozenset({"SOFTMAX", "LOG_SOFTMAX", "LOGISTIC", "TANH"})
"""Last operators that decide if an output is a score, a probability or its logarithm. In a float
file nothing else of the interface shows that one was added or removed."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Port:
    """An input or output as an application sees it."""

    name: str
    properties: dict[str, str]


def port_count(graph: Graph) -> int:
    """Count the inputs and outputs of a file."""
    return len(graph.main.inputs) + len(graph.main.outputs)


def interface_lines(
    base: Graph, candidate: Graph, signatures: tuple[str, str] = ("", "")
) -> Iterator[str]:
    """Yield a line for each difference of the interfaces: "input 'x': type uint8 -> int8".

    Names are those of the signature that is judged in each, else those of the tensors.
    """
    before, after = map(_signature, (base, candidate), signatures)
    if before and (after is None or before.name != after.name):
        yield f"signature: name {before.name!r} -> {repr(after.name) if after else 'none'}"
    for side in ("input", "output"):
        yield from _side_lines(side, _ports(base, side, before), _ports(candidate, side, after))


def undeclared(lines: Iterable[str], declared: Sequence[str]) -> tuple[str, ...]:
    """Return the lines that no declaration names, in full or up to the values."""
    lasting = tuple(f"{change} " for change in declared if ARROW not in change)
    return tuple(line for line in lines if line not in declared and not line.startswith(lasting))


def _signature(graph: Graph, name: str) -> Signature | None:
    entries = (entry for entry in graph.signatures if entry.graph == graph.entry)
    return next((entry for entry in entries if name in ("", entry.name)), None)


def _ports(graph: Graph, side: str, signature: Signature | None) -> list[_Port]:
    """Return the inputs or outputs in the file's order, in which an interpreter lists them."""
    main = graph.main
    indices = main.inputs if side == "input" else main.outputs
    pairs = getattr(signature, f"{side}s") if signature else ()
    names = dict(pairs)
    return [
        _Port(
            name=names.get(index, main.tensors[index].name),
            properties=_properties(main.tensors[index])
            | ({"activation": _activation(graph, index)} if side == "output" else {}),
        )
        for index in indices
    ]


def _properties(tensor: Tensor) -> dict[str, str]:
    return {
        "type": tensor.dtype,
        "shape": "x".join("?" if size < 0 else str(size) for size in tensor.shape_signature)
        or "scalar",
        # nine digits tell any two float32 numbers apart
        "scale": ", ".join(f"{scale:.9g}" for scale in tensor.scales) or "none",
        # without a scale, converters write a zero point of 0 or none
        "zero point": ", ".join(map(str, tensor.zero_points if tensor.scales else ())) or "none",
    }


def _activation(graph: Graph, index: int) -> str:
    """Return the activation that ends in a tensor, or "none"."""
    producers = {
        output: operator for operator in graph.main.operators for output in operator.outputs
    }
    operator = producers.get(index)
    for _ in graph.main.operators:  # a damaged file may have a cycle
        if operator is None or operator.name not in _KEEP_VALUES:
            break
        operator = producers.get(operator.inputs[0]) if operator.inputs else None
    return operator.name if operator and operator.name in _FINAL_ACTIVATIONS else "none"


def _side_lines(side: str, before: list[_Port], after: list[_Port]) -> Iterator[str]:
    old_names, new_names = ([port.name for port in ports] for ports in (before, after))
    by_name = {port.name: port for port in after}
    is_renamed = set(old_names) != set(new_names)
    if len(before) == len(after) and (is_renamed or len(by_name) < len(after)):
        for position, (old, new) in enumerate(zip(before, after, strict=True)):
            if old.name != new.name:
                yield f"{side} {position}: name {old.name!r} -> {new.name!r}"
            yield from _property_lines(f"{side} {new.name!r}", old, new)
        return
    if not is_renamed and old_names != new_names:
        orders = (", ".join(map(repr, names)) for names in (old_names, new_names))
        yield f"{side}s: order {' -> '.join(orders)}"
    yield from (f"{side} {name!r}: new" for name in new_names if name not in old_names)
    for old in before:
        if old.name in by_name:
            yield from _property_lines(f"{side} {old.name!r}", old, by_name[old.name])
        else:
            yield f"{side} {old.name!r}: gone"


def _property_lines(label: str, old: _Port, new: _Port) -> Iterator[str]:
    for name, value in old.properties.items():
        if new.properties[name] != value:
            yield f"{label}: {name} {value} -> {new.properties[name]}"
