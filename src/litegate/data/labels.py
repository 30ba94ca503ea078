"""Check labels, and the slices of an evaluation split.

Imports NumPy late, and `disk_arrays`, which imports it: a model file must load without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from litegate.core.errors import DataError
from litegate.spec import Array, Data, Splits

_NUMBERS = "biuf"
"""NumPy's kinds of dtypes for real numbers."""


def check_labels(data: Data, raw: Splits) -> None:
    """Raise DataError for labels that are not numbers, or not indices of classes.

    If the data set names classes, integers are indices of classes, one per sample or per pixel;
    floats are training targets and must have more than one value per sample, because networks that
    classify are not trained on them; or boxes, shape (n, k, 5) or (n, k, 6), whose fifth column is
    the class, -1 in rows without a box. Labels of several outputs are a mapping: the classes belong
    to `Data.output`, and the labels of other outputs may be any numbers.
    """
    for split in ("y_train", "y_test"):
        labels = getattr(raw, split)
        if isinstance(labels, Mapping):
            deciding = _deciding_labels(data, split, labels)
            for name, array in labels.items():
                _check_numbers(data, f"{split}.{name}", array)
            labels = deciding
        if labels is not None:
            _check_deciding_labels(data, split, labels)


def _deciding_labels(data: Data, split: str, labels: Mapping[str, Array]) -> Array:
    if data.output in labels:
        return labels[data.output]
    near = get_close_matches(data.output, labels, n=1) if data.output else ()
    raise DataError(
        f"{split} of {data.name} has labels for {len(labels)} outputs, but no deciding one",
        expected=f"lg.Data(output=...) as one of {', '.join(labels)}",
        got=repr(data.output),
        remedy=f"did you mean {near[0]!r}?"
        if near
        else ("name the output that predicts the classes"),
    )


def _check_deciding_labels(data: Data, name: str, labels: Array) -> None:
    labels = _array(labels)
    _check_numbers(data, name, labels)
    if data.classes and labels.dtype.kind in "iub" and labels.shape[1:] == (1,):
        raise _column_error(data, name, labels)
    if data.classes and not _are_valid(labels, len(data.classes), test=name == "y_test"):
        raise _class_error(data, name, labels)


def _array(labels: Array) -> Array:
    """Return labels as a NumPy array, or unchanged if they are a `DiskArray`."""
    import numpy as np

    from litegate.data.disk_arrays import DiskArray

    return labels if isinstance(labels, DiskArray) else np.asarray(labels)


def _check_numbers(data: Data, name: str, labels: Array) -> None:
    import numpy as np

    from litegate.data.disk_arrays import in_parts

    labels = _array(labels)
    if labels.dtype.kind not in _NUMBERS or not all(
        np.isfinite(part).all() for part in in_parts(labels)
    ):
        raise DataError(
            f"{name} of {data.name} contains values that are not numbers",
            expected="finite integers or floats, shape (n, ...)",
            got=f"{labels.dtype} of shape {labels.shape}",
        )


def _are_valid(labels: Array, classes: int, *, test: bool) -> bool:
    """Return True if labels are indices of classes, or training targets (floats)."""
    from litegate.data.disk_arrays import in_parts

    if _are_boxes(labels, classes):
        return True
    has_class_scores = labels.ndim == 2 and labels.shape[1] == classes
    if labels.dtype.kind == "f":
        return labels.ndim > 1 and not has_class_scores and not test
    low, high = _range(labels)
    is_one_hot = has_class_scores and all(
        (part.sum(axis=1) == 1).all() for part in in_parts(labels)
    )
    return not is_one_hot and low >= 0 and high < classes


def _are_boxes(labels: Array, classes: int) -> bool:
    """Return True for boxes of these classes: corners, class, and perhaps a mark to ignore it."""
    import numpy as np

    from litegate.data.disk_arrays import in_parts

    if labels.dtype.kind != "f" or labels.ndim != 3 or labels.shape[2] not in (5, 6):
        return False
    numbers = (part[..., 4] for part in in_parts(labels))
    return all(np.isin(part, np.arange(-1, classes)).all() for part in numbers)


def _range(labels: Array) -> tuple[int | float, int | float]:
    """Return the smallest and the largest label."""
    from litegate.data.disk_arrays import in_parts

    ranges = [(part.min(), part.max()) for part in in_parts(labels)]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _column_error(data: Data, name: str, labels: Array) -> DataError:
    return DataError(
        f"{name} of {data.name} is a column, shape (n, 1)",
        expected="one class number for each sample, shape (n,)",
        got=f"shape {labels.shape}",
        remedy="flatten it: y.reshape(-1)",
    )


def _class_error(data: Data, name: str, labels: Array) -> DataError:
    low, high = _range(labels)
    return DataError(
        f"{name} of {data.name} contains values that are not class numbers",
        expected=f"integers from 0 to {len(data.classes) - 1}, shape (n,), or (n, ...) for masks; "
        "or boxes, floats, shape (n, k, 5)",
        got=f"{labels.dtype} from {low} to {high}, shape {labels.shape}",
        remedy="convert one-hot labels by labels.argmax(axis=1); count from 0; name every class "
        "in classes=(...), or omit it if the labels are not classes",
    )


def check_slices(data: Data, slices: Mapping[str, Array], n: int) -> None:
    """Raise DataError for a slice that is not a mask of the n samples, or selects no sample."""
    import numpy as np

    for name, array in slices.items():
        mask = np.asarray(array)
        if not name or mask.dtype != np.bool_ or mask.shape != (n,):
            raise DataError(
                f"the slice {name!r} of {data.name} is not a mask of its evaluation split",
                expected=f"a name, and bools of shape ({n},), one for each sample",
                got=f"{mask.dtype} of shape {mask.shape}",
            )
        if not mask.any():
            raise DataError(
                f"the slice {name!r} of {data.name} is empty",
                expected="at least one sample",
                remedy="correct its mask, or remove the slice",
            )
