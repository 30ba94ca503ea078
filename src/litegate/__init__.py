"""litegate: a pytest-driven quality gate for `.tflite` models."""

from litegate import datasets, metrics, recipes
from litegate.authoring import model, prebuilt, trained
from litegate.core.units import byte, kib, ms, per_thousand, percent, points, quanta, us
from litegate.spec import (
    Budget,
    Clustering,
    Data,
    File,
    Pruning,
    Regression,
    Splits,
    Stream,
    Training,
)

__all__ = [
    "Budget",
    "Clustering",
    "Data",
    "File",
    "Pruning",
    "Regression",
    "Splits",
    "Stream",
    "Training",
    "byte",
    "datasets",
    "kib",
    "metrics",
    "model",
    "ms",
    "per_thousand",
    "percent",
    "points",
    "prebuilt",
    "quanta",
    "recipes",
    "trained",
    "us",
]
