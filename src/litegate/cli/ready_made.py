"""Write the model file of two ready-made `.tflite` files and their samples."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from math import ceil, floor
from pathlib import Path
from typing import final

import numpy as np

from litegate.cli.common import read
from litegate.core.errors import ConfigError, DataError
from litegate.core.escaping import listed
from litegate.core.git import is_ignored
from litegate.data.digests import array_digest, digests_code
from litegate.data.npz import LABELS, SAMPLES, read_arrays
from litegate.data.sources import digest
from litegate.measures.structure.prebuilt_arguments import arguments, fitting_recipe
from litegate.spec import Array, Kind, Recipe
from litegate.tflite.graph import Tensor
from litegate.tflite.parser import parse
from litegate.tflite.ports import graph_ports

_BY_HAND = "write the model file by hand: docs/how-to/prebuilt.md"
_DEFAULT = Recipe(
    name=Kind.INT8_PTQ.value, kind=Kind.INT8_PTQ, input_type="int8", output_type="int8"
)
"""The recipe of a candidate for which nothing else is declared."""
_HEADROOM = 1.05
"""The limit of the size leaves 5 % to spare: enough for a few honest changes, of which each may
grow the file by the 1 % of `Regression`."""
_CLASS_SAMPLES = 60
"""Samples of each class that 5 points take: three samples, as `undecidable_limits` demands."""
_SHORTEST_NAME = 3
"""Letters that two files' names must share at their beginning to name the model: one or two are
shared by chance, as in `float.tflite` and `final.tflite`."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyMade:
    """Two `.tflite` files and the `.npz` file of their samples."""

    reference: Path
    candidate: Path
    samples: Path

    @property
    def name(self) -> str:
        """The model's name: the common beginning of the files' names, else the candidate's."""
        stems = [self.reference.stem, self.candidate.stem]
        common = os.path.commonprefix(stems)  # noqa: RUF071 by characters
        return identifier(common if len(common) >= _SHORTEST_NAME else self.candidate.stem)

    def model_file(self, project: Path, data: Path | None) -> str:
        """Return the text of a model file that declares the files, with limits to begin with.

        `data` is the folder that is searched first for data sets. Raises ArtifactError,
        DataUnavailable or DataError for a file that cannot be read, and ConfigError if it takes
        more than the files to declare them.
        """
        return _model_file(self, project, data)


def identifier(stem: str) -> str:
    """Return a file's stem as the name of a model."""
    name = re.sub(r"\W+", "_", stem, flags=re.ASCII).strip("_").lower()
    is_usable = name.isidentifier() and not iskeyword(name)
    return name if is_usable else f"model_{name}".rstrip("_")


def _model_file(files: ReadyMade, project: Path, data: Path | None) -> str:
    candidate = read(files.candidate)
    reference = parse(read(files.reference), subject=str(files.reference))
    inputs, outputs = (graph_ports(reference, side) for side in ("inputs", "outputs"))
    output = _only(outputs, "output")
    classes = output.shape[-1] if len(output.shape) == 2 and output.shape[-1] > 1 else 0
    samples = _chosen(files.samples, _only(inputs, "input"), classes)
    kind = arguments(_fitting(candidate, files.candidate), _DEFAULT)
    root = data if data and files.samples.resolve().is_relative_to(data.resolve()) else project
    lines = (
        docstring(f"{files.candidate.name} against {files.reference.name}, both ready-made."),
        "",
        "import litegate as lg",
        "",
        f"{files.name} = lg.prebuilt(",
        *_file("reference", files.reference, project),
        *_file("candidate", files.candidate, project),
        *([f"    {kind},"] if kind else []),
        "    data=lg.datasets.npz(",
        f"        {path_code(files.samples, root)},",
        *_data(samples, classes),
        "    ),",
        "    budget=lg.Budget(",
        *_limits(len(candidate), samples.get("y"), classes),
        "    ),",
        ")",
    )
    return "\n".join(lines) + "\n"


def _fitting(tflite: bytes, file: Path) -> Recipe:
    """Return a recipe whose rules the candidate keeps. Raises ConfigError if it is in floats."""
    fitting = fitting_recipe(tflite, _DEFAULT)
    if fitting is None or fitting.kind is Kind.FLOAT32:
        raise ConfigError(
            f"{file} is not quantized in a way that litegate has rules for",
            expected="int8, int16x8, float16, dynamic range or weights of 8 or 4 bits",
            got="a file in float32" if fitting else "tensors of other types",
            remedy="give the quantized file as --candidate; `litegate inspect` lists its types",
        )
    return fitting


def _only(ports: Mapping[str, Tensor], side: str) -> Tensor:
    if len(ports) != 1:
        raise ConfigError(
            f"the reference has {len(ports)} {side}s: {listed([*ports])}",
            expected=f"one {side}",
            remedy="declare several inputs and outputs by hand: docs/how-to/ports.md",
        )
    return next(iter(ports.values()))


def _chosen(file: Path, port: Tensor, classes: int) -> dict[str, tuple[str, Array]]:
    """Return the samples "x", and the labels "y" if there are any, each with its array's name.

    If several arrays fit, their names decide. Raises ConfigError if no array, or several, fit the
    network's input; and if labels are not numbers of its classes.
    """
    arrays = read_arrays(file)
    sample = port.shape[1:]
    samples = [it for it, array in arrays.items() if array.ndim and array.shape[1:] == sample]
    samples = [it for it in samples if it in SAMPLES] or samples
    if len(samples) != 1:
        raise ConfigError(
            f"{file} has {len(samples) or 'no'} arrays of samples for the reference's input",
            expected=f"one of shape (n, {', '.join(map(str, sample))})",
            got=listed([f"{it} {array.shape}" for it, array in arrays.items()]) or "no array",
            remedy=f"rename or reshape the arrays, or {_BY_HAND}",
        )
    x = arrays[samples[0]]
    check_finite(file, x)
    labels = [
        it
        for it, array in arrays.items()
        if it != samples[0] and array.dtype.kind in "iu" and array.shape == x.shape[:1]
    ]
    labels = [it for it in labels if it in LABELS] or labels
    chosen = {"x": samples[0]} | ({"y": labels[0]} if len(labels) == 1 else {})
    if "y" in chosen:
        _check_labels(file, arrays[chosen["y"]], classes)
    return {argument: (name, arrays[name]) for argument, name in chosen.items()}


def check_finite(file: Path, samples: Array) -> None:
    """Raise DataError for samples of `file` that are not finite numbers."""
    if not (samples.size and samples.dtype.kind in "iufb" and np.isfinite(samples).all()):
        raise DataError(
            f"the samples of {file} are not numbers, or not all finite",
            got=f"{samples.dtype} of shape {samples.shape}",
            remedy="replace NaN and infinity",
        )


def _check_labels(file: Path, labels: Array, classes: int) -> None:
    low, high = labels.min(), labels.max()
    if not 0 <= low <= high < classes:
        raise ConfigError(
            f"the labels of {file} are not classes of the reference",
            expected=f"numbers from 0 to {classes - 1}" if classes else "an output for each class",
            got=f"numbers from {low} to {high}",
            remedy=f"correct the labels, or remove them; for other metrics {_BY_HAND}",
        )


def _data(samples: Mapping[str, tuple[str, Array]], classes: int) -> Iterator[str]:
    """Yield the arguments of `npz`."""
    yield from (f"        {argument}={code(name)}," for argument, (name, _) in samples.items())
    digests = {f"{it}_test": array_digest(array) for it, (_, array) in samples.items()}
    yield from (f"    {line}" for line in digests_code(digests).splitlines() if line)
    yield f"        domain={domain_of(samples['x'][1])},  # what the device can produce"
    if "y" in samples:
        numbers = " ".join(map(str, range(classes)))
        yield f'        classes=tuple("{numbers}".split()),  # names, in the order of the outputs'


def domain_of(*samples: Array) -> str:
    """Return the range of the samples' type, or of their values, to whole numbers outwards."""
    if samples[0].dtype.kind in "iu" and samples[0].dtype.itemsize == 1:
        limits = np.iinfo(samples[0].dtype)
        return f"({limits.min}, {limits.max})"
    low = floor(min(array.min() for array in samples))
    high = ceil(max(array.max() for array in samples))
    return f"({low}, {max(high, low + 1)})"


def _limits(size: int, labels: tuple[str, Array] | None, classes: int) -> Iterator[str]:
    """Yield limits that most files keep; nothing was measured to choose them but the size."""
    if labels:
        yield "        accuracy_drop=lg.points(1),  # and accuracy=lg.percent(...), its minimum"
        few = int((np.bincount(labels[1], minlength=classes) < _CLASS_SAMPLES).sum())
        if few:
            yield f"        # class_drop takes {_CLASS_SAMPLES} samples a class: {few} have fewer"
        else:
            yield "        class_drop=lg.points(5),  # no class may lose more"
    elif classes:
        yield "        agreement=lg.percent(95),  # decisions as the reference's"
    else:
        yield "        output_error=lg.percent(10),  # of the reference's outputs, by RMS"
    yield f"        size=lg.kib({ceil(size * _HEADROOM / 1024)}),"


def _file(argument: str, file: Path, project: Path) -> Iterator[str]:
    """Yield an argument of `prebuilt`; a file that no commit of the project has gets a digest."""
    path = path_code(file, project)
    if file.resolve().is_relative_to(project) and not is_ignored(file):
        yield f"    {argument}={path},"
        return
    yield f"    {argument}=lg.File("
    yield f"        path={path},"
    yield f'        sha256="{digest(file)}",'
    yield "    ),"


def path_code(file: Path, root: Path) -> str:
    """Return the code of a file's path, relative to a folder."""
    return code(Path(os.path.relpath(file.resolve(), root.resolve())).as_posix())


def code(text: str) -> str:
    """Return the code of a string, in double quotes unless it needs escapes."""
    return f'"{text}"' if text.isprintable() and not set(text) & {'"', "\\"} else repr(text)


def docstring(text: str) -> str:
    """Return a docstring's code: a file's name may contain what would end it."""
    plain = re.sub(r"[^\w ,.-]", "_", text)
    return f'"""{plain}"""'
