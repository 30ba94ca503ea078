"""Suggest corrections for misspelt or missing arguments and names in model files."""

from __future__ import annotations

import re
import sys
import traceback
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from types import ModuleType

_MISSING = re.compile(r"(\w+?)(?:\.__init__)?\(\) missing \d+ required [^:]*: (.+)")
_UNEXPECTED = re.compile(r"(\w+?)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")


def advice(error: BaseException) -> str:
    """Return a suggestion for a wrong name or argument of litegate; empty for other errors."""
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        return _named(error.name or "", error.obj)
    if not isinstance(error, TypeError):
        return ""
    if missing := _MISSING.search(str(error)):
        arguments = ", ".join(f"{name}=..." for name in re.findall(r"'(\w+)'", missing[2]))
        return f"give {missing[1]} {arguments}"
    unexpected = _UNEXPECTED.search(str(error))
    if not unexpected:
        return ""
    function = _called_function(unexpected[1], error)
    parameters = _parameters(function)
    if not parameters:
        return ""
    near = get_close_matches(unexpected[2], parameters, n=1)
    suggestion = f"did you mean {near[0]!r}? " if near else ""
    return f"{suggestion}{function} takes {', '.join(parameters)}"


def _called_function(name: str, error: BaseException) -> str:
    """Return the function that the user called, such as `f1` for an error of `Metric`."""
    frames = traceback.extract_tb(error.__traceback__) if name == "Metric" else []
    makers = [frame.name for frame in frames if Path(frame.filename).name == "metrics.py"]
    return makers[0] if makers else name


def _named(name: str, module: ModuleType) -> str:
    """Suggest similar names in a module of litegate; empty for other modules."""
    if not module.__name__.startswith("litegate"):
        return ""
    public = [attribute for attribute in dir(module) if not attribute.startswith("_")]
    near = get_close_matches(name, public)
    return f"did you mean {' or '.join(near)}?" if near else ""


def _parameters(name: str) -> list[str]:
    """Return the parameters of a public function or class of litegate; empty if there is none."""
    # The package as the model file sees it. An import of it from here would point up, to `data`.
    litegate = sys.modules["litegate"]
    from litegate.spec.metric import Limits

    for namespace in (litegate, litegate.recipes, litegate.metrics, litegate.datasets):
        function = getattr(namespace, name, None)
        if callable(function):
            parameters = [p for p in signature(function).parameters if p != "self"]
            if "limits" in parameters:  # **limits, which comes last
                return [*parameters[:-1], *Limits.__annotations__]
            return parameters
    return []
