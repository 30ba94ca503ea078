"""Report the progress of a build to the parent process."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import BinaryIO, final

from litegate.build.toolchain.protocol import (
    Alive,
    Done,
    Failure,
    Progress,
    Ready,
    Report,
    Stage,
    encode,
)

_PAUSE = 0.5
"""Seconds between two reports of one stage: more often would fill the pipe to the parent and cost
the training time, more rarely the display would seem to hang."""


@final
class Reporter:
    """Writes reports to the parent.

    Only the working thread may call it: the parent treats silence as a hang, and reports of another
    thread would conceal one.
    """

    def __init__(self, stream: BinaryIO, clock: Callable[[], float] = time.monotonic) -> None:
        """Write to `stream`, flushing every report; `clock` returns seconds."""
        self.now = Stage(recipe="", stage="", shared=True)
        self._stream = stream
        self._clock = clock
        self._stage_started = self._last_report = clock()
        self._seconds: defaultdict[str, dict[str, float]] = defaultdict(dict)

    def stage(self, recipe: str, stage: str, *, shared: bool = False) -> None:
        """Begin a stage and end the previous one; do nothing if the stage is active already."""
        new_stage = Stage(recipe=recipe, stage=stage, shared=shared)
        if new_stage != self.now:
            self._add_elapsed()
            self.now = new_stage
            self._write(new_stage)

    def progress(self, progress: Progress) -> None:
        """Report a training's progress: every end of an epoch, and otherwise every half second."""
        if progress.step == progress.steps or self._is_time():
            self._write(progress)

    def alive(self) -> None:
        """Report a sign of life."""
        if self._is_time():
            self._write(Alive())

    def ready(self, recipe: str) -> None:
        """Report that a recipe's files are complete."""
        self._write(Ready(recipe=recipe))

    def end(self, result: Done | Failure) -> None:
        """Report the end of the build."""
        self._write(result)

    def seconds(self, recipe: str) -> dict[str, float]:
        """Return the seconds spent on a recipe so far, by stage."""
        self._add_elapsed()
        # To the millisecond: the stages take seconds, and a certificate is read by people.
        return {stage: round(spent, 3) for stage, spent in self._seconds[recipe].items()}

    def _add_elapsed(self) -> None:
        now, spent = self._clock(), self._seconds[self.now.recipe]
        spent[self.now.stage] = spent.get(self.now.stage, 0.0) + now - self._stage_started
        self._stage_started = now

    def _is_time(self) -> bool:
        return self._clock() - self._last_report >= _PAUSE

    def _write(self, report: Report) -> None:
        self._stream.write(encode(report))
        self._stream.flush()
        self._last_report = self._clock()
