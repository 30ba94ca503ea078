"""Find the operator that adds most of the difference between two runtimes.

The first operator that differs at all says little: it is nearly always the first convolution, by
one quantum. So each operator is run alone, on both runtimes, on the inputs that the file gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import LitegateError
from litegate.measures.accuracy.agreement import spread_indices
from litegate.measures.structure.operators import operator_label
from litegate.runtimes.child_runtime import ChildRuntime
from litegate.runtimes.inference import inner_tensors
from litegate.spec import Artifact, frames_of
from litegate.tflite.editing.single_operator import single_operator
from litegate.tflite.graph import ABSENT, Operator
from litegate.tflite.parser import parse

_SAMPLES = 8
"""Samples on which operators are compared: their outputs have hundreds of values each, and every
operator starts a process for each runtime besides the default."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorDifference:
    """The difference that one operator adds."""

    operator: Operator
    share: float
    """RMS of the difference as a share of the RMS of the output around its mean."""


def largest_difference(here: Artifact, there: Artifact) -> tuple[str, ...]:
    """Name the operator that adds most of the difference of two runtimes, for a failing verdict.

    Both artifacts are the same file. Raises nothing: an operator that a runtime does not run alone
    is left out, and a sentence says how many these were.
    """
    try:
        differences = list(_differences(here, there))
    except LitegateError as error:
        return (f"no operator is named: {error.what}",)
    measured = [difference for difference in differences if difference is not None]
    left_out = len(differences) - len(measured)
    unknown = (f"{left_out} operators could not be run alone",) if left_out else ()
    largest = max(measured, key=lambda difference: difference.share, default=None)
    if largest is None or not largest.share:
        return ("no operator, run alone, differs between the runtimes", *unknown)
    label = operator_label(largest.operator)
    return (f"{label} adds most: {100 * largest.share:.2g} % of its output, run alone", *unknown)


def _differences(here: Artifact, there: Artifact) -> Iterator[OperatorDifference | None]:
    main = parse(here.tflite, subject=here.name, signature=here.signature).main
    # An operator that runs alone starts from a reset state, as it does in the file.
    stored = {tensor.index for tensor in main.tensors if tensor.is_constant or tensor.is_variable}
    computed = {index for op in main.operators for index in op.inputs} - stored - {ABSENT}
    x = frames_of(here.evaluation.x)
    samples = list(
        inner_tensors(
            here.tflite,
            x[spread_indices(len(x), _SAMPLES)],
            sorted(computed),
            subject=here.name,
            signature=here.signature,
        )
    )
    with ExitStack() as processes:
        sides = [processes.enter_context(closing(_Side(artifact))) for artifact in (here, there)]
        for operator in main.operators:
            read = [index for index in dict.fromkeys(operator.inputs) if index in computed]
            yield _difference(sides, operator, [[row[index] for index in read] for row in samples])


def _difference(
    sides: Sequence[_Side], operator: Operator, samples: Sequence[Sequence[NDArray[Any]]]
) -> OperatorDifference | None:
    """Run one operator alone on both runtimes; None if one of them does not run it."""
    shapes = [np.shape(values) for row in samples for values in row]
    if not shapes or any(shape[:1] != (1,) for shape in shapes):
        return None  # it reads something without a batch, such as a shape
    inputs = [np.concatenate(column) for column in zip(*samples, strict=True)]
    try:
        before, after = (side.run(operator, inputs).astype(np.float64) for side in sides)
    except LitegateError:
        return None
    power = float(np.square(before - before.mean()).mean())
    added = float(np.square(before - after).mean())
    return OperatorDifference(operator=operator, share=(added / power) ** 0.5 if power else 0.0)


@final
class _Side:
    """Runs operators of an artifact alone, on its runtime, in one process for all of them."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._child: ChildRuntime | None = None

    def run(self, operator: Operator, inputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Return the operator's first output; raises as `ChildRuntime`."""
        artifact = self._artifact
        tflite = single_operator(artifact.ran_bytes, operator.index, signature=artifact.signature)
        try:
            if self._child is None:
                self._child = ChildRuntime(tflite, artifact.runtime, subject=artifact.name)
            else:
                self._child.load(tflite)
            names = self._child.input_order
            answers = self._child.answer(dict(zip(names, inputs, strict=True)))
        except LitegateError:
            self.close()
            raise
        return next(iter(answers.values()))

    def close(self) -> None:
        """End the process; the next operator starts another."""
        if self._child:
            self._child.close()
            self._child = None
