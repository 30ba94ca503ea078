"""From artifacts to facts: runs the models where their answers are not at hand yet."""

from litegate.gate.evidence.asking import Ask, measured, recalled
from litegate.gate.evidence.comparison import Comparison, Lookup, at_hand, in_store
from litegate.gate.evidence.gather import gather

__all__ = ["Ask", "Comparison", "Lookup", "at_hand", "gather", "in_store", "measured", "recalled"]
