"""Find a model's inputs and outputs by name, and convert real values to their types."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, MeasurementError
from litegate.spec import Inputs, Samples, frames_of
from litegate.tflite.graph import Graph, Tensor
from litegate.tflite.quantization import dequantize, quantize

_TFMOT_PREFIX = "quant_"
"""tfmot (the TensorFlow Model Optimization Toolkit) prefixes the names of quantized layers, and so
of outputs, with this."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output of a model."""

    index: int
    name: str
    """The name in the file's signature, else the tensor's, without tfmot's ``quant_``."""
    tensor: str = ""
    """The name of its tensor."""
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """The shape signature; -1 for a dynamic size."""
    allocated: tuple[int, ...] = ()
    """The shape that LiteRT allocated when it loaded the file."""
    scale: float
    """The quantization step; 0 if the port is not quantized."""
    zero_point: int

    def quantize(self, real: NDArray[Any]) -> NDArray[Any]:
        """Convert real values to the port's type: rounded half away from zero, saturating.

        An integer or bool port without a scale takes whole numbers in its range unchanged. Raises
        MeasurementError for other values, ArtifactError for a port of text or complex numbers.
        """
        if np.issubdtype(self.dtype, np.floating):
            return np.ascontiguousarray(real, dtype=self.dtype)
        if self.dtype.kind not in "iub":
            raise ArtifactError(
                f"the input {self.name} takes {self.dtype}", expected="numbers or booleans"
            )
        if not self.scale:
            return self._as_whole(np.asarray(real))
        try:
            return quantize(np.asarray(real), self.dtype, self.scale, self.zero_point)
        except ValueError as error:
            raise MeasurementError(f"NaN cannot be quantized for {self.name}") from error

    def resized_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the port's shape with its batch and dynamic sizes taken from the samples' shape.

        Fixed sizes stay, so that feeding samples of another shape is refused.
        """
        if len(sample_shape) != len(self.shape) or not sample_shape:
            return self.allocated
        pairs = zip(self.shape[1:], sample_shape[1:], strict=True)
        sizes = (sample_size if size == -1 else size for size, sample_size in pairs)
        return (sample_shape[0], *sizes)

    @property
    def takes_counts(self) -> bool:
        """Return True if it takes whole numbers unchanged, such as token ids, indices and masks."""
        return self.dtype.kind in "iub" and not self.scale

    def _as_whole(self, values: NDArray[Any]) -> NDArray[Any]:
        low, high = self._whole_limits(values.dtype)
        fits = (values >= low) & (values <= high)
        if values.dtype.kind == "f":
            fits &= values == np.rint(values)
        if not fits.all():
            raise MeasurementError(
                f"the input {self.name} is {self.dtype} without a scale, so it needs whole numbers",
                expected=f"whole numbers from {low:,} to {high:,}",
                got=f"{values[~fits].flat[0]}",
                remedy="correct the data or their preprocessing",
            )
        return np.ascontiguousarray(values, dtype=self.dtype)

    def _whole_limits(self, sample_dtype: np.dtype[Any]) -> tuple[int, int]:
        """Return the least and greatest whole number that the port and the samples' type share."""
        bounds = np.iinfo(self.dtype) if self.dtype.kind in "iu" else None
        low, high = (int(bounds.min), int(bounds.max)) if bounds else (0, 1)
        exact = (
            2 ** (np.finfo(sample_dtype).nmant + 1) - 1
            if sample_dtype.kind == "f"
            else max(-low, high)
        )
        return max(low, -exact), min(high, exact)

    def real(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Convert raw values of this port to float32; floats are returned without a copy.

        Raises ArtifactError for text, complex numbers and the like.
        """
        if self.dtype.kind not in "iubf":
            raise ArtifactError(
                f"the output {self.name} gives {self.dtype}", expected="numbers or booleans"
            )
        if not self.scale:
            return raw.astype(np.float32, copy=False)
        return dequantize(raw, self.scale, self.zero_point)


def port_from_detail(detail: Mapping[str, Any], name: str) -> Port:
    """Build the port `name` from LiteRT's description of its tensor."""
    scales = detail["quantization_parameters"]["scales"]
    zeros = detail["quantization_parameters"]["zero_points"]
    return Port(
        index=detail["index"],
        name=canonical_name(name),
        tensor=detail["name"],
        dtype=np.dtype(detail["dtype"]),
        shape=tuple(int(size) for size in detail["shape_signature"]),
        allocated=tuple(int(size) for size in detail["shape"]),
        scale=float(scales[0]) if len(scales) else 0.0,
        zero_point=int(zeros[0]) if len(zeros) else 0,
    )


def port_from_tensor(tensor: Tensor, name: str) -> Port:
    """Build the port `name` from a parsed tensor.

    Raises ArtifactError for a type that NumPy does not have.
    """
    try:
        dtype = np.dtype(tensor.dtype)
    except TypeError as error:
        raise ArtifactError(f"the port {name} is {tensor.dtype}", expected="numbers") from error
    return Port(
        index=tensor.index,
        name=canonical_name(name),
        tensor=tensor.name,
        dtype=dtype,
        shape=tensor.shape_signature,
        allocated=tensor.shape,
        scale=tensor.scales[0] if tensor.scales else 0.0,
        zero_point=tensor.zero_points[0] if tensor.zero_points else 0,
    )


def in_file_order(ports: Mapping[str, Port], indices: Iterable[int]) -> list[str]:
    """Return the names of ports in the order of `indices`, the inputs or outputs of a subgraph."""
    names = {port.index: name for name, port in ports.items()}
    return [names[index] for index in dict.fromkeys(indices) if index in names]


def canonical_name(name: str) -> str:
    """Return the name that the float network has for an output: without tfmot's prefix."""
    return name.removeprefix(_TFMOT_PREFIX)


def index_ports(ports: Iterable[Port]) -> dict[str, Port]:
    """Index ports by name, in order; a duplicate name gets the tensor index as a suffix."""
    ports_by_name: dict[str, Port] = {}
    for port in ports:
        name = f"{port.name}#{port.index}" if port.name in ports_by_name else port.name
        ports_by_name[name] = port
    return ports_by_name


def find_port(ports: Mapping[str, Port], name: str, what: str, subject: str) -> str:
    """Return the name of the port that has this name, or whose tensor has it.

    Raises ArtifactError if no port matches.
    """
    wanted = canonical_name(name)
    if wanted in ports:
        return wanted
    by_tensor = [port_name for port_name, port in ports.items() if port.tensor == name]
    if len(by_tensor) == 1:
        return by_tensor[0]
    near = get_close_matches(wanted, ports, n=1)
    raise ArtifactError(
        f"{subject} has no {what} {name!r}",
        expected=join_names(ports),
        remedy=f"did you mean {near[0]!r}?" if near else f"name its {what}s as the file does",
    )


def arrays_by_port(
    ports: Mapping[str, Port], samples: Samples, subject: str
) -> dict[str, NDArray[Any]]:
    """Return the array of each input; raise ArtifactError unless there is one for every input.

    Of sequences it is the array of all frames.
    """
    samples = frames_of(samples)
    if not isinstance(samples, Inputs):
        return {_only(ports, subject): samples}
    arrays = {
        find_port(ports, name, "input", subject): values for name, values in samples.arrays.items()
    }
    if missing := [name for name in ports if name not in arrays]:
        raise ArtifactError(
            f"samples are missing for {_counted(missing)} of {subject}",
            expected=f"an array for each of {join_names(ports)}",
            got=join_names(samples.arrays),
            remedy="name the data set's samples after the inputs",
        )
    return {name: arrays[name] for name in ports}


def _only(ports: Mapping[str, Port], subject: str) -> str:
    if len(ports) != 1:
        raise ArtifactError(
            f"{subject} has {len(ports)} inputs, but the samples are a single array",
            expected=f"an array for each of {join_names(ports)}" if ports else "one input",
            remedy="let the data set return a mapping from input name to array",
        )
    return next(iter(ports))


def _counted(names: list[str]) -> str:
    return f"the input{'s' if len(names) > 1 else ''} {join_names(names)}"


def graph_ports(graph: Graph, side: str, signature: str = "") -> dict[str, Tensor]:
    """Return the inputs or outputs (`side`) of a graph's main subgraph by name, without running it.

    In the order of `litegate.runtimes.litert.Runner`: first those that the signature names, then
    the others.
    """
    main = graph.main
    indices = dict.fromkeys(main.inputs if side == "inputs" else main.outputs)
    signatures = [entry for entry in graph.signatures if entry.graph == graph.entry]
    tensors: dict[str, Tensor] = {}
    for entry in signatures[: 1 if signature == "" else None]:
        if signature in ("", entry.name):
            for index, name in sorted(getattr(entry, side), key=lambda pair: pair[1]):
                if index in indices:
                    tensors[canonical_name(name)] = main.tensors[index]
    named_indices = {tensor.index for tensor in tensors.values()}
    for index in indices:
        if index not in named_indices:
            name = canonical_name(main.tensors[index].name)
            tensors[f"{name}#{index}" if name in tensors else name] = main.tensors[index]
    return tensors


def parsed_ports(graph: Graph, side: str, signature: str = "") -> dict[str, Port]:
    """Return the same inputs or outputs as ports. Raises as `port_from_tensor`."""
    tensors = graph_ports(graph, side, signature)
    return {name: port_from_tensor(tensor, name) for name, tensor in tensors.items()}


def ambiguous_signature(signatures: Collection[str], subject: str) -> ArtifactError:
    """Return the error of a file with several signatures none of which is named."""
    return ArtifactError(
        f"{subject} has {len(signatures)} signatures, and the model names no signature",
        expected=f"one of {join_names(signatures)}",
        remedy='name one: litegate.prebuilt(signature="..."), or --signature',
    )


def join_names(names: Iterable[str]) -> str:
    """Join names for a message."""
    return ", ".join(names)
