"""The form of a tensor: its type and how it is quantized, and what is wrong where it differs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from litegate.tflite.graph import Tensor

TOLERANCE = 1e-5
"""Relative; the converter's own bias scales differ by one or two units in their last place."""


class Grain(StrEnum):
    """How many scales a tensor has; the value is how it reads in a sentence."""

    NONE = "no scale"
    TENSOR = "one scale"
    EITHER = "one scale, or one for each channel"
    CHANNEL = "one scale for each channel"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One way in which a tensor keeps a promise."""

    dtype: str
    grain: Grain = Grain.NONE
    symmetric: bool = False
    """Every zero point is 0."""
    product: bool = False
    """Of a bias: each scale is the input's times the weight's."""
    fewer_than: int | None = None
    """Allowed only for tensors with fewer elements."""
    read_by: str = ""
    """Allowed only where every reader is this operator."""

    def __str__(self) -> str:
        parts = [self.dtype]
        parts += [f"of fewer than {self.fewer_than:,} elements"] if self.fewer_than else []
        parts += [f"read by {self.read_by} alone"] if self.read_by else []
        return " ".join(parts)

    def takes(self, tensor: Tensor, readers: Sequence[str] = ()) -> bool:
        """Whether a tensor that operators named `readers` read is of this form's type and kind."""
        small = self.fewer_than is None or math.prod(tensor.shape) < self.fewer_than
        return (
            self.dtype == tensor.dtype
            and small
            and (not self.read_by or {self.read_by} == {*readers})
        )


def breach(
    tensor: Tensor,
    forms: Sequence[Form],
    *,
    channel: int | None = None,
    readers: Sequence[str] = (),
) -> str:
    """What is wrong with a tensor that must have one of `forms`; empty where nothing is.

    `channel` is the dimension that several scales must run along. The scales of a bias are
    `product_breach`'s matter.
    """
    form = next((form for form in forms if form.takes(tensor, readers)), None)
    if form is None:
        return f"is {tensor.dtype}; promised {' or '.join(map(str, forms))}"
    return _count_breach(tensor, form.grain, channel) or _value_breach(tensor, form)


def _count_breach(tensor: Tensor, grain: Grain, channel: int | None) -> str:
    count = len(tensor.scales)
    channels = tensor.shape[channel] if channel is not None and channel < len(tensor.shape) else 1
    along = count == channels and (count == 1 or tensor.quantized_dimension == channel)
    kept = {
        Grain.NONE: count == 0,
        Grain.TENSOR: count == 1,
        Grain.EITHER: count == 1 or along,
        Grain.CHANNEL: along,
    }
    if kept[grain]:
        return ""
    where = f" along dimension {tensor.quantized_dimension}" if count > 1 else ""
    wanted = f" (dimension {channel}: {channels})" if grain is Grain.CHANNEL else ""
    return f"is {tensor.dtype} with {_counted(count)}{where}; promised {grain}{wanted}"


def _counted(count: int) -> str:
    return {0: "no scale", 1: "one scale"}.get(count, f"{count} scales")


def _value_breach(tensor: Tensor, form: Form) -> str:
    for scale in tensor.scales:
        if not 0 <= scale < math.inf:
            return f"has the scale {scale:g}; promised a finite one, not below 0"
    for zero_point in tensor.zero_points:
        if form.symmetric and zero_point:
            return f"has the zero point {zero_point}; promised 0"
    return ""


def product_breach(bias: Tensor, data: Tensor | None, weight: Tensor | None) -> str:
    """What is wrong with the scales of a bias; empty where each is the input's times the weight's.

    Compared within `TOLERANCE`, channel by channel.
    """
    inputs = data.scales if data else ()
    weights = weight.scales if weight else ()
    if len(inputs) != 1 or len(weights) != len(bias.scales):
        return (
            f"has {_counted(len(bias.scales))} beside {_counted(len(inputs))} of the input and "
            f"{_counted(len(weights))} of the weight; promised their product"
        )
    for number, (scale, factor) in enumerate(zip(bias.scales, weights, strict=True)):
        product = inputs[0] * factor
        if not abs(scale - product) <= TOLERANCE * product:
            return (
                f"has the scale {scale:.8g} in channel {number}; "
                f"promised {product:.8g}, the input's times the weight's"
            )
    return ""
