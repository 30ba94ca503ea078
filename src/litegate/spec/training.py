"""Define Training: hyperparameters, device, and what a build needs of a machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, final

from litegate.core.errors import ConfigError

CPU, GPU = "cpu", "gpu"
DEVICES = (CPU, GPU)
DECLARED = "declared"
"""The value of `--litegate-device` for which models are built on the devices that they declare."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Resources that a build needs of a machine; not part of an artifact's key.

    Raises ConfigError for a number that is not above 0, or above 1 and not whole: schedulers share
    a core or a GPU among builds, and give whole ones besides.
    """

    cpus: float | None = None
    """Cores; None: as many as `Training(threads=...)`."""
    gpus: float | None = None
    """GPUs; a fraction lets builds share one. None: 1 on a GPU; ignored on the CPU."""
    memory: int | None = None
    """Bytes of main memory; None: any."""

    def __post_init__(self) -> None:
        for name in ("cpus", "gpus", "memory"):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (is_number and 0 < value < math.inf):
                raise ConfigError(
                    f"Resources({name}=...) must be a number above 0", got=repr(value)
                )
            if value is not None and (value > 1 or name == "memory") and value != int(value):
                raise ConfigError(f"Resources({name}=...) must be a whole number", got=repr(value))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Hyperparameters of the training; all fields but `resources` are part of an artifact's key."""

    epochs: int = 1
    """Passes over the training split; 0 keeps the weights that the builder returns. The default is
    that of Keras's `fit`."""
    batch_size: int = 32
    """Samples of a training step; the default is that of Keras's `fit`."""
    seed: int = 7
    """Seeds the initial weights, the order of the batches and every random layer.

    The number is arbitrary; it is fixed, so that a build gives the same bytes again."""
    optimizer: str = "adam"
    """Name of a Keras optimizer."""
    learning_rate: float | None = None
    """None: the optimizer's default."""
    fine_tune_learning_rate: float | None = None
    """Learning rate of fine-tuning, also of the reference's extra epochs; None: `learning_rate`."""
    loss: str | Mapping[str, str] = "sparse_categorical_crossentropy"
    """Name of a Keras loss; for several outputs one for all, or a mapping from each output."""
    from_logits: bool = True
    """For a cross-entropy: True if the network's last layer has no softmax.

    tf_keras trains a last layer with a softmax on its logits in both cases."""
    threads: int = 1
    """Threads of one operation. Fixed, since the order of float sums decides the file's bytes; one
    by default, because every machine has it. More train faster, and give other bytes."""
    device: str = CPU
    """"cpu", or "gpu" to train on an NVIDIA GPU, which does not give the same bytes again."""
    resources: Resources = field(default_factory=Resources)
    """Resources of the machine that builds, for `--litegate-builder ray`."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "threads", "seed"):
            if not isinstance(getattr(self, name), int):
                raise ConfigError(
                    f"Training({name}=...) must be a whole number", got=repr(getattr(self, name))
                )
        for name, least in (("epochs", 0), ("batch_size", 1), ("threads", 1)):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"Training({name}=...) must be at least {least}", got=str(getattr(self, name))
                )
        if self.seed < 0:
            raise ConfigError("Training(seed=...) must not be negative", got=str(self.seed))
        if self.device not in DEVICES:
            raise ConfigError(
                "Training(device=...) is not a device",
                expected=" or ".join(DEVICES),
                got=repr(self.device),
            )

    def spec(self) -> dict[str, Any]:
        """Return the fields that decide an artifact's bytes, without the default device.

        Keys of artifacts that were built before there were devices stay as they are.
        """
        fields = asdict(self)
        del fields["resources"]
        if self.device == CPU:
            del fields["device"]
        return fields

    @property
    def cpus(self) -> float:
        """Cores that a build needs."""
        return self.threads if self.resources.cpus is None else self.resources.cpus

    @property
    def gpus(self) -> float:
        """GPUs that a build needs; 0 on the CPU, whatever `resources` names."""
        if self.device == CPU:
            return 0
        return 1 if self.resources.gpus is None else self.resources.gpus
