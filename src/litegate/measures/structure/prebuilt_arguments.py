"""Find the arguments of `prebuilt` that fit a ready-made file."""

from __future__ import annotations

from collections.abc import Iterable

from litegate.core.errors import ConfigError
from litegate.measures.structure.allowed_types import PLAIN
from litegate.measures.structure.operators import operator_breaches
from litegate.measures.structure.tensors import tensor_breaches
from litegate.spec import Kind, Recipe
from litegate.spec.recipe import default_port_type
from litegate.tflite.parser import parse

_UNQUANTIZED = frozenset(form.dtype for form in PLAIN)
_ORDER = (
    Kind.FLOAT32,
    Kind.INT8_PTQ,
    Kind.FLOAT16,
    Kind.WEIGHT_ONLY_WI8_AFP32,
    Kind.WEIGHT_ONLY_WI4_AFP32,
    Kind.DYNAMIC_WI4B32_AFP32,
    Kind.DYNAMIC_RANGE,
    Kind.DYNAMIC_WI8_AFP32,
    Kind.INT16X8,
    Kind.STATIC_WI8_AI8,
    Kind.STATIC_WI8_AI16,
)
"""FLOAT32 first: the rules of dynamic_range allow float weights of fewer than 1,024 elements.

They also allow int8 weights that are unpacked, so the kinds of these come before it. INT8_QAT has
the rules of INT8_PTQ."""


def fitting_recipe(tflite: bytes, declared: Recipe) -> Recipe | None:
    """Return a recipe whose rules a file keeps, `declared`'s kind first; None if there is none.

    Raises ArtifactError if the file cannot be read.
    """
    graph = parse(tflite)
    entries = [subgraph for subgraph in graph.subgraphs if subgraph.is_entry]
    inputs = (it.tensors[index].dtype for it in entries for index in it.inputs)
    outputs = (it.tensors[index].dtype for it in entries for index in it.outputs)
    input_type = _port_type(inputs) or declared.input_type
    output_type = _port_type(outputs) or declared.output_type
    for kind in (declared.kind, *_ORDER):
        try:
            recipe = Recipe(
                name=kind.value, kind=kind, input_type=input_type, output_type=output_type
            )
        except ConfigError:  # types that this kind cannot have
            continue
        if not tensor_breaches(graph, recipe) and not operator_breaches(graph, recipe):
            return recipe
    return None


def arguments(fitting: Recipe, declared: Recipe) -> str:
    """Return what to write in `prebuilt(...)` instead of what is declared.

    `kind="dynamic_range"`, or the types of inputs and outputs.
    """
    changed = [] if fitting.kind is declared.kind else [f'kind="{fitting.kind}"']
    for port in ("input_type", "output_type"):
        is_default = getattr(declared, port) == default_port_type(declared.kind)
        current = default_port_type(fitting.kind) if is_default else getattr(declared, port)
        if getattr(fitting, port) != current:
            changed.append(f'{port}="{getattr(fitting, port)}"')
    return ", ".join(changed)


def _port_type(dtypes: Iterable[str]) -> str:
    """Return the one type of some inputs or outputs, apart from counts and masks; else empty."""
    types = set(dtypes) - _UNQUANTIZED
    return types.pop() if len(types) == 1 else ""
