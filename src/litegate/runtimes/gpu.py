"""Run a file on LiteRT's GPU accelerator; only a child process loads it."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, final

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from numpy.typing import NDArray

from litegate.core.child_process import tail
from litegate.core.digests import short_digest
from litegate.core.errors import ArtifactError
from litegate.core.escaping import shortened
from litegate.runtimes.captured_stderr import STDERR
from litegate.tflite.editing.writer import ModelWriter
from litegate.tflite.parser import parse
from litegate.tflite.ports import ambiguous_signature

_DRIVER_VARIABLES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
"""Name drivers to Vulkan's loader; one before version 1.3.207 knows the second alone."""
_SWIFTSHADER = (
    Path("/usr/lib/chromium/vk_swiftshader_icd.json"),  # Debian's chromium
    Path("/opt/google/chrome/vk_swiftshader_icd.json"),  # Chrome in Google's own package
)
"""Where browsers have SwiftShader, the Vulkan driver that runs shaders on the processor."""
_INSTALL = "apt-get install libvulkan1 chromium, or name a Vulkan driver in VK_DRIVER_FILES"
_ADAPTER = re.compile(r"Selected adapter: (.+)")
_NO_ADAPTER = re.compile(r"^Warning: (.+)", re.MULTILINE)
"""The reason that WebGPU gives if it finds no adapter."""
_REASON = 70
"""Characters of it: with what to install, it must fit into the 200 of a program's line."""
_NOISE = re.compile(
    r"INFO:|WARNING: (\[|Logging before)|[IWE]\d{4} |└ Could not load|.* operations will run on the"
)
"""Lines on stderr that are not about the file: which libraries LiteRT looks for and loads, and how
it would share the file with the processor, which is not asked."""
_PREFIX = re.compile(r"^(└ )?((ERROR|WARNING): (\[\S+\] ?)?)?")
_MOST_READ = 1 << 16
"""Bytes of stderr that are read: LiteRT writes about 5 kB when it compiles a file."""


@final
class LoadedFile:
    """A file that is compiled for the GPU. Not thread-safe."""

    def __init__(self, tflite: bytes, signature: str = "") -> None:
        """Compile the file; raise ArtifactError with LiteRT's words if it refuses it.

        It refuses a file with an operator that the GPU does not take, since the processor is not
        among the accelerators: no operator runs there instead. It refuses variables, too.
        """
        _choose_driver()
        self._tflite = tflite  # LiteRT may read the weights where they are
        with _written_to_stderr() as written:
            try:
                self._model = CompiledModel.from_buffer(tflite, HardwareAccelerator.GPU)
            except (RuntimeError, ValueError) as error:
                raise ArtifactError("it is refused", got=_words(written(), error)) from error
        if not self._model.is_fully_accelerated():
            raise ArtifactError("it is refused", got="some operators do not run on the GPU")
        names = [known.name for known in parse(tflite, subject="it").signatures]
        if len(names) > 1 and not signature:
            raise ambiguous_signature(names, "it")
        self._index = self._model.get_signature_index(signature) if signature else 0
        # In the order of the graph, not of the signature.
        self._inputs = self._model.create_input_buffers(self._index)
        self._outputs = self._model.create_output_buffers(self._index)

    def reset(self) -> None:
        """Do nothing: the accelerator refuses files with a state."""

    def answer(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run once on one sample, by input in the file's order; raises ArtifactError."""
        try:
            for buffer, values in zip(self._inputs, inputs, strict=True):
                buffer.write(values)
            self._model.run_by_index(self._index, self._inputs, self._outputs)
            return [_values(buffer) for buffer in self._outputs]
        except (RuntimeError, ValueError) as error:
            raise ArtifactError("it is refused", got=str(error).strip()) from error

    def arena(self) -> None:
        """Return None: the accelerator records no memory."""


def _values(buffer: Any) -> NDArray[Any]:
    """Return a copy of an output."""
    details = buffer.get_tensor_details()
    shape, dtype = tuple(details["shape"]), np.dtype(details["dtype"])
    values: NDArray[Any] = buffer.read(prod(shape), dtype).reshape(shape)
    return np.atleast_1d(values)


def identity() -> dict[str, str]:
    """Return the adapter on which the accelerator runs a file, or why it does not run.

    As the reply to "identify": the name has the adapter as the accelerator describes it, and a
    digest of the driver's libraries, since their version need not change with them.
    """
    if sys.platform != "linux":
        return {"unavailable": f"LiteRT's GPU accelerator is run on Linux, not on {sys.platform}"}
    earlier = _mapped_libraries()
    with _written_to_stderr() as written:
        try:
            running = LoadedFile(_smallest_file())
        except ArtifactError as error:
            (reason, *_) = _NO_ADAPTER.findall(written()) or [error.got]
            missing = f"LiteRT's GPU accelerator has no adapter ({shortened(reason, _REASON)})"
            return {"unavailable": f"{missing}: {_INSTALL}"}
        (adapter, *_) = _ADAPTER.findall(written()) or ["an adapter without a name"]
    digest = _digest(_mapped_libraries() - earlier)
    del running  # not before: the driver leaves with it
    return {"runtime": f"{adapter}, driver {short_digest(digest)}"}


def _choose_driver() -> None:
    """Let Vulkan run shaders on SwiftShader, unless the environment names a driver.

    Even if there is a GPU: a laptop answers as CI does then.
    """
    manifest = next(filter(Path.is_file, _SWIFTSHADER), None)
    if manifest and not any(os.environ.get(name) for name in _DRIVER_VARIABLES):
        os.environ.update(dict.fromkeys(_DRIVER_VARIABLES, str(manifest)))


def _words(written: str, error: Exception) -> str:
    """Return LiteRT's reasons, which are on stderr, and those of the exception."""
    about_file = (line for line in written.splitlines() if not _NOISE.match(line))
    lines = (_PREFIX.sub("", line).strip() for line in [*about_file, *str(error).splitlines()])
    return tail("\n".join(dict.fromkeys(filter(None, lines))))


def _smallest_file() -> bytes:
    """Return a file of one operator: the accelerator looks for an adapter when it compiles one."""
    writer = ModelWriter("identify")
    x, y = (writer.computed(name, "float32", (1, 4)) for name in "xy")
    return writer.finish([x], [writer.operator("RELU", 1, [x], y)])


def _mapped_libraries() -> set[Path]:
    """Return the shared libraries of this process; no caches of shaders, which a run changes."""
    lines = Path("/proc/self/maps").read_text("utf-8", "replace").splitlines()
    paths = {Path(line.split(maxsplit=5)[5]) for line in lines if "/" in line}
    return {path for path in paths if ".so" in path.name and path.is_file()}


def _digest(paths: set[Path]) -> str:
    digests = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    return hashlib.sha256("".join(digests).encode()).hexdigest()


@contextmanager
def _written_to_stderr() -> Iterator[Callable[[], str]]:
    """Give a function that returns what C++ code has written to stderr since.

    stderr is a file of the parent process, in which the lines stay: a crash is reported with them.
    """
    start = os.fstat(STDERR).st_size
    yield lambda: os.pread(STDERR, _MOST_READ, start).decode(errors="replace")
