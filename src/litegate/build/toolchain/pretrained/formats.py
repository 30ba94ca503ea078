"""What lies in a file: which format, by its first bytes, and the network's written form."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from litegate.build.toolchain.pretrained.safety import Config, refused

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
GRAPH, METADATA = "saved_model.pb", "keras_metadata.pb"
"""In the folder of a SavedModel; the second is tf_keras's alone."""
_METRIC = "_tf_keras_metric"
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, ValueError, TypeError),
    *(RecursionError, NotImplementedError, RuntimeError),
)
"""What reading a damaged file may raise."""
_FORMATS = "a .keras or .h5 file of Keras, or the folder of a SavedModel"
_AGAIN = "write it again with model.save(...), and copy it whole"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A network as its file has it written down."""

    suffix: str
    """What Keras knows the format by; empty for a folder."""
    keras3: bool
    """Whether Keras 3 wrote it, and not tf_keras or what came before."""
    config: Config


def damaged(name: str, error: Exception | str) -> Exception:
    """The error of a file that cannot be read to its end."""
    told = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return refused(
        name, got=" ".join(told.split())[:300], expected=f"a whole file: {_FORMATS}", remedy=_AGAIN
    )


def is_saved_model(path: Path) -> bool:
    """Whether it is the folder of a SavedModel."""
    return (path / GRAPH).is_file()


def read(path: Path, name: str) -> Written:
    """The network of a `.keras` or `.h5` file, unless its bytes say that it is none."""
    if path.is_dir():
        raise refused(
            name, got=f"a folder without {GRAPH}", expected=_FORMATS, remedy="correct the path"
        )
    with path.open("rb") as file:
        first = file.read(8)
    readers = {_ZIP: _zipped, _HDF5: _hdf5}
    found = next((read for magic, read in readers.items() if first.startswith(magic)), None)
    if found is None:
        raise refused(
            name, got=f"a file that begins with {first!r}", expected=_FORMATS, remedy=_AGAIN
        )
    return found(path, name)


def _zipped(path: Path, name: str) -> Written:
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            version = str(json.loads(archive.read("metadata.json"))["keras_version"])
    except _UNREADABLE as error:
        raise damaged(name, error) from error
    return Written(suffix=".keras", keras3=_is_keras3(version), config=config)


def _hdf5(path: Path, name: str) -> Written:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            text, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "")
    except _UNREADABLE as error:
        raise damaged(name, error) from error
    if text is None:
        raise refused(
            name,
            got="weights alone",
            expected="a network with its weights",
            remedy="write it with model.save(...); or let a builder make the network and load them "
            "(`@litegate.model(files=[...])`)",
        )
    try:
        return Written(suffix=".h5", keras3=_is_keras3(_text(version)), config=json.loads(text))
    except _UNREADABLE as error:
        raise damaged(name, error) from error


def _text(found: Any) -> str:
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)


def _is_keras3(version: str) -> bool:
    return version.partition(".")[0] == "3"


def keras_nodes(folder: Path, name: str) -> tuple[list[Config], list[Config]]:
    """What tf_keras wrote into a SavedModel: of layers, the network's own first, and of metrics."""
    from google.protobuf.message import DecodeError
    from tf_keras.protobuf.saved_metadata_pb2 import SavedMetadata

    try:
        nodes = SavedMetadata.FromString((folder / METADATA).read_bytes()).nodes
        found: tuple[list[Config], list[Config]] = ([], [])
        for node in sorted(nodes, key=lambda it: it.node_id):
            found[node.identifier == _METRIC].append(json.loads(node.metadata))
    except (OSError, DecodeError, ValueError, RecursionError) as error:
        raise damaged(name, error) from error
    return found
