"""From a declared data set to verified, preprocessed arrays."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace

from litegate.errors import DataError
from litegate.spec import Array, Data, DataLocations, Splits


def prepare(data: Data, locations: DataLocations) -> Splits:
    """Load a data set, verify every array's digest, and preprocess the samples of both splits.

    Samples come back as float32. Raises DataUnavailable where it cannot be had, DataError where it
    is not what was promised.
    """
    raw = data.load(locations)
    verify(data, raw)
    _class_numbers(data, raw)
    return replace(
        raw, x_train=_preprocessed(data, raw.x_train), x_test=_preprocessed(data, raw.x_test)
    )


def array_digest(array: Array) -> str:
    """SHA-256 of an array's bytes in C order, as they are: shape and type are checked apart."""
    import numpy as np

    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def verify(data: Data, raw: Splits) -> None:
    """Raise DataError unless every raw array has the digest that `data` promises.

    Its text holds the line of code that promises the arrays as they are, ready to be pasted.
    """
    got = {each.name: array_digest(getattr(raw, each.name)) for each in fields(Splits)}
    wrong = [name for name, digest in got.items() if data.digests.get(name) != digest]
    if not data.digests:
        raise DataError(
            f"the data set {data.name} has no digests yet",
            expected="one for each array, so that nobody trains on other data unnoticed",
            remedy=f"if its arrays are as you mean them, its lg.Data needs this:{_code(got)}",
        )
    if wrong:
        raise DataError(
            f"the data set {data.name} is not the one that was promised: {', '.join(wrong)}",
            expected=_listed({name: data.digests.get(name, "no digest") for name in wrong}),
            got=_listed({name: got[name] for name in wrong}),
            remedy=f"restore the data; if the change is meant, its lg.Data needs this:{_code(got)}",
        )
    _same_lengths(data, raw)


def _code(digests: dict[str, str]) -> str:
    lines = (f'        "{name}": "{digest}",' for name, digest in digests.items())
    return "\n".join(["", "    digests={", *lines, "    },"])


def _listed(digests: dict[str, str]) -> str:
    return ", ".join(f"{name} {digest}" for name, digest in digests.items())


def _same_lengths(data: Data, raw: Splits) -> None:
    sizes = {each.name: _length(getattr(raw, each.name)) for each in fields(Splits)}
    for split in ("train", "test"):
        if sizes[f"x_{split}"] != sizes[f"y_{split}"] or not sizes[f"x_{split}"]:
            raise DataError(
                f"the {split} split of {data.name} has {sizes[f'x_{split}']} samples and "
                f"{sizes[f'y_{split}']} labels",
                expected="as many of each, and at least one",
            )


def _length(array: Array) -> int:
    """How many samples or labels an array holds; a lone number, of shape (), is none."""
    import numpy as np

    return len(array) if np.ndim(array) else 0


def _class_numbers(data: Data, raw: Splits) -> None:
    import numpy as np

    for name in ("y_train", "y_test"):
        labels = np.asarray(getattr(raw, name))
        shaped = labels.ndim == 1 and labels.dtype.kind in "iu"
        if not shaped or labels.min() < 0 or labels.max() >= len(data.classes):
            raise DataError(
                f"{name} of {data.name} holds what is no number of a class",
                expected=f"integers from 0 to {len(data.classes) - 1}, shape (n,)",
                got=f"{labels.dtype} from {labels.min()} to {labels.max()}, shape {labels.shape}",
                remedy="one-hot labels become numbers by labels.argmax(axis=1); count from 0",
            )


def _preprocessed(data: Data, samples: Array) -> Array:
    import numpy as np

    made = np.ascontiguousarray(data.preprocess(samples), dtype=np.float32)
    low, high = data.domain
    if len(made) != len(samples):
        raise DataError(
            f"the preprocessing of {data.name} changes the number of samples",
            expected=f"{len(samples):,}, one for each label",
            got=f"an array of shape {made.shape}",
            remedy="correct the preprocessing: it takes a whole array, and gives one",
        )
    if not np.isfinite(made).all() or made.min() < low or made.max() > high:
        raise DataError(
            f"preprocessed samples of {data.name} leave their declared domain",
            expected=f"{low} to {high}",
            got=f"{made.min()} to {made.max()}",
            remedy="correct the preprocessing, or the domain that the data set declares",
        )
    return made
