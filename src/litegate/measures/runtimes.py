"""Name the runtime in measurements of answers, and measure whether it takes the file."""

from __future__ import annotations

from dataclasses import replace

from litegate.measures.measurement import Measurement, violations
from litegate.measures.names import Name, on_runtime_name
from litegate.runtimes.runtime import described
from litegate.spec import Artifact
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


def runtime_violations(candidate: Artifact) -> Measurement:
    """Measure 1 if the candidate's runtime refuses it, in the runtime's words, and 0 otherwise.

    It is tried on the first samples: other checks need the answers to more. Raises as `predict`,
    for any other error.
    """
    # Late: it loads NumPy.
    from litegate.runtimes.inference import first_samples, predict_at, refusal

    words, tried = refusal(candidate), first_samples(candidate)
    if not words:
        predict_at(candidate, tried)
    measurement = violations(
        Name.RUNTIME_VIOLATIONS,
        candidate.name,
        (words,) if words else (),
        n=1,
        artifacts=(candidate.sha256,),
    )
    return replace(measurement, evidence=(f"tried on {len(tried):,} samples",))
