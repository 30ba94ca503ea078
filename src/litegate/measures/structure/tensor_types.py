"""Check a tensor's type and quantization against the forms that are allowed for it."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from litegate.tflite.graph import ABSENT, Tensor

BIAS_SCALE_TOLERANCE = 1e-5
"""Relative tolerance of a bias scale. The converter's own scales, float32 numbers, differ from the
product by one or two units in the last place, about 1e-7; the tolerance leaves room above that, and
stays far below the wrong scale that `--prove` plants (0.01 %)."""


class Grain(StrEnum):
    """The number of scales of a tensor; the value is used in messages."""

    NONE = "no scale"
    TENSOR = "one scale"
    EITHER = "one scale, or one for each channel"
    CHANNEL = "one scale for each channel"
    BLOCK = "one scale for each block of 32 values"


BLOCK_SIZE = 32
"""The only block size of the recipes: `b32` in the name of dynamic_wi4b32_afp32."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """An allowed type and quantization of a tensor."""

    dtype: str
    grain: Grain = Grain.NONE
    symmetric: bool = False
    """Every zero point must be 0."""
    product: bool = False
    """For a bias: each scale must be the input's times the weight's."""
    fewer_than: int | None = None
    """Allowed only for tensors with fewer elements than this."""
    read_by: str = ""
    """Allowed only if every reader is this kind of operator."""

    def __str__(self) -> str:
        parts = [self.dtype]
        parts += [f"of fewer than {self.fewer_than:,} elements"] if self.fewer_than else []
        parts += [f"read by {self.read_by} alone"] if self.read_by else []
        return " ".join(parts)

    def takes(self, tensor: Tensor, readers: Sequence[str] = ()) -> bool:
        """Return True if the form applies to a tensor that operators named `readers` read."""
        is_small_enough = self.fewer_than is None or math.prod(tensor.shape) < self.fewer_than
        return (
            self.dtype == tensor.dtype
            and is_small_enough
            and (not self.read_by or {self.read_by} == {*readers})
        )


def breach(
    tensor: Tensor,
    forms: Sequence[Form],
    *,
    channel: int | None = None,
    readers: Sequence[str] = (),
) -> str:
    """Return what is wrong with a tensor that must have one of `forms`, or an empty string.

    `channel` is the dimension that several scales must run along. `product_breach` checks the
    values of a bias's scales.
    """
    form = next((form for form in forms if form.takes(tensor, readers)), None)
    if form is None:
        return f"is {tensor.dtype}; expected {' or '.join(map(str, forms))}"
    return _count_breach(tensor, form.grain, channel) or _value_breach(tensor, form)


def _count_breach(tensor: Tensor, grain: Grain, channel: int | None) -> str:
    count = len(tensor.scales)
    channels = tensor.shape[channel] if channel is not None and channel < len(tensor.shape) else 1
    is_per_channel = count == channels and (count == 1 or tensor.quantized_dimension == channel)
    has_blocks = tensor.block_scales != ABSENT
    satisfied = {
        Grain.NONE: count == 0 and not has_blocks,
        Grain.TENSOR: count == 1,
        Grain.EITHER: count == 1 or is_per_channel,
        Grain.CHANNEL: is_per_channel,
        Grain.BLOCK: has_blocks and tensor.block_size == BLOCK_SIZE,
    }
    if satisfied[grain]:
        return ""
    where = f" along dimension {tensor.quantized_dimension}" if count > 1 else ""
    wanted = f" (dimension {channel}: {channels})" if grain is Grain.CHANNEL else ""
    blocks = f"one scale for each block of {tensor.block_size}" if has_blocks else ""
    return (
        f"is {tensor.dtype} with {blocks or _scale_count(count)}{where}; expected {grain}{wanted}"
    )


def _scale_count(count: int) -> str:
    return {0: "no scale", 1: "one scale"}.get(count, f"{count} scales")


def _value_breach(tensor: Tensor, form: Form) -> str:
    for scale in tensor.scales:
        if not 0 <= scale < math.inf:
            return f"has the scale {scale:g}; expected a finite one, not below 0"
    for zero_point in tensor.zero_points:
        if form.symmetric and zero_point:
            return f"has the zero point {zero_point}; expected 0"
    return ""


def block_breach(weight: Tensor, scales: Tensor, data: memoryview) -> str:
    """Return what is wrong with the scales of blocks, or an empty string.

    `scales` must be a float16 constant with a finite number above 0 for each block of the last
    dimension of `weight`; `data` are its bytes.
    """
    rows, size = weight.shape[:-1], max(weight.block_size, 1)
    expected = (*rows, *(columns // size for columns in weight.shape[-1:]))
    if scales.dtype != "float16" or scales.shape != expected or not scales.is_constant:
        return (
            f"has scales of {scales.dtype} {scales.shape}; expected constants, float16 {expected}"
        )
    for (scale,) in struct.iter_unpack("<e", data):
        # XNNPACK refuses a file with a scale of 0, as litert-quantizer writes for a block of zeros.
        if not 0 < scale < math.inf:
            return f"has the scale {scale:g} for a block; expected a finite one above 0"
    return ""


def product_breach(bias: Tensor, data: Tensor | None, weight: Tensor | None) -> str:
    """Return what is wrong with the scales of a bias, or an empty string.

    Each must be the input's scale times the weight's, within `BIAS_SCALE_TOLERANCE`.
    """
    input_scales = data.scales if data else ()
    weight_scales = weight.scales if weight else ()
    if len(input_scales) != 1 or len(weight_scales) != len(bias.scales):
        return (
            f"has {_scale_count(len(bias.scales))} beside {_scale_count(len(input_scales))} of the "
            f"input and {_scale_count(len(weight_scales))} of the weight; expected their product"
        )
    for number, (scale, weight_scale) in enumerate(zip(bias.scales, weight_scales, strict=True)):
        expected = input_scales[0] * weight_scale
        if not abs(scale - expected) <= BIAS_SCALE_TOLERANCE * expected:
            return (
                f"has the scale {scale:.8g} in channel {number}; "
                f"expected {expected:.8g}, the input's times the weight's"
            )
    return ""
