"""Compute confusion matrices, and each class's accuracy before and after a change."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from litegate.gate.evidence.predictions import Predictions
from litegate.report.html.page_data import ClassChange, Confusions

MOST_SHOWN = 14
"""Classes of a matrix: as many columns of four digits as fit the page's width (`charts.matrix`).

With more classes, those with the most mistakes are shown."""
MOST_CHANGES = 20
"""Classes in the list of changes: fits a screen; the classes that lose most come first, so the cut
drops those that changed least or gained."""

Counts = NDArray[np.intp]


def confusions(by_role: Mapping[str, Predictions], names: tuple[str, ...]) -> Confusions:
    """Return the matrix of each role, over the classes with the most mistakes if there are many."""
    counts = {role: _counts(predicted, len(names)) for role, predicted in by_role.items()}
    shown_classes = _most_mistaken(list(counts.values()))
    shown = {role: matrix[np.ix_(shown_classes, shown_classes)] for role, matrix in counts.items()}
    return Confusions(
        names=tuple(names[index] for index in shown_classes),
        left_out=len(names) - len(shown_classes),
        counts={
            role: tuple(tuple(row) for row in matrix.tolist()) for role, matrix in shown.items()
        },
    )


def _counts(predicted: Predictions, classes: int) -> Counts:
    """Return sample counts, shape (true class, predicted class)."""
    flat = np.bincount(predicted.labels * classes + predicted.chosen, minlength=classes**2)
    return flat.reshape(classes, classes)


def _most_mistaken(matrices: list[Counts]) -> list[int]:
    """Return the indices of at most `MOST_SHOWN` classes, ascending."""
    if len(matrices[0]) <= MOST_SHOWN:
        return list(range(len(matrices[0])))
    mistakes = np.zeros(len(matrices[0]), dtype=np.intp)
    for matrix in matrices:
        mistakes += matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diag(matrix)
    # Stable, so that equally mistaken classes are cut alike on every machine.
    return sorted(np.argsort(-mistakes, kind="stable")[:MOST_SHOWN].tolist())


def class_changes(
    before: Predictions, after: Predictions, names: tuple[str, ...]
) -> tuple[ClassChange, ...]:
    """Return the classes with samples, the greatest loss first, at most `MOST_CHANGES`."""
    changes = []
    for index, name in enumerate(names):
        is_of_class = after.labels == index
        if n := int(is_of_class.sum()):
            changes.append(
                ClassChange(
                    name=name,
                    n=n,
                    before=float(before.right[is_of_class].mean()),
                    after=float(after.right[is_of_class].mean()),
                )
            )
    return tuple(sorted(changes, key=lambda change: change.after - change.before)[:MOST_CHANGES])
