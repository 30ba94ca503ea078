"""Compare the arrays of a data set with the digests that it declares.

Imports NumPy late: a model file imports this module, and must load without NumPy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from litegate.core.errors import DataError
from litegate.data.labels import check_slices
from litegate.data.validation import check_lengths, sample_count
from litegate.spec import Array, Data, Splits


def array_digest(array: Array) -> str:
    """Return the SHA-256 of an array's bytes in C order; shape and type do not affect it."""
    import numpy as np

    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def verify(data: Data, raw: Splits, known: Mapping[str, str] | None = None) -> None:
    """Raise DataError unless every raw array has the digest that `data` declares.

    `known` maps names to digests of arrays that were read as a stream. The error contains the
    declaration of the actual digests, ready to be pasted.
    """
    known = known or {}
    arrays = raw.arrays().items()
    actual = {name: known.get(name) or array_digest(array) for name, array in arrays}
    wrong = [n for n in {**actual, **data.digests} if data.digests.get(n) != actual.get(n)]
    if not data.digests:
        raise DataError(
            f"the data set {data.name} has no digests yet",
            expected="one for each array, so that nothing is judged on other data unnoticed",
            remedy="if its arrays are as you mean them, its declaration needs this:"
            + _digests_code(actual),
        )
    if wrong:
        raise DataError(
            f"the data set {data.name} is not the one that was promised: {', '.join(wrong)}",
            expected=_format_digests({name: data.digests.get(name, "no digest") for name in wrong}),
            got=_format_digests({name: actual.get(name, "no array") for name in wrong}),
            remedy="restore the data; if the change is meant, its declaration needs this:"
            + _digests_code(actual),
        )
    if data.labels != (raw.y_test is not None):
        labels = "labels" if "y_test" in actual else "no labels"
        raise DataError(
            f"the evaluation split of {data.name} has {labels}",
            expected=f"as its lg.Data(labels={data.labels}) says",
        )
    check_lengths(data, raw)
    check_slices(data, raw.slices, sample_count(raw))


def _digests_code(digests: dict[str, str]) -> str:
    lines = (f'        "{name}": "{digest}",' for name, digest in digests.items())
    return "\n".join(["", "    digests={", *lines, "    },"])


def _format_digests(digests: dict[str, str]) -> str:
    return ", ".join(f"{name} {digest}" for name, digest in digests.items())
