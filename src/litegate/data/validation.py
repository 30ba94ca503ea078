"""Preprocess samples and check them: their domain, shapes and inputs.

Imports NumPy late: a model file imports this module, and must load without NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litegate.core.errors import DataError
from litegate.spec import Array, Data, Inputs, Samples, Splits, by_input


def preprocess(data: Data, samples: Samples | Mapping[str, Array]) -> Samples:
    """Preprocess samples to float32.

    Raises DataError if their number changes, or if values are not finite or leave the domain.
    """
    raw = samples.arrays if isinstance(samples, Inputs) else samples
    count = len(next(iter(raw.values()))) if isinstance(raw, Mapping) else len(raw)
    processed = data.preprocess(raw)
    if processed is None:
        raise DataError(
            f"the preprocessing of {data.name} returns None",
            expected="the samples for the network",
            got="None, as without a return statement",
        )
    if isinstance(processed, Mapping):
        return Inputs({k: _check_array(data, k, values, count) for k, values in processed.items()})
    return _check_array(data, "", processed, count)


def _check_array(data: Data, name: str, values: Any, count: int) -> Array:
    import numpy as np

    array = np.ascontiguousarray(values, dtype=np.float32)
    low, high = _domain_of(data, name)
    suffix = f" for the input {name}" if name else ""
    if len(array) != count:
        raise DataError(
            f"the preprocessing of {data.name} changes the number of samples",
            expected=f"{count:,}, one for each label",
            got=f"an array of shape {array.shape}{suffix}",
            remedy="correct the preprocessing: it takes an array of samples, and returns one",
        )
    if count and not (finite := np.isfinite(array).reshape(count, -1).all(axis=1)).all():
        broken = f"{int((~finite).sum()):,} of {count:,}"
        raise DataError(
            f"{broken} preprocessed samples of {data.name} contain NaN or infinity",
            expected="finite samples",
            got=f"sample {int((~finite).argmax())} is the first{suffix}",
            remedy="correct the data or their preprocessing",
        )
    if count and (array.min() < low or array.max() > high):
        raise DataError(
            f"preprocessed samples of {data.name} are outside their declared domain",
            expected=f"{low} to {high}",
            got=f"{array.min()} to {array.max()}{suffix}",
            remedy="correct the preprocessing or the declared domain",
        )
    return array


def _domain_of(data: Data, name: str) -> tuple[float, float]:
    if not isinstance(data.domain, Mapping):
        return data.domain
    if name not in data.domain:
        raise DataError(
            f"lg.Data(domain=...) of {data.name} has no range for the input {name!r}",
            expected="a pair for each input, or one pair for all",
            got=", ".join(data.domain),
            remedy="name the inputs as the samples do" if name else "pass one pair of numbers",
        )
    return data.domain[name]


def check_shapes(data: Data, samples: Mapping[str, Samples]) -> None:
    """Raise DataError if training and evaluation samples differ in dimensions or features.

    Their lengths may differ, as those of sequences do.
    """
    if len(samples) < len(("x_train", "x_test")):
        return
    train, test = (dict(by_input(samples[name])) for name in ("x_train", "x_test"))
    for name, array in train.items():
        train_shape, test_shape = array.shape, test[name].shape
        has_features = len(train_shape) > len(("n", "length"))
        if len(train_shape) != len(test_shape) or (
            has_features and train_shape[-1] != test_shape[-1]
        ):
            label = f"x_test of {name}" if name else "x_test"
            raise DataError(
                f"x_train and x_test of {data.name} are samples of different shapes",
                expected=f"{test_shape}, as {label}, but for n and lengths",
                got=str(train_shape),
                remedy="give both the same shape in the function that loads them, or in preprocess",
            )


def check_inputs(data: Data, samples: Mapping[str, Samples]) -> None:
    """Raise DataError unless the splits and the domain name the same inputs."""
    inputs = {split: [name for name, _ in by_input(x)] for split, x in samples.items()}
    domain = [list(data.domain)] if isinstance(data.domain, Mapping) else []
    declared = [*inputs.values(), *domain]
    if len({frozenset(names) for names in declared}) > 1:
        listed = "; ".join(f"{k}: {', '.join(names) or 'one'}" for k, names in inputs.items())
        raise DataError(
            f"the splits and the domain of {data.name} name different inputs",
            expected="the same inputs in all of them",
            got=f"{listed}; domain: {', '.join(declared[-1])}",
        )


def sample_count(raw: Splits) -> int:
    """Return the number of samples, or sequences, in the evaluation split."""
    if raw.lengths is not None:
        return _length(raw.lengths)
    x = raw.x_test
    return _length(next(iter(x.values()))) if isinstance(x, Mapping) else _length(x)


def check_lengths(data: Data, raw: Splits) -> None:
    sizes: dict[str, set[int]] = {}
    for name, array in raw.arrays().items():
        sizes.setdefault(name.partition(".")[0], set()).add(_length(array))
    for split in ("train", "test"):
        samples, labels = (sizes.get(f"{axis}_{split}") for axis in "xy")
        if (samples, labels) == (None, None) or (labels is None and samples and split == "test"):
            continue
        if split == "train" and labels is None and samples and len(samples) == 1 and min(samples):
            continue  # samples that only calibrate
        if split == "test" and raw.lengths is not None and labels == {_length(raw.lengths)}:
            continue  # a label for each sequence
        if samples != labels or not samples or len(samples) > 1 or 0 in samples:
            raise DataError(
                f"{split} split of {data.name}: {_format_sizes(samples)} samples, "
                f"{_format_sizes(labels)} labels",
                expected="the same number of each, and at least one",
            )


def _format_sizes(sizes: set[int] | None) -> str:
    return " or ".join(map(str, sorted(sizes))) if sizes else "0"


def _length(array: Array) -> int:
    """Return the number of samples or labels in an array; 0 for a scalar, of shape ()."""
    import numpy as np

    return len(array) if np.ndim(array) else 0


def check_sequences(data: Data, raw: Splits) -> None:
    """Raise DataError unless the lengths of sequences are declared, and fit the frames."""
    import numpy as np

    if (data.sequences is None) != (raw.lengths is None):
        raise DataError(
            f"the sequences of {data.name} are not declared as they are loaded",
            expected="lg.Data(sequences=lg.Frames(...)), and lg.Splits(lengths=...), or neither",
            got=f"{'no lengths' if raw.lengths is None else 'lengths without lg.Frames'}",
        )
    if raw.lengths is None:
        return
    lengths = np.asarray(raw.lengths)
    frames = _length(
        next(iter(raw.x_test.values())) if isinstance(raw.x_test, Mapping) else raw.x_test
    )
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or not len(lengths):
        raise DataError(
            f"the lengths of the sequences of {data.name} are not whole numbers",
            expected="integers, shape (m,), one for each sequence",
            got=f"{lengths.dtype} of shape {lengths.shape}",
        )
    if int(lengths.min()) < 1:
        raise DataError(
            f"sequence {int(lengths.argmin())} of {data.name} is empty",
            expected="at least one frame in each sequence",
            got=f"{int(lengths.min())} frames",
            remedy="leave it out, with its label",
        )
    if (total := sum(lengths.tolist())) != frames:
        raise DataError(
            f"the lengths of the sequences of {data.name} do not fit its frames",
            expected=f"{total:,} frames, the sum of {len(lengths):,} lengths",
            got=f"{frames:,} frames",
            remedy="a file of frames may be cut off: load it again, or correct the lengths",
        )
