"""Tells the parent where the build stands."""

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
"""Seconds between two reports of one stage."""


@final
class Reporter:
    """Writes reports to the parent.

    Called by the thread that works and by no other: the parent takes silence for a hang.
    """

    def __init__(self, stream: BinaryIO, clock: Callable[[], float] = time.monotonic) -> None:
        """Reports go to `stream`, each at once; `clock` gives seconds."""
        self.now = Stage(recipe="", stage="", shared=True)
        self._stream = stream
        self._clock = clock
        self._began = self._last = clock()
        self._seconds: defaultdict[str, dict[str, float]] = defaultdict(dict)

    def stage(self, recipe: str, stage: str, *, shared: bool = False) -> None:
        """A stage begins, and the one before it ends; nothing where it is on already."""
        begun = Stage(recipe=recipe, stage=stage, shared=shared)
        if begun != self.now:
            self._book()
            self.now = begun
            self._write(begun)

    def progress(self, progress: Progress) -> None:
        """How far a training has come; epochs' ends are always told, the rest now and then."""
        if progress.step == progress.steps or self._is_time():
            self._write(progress)

    def alive(self) -> None:
        """Work goes on."""
        if self._is_time():
            self._write(Alive())

    def ready(self, recipe: str) -> None:
        """A recipe's files are complete."""
        self._write(Ready(recipe=recipe))

    def end(self, how: Done | Failure) -> None:
        """The build is over."""
        self._write(how)

    def seconds(self, recipe: str) -> dict[str, float]:
        """Seconds spent for one recipe so far, by stage."""
        self._book()
        return {stage: round(spent, 3) for stage, spent in self._seconds[recipe].items()}

    def _book(self) -> None:
        now, spent = self._clock(), self._seconds[self.now.recipe]
        spent[self.now.stage] = spent.get(self.now.stage, 0.0) + now - self._began
        self._began = now

    def _is_time(self) -> bool:
        return self._clock() - self._last >= _PAUSE

    def _write(self, report: Report) -> None:
        self._stream.write(encode(report))
        self._stream.flush()
        self._last = self._clock()
