"""The pytest plugin: its options, and the hooks that decide if a run concerns litegate.

Every pytest run in an environment with litegate installed imports this module, so it imports next
to nothing: what a run of the checks needs is imported by `hooks` once the run is pointed at them.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from litegate.core.errors import LitegateError
from litegate.core.options import OPTIONS
from litegate.gate.invocation import concerned, options_of, refuse_to_look


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare each option's flag and setting out of the one table."""
    group = parser.getgroup("litegate", "quality gate for .tflite models")
    for option in OPTIONS:
        env = f" [environment: {option.env}]" if option.env else ""
        text = f"{option.help}{env} (default: {option.default or 'none'})"
        shape: dict[str, Any] = {"action": "append" if option.repeated else "store"}
        shape["metavar"] = option.metavar
        if option.is_switch:
            shape = {"action": "store_const", "const": "true"}
        group.addoption(option.flag, dest=option.name, default=None, help=text, **shape)
        parser.addini(option.name, text, type=option.ini_type, default=None)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Delete the previous report if a conftest does not load."""
    try:
        return (yield)
    except BaseException:
        _delete_report(early_config)
        raise


# First: pytest's own implementation runs the whole session, and ends this hook with its result.
@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Refuse settings that end every run of the checks without a verdict."""
    try:
        refuse_to_look(config)
    except (LitegateError, ValueError, TypeError) as error:
        _delete_report(config)
        raise pytest.UsageError(str(error)) from error


def pytest_configure(config: pytest.Config) -> None:
    """Parse the options once; start the gate if the run is pointed at the folder of checks."""
    config.addinivalue_line(
        "markers", "latency: measures time; runs last, alone and never under xdist"
    )
    try:
        options = options_of(config)
        if options.checks.is_dir() and concerned(config, options.checks):
            from litegate.gate.hooks import activate

            activate(config, options)
    except (LitegateError, ValueError, TypeError) as error:
        _delete_report(config)
        raise pytest.UsageError(str(error)) from error


def _delete_report(config: pytest.Config) -> None:
    from litegate.gate.finish import delete_report_of_aborted_run

    delete_report_of_aborted_run(config)
