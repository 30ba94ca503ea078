"""Run a file on drawn inputs on a runtime, in a child process, to see whether it takes the file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, LitegateError
from litegate.runtimes.child_runtime import ChildRuntime
from litegate.runtimes.drawn_inputs import draw
from litegate.runtimes.runtime import Arena, demand
from litegate.spec import Artifact
from litegate.tflite.graph import Subgraph
from litegate.tflite.parser import parse
from litegate.tflite.ports import Port

_SAMPLES = 8
"""Drawn samples: as for the equivalence of files, what a runtime refuses, it refuses for any; half
of those, for the reference kernels take 10 to 25 ms for each."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeTrial:
    """The outcome of one file on one runtime."""

    runtime: str
    device: str = ""
    """The name that its program gives, such as a board's or a GPU's; empty as the version is."""
    version: str = ""
    """The runtime's version; empty if it has not loaded the file."""
    refusal: str = ""
    """The runtime's own words, or how its process ended; empty if it runs the file."""
    error: LitegateError | None = None
    """The error of the refusal: `Refused` with the runtime's words, or another one if its process
    crashed, hung or answered nonsense."""
    samples: int = 0
    """Number of drawn samples that it answered."""
    outputs: tuple[str, ...] = ()
    """For each output its name, type, shape and range of the raw answers."""
    arena: Arena | None = None
    """The memory that the runtime recorded; None if it records none."""

    def recorded(self) -> Arena:
        """Return the recorded memory; raise the refusal's error, or ArtifactError without any."""
        if self.error:
            raise self.error
        if self.arena is None:
            raise ArtifactError(
                f"{self.runtime} records no memory", expected="a runtime that does, such as tflm"
            )
        return self.arena


def try_on(
    runtime: str, tflite: bytes, *, subject: str = "the model", signature: str = ""
) -> RuntimeTrial:
    """Load a file on a runtime and run it on drawn inputs.

    Raises ConfigError if this machine does not have the runtime, ArtifactError if the file cannot
    be parsed or has no such signature.
    """
    demand(runtime)
    main = parse(tflite, subject=subject, signature=signature).main
    try:
        child = ChildRuntime(tflite, runtime, subject=subject, signature=signature)
    except ArtifactError as error:
        return RuntimeTrial(runtime=runtime, refusal=_words(error), error=error)
    trial = partial(RuntimeTrial, runtime=runtime, device=child.name, version=child.version)
    with closing(child):
        shapes = {name: port.allocated for name, port in child.inputs.items()}
        try:
            drawn = _drawn(main, child.inputs, shapes)
            answers = child.answer({name: _joined(drawn, name) for name in child.inputs})
            arena = child.arena()
            child.finish()
        except LitegateError as error:
            words = _words(error)
            return trial(refusal=words, error=error)
    return trial(
        samples=_SAMPLES,
        outputs=tuple(_described(name, values) for name, values in answers.items()),
        arena=arena,
    )


@lru_cache(maxsize=8)  # the checks of memory and of operators ask for the same files in turn
def _tried(runtime: str, tflite: bytes, subject: str, signature: str) -> RuntimeTrial:
    return try_on(runtime, tflite, subject=subject, signature=signature)


def trial_of(artifact: Artifact) -> RuntimeTrial:
    """Return the trial of an artifact on the runtime that it names; raises as `try_on`."""
    return _tried(artifact.runtime, artifact.ran_bytes, artifact.name, artifact.signature)


def _drawn(
    main: Subgraph, ports: Mapping[str, Port], shapes: Mapping[str, tuple[int, ...]]
) -> list[dict[str, NDArray[Any]]]:
    try:
        return list(draw(main, ports, shapes, turns=_SAMPLES))
    except ValueError as error:
        raise ArtifactError("no inputs can be drawn", got=str(error)) from error


def _joined(drawn: list[dict[str, NDArray[Any]]], name: str) -> NDArray[Any]:
    return np.concatenate([inputs[name] for inputs in drawn])


def _words(error: LitegateError) -> str:
    """Return what happened, and the words of the runtime, on one line."""
    return " ".join(f"{error.what}: {error.got}".split())


def _described(name: str, values: NDArray[Any]) -> str:
    shape = "x".join(map(str, values.shape[1:])) or "1"
    return f"{name} {values.dtype} {shape}, from {values.min():.6g} to {values.max():.6g}"
