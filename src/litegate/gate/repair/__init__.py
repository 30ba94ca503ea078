"""Find the cheapest layers to leave out of quantization, so that a recipe keeps its limits."""

from litegate.spec import Kind
from litegate.spec.recipe import STATIC_KINDS

KINDS = STATIC_KINDS | {Kind.INT8_QAT}
"""The kinds of recipes that can leave out single layers."""
