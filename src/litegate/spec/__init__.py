"""The nouns: what a file in `models/` declares and what is built from it.

Frozen dataclasses of the standard library alone. Arrays are typed `Any` here, with their shape and
type in words, so that reading a model file costs no import of NumPy.
"""

from litegate.spec.artifact import Artifact, Evaluation
from litegate.spec.budget import OF_LABELS, Budget, Regression
from litegate.spec.metric import Better, Metric, MetricKind
from litegate.spec.model import Data, DataLocations, File, Model, Splits, Training
from litegate.spec.recipe import IO_TYPES, Clustering, Kind, Pruning, Recipe
from litegate.spec.samples import (
    Array,
    Domain,
    Inputs,
    Samples,
    Stream,
    by_input,
    domain_of,
    mapped,
)

__all__ = [
    "IO_TYPES",
    "OF_LABELS",
    "Array",
    "Artifact",
    "Better",
    "Budget",
    "Clustering",
    "Data",
    "DataLocations",
    "Domain",
    "Evaluation",
    "File",
    "Inputs",
    "Kind",
    "Metric",
    "MetricKind",
    "Model",
    "Pruning",
    "Recipe",
    "Regression",
    "Samples",
    "Splits",
    "Stream",
    "Training",
    "by_input",
    "domain_of",
    "mapped",
]
