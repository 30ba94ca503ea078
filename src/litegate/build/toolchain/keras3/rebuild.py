"""The whole network: its layers, and which feeds which."""

from __future__ import annotations

from typing import Any

from litegate.build.toolchain.keras3.layer_configs import Config, translated_config
from litegate.build.toolchain.keras3.supported import network_refused, refused

Triple = list[Any]
"""One tensor: the layer that gives it, which of that layer's calls, which of its outputs."""
_UNREADABLE = (TypeError, ValueError, KeyError, AttributeError)
"""What tf_keras raises for a configuration that it cannot read."""
_KNOWN = "settings that tf_keras knows"


def rebuilt(keras: Any, network: Any) -> Any:
    """The `tf_keras` network of a Keras 3 Sequential or Functional network, with new weights.

    Raises ToolchainError, naming the layer, for settings and calls that tf_keras does not have.
    """
    written = network.get_config()
    layers = [_layer(keras, entry) for entry in written["layers"]]
    config: Config = {"name": written["name"], "layers": layers}
    kind = keras.Sequential
    if type(network).__name__ == "Functional":
        kind = keras.Model
        for port in ("input_layers", "output_layers"):
            config[port] = _ports(network.name, written[port])
        for layer, entry in zip(layers, written["layers"], strict=True):
            calls = [_call(entry["name"], call) for call in entry["inbound_nodes"]]
            layer |= {"name": entry["name"], "inbound_nodes": calls}
    try:
        return kind.from_config(config)
    except _UNREADABLE as error:
        raise network_refused(network.name, got=_last_line(error), expected=_KNOWN) from error


def _layer(keras: Any, entry: Config) -> Config:
    """One layer as tf_keras writes it, tried out."""
    kind = entry["class_name"]
    config = translated_config(keras, kind, entry["config"])
    try:
        getattr(keras.layers, kind).from_config(config)
    except _UNREADABLE as error:
        raise refused(config["name"], got=_last_line(error), expected=_KNOWN) from error
    return {"class_name": kind, "config": config}


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]


def _call(name: str, call: Config) -> list[Triple]:
    """One call of a layer, as tf_keras writes it: each tensor with the call's other arguments."""
    more = {key: value for key, value in call["kwargs"].items() if value is not None}
    first: Any = call["args"][0] if call["args"] else None
    tensors = first if isinstance(first, list | tuple) else [first]
    if len(call["args"]) != 1 or set(more) - {"training"} or not all(map(_is_tensor, tensors)):
        raise refused(
            name,
            got=f"a call with {len(call['args'])} arguments" + "".join(f", {key}=" for key in more),
            expected="a call with a tensor or a list of tensors, and training=... at most",
        )
    return [[*each["config"]["keras_history"], more] for each in tensors]


def _is_tensor(given: Any) -> bool:
    return isinstance(given, dict) and given.get("class_name") == "__keras_tensor__"


def _ports(name: str, found: Any) -> list[Any]:
    """Inputs or outputs: one tensor, or a list of several."""
    if isinstance(found, dict):
        raise network_refused(
            name, got="inputs or outputs in a dictionary", expected="a tensor or a list of tensors"
        )
    if isinstance(found[0], str):
        return list(found)
    return list(found[0] if len(found) == 1 else found)
