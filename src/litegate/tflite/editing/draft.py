"""A `.tflite` file unpacked into the schema's own objects, to change and to pack again."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.core.errors import ConfigError
from litegate.tflite.editing.writer import pack
from litegate.tflite.ports import canonical


def edit(tflite: bytes, change: Callable[[Any], None]) -> bytes:
    """Unpack a file, let `change` alter the `schema_py_generated.ModelT`, and pack it again."""
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    change(model)
    return pack(model)


@final
class Draft:
    """A graph of an unpacked model: finds tensors by name and puts operators in between.

    It is the one that `signature` names, or the first. Of several outputs `output` names the one
    that decides, as the signature calls it; the first of the signature without a name.
    """

    def __init__(self, model: Any, *, signature: str = "", output: str = "") -> None:
        self.model = model
        self._signed = _signed(model, signature)
        self.graph = model.subgraphs[self._signed.subgraphIndex if self._signed else 0]
        self._output = output

    @property
    def output(self) -> int:
        """The index of the output that decides; that of the only one where there is one."""
        outputs = [int(index) for index in self.graph.outputs]
        if len(outputs) == 1 or not self._signed:
            return outputs[0]
        named = {canonical(_text(one.name)): int(one.tensorIndex) for one in self._signed.outputs}
        return named.get(canonical(self._output), named[min(named)])

    def index(self, name: str) -> int:
        """The index of the tensor called `name`; ConfigError where there is none."""
        names = [name_of(tensor) for tensor in self.graph.tensors]
        if name not in names:
            raise ConfigError(f"no tensor is called {name}", expected=f"one of {', '.join(names)}")
        return names.index(name)

    def tensor(self, name: str) -> Any:
        """The `TensorT` called `name`."""
        return self.graph.tensors[self.index(name)]

    def writer(self, name: str) -> int:
        """The number of the operator that writes the tensor; ConfigError where none does."""
        index = self.index(name)
        numbers = [n for n, op in enumerate(self.graph.operators) if index in op.outputs]
        if not numbers:
            raise ConfigError(f"no operator writes the tensor {name}")
        return numbers[0]

    def holds(self, tensor: Any) -> bool:
        """Whether a tensor is a constant."""
        return self.model.buffers[tensor.buffer].data is not None

    def values(self, tensor: Any) -> NDArray[Any]:
        """What a constant holds, in its own type and shape; ConfigError for a computed tensor."""
        if not self.holds(tensor):
            raise ConfigError(f"tensor {name_of(tensor)} is computed", expected="a constant")
        data = self.model.buffers[tensor.buffer].data
        return np.frombuffer(bytes(data), dtype_of(tensor)).reshape(tensor.shape)

    def store(self, tensor: Any, values: NDArray[Any]) -> None:
        """Give a constant other values, and their type; no other tensor changes with it."""
        raw = np.frombuffer(values.tobytes(), np.uint8)
        tensors = [one for graph in self.model.subgraphs for one in graph.tensors]
        if sum(one.buffer == tensor.buffer for one in tensors) > 1:
            self.model.buffers.append(schema.BufferT())
            tensor.buffer = len(self.model.buffers) - 1
        self.model.buffers[tensor.buffer].data = raw
        tensor.type = getattr(schema.TensorType, values.dtype.name.upper())

    def beside(self, index: int, suffix: str) -> int:
        """Add a tensor like that of `index`, its name followed by `suffix`; return its index."""
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

    def read_instead(self, index: int, other: int) -> None:
        """Let whoever reads tensor `index` read `other`."""
        for operator in self.graph.operators:
            operator.inputs = [other if i == index else i for i in operator.inputs]
        self.graph.outputs = [other if i == index else i for i in self.graph.outputs]
        for signature in self.model.signatureDefs or ():
            for port in signature.outputs:
                port.tensorIndex = other if port.tensorIndex == index else port.tensorIndex

    def step(self, name: str, source: int, result: int) -> Any:
        """An operator of the schema's name, version 1, without options; not yet in the graph."""
        code = self.code(getattr(schema.BuiltinOperator, name), 1)
        return schema.OperatorT(opcodeIndex=code, inputs=[source], outputs=[result])

    def builtin(self, operator: Any) -> int:
        """The number of an operator's kind, of the schema's `BuiltinOperator`."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        return int(max(code.builtinCode, code.deprecatedBuiltinCode))

    def code(self, number: int, version: int, custom: str | None = None) -> int:
        """Add an operator code; return its index."""
        deprecated = min(number, 127)
        code = schema.OperatorCodeT(
            builtinCode=number,
            deprecatedBuiltinCode=deprecated,
            version=version,
            customCode=custom,
        )
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1


def _signed(model: Any, signature: str) -> Any:
    """The signature of a name, or of the first graph; None without one."""
    found = model.signatureDefs or ()
    if signature:
        return next((one for one in found if _text(one.signatureKey) == signature), None)
    return next((one for one in found if one.subgraphIndex == 0), None)


def _text(name: bytes | str | None) -> str:
    return name.decode() if isinstance(name, bytes) else name or ""


def name_of(tensor: Any) -> str:
    """A tensor's name; empty in a stripped file."""
    return bytes(tensor.name or b"").decode()


def dtype_of(tensor: Any) -> str:
    """The name of a `TensorT`'s type as NumPy has it."""
    names = {number: name for name, number in vars(schema.TensorType).items()}
    return str(names[tensor.type]).lower()
