"""Every fault that comes with litegate, family by family, and those of a project's own."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from litegate.core.errors import ConfigError
from litegate.mutation.faults.fault import Family, Fault

FILES = (
    "accuracy",
    "metrics",
    "behaviour",
    "classes",
    "weights",
    "types",
    "operators",
    "size",
    "compression",
    "latency",
    "plumbing",
)
"""The modules of this package that hold faults."""
OWN = "faults.py"
"""The file in the folder of checks that holds a project's own."""


def shipped_faults() -> tuple[Fault, ...]:
    """The faults that come with litegate."""
    modules = (importlib.import_module(f"litegate.mutation.faults.{name}") for name in FILES)
    return tuple(one for module in modules for one in _of(module))


def own_faults(checks: Path) -> tuple[Fault, ...]:
    """The faults that a project's `faults.py` declares. ConfigError where it cannot be loaded."""
    file = checks / OWN
    if not file.is_file():
        return ()
    spec = importlib.util.spec_from_file_location("litegate_own_faults", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(
            f"{file} cannot be loaded", got=f"{type(error).__name__}: {error}"
        ) from error
    return _of(module)


def chosen(faults: Iterable[Fault], families: Iterable[str]) -> tuple[Fault, ...]:
    """The faults of some families, or all. ConfigError for a family or a name that is wrong."""
    wanted, every = tuple(families), tuple(faults)
    unknown = [name for name in wanted if name not in tuple(Family)]
    if unknown:
        raise ConfigError(
            f"--prove-family: there is no family {', '.join(unknown)}",
            expected=", ".join(Family),
        )
    names = [one.name for one in every]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"two faults are called {', '.join(twice)}", expected="a name each")
    return tuple(one for one in every if not wanted or one.family in wanted)


def _of(module: ModuleType) -> tuple[Fault, ...]:
    return tuple(one for one in vars(module).values() if isinstance(one, Fault))
