"""The pytest plugin: its options, and the hooks that decide if a run concerns litegate.

Every pytest run in an environment with litegate installed imports this module, so it imports next
to nothing: what a run of the checks needs is imported by `hooks` once the run is pointed at them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from litegate.core.errors import LitegateError
from litegate.core.options import OPTIONS, parse
from litegate.core.pytest_options import ENDS_WITHOUT_VERDICT
from litegate.gate.invocation import concerned, options_of, refuse_to_look, setting


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


# First: a conftest may import a model's file, whose code may end the process.
@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Delete the previous report before any code of the project runs."""
    _delete_last_report(early_config)


# First: pytest's own implementation runs the whole session, and ends this hook with its result.
@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Refuse settings that end every run of the checks without a verdict."""
    try:
        refuse_to_look(config)
    except (LitegateError, ValueError, TypeError) as error:
        _delete_last_report(config)
        raise pytest.UsageError(str(error)) from error


def pytest_configure(config: pytest.Config) -> None:
    """Parse the options once; start the gate if the run is pointed at the folder of checks."""
    config.addinivalue_line(
        "markers", "latency: measures time; runs last, and never under pytest-xdist"
    )
    try:
        options = options_of(config)
        if len(config.args) > 1:
            from litegate.gate.other_projects import refuse_other_projects  # late: as `hooks`

            refuse_other_projects(config)
        if options.checks.is_dir() and concerned(config, options.checks):
            from litegate.gate.hooks import activate

            activate(config, options)
    except (LitegateError, ValueError, TypeError) as error:
        _delete_last_report(config)
        raise pytest.UsageError(str(error)) from error


def pytest_itemcollected(item: pytest.Item) -> None:
    """Refuse the first check that is collected outside this run's folder of checks.

    Before the next file is collected: of another project it may be named alike, which is an error
    of its own.
    """
    if "require" not in getattr(item, "fixturenames", ()):
        return
    from litegate.gate.other_projects import refuse_stray_check  # late: as `hooks`

    try:
        refuse_stray_check(item, options_of(item.config).checks)
    except pytest.UsageError as error:
        if not hasattr(item.config, "workerinput"):
            raise
        item.session.shouldfail = str(error)  # a worker has no other way to end a run


_FOLDERS = ("litegate_checks", "litegate_report")


def _delete_last_report(config: pytest.Config) -> None:
    """Delete the previous report, unless the run judges nothing: it may end before it starts.

    Nobody must take yesterday's pass for this run's. Uses the arguments that are parsed so far. The
    fault that keeps a run from starting may keep this from working, too; then the run's own error
    is all there is.
    """
    arguments = config.known_args_namespace
    if any(getattr(arguments, name, None) for name in ENDS_WITHOUT_VERDICT):
        return
    with suppress(LitegateError, OSError, ValueError, TypeError):
        flags = {name: getattr(arguments, name, None) for name in _FOLDERS}
        settings = {name: setting(config, name) for name in _FOLDERS}
        options = parse(config.rootpath, flags, settings, {})
        # As pytest decides later, when the project's conftests have been imported.
        paths = arguments.file_or_dir or config.getini("testpaths") or ["."]
        if options.checks.is_dir() and concerned(config, options.checks, paths):
            from litegate.report.json_report import prepare_folder  # late: other runs need it not

            prepare_folder(options.report)
