"""Which class is taken for which, and what each class's accuracy was and is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from litegate.gate.evidence.answers import Answered
from litegate.report.html.page_data import ClassChange, Confusions

MOST_SHOWN = 14
"""Classes of a matrix; of more, those with most mistakes are shown."""
MOST_CHANGES = 20
"""Classes in the list of changes."""

Counts = NDArray[np.intp]


def confusions(sides: Mapping[str, Answered], names: tuple[str, ...]) -> Confusions:
    """The matrices of all sides, over the classes with most mistakes where there are too many."""
    counts = {role: _counts(one, len(names)) for role, one in sides.items()}
    chosen = _most_mistaken(list(counts.values()))
    shown = {role: matrix[np.ix_(chosen, chosen)] for role, matrix in counts.items()}
    return Confusions(
        names=tuple(names[number] for number in chosen),
        left_out=len(names) - len(chosen),
        counts={r: tuple(tuple(row) for row in m.tolist()) for r, m in shown.items()},
    )


def _counts(one: Answered, classes: int) -> Counts:
    """Shape (true class, answer)."""
    flat = np.bincount(one.labels * classes + one.chosen, minlength=classes**2)
    return flat.reshape(classes, classes)


def _most_mistaken(matrices: list[Counts]) -> list[int]:
    """Class numbers in their order, at most `MOST_SHOWN`."""
    if len(matrices[0]) <= MOST_SHOWN:
        return list(range(len(matrices[0])))
    wrong = np.zeros(len(matrices[0]), dtype=np.intp)
    for matrix in matrices:
        wrong += matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diag(matrix)
    return sorted(np.argsort(-wrong, kind="stable")[:MOST_SHOWN].tolist())


def class_changes(
    before: Answered, after: Answered, names: tuple[str, ...]
) -> tuple[ClassChange, ...]:
    """The classes with samples, the greatest loss first, at most `MOST_CHANGES`."""
    found = []
    for number, name in enumerate(names):
        mine = after.labels == number
        if n := int(mine.sum()):
            was, now = (float(one.right[mine].mean()) for one in (before, after))
            found.append(ClassChange(name=name, n=n, before=was, after=now))
    return tuple(sorted(found, key=lambda one: one.after - one.before)[:MOST_CHANGES])
