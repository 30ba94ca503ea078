"""Compare the arrays of a data set with the digests that it declares.

Imports NumPy late: a model file imports this module, and must load without NumPy.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from typing import Any, final

from litegate.core.errors import DataError, LitegateError
from litegate.data.labels import check_slices
from litegate.data.validation import check_lengths, check_sequences, sample_count
from litegate.spec import Array, Data, Splits

COMMAND = "litegate digests MODEL --write"
"""The command that an error suggests; `name_model` replaces MODEL."""


@final
class ArrayDigest:
    """SHA-256 of an array's dtype, shape and values, updated one part after another.

    It is the digest of the text "DTYPE SHAPE VALUES", such as ``<f4 (360, 8, 8) 9f86d0...``: the
    little-endian dtype in NumPy's notation, the shape, and the SHA-256 of the values in C order.
    The values are digested by themselves, since a stream's number of samples comes last.
    """

    def __init__(self) -> None:
        self._values = hashlib.sha256()
        self._dtype: Any = None
        self._shape: tuple[int, ...] = (0,)

    def add(self, part: Array) -> None:
        """Update the digest with samples of shape (n, ...), all of one dtype and shape."""
        import numpy as np

        from litegate.data.disk_arrays import in_parts

        array = np.atleast_1d(part)
        self._dtype = array.dtype.newbyteorder("<")
        self._shape = (self._shape[0] + len(array), *array.shape[1:])
        for rows in in_parts(array):  # a copy of another byte order or layout stays small
            self._values.update(np.ascontiguousarray(rows, self._dtype).tobytes())

    @property
    def of_bytes(self) -> str:
        """The SHA-256 of the values alone, which was an array's digest before."""
        return self._values.hexdigest()

    @property
    def description(self) -> str:
        """The dtype and the shape: "int16 of shape (4, 3)"."""
        return f"{self._dtype.name} of shape {self._shape}"

    def __str__(self) -> str:
        text = f"{self._dtype.str} {self._shape} {self.of_bytes}"
        return hashlib.sha256(text.encode()).hexdigest()


def array_digest(array: Array) -> str:
    """Return the digest of an array: the same for any byte order and layout in memory."""
    return str(_digest_of(array))


def _digest_of(array: Array) -> ArrayDigest:
    digest = ArrayDigest()
    digest.add(array)
    return digest


def array_digests(raw: Splits, known: Mapping[str, ArrayDigest]) -> dict[str, ArrayDigest]:
    """Return the digest of each raw array by name; `known` are those of arrays read as a stream."""
    return {name: known.get(name) or _digest_of(array) for name, array in raw.arrays().items()}


def verify(data: Data, raw: Splits, known: Mapping[str, ArrayDigest] | None = None) -> None:
    """Raise DataError unless every raw array has the digest that `data` declares.

    `known` maps names to digests of arrays that were read as a stream. The error contains the
    declaration of the actual digests, ready to be pasted.
    """
    digests = array_digests(raw, known or {})
    actual = {name: str(digest) for name, digest in digests.items()}
    wrong = [n for n in {**actual, **data.digests} if data.digests.get(n) != actual.get(n)]
    old = [n for n in wrong if n in digests and data.digests.get(n) == digests[n].of_bytes]
    if not data.digests:
        raise DataError(
            f"the data set {data.name} has no digests yet",
            expected="one for each array, so that a change of the data is noticed",
            remedy=(
                f"if its arrays are right, run `{COMMAND}`, or paste these lines into its "
                "declaration:"
            )
            + digests_code(actual),
        )
    if changed := [name for name in wrong if name not in old]:
        declared = {name: data.digests.get(name, "no digest") for name in changed}
        raise DataError(
            f"the data set {data.name} differs from its digests: {', '.join(changed)}",
            expected=_join(declared),
            got=_join({name: actual.get(name, "no array") for name in changed}),
            remedy=(
                f"restore the data; if the change is intended, run `{COMMAND}`, or paste "
                "these lines into its declaration:"
            )
            + digests_code(actual),
        )
    if old:
        raise DataError(
            f"the data set {data.name} has digests that cover only the bytes: {', '.join(old)}",
            expected="digests of dtype, shape and bytes",
            got=_join({name: digests[name].description for name in old}),
            remedy=(
                "the bytes are the same; if these types and shapes are right too, run "
                f"`{COMMAND}`, or paste these lines into its declaration:"
            )
            + digests_code(actual),
        )
    if data.labels != (raw.y_test is not None):
        labels = "labels" if "y_test" in actual else "no labels"
        raise DataError(
            f"the evaluation split of {data.name} has {labels}",
            expected=f"as lg.Data(labels={data.labels}) declares",
        )
    check_sequences(data, raw)
    check_lengths(data, raw)
    check_slices(data, raw.slices, sample_count(raw))


def name_model(error: LitegateError, model: str) -> None:
    """Put a model's name into the command that an error about digests suggests."""
    error.remedy = error.remedy.replace(COMMAND, command_for(model))


def command_for(model: str) -> str:
    """Return the command that writes the digests of a model, to type into a shell."""
    return COMMAND.replace("MODEL", shlex.quote(model))


def digests_code(digests: Mapping[str, str]) -> str:
    """Return the lines to paste into `lg.Data(...)`, after a line end."""
    lines = (f'        "{name}": "{digest}",' for name, digest in digests.items())
    return "\n".join(["", "    digests={", *lines, "    },"])


def _join(texts: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in texts.items())
