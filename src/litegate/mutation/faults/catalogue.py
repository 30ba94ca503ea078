"""Collect litegate's own faults and those of a project's `faults.py`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from litegate.core.errors import ConfigError
from litegate.mutation.faults.fault import Family, Fault

MODULES = (
    "accuracy",
    "metrics",
    "behaviour",
    "classes",
    "runtimes",
    "weights",
    "types",
    "quantizer_files",
    "operators",
    "npu",
    "size",
    "compression",
    "latency",
    "plumbing",
)
"""The modules of this package that define faults, in the order of reports and docs."""
CUSTOM_FILE = "faults.py"
"""The file in the folder of checks that defines a project's own faults."""


def shipped_faults() -> tuple[Fault, ...]:
    """Return litegate's own faults."""
    modules = (importlib.import_module(f"litegate.mutation.faults.{name}") for name in MODULES)
    return tuple(fault for module in modules for fault in faults_in(module))


def custom_faults(checks: Path) -> tuple[Fault, ...]:
    """Load the faults of a project's `faults.py`. Raises ConfigError if it cannot be loaded."""
    file = checks / CUSTOM_FILE
    if not file.is_file():
        return ()
    spec = importlib.util.spec_from_file_location("litegate_custom_faults", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's file may raise anything
        raise ConfigError(
            f"{file} cannot be loaded", got=f"{type(error).__name__}: {error}"
        ) from error
    return faults_in(module)


def select_faults(faults: Iterable[Fault], families: Iterable[str]) -> tuple[Fault, ...]:
    """Return the faults of the given families, or all faults without families.

    Raises ConfigError for an unknown family, or if two faults have the same name.
    """
    selected, all_faults = tuple(families), tuple(faults)
    unknown = [name for name in selected if name not in tuple(Family)]
    if unknown:
        raise ConfigError(
            f"--prove-family: there is no family {', '.join(unknown)}",
            expected=", ".join(Family),
        )
    names = [fault.name for fault in all_faults]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise ConfigError(
            f"two faults are named {', '.join(duplicates)}", expected="a name for each"
        )
    return tuple(fault for fault in all_faults if not selected or fault.family in selected)


def faults_in(module: ModuleType) -> tuple[Fault, ...]:
    """Return the faults that a module defines, in the order of their definition."""
    return tuple(fault for fault in vars(module).values() if isinstance(fault, Fault))
