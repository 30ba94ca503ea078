"""From artifacts to facts: runs the models where their answers are not at hand yet."""

from litegate.reports.html.gathering.asking import Ask, measured, recalled
from litegate.reports.html.gathering.comparison import Comparison, Lookup, at_hand, in_store
from litegate.reports.html.gathering.gather import gather

__all__ = ["Ask", "Comparison", "Lookup", "at_hand", "gather", "in_store", "measured", "recalled"]
