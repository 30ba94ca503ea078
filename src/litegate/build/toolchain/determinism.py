"""The ground that every build stands on: versions, flags, threads."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.pins import INSTALL, PINS, installed

FLAGS = {
    "TF_USE_LEGACY_KERAS": "1",
    "KERAS_BACKEND": "tensorflow",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "CUDA_VISIBLE_DEVICES": "-1",
}
"""Environment variables that TensorFlow and Keras 3 read when they are imported."""
_STRAY = ("TF_XLA_FLAGS", "XLA_FLAGS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Frameworks:
    """The imported modules."""

    tf: Any
    keras: Any
    """`tf_keras`, never Keras 3."""


def set_flags() -> None:
    """Fix the environment variables that change what TensorFlow computes."""
    os.environ.update(FLAGS)
    for name in _STRAY:
        os.environ.pop(name, None)


def check_versions() -> None:
    """Refuse to build with other versions than the pinned ones."""
    got = {name: installed(name) for name in PINS}
    wrong = [name for name, pinned in PINS.items() if got[name] != pinned]
    if wrong:
        missing = not all(got[name] for name in wrong)
        raise ToolchainError(
            "versions",
            "the tool chain is not installed" if missing else "the tool chain has other versions",
            expected=", ".join(f"{name} {PINS[name]}" for name in wrong),
            got=", ".join(f"{name} {got[name] or 'not installed'}" for name in wrong),
            remedy=INSTALL,
        )


def is_tensorflow_here() -> bool:
    """Whether somebody has imported TensorFlow."""
    return "tensorflow" in sys.modules


def fix_threads(threads: int) -> None:
    """Give TensorFlow its threads before it is imported: a data set may be one of `tf.data`."""
    os.environ |= {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1"}


def load_frameworks(threads: int, *, fixed: bool = False) -> Frameworks:
    """Import TensorFlow and tf_keras, on the processor alone and deterministic.

    Refuses where the user's file has made TensorFlow compute before its threads could be set,
    unless they were `fixed` before that.
    """
    import tensorflow as tf
    import tf_keras as keras

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError as error:
        if fixed:
            return _deterministic(tf, keras)
        raise ToolchainError(
            "config",
            "TensorFlow was at work before the model's builder was called",
            got=str(error),
            remedy="let the model's file compute inside its functions, not while it is imported",
        ) from error
    return _deterministic(tf, keras)


def _deterministic(tf: Any, keras: Any) -> Frameworks:
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")
    return Frameworks(tf=tf, keras=keras)


def facts() -> dict[str, Any]:
    """What of this machine and its software made an artifact, in JSON's types."""
    return {
        "versions": {name: installed(name) for name in PINS} | {"numpy": version("numpy")},
        "python": platform.python_version(),
        "processor": _processor(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "environment": {name: os.environ[name] for name in FLAGS},
        "onednn": os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1",
    }


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text("utf-8", "replace").splitlines() if listed.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
