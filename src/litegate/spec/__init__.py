"""Dataclasses for what a file in `models/` declares, and for the artifacts built from it.

They need the standard library alone. Arrays are typed `Any`, with their shape and dtype in the
docstring, so that loading a model file does not import NumPy.
"""

from litegate.spec.artifact import Artifact, Evaluation
from litegate.spec.budget import ACCURACY_LIMITS, Budget, Regression
from litegate.spec.detector import Detector
from litegate.spec.frames import Frames
from litegate.spec.metric import Better, Metric, MetricKind
from litegate.spec.model import Data, DataLocations, File, Model, Splits
from litegate.spec.recipe import IO_TYPES, Clustering, Kind, Pruning, Recipe
from litegate.spec.runtimes import Command
from litegate.spec.samples import (
    Array,
    Domain,
    Inputs,
    Samples,
    Sequences,
    Stream,
    by_input,
    domain_of,
    frames_of,
    map_samples,
)
from litegate.spec.training import Resources, Training
from litegate.spec.vela import Vela

__all__ = [
    "ACCURACY_LIMITS",
    "IO_TYPES",
    "Array",
    "Artifact",
    "Better",
    "Budget",
    "Clustering",
    "Command",
    "Data",
    "DataLocations",
    "Detector",
    "Domain",
    "Evaluation",
    "File",
    "Frames",
    "Inputs",
    "Kind",
    "Metric",
    "MetricKind",
    "Model",
    "Pruning",
    "Recipe",
    "Regression",
    "Resources",
    "Samples",
    "Sequences",
    "Splits",
    "Stream",
    "Training",
    "Vela",
    "by_input",
    "domain_of",
    "frames_of",
    "map_samples",
]
