"""A child process: what the checkout in the working directory declares, as JSON in a file.

Its models and checks are collected by pytest itself with the checkout's own settings, so that a
conftest or an option that hides a check shows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import pytest

from litegate.gate import KEY, Gate
from litegate.options import settings

_COLLECT = ("--collect-only", "-q", "-p", "no:cacheprovider", "--against=none", "--anchor=none")
"""Held against nothing: the base of a base is not asked for."""
_REWRITE = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
"""litegate is imported here before pytest; a project with warnings as errors must not stumble."""
NOTHING: Mapping[str, Any] = {"models": {}, "checks": {}, "settings": {}, "conftests": {}}
"""What a checkout declares that has no litegate yet."""


@final
class _Collector:
    """Takes the gate and what it declares out of a pytest run that only collects."""

    def __init__(self) -> None:
        self.declared: Mapping[str, Any] | None = None
        self.errors: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember what could not be collected."""
        if report.failed:
            self.errors.append(f"{report.nodeid}: {report.longreprtext}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Describe the checkout, once everything is collected."""
        gate: Gate = session.config.stash[KEY]
        if gate.options.models.is_dir() and gate.options.checks.is_dir():
            self.declared = gate.declaration()


def main(answer: Path) -> int:
    """Write what the working directory declares to `answer`; exit status 1 where it cannot."""
    collector = _Collector()
    folder = _folder("checks")
    if not (any(folder.rglob("*.py")) and any(_folder("models").glob("*.py"))):
        answer.write_text(json.dumps(NOTHING), "utf-8")
        return 0
    status = pytest.main(
        [*_COLLECT, "-W", _REWRITE, str(folder)],
        plugins=[collector],
    )
    if collector.declared is None or (status not in (0, 5) and collector.errors):
        sys.stderr.write("\n".join(collector.errors) or f"pytest ended with {status}")
        return 1
    answer.write_text(json.dumps(collector.declared), "utf-8")
    return 0


def _folder(name: str) -> Path:
    """The folder of checks or of models, as the checkout's own settings name it."""
    return Path(settings(Path.cwd()).get(f"litegate_{name}", name))


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
