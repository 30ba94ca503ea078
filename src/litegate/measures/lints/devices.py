"""Report the models that were built on a GPU, or on the CPU although they declare a GPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from litegate.spec import Artifact, Model
from litegate.spec.training import GPU


def device_notes(model: Model, artifacts: Iterable[Artifact]) -> Iterator[str]:
    """Yield a note on each device of a model's files that is not the declared one, or a GPU."""
    if model.is_moved:
        yield (
            f"{model.name}: built on the {model.training.device.upper()}, as --litegate-device "
            f"asks; with the declared Training(device=...) the files have other bytes"
        )
    gpus = (_gpu(artifact.certificate.get("device")) for artifact in artifacts)
    for gpu in dict.fromkeys(filter(None, gpus)):
        yield f"{model.name}: built on a GPU ({gpu}), so another build has other bytes"


def _gpu(device: Any) -> str:
    """Return name and driver of the GPU that a certificate names; empty on the CPU."""
    if not isinstance(device, Mapping) or device.get("kind") != GPU:
        return ""
    lines = device.get("driver")
    shown = "; ".join(map(str, lines)) if isinstance(lines, list) else ""
    return shown or "unknown driver"
