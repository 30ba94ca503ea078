"""Define BuildRequest: what the pipeline builds, of this checkout or of the base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from litegate.spec import File, Recipe
from litegate.spec.training import CPU


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """Recipes of a model to build, from this checkout or from the base's worktree."""

    model: str
    """The model's name in its file."""
    file: Path
    project: Path
    keys: Mapping[str, str]
    """Artifact keys by recipe."""
    stems: Mapping[str, str]
    """The part of each key that does not depend on the tool chain, by recipe."""
    data_key: str
    seed: int | None = None
    """Replaces the seed that the file declares, unless None."""
    device: str = CPU
    """Replaces the device that the file declares."""
    prebuilt: Mapping[str, File] = field(default_factory=dict)
    """As `Model.prebuilt`."""
    start: File | None = None
    """As `Model.start`."""
    start_digest: str = ""
    variants: Mapping[str, Recipe] = field(default_factory=dict)
    """Recipes that no file declares: variants of declared ones, by name."""
    float_key: str = ""
    """The key of the float artifact whose file the recipes quantize; empty if they do not."""
