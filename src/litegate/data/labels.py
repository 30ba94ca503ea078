"""What labels may be, and the slices of an evaluation split."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from litegate.core.errors import DataError
from litegate.spec import Array, Data, Splits

_NUMBERS = "biuf"
"""NumPy's kinds of real numbers."""


def check_labels(data: Data, raw: Splits) -> None:
    """Raise DataError for labels that say nothing: no numbers, or numbers of no class.

    Where the data set names classes, integers are numbers of classes, one a sample or one a pixel;
    floats are targets, which a network that decides is not trained on, so they must have more than
    one value a sample. Labels of several outputs are a mapping: `Data.output` says which of them
    the classes are of, and the others may be any numbers.
    """
    for split in ("y_train", "y_test"):
        labels = getattr(raw, split)
        if isinstance(labels, Mapping):
            deciding = _deciding(data, split, labels)
            for name, each in labels.items():
                _check_numbers(data, f"{split}.{name}", each)
            labels = deciding
        if labels is not None:
            _check_one(data, split, labels)


def _deciding(data: Data, split: str, labels: Mapping[str, Array]) -> Array:
    if data.output in labels:
        return labels[data.output]
    near = get_close_matches(data.output, labels, n=1) if data.output else ()
    raise DataError(
        f"{split} of {data.name} holds labels of {len(labels)} outputs, and none of them decides",
        expected=f"lg.Data(output=...) as one of {', '.join(labels)}",
        got=repr(data.output),
        remedy=f"did you mean {near[0]!r}?" if near else "name the output that the classes are of",
    )


def _check_one(data: Data, name: str, labels: Array) -> None:
    labels = _array(labels)
    _check_numbers(data, name, labels)
    if data.classes and labels.dtype.kind in "iub" and labels.shape[1:] == (1,):
        raise _column(data, name, labels)
    if data.classes and not _fits(labels, len(data.classes), test=name == "y_test"):
        raise _no_class(data, name, labels)


def _array(labels: Array) -> Array:
    """Labels as an array, or as `Rows` where they stay on disk."""
    import numpy as np

    from litegate.data.disk_arrays import Rows

    return labels if isinstance(labels, Rows) else np.asarray(labels)


def _check_numbers(data: Data, name: str, labels: Array) -> None:
    import numpy as np

    from litegate.data.disk_arrays import in_parts

    labels = _array(labels)
    if labels.dtype.kind not in _NUMBERS or not all(
        np.isfinite(part).all() for part in in_parts(labels)
    ):
        raise DataError(
            f"{name} of {data.name} holds what is no number",
            expected="finite integers or floats, shape (n, ...)",
            got=f"{labels.dtype} of shape {labels.shape}",
        )


def _fits(labels: Array, classes: int, *, test: bool) -> bool:
    """Whether labels are numbers of classes, or targets to train on beside them."""
    from litegate.data.disk_arrays import in_parts

    scores = labels.ndim == 2 and labels.shape[1] == classes
    if labels.dtype.kind == "f":
        return labels.ndim > 1 and not scores and not test
    low, high = _ends(labels)
    one_hot = scores and all((part.sum(axis=1) == 1).all() for part in in_parts(labels))
    return not one_hot and low >= 0 and high < classes


def _ends(labels: Array) -> tuple[int | float, int | float]:
    """The least and the greatest label."""
    from litegate.data.disk_arrays import in_parts

    ends = [(part.min(), part.max()) for part in in_parts(labels)]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _column(data: Data, name: str, labels: Array) -> DataError:
    return DataError(
        f"{name} of {data.name} is a column",
        expected="one number of a class for each sample, shape (n,)",
        got=f"shape {labels.shape}",
        remedy="make it flat: y.reshape(-1)",
    )


def _no_class(data: Data, name: str, labels: Array) -> DataError:
    low, high = _ends(labels)
    return DataError(
        f"{name} of {data.name} holds what is no number of a class",
        expected=f"integers from 0 to {len(data.classes) - 1}, shape (n,), or (n, ...) for masks",
        got=f"{labels.dtype} from {low} to {high}, shape {labels.shape}",
        remedy="one-hot labels become numbers by labels.argmax(axis=1); count from 0; name every "
        "class in classes=(...); where the labels are no classes, leave it out",
    )


def check_slices(data: Data, slices: Mapping[str, Array], n: int) -> None:
    """Raise DataError for a slice that is no mask of the n samples, or holds none of them."""
    import numpy as np

    for name, each in slices.items():
        mask = np.asarray(each)
        if not name or mask.dtype != np.bool_ or mask.shape != (n,):
            raise DataError(
                f"the slice {name!r} of {data.name} is no mask of its evaluation split",
                expected=f"a name, and bools of shape ({n},), one for each sample",
                got=f"{mask.dtype} of shape {mask.shape}",
            )
        if not mask.any():
            raise DataError(
                f"the slice {name!r} of {data.name} is empty",
                expected="at least one sample: nothing can be measured on none",
                remedy="correct its mask, or take it out",
            )
