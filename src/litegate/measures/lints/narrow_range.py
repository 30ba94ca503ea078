"""Warn about samples that fill very little of their domain, as after one division too many."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from litegate.core.units import Unit, text
from litegate.measures.lints.saturation import spread_samples
from litegate.spec import Artifact, by_input

MIN_SHARE = 0.05
"""Smallest share of a domain that its samples may fill without a note.

Bytes divided by 255 twice fill 1/255 (0.4 %) of their domain. A larger share would also warn about
correct samples in a generous domain."""


def narrow_range_notes(artifact: Artifact) -> tuple[str, ...]:
    """Return a note for each input whose samples fill less than `MIN_SHARE` of its domain."""
    return tuple(
        note
        for name, array in by_input(spread_samples(artifact))
        if len(array) and (note := _note(name, np.asarray(array), _domain(artifact, name)))
    )


def _domain(artifact: Artifact, name: str) -> tuple[float, float]:
    domain = artifact.evaluation.domain
    return domain[name] if isinstance(domain, Mapping) else domain


def _note(name: str, samples: np.ndarray, domain: tuple[float, float]) -> str:
    low, high = (float(end) for end in (samples.min(), samples.max()))
    share = (high - low) / (domain[1] - domain[0])
    if share >= MIN_SHARE:
        return ""
    subject = f"the samples of {name}" if name else "the samples"
    return (
        f"{subject} lie between {low:.4g} and {high:.4g}, {text(share, Unit.PERCENT)} of the "
        f"declared domain {domain[0]:g} to {domain[1]:g}: they may be divided twice, or the "
        "domain is wrong"
    )
