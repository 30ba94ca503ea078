"""Edit a `.tflite` file: unpack it into the schema's objects, change them, and pack them again."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.core.errors import ConfigError
from litegate.tflite.editing.writer import deprecated_code, pack
from litegate.tflite.graph import sole_graph
from litegate.tflite.nibbles import INT4, pack_nibbles, unpack_nibbles
from litegate.tflite.ports import canonical_name


def edit(tflite: bytes, change: Callable[[Any], None]) -> bytes:
    """Unpack a file, let `change` alter the `schema_py_generated.ModelT`, and pack it again."""
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    change(model)
    return pack(model)


@final
class Draft:
    """A graph of an unpacked model, with methods to find tensors and to insert operators.

    `signature` selects the graph, by default that of the only signature, or the first. `output`
    names the deciding output as the signature does; by default it is the signature's first.
    """

    def __init__(self, model: Any, *, signature: str = "", output: str = "") -> None:
        self.model = model
        self._signature = _find_signature(model, signature)
        self.graph = model.subgraphs[self._signature.subgraphIndex if self._signature else 0]
        self._output = output

    @property
    def output(self) -> int:
        """The tensor index of the deciding output, or of the only output."""
        outputs = [int(index) for index in self.graph.outputs]
        if len(outputs) == 1 or not self._signature:
            return outputs[0]
        named = {
            canonical_name(_text(port.name)): int(port.tensorIndex)
            for port in self._signature.outputs
        }
        return named.get(canonical_name(self._output), named[min(named)])

    def index(self, name: str) -> int:
        """Return the index of the tensor `name`; raise ConfigError if there is none."""
        names = [name_of(tensor) for tensor in self.graph.tensors]
        if name not in names:
            raise ConfigError(f"no tensor is named {name}", expected=f"one of {', '.join(names)}")
        return names.index(name)

    def tensor(self, name: str) -> Any:
        """Return the `TensorT` called `name`."""
        return self.graph.tensors[self.index(name)]

    def writer(self, name: str) -> int:
        """Return the number of a tensor's writing operator; raise ConfigError if none writes it."""
        index = self.index(name)
        numbers = [n for n, op in enumerate(self.graph.operators) if index in op.outputs]
        if not numbers:
            raise ConfigError(f"no operator writes the tensor {name}")
        return numbers[0]

    def holds(self, tensor: Any) -> bool:
        """Return True if a tensor is a constant."""
        return self.model.buffers[tensor.buffer].data is not None

    def values(self, tensor: Any) -> NDArray[Any]:
        """Return the values of a constant, in its own type and shape; int8 for int4.

        Raises ConfigError for a computed tensor.
        """
        if not self.holds(tensor):
            raise ConfigError(f"tensor {name_of(tensor)} is computed", expected="a constant")
        data = self.model.buffers[tensor.buffer].data
        if dtype_of(tensor) == INT4:
            return unpack_nibbles(bytes(data), int(np.prod(tensor.shape))).reshape(tensor.shape)
        return np.frombuffer(bytes(data), dtype_of(tensor)).reshape(tensor.shape)

    def store(self, tensor: Any, values: NDArray[Any], *, dtype: str = "") -> None:
        """Replace a constant's values and type; tensors that share its buffer keep theirs.

        As `dtype` "int4", which an int4 constant keeps if its new values are int8, they are packed.
        """
        if not dtype and values.dtype == np.int8 and dtype_of(tensor) == INT4:
            dtype = INT4
        raw = pack_nibbles(values) if dtype == INT4 else np.frombuffer(values.tobytes(), np.uint8)
        tensors = [sibling for graph in self.model.subgraphs for sibling in graph.tensors]
        if sum(sibling.buffer == tensor.buffer for sibling in tensors) > 1:
            self.model.buffers.append(schema.BufferT())
            tensor.buffer = len(self.model.buffers) - 1
        self.model.buffers[tensor.buffer].data = raw
        tensor.type = getattr(schema.TensorType, (dtype or values.dtype.name).upper())

    def beside(self, index: int, suffix: str) -> int:
        """Add a copy of tensor `index` with `suffix` appended to its name; return its index."""
        twin = copy(self.graph.tensors[index])
        twin.name = (twin.name or b"") + suffix.encode()
        self.graph.tensors.append(twin)
        return len(self.graph.tensors) - 1

    def beside_float(self, index: int) -> int:
        """Add a float32 tensor of the same shape; return its index."""
        number = self.beside(index, "/float")
        twin = self.graph.tensors[number]
        twin.type, twin.quantization = schema.TensorType.FLOAT32, None
        return number

    def constant(self, name: str, values: NDArray[Any]) -> int:
        """Add a tensor that holds values; return its index."""
        self.model.buffers.append(schema.BufferT())
        tensor = schema.TensorT(
            name=name.encode(), shape=list(values.shape), buffer=len(self.model.buffers) - 1
        )
        self.store(tensor, values)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def read_instead(self, index: int, replacement: int) -> None:
        """Redirect every reader of tensor `index`, and every port, to `replacement`."""
        for operator in self.graph.operators:
            operator.inputs = [replacement if i == index else i for i in operator.inputs]
        self.graph.outputs = [replacement if i == index else i for i in self.graph.outputs]
        for signature in self.model.signatureDefs or ():
            for port in signature.outputs:
                port.tensorIndex = replacement if port.tensorIndex == index else port.tensorIndex

    def step(self, name: str, source: int, result: int) -> Any:
        """Create an operator by the schema's name, version 1, without options; do not insert it."""
        code = self.code(getattr(schema.BuiltinOperator, name), 1)
        return schema.OperatorT(opcodeIndex=code, inputs=[source], outputs=[result])

    def builtin(self, operator: Any) -> int:
        """Return the schema's `BuiltinOperator` number of an operator."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        return int(max(code.builtinCode, code.deprecatedBuiltinCode))

    def code(self, number: int, version: int, custom: str | None = None) -> int:
        """Add an operator code; return its index."""
        code = schema.OperatorCodeT(
            builtinCode=number,
            deprecatedBuiltinCode=deprecated_code(number),
            version=version,
            customCode=custom,
        )
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1


def _find_signature(model: Any, name: str) -> Any:
    """Return the signature `name`, by default that of the graph to judge; None if missing."""
    signatures = model.signatureDefs or ()
    if name:
        return next(
            (definition for definition in signatures if _text(definition.signatureKey) == name),
            None,
        )
    graph = sole_graph([definition.subgraphIndex for definition in signatures])
    of_graph = (definition for definition in signatures if definition.subgraphIndex == graph)
    return next(of_graph, None)


def _text(name: bytes | str | None) -> str:
    return name.decode() if isinstance(name, bytes) else name or ""


def name_of(tensor: Any) -> str:
    """Return a tensor's name; it is empty in a stripped file."""
    return bytes(tensor.name or b"").decode()


def dtype_of(tensor: Any) -> str:
    """Return NumPy's name for the type of a `TensorT`."""
    names = {number: name for name, number in vars(schema.TensorType).items()}
    return str(names[tensor.type]).lower()
