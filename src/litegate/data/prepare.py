"""From a declared data set to verified, preprocessed arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from inspect import signature
from pathlib import Path

from litegate.core.errors import DataError
from litegate.data.array_files import save
from litegate.data.labels import check_labels, check_slices
from litegate.data.validation import check_inputs, check_shapes, preprocessed
from litegate.spec import Array, Data, DataLocations, Samples, Splits


def prepare(
    data: Data,
    locations: DataLocations,
    folder: Path | None = None,
    alive: Callable[[], None] = lambda: None,
) -> Splits:
    """Load a data set, verify every array's digest, and preprocess the samples of both splits.

    Samples come back as float32, those of several inputs as `Inputs`. An evaluation split that is a
    stream, or large, is preprocessed a part at a time into `folder`; without one, all of it is held
    in memory. A training split always is. `alive` is called after each part of a stream. Raises
    DataUnavailable where it cannot be had, DataError where it is not what was promised, StoreError
    where `folder` cannot hold it.
    """
    from litegate.data.streams import drained

    raw, digests = drained(data, loaded(data, locations), folder, alive)
    if data.digests:
        verify(data, raw, digests)
    check_labels(data, raw)
    made = {name: getattr(raw, name) for name in ("x_train", "x_test")}
    made = {name: x for name, x in made.items() if x is not None}
    made |= {k: _prepared(data, x, k, folder) for k, x in made.items() if k not in digests}
    check_inputs(data, made)
    check_shapes(data, made)
    if not data.digests:  # what is amiss with data is told before they are pinned
        verify(data, raw, digests)
    return replace(raw, x_train=made.get("x_train"), x_test=made["x_test"])


def loaded(data: Data, locations: DataLocations) -> Splits:
    """The raw splits of a data set. DataError for a function that takes or gives something else."""
    try:
        with suppress(ValueError):  # a function of C may not tell what it takes
            signature(data.load).bind(locations)
    except TypeError as error:
        raise DataError(
            f"lg.Data(load=...) of {data.name} cannot be called",
            expected="a function of one argument, where data may lie: def load(locations)",
            got=str(error),
        ) from error
    found: object = data.load(locations)
    if not isinstance(found, Splits):
        raise DataError(
            f"lg.Data(load=...) of {data.name} gives no splits",
            expected="lg.Splits(x_train=..., y_train=..., x_test=..., y_test=...)",
            got=f"{type(found).__name__}{'' if found else ', as without a return'}",
            remedy="let it return them by these names",
        )
    return found


def _prepared(
    data: Data, samples: Samples | Mapping[str, Array], name: str, folder: Path | None
) -> Samples:
    from litegate.data.streams import is_large, preprocessed_into

    if name == "x_test" and folder and is_large(samples):
        return preprocessed_into(data, samples, folder)
    return preprocessed(data, samples)


def keep_evaluation(splits: Splits, folder: Path) -> dict[str, Path]:
    """Write what the store keeps of a prepared data set, by the files' names.

    What `prepare` has written into `folder` stays.
    """
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    masks = [splits.slices[name] for name in sorted(splits.slices)]
    parts = {
        "x": splits.x_test,
        "y": splits.y_test,
        "slices": np.array(masks, np.bool_) if masks else None,
    }
    found: dict[str, Path] = {}
    for stem, kept in parts.items():
        found |= {} if kept is None else save(folder, stem, kept)
    return found


def array_digest(array: Array) -> str:
    """SHA-256 of an array's bytes in C order, as they are: shape and type are checked apart."""
    import numpy as np

    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def verify(data: Data, raw: Splits, known: Mapping[str, str] | None = None) -> None:
    """Raise DataError unless every raw array has the digest that `data` promises.

    `known` holds the digests of arrays that are not here as they came. The error's text holds the
    line of code that promises the arrays as they are, ready to be pasted.
    """
    known = known or {}
    arrays = raw.arrays().items()
    got = {name: known.get(name) or array_digest(array) for name, array in arrays}
    wrong = [n for n in {**got, **data.digests} if data.digests.get(n) != got.get(n)]
    if not data.digests:
        raise DataError(
            f"the data set {data.name} has no digests yet",
            expected="one for each array, so that nothing is judged on other data unnoticed",
            remedy=f"if its arrays are as you mean them, its declaration needs this:{_code(got)}",
        )
    if wrong:
        raise DataError(
            f"the data set {data.name} is not the one that was promised: {', '.join(wrong)}",
            expected=_listed({name: data.digests.get(name, "no digest") for name in wrong}),
            got=_listed({name: got.get(name, "no array") for name in wrong}),
            remedy="restore the data; if the change is meant, its declaration needs this:"
            + _code(got),
        )
    if data.labels != (raw.y_test is not None):
        found = "labels" if "y_test" in got else "no labels"
        raise DataError(
            f"the evaluation split of {data.name} has {found}",
            expected=f"as its lg.Data(labels={data.labels}) says",
        )
    _same_lengths(data, raw)
    check_slices(data, raw.slices, _samples_in(raw))


def _samples_in(raw: Splits) -> int:
    """How many samples the evaluation split has."""
    x = raw.x_test
    return _length(next(iter(x.values()))) if isinstance(x, Mapping) else _length(x)


def _code(digests: dict[str, str]) -> str:
    lines = (f'        "{name}": "{digest}",' for name, digest in digests.items())
    return "\n".join(["", "    digests={", *lines, "    },"])


def _listed(digests: dict[str, str]) -> str:
    return ", ".join(f"{name} {digest}" for name, digest in digests.items())


def _same_lengths(data: Data, raw: Splits) -> None:
    sizes: dict[str, set[int]] = {}
    for name, array in raw.arrays().items():
        sizes.setdefault(name.partition(".")[0], set()).add(_length(array))
    for split in ("train", "test"):
        samples, labels = (sizes.get(f"{axis}_{split}") for axis in "xy")
        if (samples, labels) == (None, None) or (labels is None and samples and split == "test"):
            continue
        if samples != labels or not samples or len(samples) > 1 or 0 in samples:
            raise DataError(
                f"the {split} split of {data.name} has {_counted(samples)} samples and "
                f"{_counted(labels)} labels",
                expected="as many of each, and at least one",
            )


def _counted(sizes: set[int] | None) -> str:
    return " or ".join(map(str, sorted(sizes))) if sizes else "0"


def _length(array: Array) -> int:
    """How many samples or labels an array holds; a lone number, of shape (), is none."""
    import numpy as np

    return len(array) if np.ndim(array) else 0
