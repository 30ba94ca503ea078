"""Convert a data set to tensors and feed it to networks with one or several inputs and outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.failures import ToolchainError
from litegate.data.disk_arrays import DiskArray
from litegate.spec import Inputs, Model, Splits

Network = Any
"""A tf_keras model."""
Tensors = Any
"""A tensor, or a mapping of tensors by the name of an input or an output."""
Outputs = NDArray[np.float32] | dict[str, NDArray[np.float32]]
"""A network's outputs, shape (n, ...); a mapping by name if there are several."""
_WRAPPERS = ("quant_", "prune_low_magnitude_", "cluster_")
"""Prefixes that tfmot adds to the names of the layers it wraps, output layers included."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSamples:
    """The data set as tensors, created once for all trainings of a run.

    Samples of several inputs and labels of several outputs are mappings by name.
    """

    x_train: Tensors
    """float32, shape (n, ...)."""
    y_train: Tensors
    """int32, or float32 for floating-point labels; shape (n, ...)."""
    x_test: Tensors
    """float32, shape (m, ...); `DiskArray` if they exceed memory."""
    y_test: Tensors
    """As `y_train`, shape (m, ...); `DiskArray` if they exceed memory."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one sample, by input; the name is empty if there is a single array."""
        x = self.x_train
        tensors = x if isinstance(x, Mapping) else {"": x}
        return {name: tuple(tensor.shape[1:]) for name, tensor in tensors.items()}

    @property
    def labelled_outputs(self) -> tuple[str, ...]:
        """The names of the outputs that have labels; empty if the labels are a single array."""
        return tuple(self.y_train) if isinstance(self.y_train, Mapping) else ()

    @property
    def can_validate(self) -> bool:
        """True if the evaluation labels are in memory, with the training labels' type and shape."""
        return not isinstance(self.y_test, DiskArray) and _kinds(self.y_train) == _kinds(
            self.y_test
        )

    def __len__(self) -> int:
        x = self.x_train
        return int((next(iter(x.values())) if isinstance(x, Mapping) else x).shape[0])


def _kinds(labels: Tensors) -> dict[str, tuple[Any, ...]]:
    """Return the dtype and the shape of one label, by output."""
    tensors = labels if isinstance(labels, Mapping) else {"": labels}
    return {name: (tensor.dtype, *tensor.shape[1:]) for name, tensor in tensors.items()}


def to_tensors(frameworks: Frameworks, splits: Splits) -> TensorSamples:
    """Copy a prepared data set into tensors."""
    tf = frameworks.tf
    return TensorSamples(
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


def output_names(network: Network, labelled_outputs: Collection[str]) -> list[str]:
    """Return the outputs' names in the float network, in the network's order.

    Prefixes of tfmot's wrappers are removed, except from a name that also occurs in the labels.
    """
    return [name if name in labelled_outputs else _unwrapped(name) for name in network.output_names]


def _unwrapped(name: str) -> str:
    prefix = next((prefix for prefix in _WRAPPERS if name.startswith(prefix)), "")
    return name.removeprefix(prefix)


def ordered_inputs(network: Network, x: Tensors) -> Any:
    """Return samples as a network takes them: a tensor, or a list in the order of its inputs."""
    if not isinstance(x, Mapping):
        return x
    tensors = [x[name] for name in network.input_names]
    return tensors if len(tensors) > 1 else tensors[0]


def ordered_outputs(network: Network, y: Tensors) -> Any:
    """Return labels or outputs as losses take them: a tensor, or a list in the outputs' order."""
    if not isinstance(y, Mapping):
        return y
    tensors = [y[name] for name in output_names(network, y)]
    return tensors if len(tensors) > 1 else tensors[0]


def slice_samples(tf: Any, tensors: Any, selection: slice) -> Any:
    """Return the selected samples of each tensor."""
    return tf.nest.map_structure(lambda tensor: tensor[selection], tensors)


def sample_count(tf: Any, tensors: Any) -> int:
    """Return the number of samples."""
    return len(tf.nest.flatten(tensors)[0])


def with_port_lists(frameworks: Frameworks, network: Network) -> Network:
    """Return the network with inputs and outputs in lists instead of dictionaries."""
    if isinstance(network.input, dict) or isinstance(network.output, dict):
        return frameworks.keras.Model(network.inputs, network.outputs, name=network.name)
    return network


def check_ports(network: Network, model: Model, samples: TensorSamples) -> None:
    """Raise ToolchainError if the network's inputs or outputs do not fit the samples and labels."""
    inputs = network.inputs or ()
    if not _accepts(network, inputs, samples.shapes):
        raise _input_error(network, model, samples)
    names = output_names(network, samples.labelled_outputs)
    if {*samples.labelled_outputs} == {*names} or (
        len(names) == 1 and not samples.labelled_outputs
    ):
        return
    raise ToolchainError(
        "builder",
        "the network's outputs do not match the labels of the data set",
        expected=", ".join(samples.labelled_outputs) or "labels in one array",
        got=", ".join(names),
        remedy="name the last layers like the labels: Splits(y_train={name: labels, ...}), "
        "keras.layers.Dense(..., name=name)",
    )


def _accepts(network: Network, inputs: Any, shapes: dict[str, tuple[int, ...]]) -> bool:
    declared = [tuple(port.shape)[1:] for port in inputs]
    if set(shapes) == {""}:
        return len(declared) == 1 and _fits(declared[0], shapes[""])
    by_name = dict(zip(network.input_names, declared, strict=True)) if declared else {}
    return {*by_name} == {*shapes} and all(_fits(by_name[k], shapes[k]) for k in by_name)


def _input_error(network: Network, model: Model, samples: TensorSamples) -> ToolchainError:
    shapes, inputs = samples.shapes, network.inputs or ()
    declared = [tuple(port.shape)[1:] for port in inputs]
    remedy = f"change the preprocessing of {model.data.name}"
    if set(shapes) == {""}:
        shape = shapes[""]
        return ToolchainError(
            "builder",
            "the network does not accept the data set's samples",
            expected=f"one input of shape {shape} and one output",
            got=f"{len(network.outputs or ())} outputs and inputs of shape {declared}"
            if declared
            else "no declared input",
            remedy=f"start with keras.layers.InputLayer(input_shape={shape}), or {remedy}",
        )
    by_name = zip(network.input_names, declared, strict=True) if declared else ()
    return ToolchainError(
        "builder",
        "the network does not accept the data set's samples",
        expected=", ".join(f"the input {name} of shape {shape}" for name, shape in shapes.items()),
        got=", ".join(f"{name} of shape {shape}" for name, shape in by_name) or "no declared input",
        remedy=f"name the inputs like the samples: keras.Input(shape, name=name), or {remedy}",
    )


def _fits(declared: tuple[int | None, ...], shape: tuple[int, ...]) -> bool:
    same_rank = len(declared) == len(shape)
    return same_rank and all(d in (None, s) for d, s in zip(declared, shape, strict=True))
