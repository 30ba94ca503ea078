"""What samples must be: within their domain, and the same inputs in every split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litegate.core.errors import DataError
from litegate.spec import Array, Data, Inputs, Samples, by_input


def preprocessed(data: Data, samples: Samples | Mapping[str, Array]) -> Samples:
    """What the network is fed: float32, in the declared domain, as many samples as before."""
    raw = samples.arrays if isinstance(samples, Inputs) else samples
    count = len(next(iter(raw.values()))) if isinstance(raw, Mapping) else len(raw)
    made = data.preprocess(raw)
    if made is None:
        raise DataError(
            f"the preprocessing of {data.name} gives nothing",
            expected="samples as the network is fed them",
            got="None, as without a return",
        )
    if isinstance(made, Mapping):
        return Inputs({name: _within(data, name, each, count) for name, each in made.items()})
    return _within(data, "", made, count)


def _within(data: Data, name: str, made: Any, count: int) -> Array:
    import numpy as np

    made = np.ascontiguousarray(made, dtype=np.float32)
    low, high = _ends(data, name)
    where = f" for the input {name}" if name else ""
    if len(made) != count:
        raise DataError(
            f"the preprocessing of {data.name} changes the number of samples",
            expected=f"{count:,}, one for each label",
            got=f"an array of shape {made.shape}{where}",
            remedy="correct the preprocessing: it takes a whole array, and gives one",
        )
    if count and not (sound := np.isfinite(made).reshape(count, -1).all(axis=1)).all():
        broken = f"{int((~sound).sum()):,} of {count:,}"
        raise DataError(
            f"{broken} preprocessed samples of {data.name} hold NaN or infinity",
            expected="finite samples",
            got=f"sample {int((~sound).argmax())} is the first{where}",
            remedy="correct the data or their preprocessing",
        )
    if count and (made.min() < low or made.max() > high):
        raise DataError(
            f"preprocessed samples of {data.name} leave their declared domain",
            expected=f"{low} to {high}",
            got=f"{made.min()} to {made.max()}{where}",
            remedy="correct the preprocessing, or the domain that the data set declares",
        )
    return made


def _ends(data: Data, name: str) -> tuple[float, float]:
    if not isinstance(data.domain, Mapping):
        return data.domain
    if name not in data.domain:
        raise DataError(
            f"lg.Data(domain=...) of {data.name} does not say what the input {name!r} may be",
            expected="a pair for each input, or one pair for all",
            got=", ".join(data.domain),
            remedy="name the inputs as the samples do" if name else "give one pair of numbers",
        )
    return data.domain[name]


def check_shapes(data: Data, made: Mapping[str, Samples]) -> None:
    """Raise DataError where samples to train on are of another kind than those to judge by.

    They may be of other lengths, as sequences are, not of other dimensions or features.
    """
    if len(made) < len(("x_train", "x_test")):
        return
    train, test = (dict(by_input(made[name])) for name in ("x_train", "x_test"))
    for name, array in train.items():
        one, other = array.shape, test[name].shape
        several = len(one) > len(("n", "length"))
        if len(one) != len(other) or (several and one[-1] != other[-1]):
            whose = f"x_test of {name}" if name else "x_test"
            raise DataError(
                f"x_train and x_test of {data.name} are samples of different shapes",
                expected=f"{other}, as {whose}, but for n and lengths",
                got=str(one),
                remedy="shape both alike in the function that loads them, or in preprocess",
            )


def check_inputs(data: Data, made: Mapping[str, Samples]) -> None:
    """Raise DataError where the splits, or the domain, are of other inputs than the samples."""
    inputs = {split: [name for name, _ in by_input(x)] for split, x in made.items()}
    told = [*inputs.values(), *([list(data.domain)] if isinstance(data.domain, Mapping) else [])]
    if len({frozenset(names) for names in told}) > 1:
        listed = "; ".join(f"{k}: {', '.join(names) or 'one'}" for k, names in inputs.items())
        raise DataError(
            f"the splits and the domain of {data.name} name different inputs",
            expected="the same inputs everywhere",
            got=f"{listed}; domain: {', '.join(told[-1])}",
        )
