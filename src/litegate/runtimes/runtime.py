"""Define what a runtime offers, and find out which runtimes this machine has."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol, final

from litegate.core.digests import short_digest
from litegate.core.errors import ConfigError
from litegate.spec.runtimes import GPU, REFERENCE, TFLM, XNNPACK, find_command, runtime_names

if TYPE_CHECKING:  # the gate asks which runtimes there are, long before it needs NumPy
    from numpy.typing import NDArray

    from litegate.runtimes.program import Identity

PACKAGES: Mapping[str, str] = {
    XNNPACK: "ai-edge-litert",
    REFERENCE: "ai-edge-litert",
    TFLM: "tflite-micro",
    GPU: "ai-edge-litert",
}
"""The distribution that has each runtime, whose version stands in keys and evidence."""


Reset = Literal["each", "first", "none"]
"""The samples before which the state is reset, of those that are answered at once."""


def resets(reset: Reset, row: int) -> bool:
    """Return True if the state is reset before the sample `row`."""
    return reset == "each" or (reset == "first" and not row)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """The memory that a runtime recorded for one file, in bytes."""

    total: int
    head: int
    """Activations and scratch memory, which operators share."""
    tail: int
    """Memory that persists from one invocation to the next."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Named parts of the tail."""

    @property
    def rest(self) -> int:
        """Bytes of the tail that have no name."""
        return self.tail - sum(self.parts.values())


class LoadedFile(Protocol):
    """A file that a runtime has loaded, in the runtime's own process. Not thread-safe."""

    def reset(self) -> None:
        """Set all state to what it was after loading."""

    def answer(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run one sample, with a batch of one, by input and output in the file's order.

        Raises ArtifactError with the runtime's words if it cannot.
        """

    def arena(self) -> Arena | None:
        """Return the memory that the runtime recorded after an invocation; None if it does not."""


def version(runtime: str) -> str:
    """Return the version of a runtime; a project's own is asked. Raises as `Program`."""
    return _identify(runtime).version if find_command(runtime) else _installed(runtime)


@cache
def _installed(runtime: str) -> str:
    # Late: it imports the package `email`, which running a file does not need.
    from importlib.metadata import version as installed

    return installed(PACKAGES[runtime])


def _identify(runtime: str) -> Identity:
    """Return what a program says of a device: of a project's own runtime, or of the GPU."""
    from litegate.runtimes.program import identify  # late: it loads NumPy

    return identify(runtime)


def key_parts(runtime: str) -> list[str]:
    """Return what decides a runtime's answers besides file and samples, for the answers' key."""
    declared = find_command(runtime)
    if declared is None and runtime != GPU:
        return [version(runtime)]
    identity = _identify(runtime)
    command = [declared.command.command, identity.digest] if declared else []
    return [identity.runtime, identity.version, *command]


def missing(runtime: str) -> str:
    """Say why this machine does not have a runtime, and what to do; empty if it has it.

    A project's own runtime, and that for GPUs, is asked once in a run; raises as `Program`.
    """
    if runtime == GPU or find_command(runtime):
        return _identify(runtime).unavailable
    return _missing_package(runtime)


@cache
def _missing_package(runtime: str) -> str:
    from importlib.util import find_spec

    if runtime != TFLM or find_spec("tflite_micro"):
        return ""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        machine = f"{sys.platform} on {platform.machine()}"
        return f"{PACKAGES[TFLM]} has wheels for Linux on x86-64 alone, and this is {machine}"
    return f"{PACKAGES[TFLM]} is not installed: pip install 'litegate[{TFLM}]'"


def demand(runtime: str) -> None:
    """Raise ConfigError if there is no such runtime, or if this machine does not have it.

    Raises as `Program` if the program of a project's own fails, or that for GPUs.
    """
    if runtime not in runtime_names():
        raise ConfigError(
            f"there is no runtime {runtime}", expected=f"one of {', '.join(runtime_names())}"
        )
    if reason := missing(runtime):
        what, colon, remedy = reason.rpartition(": ")
        raise ConfigError(
            f"there is no {runtime} on this machine",
            got=what if colon else reason,
            remedy=remedy if colon else "",
        )


def described(runtime: str) -> str:
    """Describe a runtime as evidence: its name, version and what it is not."""
    if declared := find_command(runtime):
        identity = _identify(runtime)
        named = f"{identity.runtime} {identity.version}".strip() or runtime
        files = short_digest(identity.digest)
        return f"{named}, by `{declared.command.command}` with the files {files}"
    if runtime == GPU:
        adapter = _identify(runtime).runtime
        return f"LiteRT {version(GPU)}'s GPU accelerator on {adapter}; not a phone's GPU"
    texts = {
        XNNPACK: "LiteRT {}, XNNPACK",
        REFERENCE: "LiteRT {}'s reference kernels on this machine, not a board",
        TFLM: "TensorFlow Lite Micro {}: reference kernels on this machine, not your board",
    }
    return texts[runtime].format(version(runtime))
