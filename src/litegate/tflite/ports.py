"""Ports: what a model takes and gives, by name, and how real values become theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, MeasurementError
from litegate.spec import Inputs, Samples
from litegate.tflite.graph import Graph, Tensor
from litegate.tflite.quantization import meant, quantized

_WRAPPED = "quant_"
"""What tfmot puts before the name of a layer that it quantizes, the output's too."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output of a model."""

    index: int
    name: str
    """As the file's signature calls it, else its tensor, without tfmot's ``quant_``."""
    tensor: str = ""
    """The name of its tensor."""
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """The signature's shape; -1 where the size is free."""
    allocated: tuple[int, ...] = ()
    """The shape that LiteRT gave memory to when it loaded the file."""
    scale: float
    """Size of a quantum; 0 where the port is not quantized."""
    zero_point: int

    def quantize(self, real: NDArray[Any]) -> NDArray[Any]:
        """Real values as this port takes them: rounded half away from zero, saturating.

        An integer or bool port without a scale takes whole numbers that it can hold, as they are:
        MeasurementError for others. ArtifactError for a port of text or complex numbers.
        """
        if np.issubdtype(self.dtype, np.floating):
            return np.ascontiguousarray(real, dtype=self.dtype)
        if self.dtype.kind not in "iub":
            raise ArtifactError(
                f"the input {self.name} takes {self.dtype}", expected="numbers or bools"
            )
        if not self.scale:
            return self._whole(np.asarray(real))
        try:
            return quantized(np.asarray(real), self.dtype, self.scale, self.zero_point)
        except ValueError as error:
            raise MeasurementError(f"NaN cannot be quantized for {self.name}") from error

    def fitted(self, samples: tuple[int, ...]) -> tuple[int, ...]:
        """The port's shape with the batch of samples of a shape, and their sizes where it is free.

        Sizes that it fixes stay, so that samples of others are refused when they are fed.
        """
        if len(samples) != len(self.shape) or not samples:
            return self.allocated
        pairs = zip(self.shape[1:], samples[1:], strict=True)
        return (samples[0], *(given if size == -1 else size for size, given in pairs))

    @property
    def counts(self) -> bool:
        """Whether it takes whole numbers as they are: token ids, indices, masks."""
        return self.dtype.kind in "iub" and not self.scale

    def _whole(self, values: NDArray[Any]) -> NDArray[Any]:
        low, high = self._held(values.dtype)
        fits = (values >= low) & (values <= high)
        if values.dtype.kind == "f":
            fits &= values == np.rint(values)
        if not fits.all():
            raise MeasurementError(
                f"the input {self.name} is {self.dtype} without a scale, and takes whole numbers",
                expected=f"whole numbers from {low:,} to {high:,}",
                got=f"{values[~fits].flat[0]}",
                remedy="correct the data or their preprocessing",
            )
        return np.ascontiguousarray(values, dtype=self.dtype)

    def _held(self, given: np.dtype[Any]) -> tuple[int, int]:
        """The least and the greatest whole number that this port and samples of a type can hold."""
        bounds = np.iinfo(self.dtype) if self.dtype.kind in "iu" else None
        low, high = (int(bounds.min), int(bounds.max)) if bounds else (0, 1)
        exact = 2 ** (np.finfo(given).nmant + 1) - 1 if given.kind == "f" else max(-low, high)
        return max(low, -exact), min(high, exact)

    def real(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """What raw values of this port mean, float32; floats are given back, not copied.

        ArtifactError for text and the like.
        """
        if self.dtype.kind not in "iubf":
            raise ArtifactError(
                f"the output {self.name} gives {self.dtype}", expected="numbers or bools"
            )
        if not self.scale:
            return raw.astype(np.float32, copy=False)
        return meant(raw, self.scale, self.zero_point)


def port(detail: Mapping[str, Any], name: str) -> Port:
    """A port out of what LiteRT tells of its tensor, called `name`."""
    scales = detail["quantization_parameters"]["scales"]
    zeros = detail["quantization_parameters"]["zero_points"]
    return Port(
        index=detail["index"],
        name=canonical(name),
        tensor=detail["name"],
        dtype=np.dtype(detail["dtype"]),
        shape=tuple(int(size) for size in detail["shape_signature"]),
        allocated=tuple(int(size) for size in detail["shape"]),
        scale=float(scales[0]) if len(scales) else 0.0,
        zero_point=int(zeros[0]) if len(zeros) else 0,
    )


def canonical(name: str) -> str:
    """What an output of a signature is called in the float network."""
    return name.removeprefix(_WRAPPED)


def named(ports: Iterable[Port]) -> dict[str, Port]:
    """Ports by their names, in their order; one whose name is taken has its index after it."""
    found: dict[str, Port] = {}
    for one in ports:
        found[f"{one.name}#{one.index}" if one.name in found else one.name] = one
    return found


def matching(ports: Mapping[str, Port], name: str, what: str, subject: str) -> str:
    """The port that is meant by a name: its own, or its tensor's. ArtifactError where none is."""
    called = canonical(name)
    if called in ports:
        return called
    by_tensor = [key for key, one in ports.items() if one.tensor == name]
    if len(by_tensor) == 1:
        return by_tensor[0]
    near = get_close_matches(called, ports, n=1)
    raise ArtifactError(
        f"{subject} has no {what} {name!r}",
        expected=listed(ports),
        remedy=f"did you mean {near[0]!r}?" if near else f"name its {what}s as the file does",
    )


def matched(ports: Mapping[str, Port], samples: Samples, subject: str) -> dict[str, NDArray[Any]]:
    """The array of each input. ArtifactError where there are others than the inputs."""
    if not isinstance(samples, Inputs):
        return {_only(ports, subject): samples}
    found = {
        matching(ports, name, "input", subject): array for name, array in samples.arrays.items()
    }
    if missing := [name for name in ports if name not in found]:
        raise ArtifactError(
            f"there are no samples for {_counted(missing)} of {subject}",
            expected=f"an array for each of {listed(ports)}",
            got=listed(samples.arrays),
            remedy="give the data set's samples by the names of the inputs",
        )
    return {name: found[name] for name in ports}


def _only(ports: Mapping[str, Port], subject: str) -> str:
    if len(ports) != 1:
        raise ArtifactError(
            f"{subject} has {len(ports)} inputs, and the samples are one array",
            expected=f"an array for each of {listed(ports)}" if ports else "one input",
            remedy="give the data set's samples as a mapping from input to array",
        )
    return next(iter(ports))


def _counted(names: list[str]) -> str:
    return f"the input{'s' if len(names) > 1 else ''} {listed(names)}"


def called(graph: Graph, side: str, signature: str = "") -> dict[str, Tensor]:
    """The inputs or outputs (`side`) of a graph's main subgraph by name, without running it.

    In the order of `litegate.runtimes.litert.Runner`: first the names of the signature, then the
    ports that it does not name.
    """
    main = graph.main
    rest = dict.fromkeys(main.inputs if side == "inputs" else main.outputs)
    signed = [one for one in graph.signatures if one.graph == graph.entry]
    found: dict[str, Tensor] = {}
    for one in signed[: 1 if signature == "" else None]:
        if signature in ("", one.name):
            for index, name in sorted(getattr(one, side), key=lambda pair: pair[1]):
                if index in rest:
                    found[canonical(name)] = main.tensors[index]
    known = {tensor.index for tensor in found.values()}
    for index in rest:
        if index not in known:
            name = canonical(main.tensors[index].name)
            found[f"{name}#{index}" if name in found else name] = main.tensors[index]
    return found


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    return ", ".join(names)
