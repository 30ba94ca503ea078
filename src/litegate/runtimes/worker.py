"""Run files in litegate's own runtimes, in a child process, at the bidding of messages on stdin.

docs/how-to/own_board.md describes the messages, which are those of a project's own runtimes;
`litegate.runtimes.messages` has their form.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, BinaryIO, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, LitegateError
from litegate.runtimes.messages import Header, arrays_of, read_message, write_arrays, write_message
from litegate.runtimes.runtime import Arena, LoadedFile, Reset, resets, version
from litegate.spec.runtimes import GPU, TFLM


def serve(runtime: str, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests to a runtime until their stream ends."""
    loaded: LoadedFile | None = None
    while (request := read_message(requests)) is not None:
        header, content = request
        try:
            if header["do"] == "identify":
                write_message(replies, _identity(runtime))
            elif header["do"] == "load":
                loaded = _load(runtime, content, header["signature"])
                write_message(replies, {})
            elif loaded is not None and header["do"] == "run":
                inputs = arrays_of(header, content)
                write_arrays(replies, {}, _answer(loaded, inputs, header.get("reset", "each")))
            elif loaded is not None and header["do"] == "arena":
                arena = loaded.arena()
                write_message(replies, {"arena": arena and asdict(arena)})
            else:
                write_message(replies, {"error": f"cannot do {header['do']}"})
        except LitegateError as error:
            write_message(replies, {"error": error.got or error.what})


def _identity(runtime: str) -> Header:
    identity = {"runtime": runtime, "version": version(runtime)}
    if runtime != GPU:
        return identity
    from litegate.runtimes import gpu

    return identity | gpu.identity()


def _answer(loaded: LoadedFile, inputs: Sequence[NDArray[Any]], reset: Reset) -> list[NDArray[Any]]:
    """Run one sample after another."""
    answers = []
    for row in range(len(inputs[0])):
        if resets(reset, row):
            loaded.reset()
        answers.append(loaded.answer([values[row : row + 1] for values in inputs]))
    return [np.concatenate(rows) for rows in zip(*answers, strict=True)]


@final
class _LiteRT:
    """A file in LiteRT's interpreter."""

    def __init__(self, runtime: str, tflite: bytes, signature: str) -> None:
        from litegate.runtimes.litert import Kernels, Runner
        from litegate.tflite.parser import parse
        from litegate.tflite.ports import in_file_order

        self._runner = Runner(tflite, kernels=Kernels(runtime), signature=signature, subject="it")
        main = parse(tflite, subject="it", signature=signature).main
        self._inputs = in_file_order(self._runner.inputs, main.inputs)
        self._outputs = in_file_order(self._runner.outputs, main.outputs)

    def reset(self) -> None:
        self._runner.reset()

    def answer(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        self._runner.feed(dict(zip(self._inputs, inputs, strict=True)))
        self._runner.invoke()
        outputs = self._runner.fetch()
        return [np.atleast_1d(outputs[name]) for name in self._outputs]

    def arena(self) -> Arena | None:
        return None


def _load(runtime: str, tflite: bytes, signature: str) -> LoadedFile:
    """Load a file; the imports are late, since each runtime needs another package."""
    if runtime == GPU:
        from litegate.runtimes import gpu

        return gpu.LoadedFile(tflite, signature)
    if runtime != TFLM:
        return _LiteRT(runtime, tflite, signature)
    from litegate.runtimes import tflm
    from litegate.tflite.parser import parse

    if entry := parse(tflite, subject="it", signature=signature).entry:
        raise ArtifactError("it is refused", got=f"it runs the first graph, not graph {entry}")
    return tflm.LoadedFile(tflite)


def main(runtime: str) -> None:
    """Serve a runtime on this process's stdin and stdout."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # C++ code that prints must not stand between two messages
    serve(runtime, sys.stdin.buffer, replies)


if __name__ == "__main__":
    main(*sys.argv[1:])
