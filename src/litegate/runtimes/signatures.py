"""Entries: the graphs of a file that can be fed, by its signatures.

A `.tflite` has a first graph, and may name others by signatures. What stands here drives the
interpreter that it is given; `litegate.runtimes.litert` makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, final

from numpy.typing import NDArray

from litegate.core.errors import ArtifactError
from litegate.tflite.ports import Port, listed, named, port


class Entry(Protocol):
    """One graph of an interpreter's."""

    inputs: dict[str, Port]
    outputs: dict[str, Port]

    def resize(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Make one invocation take inputs of these shapes."""

    def feed(self, raw: Mapping[str, NDArray[Any]]) -> None:
        """Set the inputs."""

    def invoke(self) -> None:
        """Run once."""

    def fetch(self) -> dict[str, NDArray[Any]]:
        """Copies of the outputs."""

    def tensor(self, index: int) -> NDArray[Any]:
        """A copy of any tensor."""


@final
class _Main:
    """The first graph of a file."""

    def __init__(
        self, interpreter: Any, signature: Mapping[str, Mapping[str, int]], subject: str
    ) -> None:
        self._interpreter = interpreter
        inputs = told(interpreter.get_input_details, "an input", subject)
        outputs = told(interpreter.get_output_details, "an output", subject)
        self.inputs = _ports(inputs, signature.get("inputs", {}))
        self.outputs = _ports(outputs, signature.get("outputs", {}))

    def resize(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        for name, shape in shapes.items():
            index = self.inputs[name].index
            self._interpreter.resize_tensor_input(index, shape, strict=False)
        self._interpreter.allocate_tensors()

    def feed(self, raw: Mapping[str, NDArray[Any]]) -> None:
        for name, values in raw.items():
            self._interpreter.set_tensor(self.inputs[name].index, values)

    def invoke(self) -> None:
        self._interpreter.invoke()

    def fetch(self) -> dict[str, NDArray[Any]]:
        return {name: self.tensor(one.index) for name, one in self.outputs.items()}

    def tensor(self, index: int) -> NDArray[Any]:
        out: NDArray[Any] = self._interpreter.get_tensor(index)
        return out


@final
class _Signed:
    """Another graph of a file, which a signature names; LiteRT runs it by a call of its own.

    One invocation hands over the inputs and copies the outputs, too.
    """

    def __init__(self, interpreter: Any, signature: str, graph: int, subject: str) -> None:
        self._interpreter, self._number = interpreter, graph
        self._runner = interpreter.get_signature_runner(signature)
        self.inputs, self._into = _called(told(self._runner.get_input_details, "an input", subject))
        self.outputs, self._out = _called(
            told(self._runner.get_output_details, "an output", subject)
        )
        self._fed: dict[str, NDArray[Any]] = {}
        self._given: dict[str, NDArray[Any]] = {}

    def resize(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """The call itself fits the graph to what it is fed."""

    def feed(self, raw: Mapping[str, NDArray[Any]]) -> None:
        self._fed = {self._into[name]: values for name, values in raw.items()}

    def invoke(self) -> None:
        self._given = self._runner(**self._fed)

    def fetch(self) -> dict[str, NDArray[Any]]:
        return {name: self._given[self._out[name]] for name in self.outputs}

    def tensor(self, index: int) -> NDArray[Any]:
        out: NDArray[Any] = self._interpreter.get_tensor(index, self._number)
        return out


def entry(interpreter: Any, signature: str, subject: str) -> Entry:
    """The graph that a signature names; without a name the first, of a file with one signature.

    ArtifactError where there is no such signature, or none of several is named.
    """
    known = told(interpreter._get_full_signature_list, "a signature", subject)  # noqa: SLF001 tensors
    if not signature and len(known) > 1:
        raise _unnamed(known, subject)
    if signature and signature not in known:
        raise _unknown(known, signature, subject)
    called = signature or next(iter(known), "")
    graph = _place(interpreter, called) if called else 0
    if signature and graph:
        return _Signed(interpreter, signature, graph, subject)
    return _Main(interpreter, known[called] if called and not graph else {}, subject)


def _place(interpreter: Any, signature: str) -> int:
    """The number of the graph that a signature names; the public interface does not tell it."""
    return int(interpreter._interpreter.GetSubgraphIndexFromSignature(signature))  # noqa: SLF001


def told(read: Callable[[], Any], what: str, subject: str) -> Any:
    """What LiteRT tells of a file's ports; ArtifactError where a name in it is no text."""
    try:
        return read()
    except UnicodeDecodeError as error:
        raise ArtifactError(
            f"the name of {what} of {subject} is no text",
            expected="UTF-8",
            got=repr(error.object[:80]),
            remedy="build it again, or fetch it again if it came from elsewhere",
        ) from error


def _unnamed(known: Mapping[str, Any], subject: str) -> ArtifactError:
    return ArtifactError(
        f"{subject} has {len(known)} signatures, and none of them is named",
        expected=f"one of {listed(known)}",
        remedy='name it: litegate.prebuilt(signature="..."), or --signature',
    )


def _unknown(known: Mapping[str, Any], signature: str, subject: str) -> ArtifactError:
    return ArtifactError(
        f"{subject} has no signature {signature!r}",
        expected=f"one of {listed(known)}" if known else "no signature=..., for the file has none",
        remedy="correct the name of the signature",
    )


def _ports(details: list[dict[str, Any]], signature: Mapping[str, int]) -> dict[str, Port]:
    """Ports in the signature's order; one that it does not name comes after them."""
    rest = {one["index"]: one for one in details}
    signed = [(rest[index], name) for name, index in signature.items() if index in rest]
    other = [one for index, one in rest.items() if index not in signature.values()]
    return named([*(port(*each) for each in signed), *(port(one, one["name"]) for one in other)])


def _called(details: Mapping[str, Any]) -> tuple[dict[str, Port], dict[str, str]]:
    """Ports by their names, and what the signature calls each."""
    ports = named(port(detail, name) for name, detail in details.items())
    return ports, dict(zip(ports, details, strict=True))
