"""The data set as TensorFlow's arrays, and how a network with several ports is fed them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.data.disk_arrays import DiskArray
from litegate.spec import Inputs, Model, Splits
from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.failures import ToolchainError
from litegate.data.disk_arrays import Rows
from litegate.spec import Inputs, Model, Splits

Network = Any
"""A tf_keras model."""
Tensors = Any
"""A tensor, or a mapping of tensors by the name of an input or an output."""
Answers = NDArray[np.float32] | dict[str, NDArray[np.float32]]
"""Shape (n, ...); of several outputs by the output's name."""
_WRAPPERS = ("quant_", "prune_low_magnitude_", "cluster_")
"""What tfmot puts before the name of a layer that it wraps, the output's too."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The data set as TensorFlow's own arrays, made once for all trainings of a run.

    Samples of several inputs and labels of several outputs are mappings by name.
    """

    x_train: Tensors
    """float32, shape (n, ...)."""
    y_train: Tensors
    """int32, or float32 for labels that are no whole numbers; shape (n, ...)."""
    x_test: Tensors
    """float32, shape (m, ...); `DiskArray` where they are too many for memory."""
    y_test: Tensors
    """As `y_train`, shape (m, ...); `DiskArray` where they are too many for memory."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one sample of each input; the name is empty for one array alone."""
        x = self.x_train
        named = x if isinstance(x, Mapping) else {"": x}
        return {name: tuple(each.shape[1:]) for name, each in named.items()}

    @property
    def labelled(self) -> tuple[str, ...]:
        """The outputs that labels are named for; none where there is one array alone."""
        return tuple(self.y_train) if isinstance(self.y_train, Mapping) else ()

    @property
    def validates(self) -> bool:
        """Whether the evaluation split's labels are in memory, of the kind that is trained to."""
        return not isinstance(self.y_test, DiskArray) and _kinds(self.y_train) == _kinds(
            self.y_test
        )

    def __len__(self) -> int:
        x = self.x_train
        return int((next(iter(x.values())) if isinstance(x, Mapping) else x).shape[0])


def _kinds(labels: Tensors) -> dict[str, tuple[Any, ...]]:
    named = labels if isinstance(labels, Mapping) else {"": labels}
    return {name: (each.dtype, *each.shape[1:]) for name, each in named.items()}


def samples_of(frameworks: Frameworks, splits: Splits) -> Samples:
    """Copy a prepared data set into TensorFlow."""
    tf = frameworks.tf
    return Samples(
        x_train=_samples(tf, splits.x_train),
        y_train=_labels(tf, splits.y_train),
        x_test=_samples(tf, splits.x_test),
        y_test=_labels(tf, splits.y_test),
    )


def _samples(tf: Any, x: Any) -> Tensors:
    if isinstance(x, Inputs):
        return {name: _samples(tf, array) for name, array in x.arrays.items()}
    return x if isinstance(x, DiskArray) else tf.constant(x)


def _labels(tf: Any, y: Any) -> Tensors:
    if isinstance(y, Mapping):
        return {name: _labels(tf, array) for name, array in y.items()}
    if isinstance(y, DiskArray):
        return y
    return tf.constant(y, tf.float32 if np.asarray(y).dtype.kind == "f" else tf.int32)


def output_names(network: Network, labelled: Collection[str]) -> list[str]:
    """What the outputs are called in the float network, in the network's order.

    A name that labels have is no wrapper's, whatever it begins with.
    """
    return [name if name in labelled else _unwrapped(name) for name in network.output_names]


def _unwrapped(name: str) -> str:
    wrapper = next((each for each in _WRAPPERS if name.startswith(each)), "")
    return name.removeprefix(wrapper)


def fed_to(network: Network, x: Tensors) -> Any:
    """Samples as a network takes them: a tensor, or a list in the order of its inputs."""
    if not isinstance(x, Mapping):
        return x
    found = [x[name] for name in network.input_names]
    return found if len(found) > 1 else found[0]


def expected_of(network: Network, y: Tensors) -> Any:
    """Labels as a network's losses take them: a tensor, or a list in the order of its outputs."""
    if not isinstance(y, Mapping):
        return y
    found = [y[name] for name in output_names(network, y)]
    return found if len(found) > 1 else found[0]


def part(tf: Any, tensors: Any, which: slice) -> Any:
    """Some samples of each tensor."""
    return tf.nest.map_structure(lambda each: each[which], tensors)


def count(tf: Any, tensors: Any) -> int:
    """How many samples there are."""
    return len(tf.nest.flatten(tensors)[0])


def in_lists(frameworks: Frameworks, network: Network) -> Network:
    """The network with its inputs and outputs in lists, where it has them in dictionaries."""
    if isinstance(network.input, dict) or isinstance(network.output, dict):
        return frameworks.keras.Model(network.inputs, network.outputs, name=network.name)
    return network


def check_ports(network: Network, model: Model, samples: Samples) -> None:
    """Refuse a network that does not take the data set's samples, or does not give its labels."""
    inputs = network.inputs or ()
    if not _takes(network, inputs, samples.shapes):
        raise _not_taken(network, model, samples)
    names = output_names(network, samples.labelled)
    if {*samples.labelled} == {*names} or (len(names) == 1 and not samples.labelled):
        return
    labelled = ", ".join(samples.labelled) or "labels in one array"
    raise ToolchainError(
        "builder",
        "the network's outputs are not those that the data set has labels of",
        expected=labelled,
        got=", ".join(names),
        remedy="name the last layers as the labels: Splits(y_train={name: labels, ...}), "
        "keras.layers.Dense(..., name=name)",
    )


def _takes(network: Network, inputs: Any, shapes: dict[str, tuple[int, ...]]) -> bool:
    got = [tuple(port.shape)[1:] for port in inputs]
    if set(shapes) == {""}:
        return len(got) == 1 and _fits(got[0], shapes[""])
    named = dict(zip(network.input_names, got, strict=True)) if got else {}
    return {*named} == {*shapes} and all(_fits(named[name], shapes[name]) for name in named)


def _not_taken(network: Network, model: Model, samples: Samples) -> ToolchainError:
    shapes, inputs = samples.shapes, network.inputs or ()
    got = [tuple(port.shape)[1:] for port in inputs]
    remedy = f"change the preprocessing of {model.data.name}"
    if set(shapes) == {""}:
        shape = shapes[""]
        return ToolchainError(
            "builder",
            "the network does not take the data set's samples",
            expected=f"one input of shape {shape} and one output",
            got=f"{len(network.outputs or ())} outputs and inputs of shape {got}"
            if got
            else "no declared input",
            remedy=f"begin with keras.layers.InputLayer(input_shape={shape}), or {remedy}",
        )
    named = zip(network.input_names, got, strict=True) if got else ()
    return ToolchainError(
        "builder",
        "the network does not take the data set's samples",
        expected=", ".join(f"the input {name} of shape {shape}" for name, shape in shapes.items()),
        got=", ".join(f"{name} of shape {shape}" for name, shape in named) or "no declared input",
        remedy=f"name the inputs as the samples: keras.Input(shape, name=name), or {remedy}",
    )


def _fits(declared: tuple[int | None, ...], shape: tuple[int, ...]) -> bool:
    same_rank = len(declared) == len(shape)
    return same_rank and all(d in (None, s) for d, s in zip(declared, shape, strict=True))
