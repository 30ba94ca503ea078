"""Rebuild a Keras 3 network in tf_keras from its configuration: layers and their connections."""

from __future__ import annotations

from typing import Any

from litegate.build.toolchain.keras3.layer_configs import Config, translate_config
from litegate.build.toolchain.keras3.supported import layer_error, network_error

TensorReference = list[Any]
"""A tensor: the name of its layer, the index of the layer's call, the index of the output, and
in an inbound node the call's keyword arguments."""
_UNREADABLE = (TypeError, ValueError, KeyError, AttributeError)
"""Exceptions that tf_keras raises for a configuration that it cannot read."""
_KNOWN = "settings that tf_keras knows"


def rebuild(keras: Any, network: Any) -> Any:
    """Build the tf_keras twin of a Keras 3 Sequential or Functional network, with new weights.

    Raises ToolchainError, naming the layer, for settings and calls that tf_keras does not have.
    """
    keras3_config = network.get_config()
    layers = [_translate_layer(keras, entry) for entry in keras3_config["layers"]]
    config: Config = {"name": keras3_config["name"], "layers": layers}
    kind = keras.Sequential
    if type(network).__name__ == "Functional":
        kind = keras.Model
        for port in ("input_layers", "output_layers"):
            config[port] = _translate_ports(network.name, keras3_config[port])
        for layer, entry in zip(layers, keras3_config["layers"], strict=True):
            calls = [_translate_call(entry["name"], call) for call in entry["inbound_nodes"]]
            layer |= {"name": entry["name"], "inbound_nodes": calls}
    try:
        return kind.from_config(config)
    except _UNREADABLE as error:
        raise network_error(network.name, got=_last_line(error), expected=_KNOWN) from error


def _translate_layer(keras: Any, entry: Config) -> Config:
    """Translate a layer's entry; build the layer once, so that an error names it."""
    kind = entry["class_name"]
    config = translate_config(keras, kind, entry["config"])
    try:
        getattr(keras.layers, kind).from_config(config)
    except _UNREADABLE as error:
        raise layer_error(config["name"], got=_last_line(error), expected=_KNOWN) from error
    return {"class_name": kind, "config": config}


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]


def _translate_call(name: str, call: Config) -> list[TensorReference]:
    """Translate a layer's call to the format of tf_keras.

    Raises ToolchainError for arguments other than tensors and `training`.
    """
    kwargs = {key: value for key, value in call["kwargs"].items() if value is not None}
    first: Any = call["args"][0] if call["args"] else None
    tensors = first if isinstance(first, list | tuple) else [first]
    if len(call["args"]) != 1 or set(kwargs) - {"training"} or not all(map(_is_tensor, tensors)):
        raise layer_error(
            name,
            got=f"a call with {len(call['args'])} arguments"
            + "".join(f", {key}=" for key in kwargs),
            expected="a call with a tensor or a list of tensors, and training=... at most",
        )
    return [[*tensor["config"]["keras_history"], kwargs] for tensor in tensors]


def _is_tensor(argument: Any) -> bool:
    return isinstance(argument, dict) and argument.get("class_name") == "__keras_tensor__"


def _translate_ports(name: str, ports: Any) -> list[Any]:
    """Translate inputs or outputs: a single tensor, or a list of tensors."""
    if isinstance(ports, dict):
        raise network_error(
            name, got="inputs or outputs in a dictionary", expected="a tensor or a list of tensors"
        )
    if isinstance(ports[0], str):
        return list(ports)
    return list(ports[0] if len(ports) == 1 else ports)
