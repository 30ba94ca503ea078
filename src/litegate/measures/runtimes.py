"""Name the runtime in measurements of answers."""

from __future__ import annotations

from dataclasses import replace

from litegate.measures.measurement import Measurement
from litegate.measures.names import on_runtime_name
from litegate.runtimes.runtime import described
from litegate.spec.runtimes import XNNPACK


def on_runtime(measurement: Measurement, runtime: str, *notes: str) -> Measurement:
    """Return a measurement with its runtime in name and evidence; the default's as it is.

    The name has it, not the subject, so that waivers, history and page keep the verdicts of two
    runtimes apart. `notes` are added to the evidence.
    """
    if runtime == XNNPACK:
        return measurement
    return replace(
        measurement,
        name=on_runtime_name(measurement.name, runtime),
        subject=measurement.subject.removesuffix(f" on {runtime}"),
        evidence=(*measurement.evidence, *notes, described(runtime)),
    )
