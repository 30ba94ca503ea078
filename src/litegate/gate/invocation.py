"""What pytest's configuration says of the gate."""

from __future__ import annotations

import pytest

from litegate.core.options import OPTIONS, GateOptions, parse
from litegate.gate.scope import refuse_hidden_look


def refuse_to_look(config: pytest.Config) -> None:
    """UsageError where a setting ends every run of the checks without a verdict."""
    refuse_hidden_look(config, options_of(config).checks)


def narrow_times(config: pytest.Config) -> None:
    """Let pytest-benchmark's table fit a terminal, unless --benchmark-columns asks for others."""
    if getattr(config.option, "benchmark_columns", ()) is None:
        config.option.benchmark_columns = ["median", "iqr", "rounds"]


def options_of(config: pytest.Config) -> GateOptions:
    """The options of a run. ConfigError for a value that one cannot have."""
    flags = {option.name: config.getoption(option.name) for option in OPTIONS}
    return parse(
        config.rootpath, flags, {option.name: setting(config, option.name) for option in OPTIONS}
    )


def setting(config: pytest.Config, name: str) -> str:
    """A setting of the project as text; empty where it is not set."""
    value = config.getini(name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)
