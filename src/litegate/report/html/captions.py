"""Write the sentences and the side-by-side table of a candidate's section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import final

from litegate.core.units import Unit, text
from litegate.report.html.page_data import (
    CandidateData,
    ClassChange,
    FlipSheet,
    Image,
    Numbers,
    Picture,
    RuntimeSheet,
    Wave,
)
from litegate.report.row_text import QUOTED, short_name


def flip_summary(sheet: FlipSheet) -> str:
    """Say how many samples or boxes a change broke and fixed, and which class lost most."""
    singular, plural = sheet.nouns
    if not sheet.broken and not sheet.fixed:
        return f"Against its {sheet.role}, no {singular} of {sheet.n:,} changed sides."
    noun = f"{singular} was" if sheet.broken == 1 else f"{plural} were"
    broken = f"{sheet.broken:,} {noun} broken"
    change = f"Against its {sheet.role}, {broken} and {sheet.fixed:,} fixed"
    return f"{change}, of {sheet.n:,}.{_worst_class(sheet)}"


def _worst_class(sheet: FlipSheet) -> str:
    worst = sheet.classes[0]
    if not worst.broken:
        return ""
    loss = f"Class “{worst.name}” loses most: {worst.broken:,} broken"
    if not sheet.confused_count:
        return f" {loss}."
    return f" {loss}, {sheet.confused_count:,} of them taken for “{sheet.confused_with}” now."


def shown_flips(sheet: FlipSheet) -> str:
    """Say how many flips have a picture; empty if all have one."""
    flips = sheet.broken + sheet.fixed
    return "" if sheet.shown == flips else f"{sheet.shown:,} of {flips:,} are shown."


def runtime_summary(sheet: RuntimeSheet) -> str:
    """Say on how many samples two runtimes decide differently, and which of them is right."""
    if not sheet.differing:
        return f"{sheet.runtime} decides as xnnpack on all {sheet.n:,} samples."
    share = text(sheet.differing / sheet.n, Unit.PERCENT)
    return (
        f"{sheet.runtime} decides otherwise than xnnpack on {sheet.differing:,} of {sheet.n:,}"
        f" samples ({share}): xnnpack alone is right on {sheet.lost:,}, {sheet.runtime} alone on"
        f" {sheet.won:,}, neither on {sheet.both_wrong:,}."
    )


def shown_disagreements(sheet: RuntimeSheet) -> str:
    """Say how many differing samples have a picture; empty if all have one."""
    shown = len(sheet.shown)
    return "" if shown == sheet.differing else f"{shown:,} of {sheet.differing:,} are shown."


def flip_reading(sheet: FlipSheet) -> str:
    """Say what stands beside a flip's picture, and what is drawn over it."""
    if sheet.threshold is None:
        return (
            f"Each sample shows the answer of the {sheet.role}, then the answer of the candidate, "
            "with their confidence (the softmax of the outputs, unless they are shares already). "
            "✓ is right, ✗ is wrong."
        )
    return (
        f"Each picture shows a labelled box (solid) that only one of both detects, and all "
        f"detections of the {sheet.role} (dotted) and of the candidate (dashed) in its image. "
        f"Detected means: by a score of at least {sheet.threshold:.2g}, where the {sheet.role} has "
        "its highest F1, and an overlap (IoU) of at least 0.5."
    )


def picture_caption(sheet: FlipSheet) -> str:
    """Say how to read the pictures of a sheet; empty for images, which need no words."""
    return _reading(next(flip.picture for shown in sheet.classes for flip in shown.shown))


def disagreement_caption(sheet: RuntimeSheet) -> str:
    """Say how to read the pictures of a runtime's sheet, as `picture_caption`."""
    return _reading(sheet.shown[0].picture)


def _reading(picture: Picture) -> str:
    match picture:
        case Image(is_features=True):
            return (
                "A picture is a map of the sample's features: time runs to the right, the first "
                "feature is at the bottom, and colours run from the sample's smallest value (dark) "
                "to its largest (yellow)."
            )
        case Image():
            return ""
        case Wave():
            return "A line spans the sample's own smallest and largest value."
        case Numbers():
            return "Each bar is one of the sample's numbers, drawn from 0."


def layer_summary(candidate: CandidateData) -> str:
    """Say which layer departs first from the reference, and what that means for the reader."""
    layer = next((layer for layer in candidate.layers if layer.diverges), None)
    if not layer:
        return "No layer stands out: nowhere does the error rise suddenly along the network."
    is_last = layer is candidate.layers[-1]
    inherited = "" if is_last else " The layers after it inherit this error."
    return (
        f"{layer.name} is the first layer whose output differs clearly from the reference: its "
        f"error is {share(layer.difference)} of its signal (SQNR {layer.sqnr}).{inherited} If "
        "accuracy is too low, look here first: keep this layer in float, give it more bits, or "
        "train longer with quantization."
    )


LAYERS = (
    "A bar is the size of a layer's error as a share of its signal: the RMS of the difference from "
    "the reference, over the RMS of the reference. SQNR says the same in decibels: 40 dB is an "
    "error of 1 %, 20 dB of 10 %, 0 dB as large as the signal."
)
"""Caption of the layers' errors."""


def short_part(name: str) -> str:
    """Shorten the tensor's name in the name of a part that grew; the rest stays."""
    return QUOTED.sub(lambda match: short_name(match[1]), name)


def class_groups(candidate: CandidateData) -> tuple[list[ClassChange], list[ClassChange]]:
    """Return the classes whose accuracy changed, and the others."""
    changed = [change for change in candidate.classes if change.before != change.after]
    return changed, [change for change in candidate.classes if change not in changed]


_LARGEST_SHARE = 10.0
"""Of an error and its reference: above ten times, nothing of the layer's output is left, and the
SQNR beside it says how little. More digits would only widen the column."""


def share(difference: float) -> str:
    """Format a share in percent with two significant digits: "3.1 %"."""
    if difference > _LARGEST_SHARE:
        return f"over {100 * _LARGEST_SHARE:.0f} %"
    # A float in format "g" would print 150 % with an exponent, a Decimal in format "f" never does.
    return f"{Decimal(f'{100 * difference:.2g}'):f} %"


@final
@dataclass(frozen=True, slots=True)
class QuantityRow:
    """A row of the side-by-side table: one quantity of each artifact."""

    name: str
    values: tuple[str, ...]
    """In the order of `CandidateData.sides`."""
    change: str
    """From the last artifact but one to the last; empty if either has no value."""


def side_by_side(candidate: CandidateData) -> list[QuantityRow]:
    """Make a row for each quantity that any of the artifacts has."""
    sides = candidate.sides
    return [
        *_row("top-1 accuracy", [side.accuracy for side in sides], Unit.PERCENT, Unit.POINTS),
        *_row("bytes", [side.bytes for side in sides], Unit.BYTES, Unit.BYTES),
        *_row("operators", [side.operators for side in sides], Unit.COUNT, Unit.COUNT),
        *_row("operators in floats", [side.floating for side in sides], Unit.COUNT, Unit.COUNT),
    ]


def _row(
    name: str, values: Sequence[float | None], unit: Unit, change_unit: Unit
) -> Iterator[QuantityRow]:
    if all(value is None for value in values):
        return
    cells = tuple("none" if value is None else text(value, unit) for value in values)
    before, after = values[-2:] if len(values) > 1 else (None, None)
    if before is None or after is None:
        yield QuantityRow(name, cells, "")
    else:
        yield QuantityRow(name, cells, text(after - before, change_unit, signed=True))
