"""The last run's report, taken away where a run of the checks ends before it can start."""

from __future__ import annotations

from contextlib import suppress

import pytest

from litegate.core.errors import LitegateError
from litegate.core.options import parse
from litegate.gate.invocation import setting
from litegate.gate.scope import LOOKS, concerned

_FOLDERS = ("litegate_checks", "litegate_report")


def forget(config: pytest.Config) -> None:
    """Take the last report away: nobody must read yesterday's pass for this run's.

    Arguments are read as far as they were when the run ended. What keeps a run from starting may
    keep this from working, too; the run itself says what it is.
    """
    from litegate.report.json_report import make_room

    asked = config.known_args_namespace
    if any(getattr(asked, name, None) for name in LOOKS):
        return
    with suppress(LitegateError, OSError, ValueError, TypeError):
        flags = {name: getattr(asked, name, None) for name in _FOLDERS}
        settings = {name: setting(config, name) for name in _FOLDERS}
        options = parse(config.rootpath, flags, settings, {})
        if concerned(config, options.checks, asked.file_or_dir):
            make_room(options.report)
