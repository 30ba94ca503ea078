"""litegate: a pytest-driven quality gate for `.tflite` models.

Names are imported on first use (PEP 562): pytest imports this package in every environment that
litegate is installed in, also for runs that have nothing to do with it.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litegate import data as datasets
    from litegate.core.units import byte, kib, ms, per_thousand, percent, points, quanta, us
    from litegate.spec import (
        Budget,
        Clustering,
        Command,
        Data,
        Detector,
        File,
        Frames,
        Pruning,
        Regression,
        Resources,
        Splits,
        Stream,
        Training,
        Vela,
        metrics,
        recipes,
    )
    from litegate.spec.authoring import model, prebuilt, trained

__all__ = [
    "Budget",
    "Clustering",
    "Command",
    "Data",
    "Detector",
    "File",
    "Frames",
    "Pruning",
    "Regression",
    "Resources",
    "Splits",
    "Stream",
    "Training",
    "Vela",
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

_MODULES = {
    "datasets": "litegate.data",
    "metrics": "litegate.spec.metrics",
    "recipes": "litegate.spec.recipes",
}
_UNITS = ("byte", "kib", "ms", "per_thousand", "percent", "points", "quanta", "us")
_DECLARATIONS = ("model", "prebuilt", "trained")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message, name=name, obj=sys.modules[__name__])
    if name in _MODULES:
        value: Any = import_module(_MODULES[name])
    elif name in _UNITS:
        value = getattr(import_module("litegate.core.units"), name)
    elif name in _DECLARATIONS:
        value = getattr(import_module("litegate.spec.authoring"), name)
    else:
        value = getattr(import_module("litegate.spec"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
