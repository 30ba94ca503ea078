"""Detect a pretrained file's format by its first bytes, and read the network's configuration."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from litegate.build.toolchain.pretrained.allowed_layers import Config, start_error
from litegate.core.escaping import excerpt

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
GRAPH, METADATA = "saved_model.pb", "keras_metadata.pb"
"""Files in the folder of a SavedModel; only tf_keras writes the second."""
_METRIC = "_tf_keras_metric"
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, ValueError, TypeError),
    *(RecursionError, NotImplementedError, RuntimeError),
)
"""Exceptions that reading a damaged file may raise."""
_FORMATS = "a .keras or .h5 file of Keras, or the folder of a SavedModel"
_AGAIN = "save it again with model.save(...), and copy the complete file"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SavedNetwork:
    """A network's configuration, as read from its file."""

    suffix: str
    """The suffix by which Keras recognizes the format; empty for a folder."""
    keras3: bool
    """True if Keras 3 wrote it, not tf_keras or an older Keras."""
    config: Config


def damaged_error(name: str, error: Exception | str) -> Exception:
    """Return the error for a file that cannot be read completely."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    got = excerpt(" ".join(text.split()))
    return start_error(name, got=got, expected=f"a complete file: {_FORMATS}", remedy=_AGAIN)


def is_saved_model(path: Path) -> bool:
    """Return True if the path is the folder of a SavedModel."""
    return (path / GRAPH).is_file()


def read_network(path: Path, name: str) -> SavedNetwork:
    """Read the network of a `.keras` or `.h5` file, by its content whatever its name.

    Raises ToolchainError for other formats and damaged files.
    """
    if path.is_dir():
        raise start_error(
            name, got=f"a folder without {GRAPH}", expected=_FORMATS, remedy="correct the path"
        )
    readers = {_ZIP: _read_keras, _HDF5: _read_hdf5}
    with path.open("rb") as file:
        header = file.read(max(map(len, readers)))
    reader = next((reader for magic, reader in readers.items() if header.startswith(magic)), None)
    if reader is None:
        raise start_error(
            name, got=f"a file that begins with {header!r}", expected=_FORMATS, remedy=_AGAIN
        )
    return reader(path, name)


def _read_keras(path: Path, name: str) -> SavedNetwork:
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            version = str(json.loads(archive.read("metadata.json"))["keras_version"])
    except _UNREADABLE as error:
        raise damaged_error(name, error) from error
    return SavedNetwork(suffix=".keras", keras3=_is_keras3(version), config=config)


def _read_hdf5(path: Path, name: str) -> SavedNetwork:
    import h5py  # late: only `.h5` files need it

    try:
        with h5py.File(path, "r") as file:
            text, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "")
    except _UNREADABLE as error:
        raise damaged_error(name, error) from error
    if text is None:
        raise start_error(
            name,
            got="only weights",
            expected="a network with its weights",
            remedy="save it with model.save(...), or load the weights in a builder "
            "(`@litegate.model(files=[...])`)",
        )
    try:
        return SavedNetwork(
            suffix=".h5", keras3=_is_keras3(_text(version)), config=json.loads(text)
        )
    except _UNREADABLE as error:
        raise damaged_error(name, error) from error


def _text(attribute: Any) -> str:
    is_bytes = isinstance(attribute, bytes)
    return attribute.decode("utf-8", "replace") if is_bytes else str(attribute)


def _is_keras3(version: str) -> bool:
    return version.partition(".")[0] == "3"


def read_keras_nodes(folder: Path, name: str) -> tuple[list[Config], list[Config]]:
    """Read tf_keras's metadata of a SavedModel: configurations of layers and of metrics.

    The first layer is the network itself. Raises ToolchainError if the file is damaged.
    """
    # Late: tf_keras imports TensorFlow, whose flags must be set before (determinism).
    from google.protobuf.message import DecodeError
    from tf_keras.protobuf.saved_metadata_pb2 import SavedMetadata

    try:
        nodes = SavedMetadata.FromString((folder / METADATA).read_bytes()).nodes
        configs: tuple[list[Config], list[Config]] = ([], [])
        for node in sorted(nodes, key=lambda node: node.node_id):
            is_metric = node.identifier == _METRIC
            configs[is_metric].append(json.loads(node.metadata))
    except (OSError, DecodeError, ValueError, RecursionError) as error:
        raise damaged_error(name, error) from error
    return configs
