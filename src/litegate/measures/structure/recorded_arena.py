"""Measure the arena that TensorFlow Lite Micro's interpreter records."""

from __future__ import annotations

from litegate.core.units import Unit
from litegate.measures.measurement import Measurement
from litegate.measures.names import Name
from litegate.measures.structure.runtime_trial import trial_of
from litegate.runtimes.runtime import Arena
from litegate.spec import Artifact


def recorded_arena(artifact: Artifact) -> Measurement:
    """Measure the bytes that the artifact's runtime recorded after an invocation.

    Raises Refused if the runtime refuses the file, ArtifactError if it crashes, hangs or records
    nothing, ConfigError if this machine does not have it.
    """
    record = trial_of(artifact).recorded()
    return Measurement(
        name=Name.ARENA,
        subject=artifact.name,
        value=record.total,
        unit=Unit.BYTES,
        n=1,
        evidence=arena_lines(record),
        artifacts=(artifact.sha256,),
    )


def arena_lines(arena: Arena) -> tuple[str, str]:
    """Describe a record: its head and tail, then the parts of the tail."""
    named = (*arena.parts.items(), ("rest", arena.rest))
    parts = ", ".join(f"{name} {size:,} B" for name, size in named)
    return (
        f"recorded by the interpreter: head {arena.head:,} B, tail {arena.tail:,} B",
        f"head: activations and scratch memory; tail, what persists: {parts}",
    )
