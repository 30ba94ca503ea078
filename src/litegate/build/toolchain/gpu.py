"""Train on an NVIDIA GPU: demand one, turn off its shorter floats, and describe it.

Such a build is not bit-reproducible: TensorFlow's operator determinism is off, because the gradient
of the fake quantization that tfmot inserts has no deterministic kernel for GPUs
(github.com/tensorflow/model-optimization/issues/1087).
"""

from __future__ import annotations

import os
from typing import Any

from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.pins import PINS
from litegate.core.child_process import ChildError, run
from litegate.spec.training import GPU

_QUERY = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
_SECONDS = 30.0
"""Time limit of nvidia-smi: it answers in about a second, and hangs if the driver does."""


def prepare_gpu(tf: Any) -> None:
    """Make TensorFlow train on a GPU in float32. Raises ToolchainError if it sees none."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        raise ToolchainError(
            "device",
            "there is no GPU that TensorFlow can use",
            expected='an NVIDIA GPU, as Training(device="gpu") declares',
            got=_seen_instead(),
            remedy="build on a machine with a GPU and "
            f"`pip install 'tensorflow[and-cuda]=={PINS['tensorflow']}'`, or on the CPU: "
            "--litegate-device cpu (LITEGATE_DEVICE=cpu for commands)",
        )
    for gpu in gpus:
        try:  # else one build takes all of its memory, and no other build can share it
            tf.config.experimental.set_memory_growth(gpu, True)  # noqa: FBT003 no keyword there
        except RuntimeError:  # TensorFlow has computed already: the memory is taken
            break
    # TensorFlow's default rounds the factors of products to 10 bits on GPUs that can.
    tf.config.experimental.enable_tensor_float_32_execution(False)  # noqa: FBT003 as above


def _seen_instead() -> str:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    hidden = "" if visible is None else f", with CUDA_VISIBLE_DEVICES={visible}"
    return f"nvidia-smi: {_driver_lines()[0]}{hidden}"


def gpu_facts(tf: Any) -> dict[str, Any]:
    """Return the facts of the GPUs for a birth certificate."""
    details = tf.config.experimental.get_device_details
    names = [details(gpu).get("device_name", "") for gpu in tf.config.list_physical_devices("GPU")]
    libraries = tf.sysconfig.get_build_info()
    return {
        "kind": GPU,
        "names": names,
        "driver": _driver_lines(),
        "cuda": libraries.get("cuda_version", ""),
        "cudnn": libraries.get("cudnn_version", ""),
    }


def _driver_lines() -> list[str]:
    """Return a line with name and driver version of each GPU, or one that says why not."""
    try:
        finished = run(_QUERY, stdin=b"", timeout=_SECONDS)
    except ChildError:
        return [f"no answer within {_SECONDS:g} s"]
    except OSError:
        return ["not installed"]
    lines = [line.strip() for line in finished.stdout.splitlines() if line.strip()]
    # More than any machine has: another program of that name may print without end.
    return lines[:64] or [finished.last_output.partition("\n")[0] or "no answer"]
