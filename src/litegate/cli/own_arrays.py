"""Write the model file of a project's own arrays, with a small network to replace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from litegate.cli.ready_made import check_finite, code, docstring, domain_of, identifier, path_code
from litegate.core.errors import ConfigError
from litegate.core.escaping import listed
from litegate.data.digests import array_digest, digests_code
from litegate.data.npz import read_arrays
from litegate.spec import Array

NAMES = ("x_train", "y_train", "x_test", "y_test")
_LEAST_SIDE, _LARGE_SIDE = 8, 16
"""Pixels of the shorter side from which one convolution, and two, with a stride of 2 leave 3x3."""
_BY_HAND = "or write the model file by hand: docs/how-to/data.md"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnArrays:
    """An `.npz` file of labelled samples for training and for evaluation."""

    samples: Path

    @property
    def name(self) -> str:
        """The model's name: the file's."""
        return identifier(self.samples.stem)

    def model_file(self, project: Path, data: Path | None) -> str:
        """Return the text of a model file: data, training, a network to replace, first limits.

        `data` is the folder that is searched first for data sets. Raises DataUnavailable or
        DataError for a file that cannot be read, and ConfigError for other arrays than labelled
        samples of classes.
        """
        arrays = _labelled(self.samples)
        classes = int(max(arrays["y_train"].max(), arrays["y_test"].max())) + 1
        is_picture = arrays["x_train"].dtype == np.uint8
        names = " ".join(map(str, range(classes)))
        return model_file(
            title=f"Classify the samples of {self.samples.name}.",
            name=self.name,
            load=(
                "",
                "def load(locations):",
                f"    with np.load({self._path(project, data)}) as arrays:",
                f"        names = ({', '.join(map(code, NAMES))})",
                "        return lg.Splits(**{name: arrays[name] for name in names})",
            ),
            digests=[*_digests(arrays)],
            domain="(0, 1)" if is_picture else domain_of(arrays["x_train"], arrays["x_test"]),
            classes=f'tuple("{names}".split()),  # names, in the order of the outputs',
            layers=[*layers(arrays["x_train"].shape[1:], classes)],
            is_picture=is_picture,
        )

    def _path(self, project: Path, data: Path | None) -> str:
        if data and self.samples.resolve().is_relative_to(data.resolve()):
            return f"locations.directory / {path_code(self.samples, data)}"
        return path_code(self.samples, project)


def model_file(  # noqa: PLR0913 keywords only
    *,
    title: str,
    name: str,
    load: Iterable[str],
    digests: Iterable[str],
    domain: str,
    classes: str,
    layers: Iterable[str],
    is_picture: bool,
) -> str:
    """Return the text of a model file, made of lines of code.

    `load` are those of the function with this name and of what it uses, `digests` and `classes`
    those of the arguments, `layers` the network's. Samples are uint8 if each `is_picture`.
    """
    scaled = "samples / np.float32(255)" if is_picture else "samples.astype(np.float32)"
    lines = (
        docstring(title),
        "",
        "import numpy as np",
        "",
        "import litegate as lg",
        "",
        *load,
        "",
        "",
        "def preprocess(samples):",
        f"    return {scaled}  # the application must do the same",
        "",
        "",
        "@lg.model(",
        "    data=lg.Data(",
        f"        name={code(name)},",
        "        load=load,",
        *digests,
        "        preprocess=preprocess,",
        f"        domain={domain},  # what the device can produce, as the network reads it",
        f"        classes={classes}",
        "    ),",
        "    training=lg.Training(epochs=20, batch_size=32),",
        '    # For a microcontroller add input_type="int8", output_type="int8".',
        "    # A few epochs of fine-tuning: as many as of training would hide a bad training.",
        "    recipes=[lg.recipes.int8_qat(fine_tune_epochs=5)],",
        "    # accuracy=lg.percent(...), size=lg.kib(...): the first run's table shows what to",
        "    # choose. latency=lg.ms(...): what your application has; a next run measures it.",
        "    # Another training moves the accuracy:",
        f"    # `litegate noise {name}` trains twelve times and measures how far.",
        "    # regression=lg.Regression(accuracy=...) must allow that. Commit its file.",
        "    budget=lg.Budget(accuracy_drop=lg.points(2)),",
        ")",
        f"def {name}(keras):",
        '    """Your layers, with or without softmax; `keras` is tf_keras: import nothing.',
        "",
        "    A network of yours in a module, of tf_keras or Keras 3, takes two lines instead:",
        "    `from network import build` and `return build()`.",
        '    """',
        "    layers = keras.layers",
        "    return keras.Sequential(",
        "        [",
        *(f"            {layer}," for layer in layers),
        "        ]",
        "    )",
    )
    return "\n".join(lines) + "\n"


def _labelled(file: Path) -> dict[str, Array]:
    """Return the four arrays. Raises ConfigError or DataError if they are not labelled samples."""
    arrays = read_arrays(file)
    if not all(name in arrays for name in NAMES):
        raise ConfigError(
            f"{file} does not have the arrays {', '.join(NAMES)}",
            expected="samples to train on and to judge with, and their labels",
            got=listed([f"{it} {array.shape}" for it, array in arrays.items()]) or "no array",
            remedy=f"save them with np.savez(FILE, x_train=..., ...), {_BY_HAND}",
        )
    for x, y in (("x_train", "y_train"), ("x_test", "y_test")):
        check_finite(file, arrays[x])
        _check_labels(file, y, arrays[y], arrays[x])
    if arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:] or arrays["x_train"].ndim < 2:
        raise ConfigError(
            f"the samples of {file} do not have one shape",
            expected="x_train and x_test of shape (n, ...), the same after n",
            got=f"{arrays['x_train'].shape} and {arrays['x_test'].shape}",
        )
    return {name: arrays[name] for name in NAMES}


def _check_labels(file: Path, name: str, labels: Array, samples: Array) -> None:
    n = len(samples)
    # As many classes as samples are numbers of something else, such as of the samples themselves.
    if (
        labels.shape != (n,)
        or labels.dtype.kind not in "iu"
        or not 0 <= labels.min() <= labels.max() < n
    ):
        raise ConfigError(
            f"{name} of {file} are not class numbers",
            expected=f"integers from 0, below the number of samples, of shape ({n:,},)",
            got=f"{labels.dtype} of shape {labels.shape}",
            remedy=f"convert one-hot labels with y.argmax(axis=1), {_BY_HAND}",
        )


def _digests(arrays: Mapping[str, Array]) -> Iterator[str]:
    digests = {name: array_digest(array) for name, array in arrays.items()}
    yield from (f"    {line}" for line in digests_code(digests).splitlines() if line)


def layers(shape: tuple[int, ...], classes: int) -> Iterator[str]:
    """Yield the layers of a network for samples of this shape: any that trains in a minute."""
    yield f"layers.InputLayer(input_shape={shape})"
    if len(shape) == 2 and min(shape) >= _LEAST_SIDE:
        yield f"layers.Reshape(target_shape={(*shape, 1)})"
    if len(shape) in (2, 3) and min(shape[:2]) >= _LEAST_SIDE:
        for filters in (8, 16) if min(shape[:2]) >= _LARGE_SIDE else (8,):
            yield f'layers.Conv2D(filters={filters}, kernel_size=3, strides=2, activation="relu")'
    if len(shape) > 1:
        yield "layers.Flatten()"
    if len(shape) not in (2, 3) or min(shape[:2]) < _LEAST_SIDE:
        yield 'layers.Dense(128, activation="relu")'
    yield f"layers.Dense({classes})"
