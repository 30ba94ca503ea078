"""Run the graph that a signature names, through an interpreter that the caller creates.

A `.tflite` file has a first graph, and its signatures may name others.
`litegate.runtimes.litert` creates the interpreters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol, final

from numpy.typing import NDArray

from litegate.core.errors import ArtifactError
from litegate.core.escaping import excerpt
from litegate.tflite.ports import (
    Port,
    ambiguous_signature,
    index_ports,
    join_names,
    port_from_detail,
)


class RunnableGraph(Protocol):
    """A graph of a file that can be fed and run."""

    inputs: dict[str, Port]
    outputs: dict[str, Port]

    def resize(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Allocate for inputs of these shapes."""

    def reset(self) -> None:
        """Set the variable tensors to zero; LiteRT cannot reset resources."""

    def feed(self, raw: Mapping[str, NDArray[Any]]) -> None:
        """Set the inputs."""

    def invoke(self) -> None:
        """Run once."""

    def fetch(self) -> dict[str, NDArray[Any]]:
        """Return copies of the outputs, by name."""

    def tensor(self, index: int) -> NDArray[Any]:
        """Return a copy of any tensor of the graph."""


def _reset_variables(interpreter: Any) -> None:
    """Set the variable tensors of every graph that has run to zero."""
    with suppress(RuntimeError):  # a graph that has not run has allocated no variables
        interpreter.reset_all_variables()


@final
class _FirstGraph:
    """The first graph of a file."""

    def __init__(
        self, interpreter: Any, signature: Mapping[str, Mapping[str, int]], subject: str
    ) -> None:
        self._interpreter = interpreter
        inputs = read_names(interpreter.get_input_details, "an input", subject)
        outputs = read_names(interpreter.get_output_details, "an output", subject)
        self.inputs = _ports(inputs, signature.get("inputs", {}))
        self.outputs = _ports(outputs, signature.get("outputs", {}))

    def resize(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        for name, shape in shapes.items():
            index = self.inputs[name].index
            self._interpreter.resize_tensor_input(index, shape)
        self._interpreter.allocate_tensors()

    def reset(self) -> None:
        _reset_variables(self._interpreter)

    def feed(self, raw: Mapping[str, NDArray[Any]]) -> None:
        for name, values in raw.items():
            self._interpreter.set_tensor(self.inputs[name].index, values)

    def invoke(self) -> None:
        self._interpreter.invoke()

    def fetch(self) -> dict[str, NDArray[Any]]:
        return {name: self.tensor(port.index) for name, port in self.outputs.items()}

    def tensor(self, index: int) -> NDArray[Any]:
        out: NDArray[Any] = self._interpreter.get_tensor(index)
        return out


@final
class _SignedGraph:
    """A graph other than the first, which LiteRT runs through a signature runner.

    An invocation includes copying the inputs and outputs.
    """

    def __init__(self, interpreter: Any, signature: str, graph: int, subject: str) -> None:
        self._interpreter, self._number = interpreter, graph
        self._runner = interpreter.get_signature_runner(signature)
        inputs = read_names(self._runner.get_input_details, "an input", subject)
        outputs = read_names(self._runner.get_output_details, "an output", subject)
        self.inputs, self._input_keys = _ports_and_keys(inputs)
        self.outputs, self._output_keys = _ports_and_keys(outputs)
        self._inputs: dict[str, NDArray[Any]] = {}
        self._results: dict[str, NDArray[Any]] = {}

    def resize(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Do nothing: the signature runner resizes the graph on each call."""

    def reset(self) -> None:
        _reset_variables(self._interpreter)

    def feed(self, raw: Mapping[str, NDArray[Any]]) -> None:
        self._inputs = {self._input_keys[name]: values for name, values in raw.items()}

    def invoke(self) -> None:
        self._results = self._runner(**self._inputs)

    def fetch(self) -> dict[str, NDArray[Any]]:
        return {name: self._results[self._output_keys[name]] for name in self.outputs}

    def tensor(self, index: int) -> NDArray[Any]:
        out: NDArray[Any] = self._interpreter.get_tensor(index, self._number)
        return out


def runnable_graph(interpreter: Any, signature: str, subject: str) -> RunnableGraph:
    """Return the graph that `signature` names; by default that of the file's only signature.

    Raises ArtifactError if there is no such signature, or if there are several and no name.
    """
    # LiteRT's public get_signature_list leaves out the tensor indices.
    read = interpreter._get_full_signature_list  # noqa: SLF001
    signatures = read_names(read, "a signature", subject)
    if not signature and len(signatures) > 1:
        raise ambiguous_signature(signatures, subject)
    if signature and signature not in signatures:
        raise _unknown_signature(signatures, signature, subject)
    name = signature or next(iter(signatures), "")
    subgraph = _subgraph_index(interpreter, name) if name else 0
    if subgraph:
        return _SignedGraph(interpreter, name, subgraph, subject)
    return _FirstGraph(interpreter, signatures.get(name, {}), subject)


def _subgraph_index(interpreter: Any, signature: str) -> int:
    """Return the index of a signature's graph, which LiteRT's public interface does not offer."""
    return int(interpreter._interpreter.GetSubgraphIndexFromSignature(signature))  # noqa: SLF001


def read_names(read: Callable[[], Any], what: str, subject: str) -> Any:
    """Call a LiteRT method that returns names; raise ArtifactError if a name is not UTF-8.

    `what` and `subject` go into the message.
    """
    try:
        return read()
    except UnicodeDecodeError as error:
        raise ArtifactError(
            f"the name of {what} of {subject} is not valid text",
            expected="UTF-8",
            got=excerpt(repr(error.object)),
            remedy="build or download it again",
        ) from error


def _unknown_signature(
    signatures: Mapping[str, Any], signature: str, subject: str
) -> ArtifactError:
    return ArtifactError(
        f"{subject} has no signature {signature!r}",
        expected=(
            f"one of {join_names(signatures)}"
            if signatures
            else "no signature=..., since the file has none"
        ),
        remedy="correct the name of the signature",
    )


def _ports(details: list[dict[str, Any]], signature: Mapping[str, int]) -> dict[str, Port]:
    """Return ports in the signature's order, followed by those that it does not name."""
    by_index = {detail["index"]: detail for detail in details}
    signed = [(by_index[index], name) for name, index in signature.items() if index in by_index]
    unsigned = [detail for index, detail in by_index.items() if index not in signature.values()]
    ports = [port_from_detail(*pair) for pair in signed]
    return index_ports([*ports, *(port_from_detail(detail, detail["name"]) for detail in unsigned)])


def _ports_and_keys(details: Mapping[str, Any]) -> tuple[dict[str, Port], dict[str, str]]:
    """Return ports by name, and the signature's own key for each name."""
    ports = index_ports(port_from_detail(detail, name) for name, detail in details.items())
    return ports, dict(zip(ports, details, strict=True))
