"""Fix everything that changes a build's bytes: versions, flags, threads."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.gpu import gpu_facts, prepare_gpu
from litegate.build.toolchain.pins import INSTALL, PINS, installed
from litegate.spec.training import CPU

FLAGS = {
    "TF_USE_LEGACY_KERAS": "1",  # tfmot takes networks of tf_keras alone
    "KERAS_BACKEND": "tensorflow",  # Keras 3 networks are translated by running both
    "TF_ENABLE_ONEDNN_OPTS": "1",  # TensorFlow's default, fixed: it changes how sums are rounded
    "TF_CPP_MIN_LOG_LEVEL": "2",  # changes no byte: leaves out notes on the processor, keeps errors
}
"""Environment variables that TensorFlow and Keras 3 read when they are imported."""
_VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"
"""The same of CUDA. A GPU rounds sums differently, and differently in each run."""
_REMOVED = ("TF_XLA_FLAGS", "XLA_FLAGS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
"""Variables that a user may have set: other kernels or threads order float sums differently."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Frameworks:
    """The imported modules."""

    tf: Any
    keras: Any
    """`tf_keras`, never Keras 3."""
    device: str = CPU


def set_flags(device: str = CPU) -> None:
    """Fix the environment variables that change what TensorFlow computes; hide GPUs on the CPU."""
    os.environ.update(FLAGS)
    if device == CPU:
        os.environ[_VISIBLE_GPUS] = "-1"
    for name in _REMOVED:
        os.environ.pop(name, None)


def check_versions(pins: Mapping[str, str] = PINS, install: str = INSTALL) -> None:
    """Raise ToolchainError unless the pinned versions are installed."""
    versions = {name: installed(name) for name in pins}
    wrong = [name for name, pinned in pins.items() if versions[name] != pinned]
    if wrong:
        is_missing = not all(versions[name] for name in wrong)
        raise ToolchainError(
            "versions",
            "the tool chain is not installed"
            if is_missing
            else "the tool chain has other versions",
            expected=", ".join(f"{name} {pins[name]}" for name in wrong),
            got=", ".join(f"{name} {versions[name] or 'not installed'}" for name in wrong),
            remedy=install,
        )


def is_tensorflow_imported() -> bool:
    """Return True if any code has imported TensorFlow."""
    return "tensorflow" in sys.modules


def fix_threads(threads: int) -> None:
    """Set the number of TensorFlow's threads before its import: a data set may use `tf.data`.

    TensorFlow starts its threads at the first computation, and keeps their number from then on. One
    operation runs at a time: which of two runs first must not depend on the machine.
    """
    os.environ |= {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1"}


def load_frameworks(threads: int, *, device: str = CPU, fixed: bool = False) -> Frameworks:
    """Import TensorFlow and tf_keras; on the CPU restrict them to deterministic operations.

    Raises ToolchainError if there is no GPU to train on, or if TensorFlow has computed already, so
    that its threads cannot be set any more, unless they were `fixed` before that by `fix_threads`.
    The order of float sums decides the file's bytes, and the number of threads decides that order.
    """
    # Late: TensorFlow reads the flags of `set_flags` when it is imported.
    import tensorflow as tf
    import tf_keras as keras

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        if device == CPU:
            tf.config.set_visible_devices([], "GPU")
    except RuntimeError as error:
        if fixed:
            return _configured(tf, keras, device)
        raise ToolchainError(
            "config",
            "TensorFlow ran before the model's builder was called",
            got=str(error),
            remedy="move TensorFlow code of the model's file into its functions",
        ) from error
    return _configured(tf, keras, device)


def _configured(tf: Any, keras: Any, device: str) -> Frameworks:
    if device == CPU:
        tf.config.experimental.enable_op_determinism()
    else:
        prepare_gpu(tf)
    tf.get_logger().setLevel("ERROR")
    return Frameworks(tf=tf, keras=keras, device=device)


def environment_facts(frameworks: Frameworks) -> dict[str, Any]:
    """Return the facts of machine and software for an artifact's birth certificate."""
    names = (*FLAGS, _VISIBLE_GPUS)
    is_on_gpu = frameworks.device != CPU
    return machine_facts(PINS) | {
        "environment": {name: os.environ[name] for name in names if name in os.environ},
        "device": gpu_facts(frameworks.tf) if is_on_gpu else {"kind": CPU},
        "bit_reproducible": not is_on_gpu,
        "onednn": os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1",
    }


def machine_facts(pins: Mapping[str, str]) -> dict[str, Any]:
    """Return the facts that do not depend on TensorFlow."""
    return {
        "versions": {name: installed(name) for name in pins} | {"numpy": version("numpy")},
        "python": platform.python_version(),
        "processor": _processor(),
        "platform": f"{sys.platform}-{platform.machine()}",
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text("utf-8", "replace").splitlines() if cpuinfo.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
