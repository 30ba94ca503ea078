"""Show the progress of builds: live on a terminal, plain lines in CI.

Live is a line, or a table of the builds that workers of a cluster run at once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import pytest

from litegate.build import process
from litegate.core.escaping import plain

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

EVERY = 10.0
"""Seconds between plain lines of one stage, as CI logs show them: enough to see a build alive; more
lines would bury the verdicts."""


@final
@dataclass(eq=False)
class Progress:
    """Shows the tool chain's reports. Silent until `shown`."""

    _reporter: pytest.TerminalReporter | None = None
    _ready: bool = False
    _live: bool = False
    _has_live_line: bool = False
    _shown: dict[str, tuple[tuple[str, ...], float]] = field(default_factory=dict)
    """The stage of each model's last line, and the time of that line."""
    _running: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """What is built of each model by a worker, its stage, and the worker."""
    _table: Live | None = None
    _last: float = 0.0
    _notices: list[str] = field(default_factory=list)

    @contextmanager
    def shown(self, config: pytest.Config) -> Iterator[None]:
        """Show what comes in through pytest's terminal, or through stderr in a worker."""
        worker = hasattr(config, "workerinput")  # whose terminal reporter writes to nowhere
        self._reporter = None if worker else config.pluginmanager.getplugin("terminalreporter")
        self._live = bool(self._reporter and self._reporter.isatty)
        self._ready = True
        for notice in self._notices:
            self._line(notice)
        self._notices.clear()
        try:
            yield
        finally:
            self._clear()
            self._running.clear()

    def on_notice(self, notice: str) -> None:
        """Show a line for the person; kept until there is a terminal to show it on."""
        if self._ready:
            self._line(notice)
        else:
            self._notices.append(notice)

    def on_wait(self, notice: str) -> None:
        """Show at once what this run waits for; on stderr as long as there is no terminal."""
        self._line(notice)

    def on_event(self, model: str, event: process.Event) -> None:
        """Show where a build stands; on a terminal all that workers build."""
        if isinstance(event, process.Ready):
            if self._running.pop(model, None):
                self._show_table()
            return
        subject, words = f"{model}/{event.recipe}" if event.recipe else model, _words(event)
        if self._live and event.worker:
            self._running[model] = subject, words, event.worker
            self._show_table()
            return
        line = plain(f"{subject}: {words}" + (f" on {event.worker}" if event.worker else ""))
        if self._live:
            self._rewrite(line)
            return
        now, stage = time.monotonic(), (event.recipe, event.stage, event.worker)
        last_stage, last = self._shown.get(model, ((), -EVERY))
        if stage != last_stage or now - last > EVERY:
            self._line(line)
            self._shown[model] = (stage, now)

    def on_step(self, step: str) -> None:
        """Show how far a long piece of work has come."""
        now = time.monotonic()
        if self._live:
            self._rewrite(plain(step))
        elif now - self._last > EVERY:
            self._line(step)
            self._last = now

    def _line(self, text: str) -> None:
        line = plain(text)
        if self._reporter is None:
            # The real stderr, since pytest captures the other one.
            print(f"litegate: {line}", file=sys.__stderr__, flush=True)
            return
        self._clear()
        self._reporter.write_line(f"litegate: {line}")
        self._reporter.flush()  # into a pipe, a line would wait for some 8 KB of others

    def _rewrite(self, line: str) -> None:
        if self._reporter:
            self._reporter.rewrite(line[: self._width()], erase=True)
            self._has_live_line = bool(line)

    def _show_table(self) -> None:
        """Show a row for each build that runs now, below the lines that stay."""
        if not self._running:
            self._clear()
            return
        if self._table is None:
            self._table = _live_table()
            self._table.start()
        self._table.update(_rows(self._running.values()), refresh=True)

    def _clear(self) -> None:
        if self._table:
            self._table.stop()
            self._table = None
        if self._has_live_line:  # else the line has pytest's own dots
            self._rewrite("")

    def _width(self) -> int:
        if self._reporter is None:
            return 79  # a terminal of 80, less one as below
        return self._reporter.config.get_terminal_writer().fullwidth - 1


def uncaptured(config: pytest.Config) -> Any:
    """A context in which what is written is seen, not captured."""
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    return capture.global_and_fixture_disabled() if capture else nullcontext()


def _live_table() -> Live:
    """Return a table that leaves nothing on the screen; starting it hides the cursor."""
    from rich.console import Console  # late: pytest starts without it
    from rich.live import Live

    return Live(
        console=Console(),
        auto_refresh=False,
        transient=True,
        # `_line` writes through pytest's terminal, after `_clear`.
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _rows(builds: Iterable[tuple[str, str, str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("building", "stage", "worker", box=None, pad_edge=False)
    for build in builds:
        table.add_row(*(Text(plain(cell), no_wrap=True, overflow="ellipsis") for cell in build))
    return table


def _words(event: process.Stage | process.Progress) -> str:
    """Return the stage, and for training the epoch, loss, accuracy if any, and time left.

    There is no estimate after the first step, which compiles the network: it would be hours.
    """
    if isinstance(event, process.Stage):
        return event.stage
    done = f"{event.stage} epoch {event.epoch}/{event.epochs} step {event.step}/{event.steps}"
    right = "" if event.accuracy is None else f", accuracy {event.accuracy:.4f}"
    left = "" if event.step == 1 < event.steps else f", {event.eta:.0f} s left"
    return f"{done}, loss {event.loss:.4f}{right}{left}"
