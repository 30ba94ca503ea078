"""Every output of a model, the worst of which decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, MeasurementError
from litegate.measures.accuracy.decisions import finite
from litegate.measures.measurement import Measurement
from litegate.runtimes.inference import Outputs, predict_all
from litegate.spec import Artifact
from litegate.tflite.ports import listed, matching

Pair = TypeVar("Pair")


def paired(reference: Artifact, candidate: Artifact) -> dict[str, tuple[Outputs, Outputs]]:
    """What two artifacts answered to one split, output by output, by the reference's names.

    Two that have one output each need not call it alike. MeasurementError where one of the two has
    an output that the other lacks.
    """
    theirs, ours = predict_all(reference), predict_all(candidate)
    if len(theirs) == len(ours) == 1:
        return {name: (one, next(iter(ours.values()))) for name, one in theirs.items()}
    places = {name: place(ours, name, candidate.name) for name in theirs}
    demand_all(places.values(), ours, candidate.name, reference.name)
    return {name: (one, ours[places[name]]) for name, one in theirs.items()}


def place(found: Mapping[str, Outputs], name: str, subject: str) -> str:
    """What a model's own outputs call the output of a name; MeasurementError without one."""
    try:
        return matching({key: one.port for key, one in found.items()}, name, "output", subject)
    except ArtifactError as error:
        raise MeasurementError(
            error.what, expected=error.expected, got=error.got, remedy=error.remedy
        ) from None


def demand_all(met: Any, found: Mapping[str, Outputs], subject: str, other: str) -> None:
    """Raise MeasurementError where a model has outputs that nothing is compared with."""
    if more := [name for name in found if name not in {*met}]:
        raise MeasurementError(
            f"{other} has no counterpart of {listed(more)}, of the outputs of {subject}",
            expected="the same outputs by the same names",
            remedy="build both from the same network",
        )


def choosing(
    pairs: Mapping[str, tuple[NDArray[Any], NDArray[Any]]], subject: str
) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """The outputs that choose between classes, where there are several.

    One of a single number is no decision, and is left to measures of differences; it must be
    finite all the same. All where none is left, for the error that says so.
    """
    left = {name: two for name, two in pairs.items() if all(_width(one) > 1 for one in two)}
    if not left:
        return dict(pairs)
    for name in pairs.keys() - left:
        for one in pairs[name]:
            finite(one, f"{subject}, output {name}")
    return left


def decided(
    reference: Artifact, candidate: Artifact
) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """The raw answers of both to one split, of each output that chooses between classes."""
    pairs = paired(reference, candidate)
    raw = {name: (one.raw, other.raw) for name, (one, other) in pairs.items()}
    return choosing(raw, candidate.name)


def _width(scores: NDArray[Any]) -> int:
    return int(np.prod(scores.shape[1:]))


def worst(
    pairs: Mapping[str, Pair], measure: Callable[[str, Pair], Measurement], *, high: bool
) -> Measurement:
    """Measure every output; the worst decides, and its evidence names it.

    It is the one of the highest value (`high`) or of the lowest. Its one-sided limit is the
    furthest of all, so that nothing is proven of one output that is not proven of the others.
    """
    found = {name: measure(name, two) for name, two in pairs.items()}
    if len(found) == 1:
        return next(iter(found.values()))
    name, one = (max if high else min)(found.items(), key=lambda item: item[1].value)
    return replace(
        one,
        evidence=(f"output {name} is the worst of {len(found)}", *one.evidence),
        low=_furthest(min, [each.low for each in found.values()]),
        high=_furthest(max, [each.high for each in found.values()]),
    )


def _furthest(choose: Callable[[list[Any]], Any], limits: list[Any]) -> Any:
    known = [limit for limit in limits if limit is not None]
    return choose(known) if known else None
