"""Samples that fill next to nothing of their domain, as after a division too many."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from litegate.core.units import Unit, text
from litegate.measures.lints.saturation import telling
from litegate.spec import Artifact, by_input

LEAST = 0.05
"""The share of a domain that samples fill."""


def narrow(artifact: Artifact) -> tuple[str, ...]:
    """A note for each input whose samples, from all over the split, fill less than `LEAST`."""
    return tuple(
        note
        for name, array in by_input(telling(artifact))
        if len(array) and (note := _note(name, np.asarray(array), _domain(artifact, name)))
    )


def _domain(artifact: Artifact, name: str) -> tuple[float, float]:
    domain = artifact.evaluation.domain
    return domain[name] if isinstance(domain, Mapping) else domain


def _note(name: str, samples: np.ndarray, domain: tuple[float, float]) -> str:
    low, high = (float(end) for end in (samples.min(), samples.max()))
    share = (high - low) / (domain[1] - domain[0])
    if share >= LEAST:
        return ""
    whose = f"the samples of {name}" if name else "the samples"
    return (
        f"{whose} lie between {low:.4g} and {high:.4g}, {text(share, Unit.PERCENT)} of the declared"
        f" domain {domain[0]:g} to {domain[1]:g}: a division too many, or a domain of other samples"
    )
