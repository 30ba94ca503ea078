"""litegate: a pytest-driven quality gate for `.tflite` models."""

from litegate import datasets, recipes
from litegate.authoring import model
from litegate.spec import Budget, Data, Regression, Splits, Training
from litegate.units import byte, kib, ms, per_thousand, percent, points, quanta, us

__all__ = [
    "Budget",
    "Data",
    "Regression",
    "Splits",
    "Training",
    "byte",
    "datasets",
    "kib",
    "model",
    "ms",
    "per_thousand",
    "percent",
    "points",
    "quanta",
    "recipes",
    "us",
]
