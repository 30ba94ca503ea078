"""Data that come a part at a time, since they need not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One split of a data set, walked over once: samples and labels together, in order.

    Each item is a pair ``(x, y)``, or ``x`` alone in an evaluation split without labels. Whatever
    NumPy makes an array of will do: arrays, numbers, tensors of `tf.data`.
    """

    source: Iterable[Any] | Callable[[], Iterable[Any]]
    """The items, or a function without arguments that gives them."""
    batched: bool
    """Whether an item holds several samples, x of shape (n, ...) and y of shape (n,): no shape
    tells a batch of images from one picture. Batches may differ in length."""

    def items(self) -> Iterable[Any]:
        """The items, from the first on."""
        return self.source() if callable(self.source) else self.source
