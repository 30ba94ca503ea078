"""What a page shows of a candidate beside its verdicts: plain values, ready to be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A sample as a picture."""

    png: bytes
    width: int
    height: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """A sample as a line."""

    values: tuple[float, ...]
    """From 0, the least of the domain, to 1, the greatest."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A sample as a row of numbers."""

    values: tuple[float, ...]
    left_out: int
    """How many more numbers it has."""


Picture = Image | Wave | Numbers


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model says of one sample."""

    chosen: str
    """The name of the class."""
    confidence: float
    """0 to 1: the output itself where outputs are shares of 1, else their softmax."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A sample that exactly one of two models gets right."""

    sample: int
    """Its index in the evaluation split."""
    broken: bool
    """Whether the change broke it; else it fixed it."""
    before: Answer
    after: Answer
    picture: Picture


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FlippedClass:
    """A class with flips."""

    name: str
    n: int
    """Its samples in the evaluation split."""
    broken: int
    fixed: int
    shown: tuple[Flip, ...]
    """Those that the sheet has room for, the broken ones first."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FlipSheet:
    """The very samples that a change broke or fixed, by class, the worst class first."""

    role: str
    """What the candidate is compared with: "base" or "reference"."""
    n: int
    broken: int
    fixed: int
    confused_with: str
    """What most broken samples of the worst class are taken for now; empty without one."""
    taken: int
    """How many."""
    classes: tuple[FlippedClass, ...]

    @property
    def shown(self) -> int:
        """How many flips have a picture."""
        return sum(len(each.shown) for each in self.classes)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Confusions:
    """Confusion matrices of the same samples, one for each model."""

    names: tuple[str, ...]
    """The classes shown; where there are too many, those with most mistakes."""
    left_out: int
    """How many classes are not shown."""
    counts: Mapping[str, tuple[tuple[int, ...], ...]]
    """By role: samples by true class (rows) and answer (columns), in the order of `names`."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClassChange:
    """What a class's accuracy was and is."""

    name: str
    n: int
    before: float
    """A share, 0 to 1."""
    after: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the file."""

    name: str
    kind: str
    """ "weight", "bias", "constant", "operators" or "structure"."""
    operator: str
    """The kind of operator that it is, or that reads it first; empty where it is none's."""
    bytes: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A part that differs in size from its counterpart."""

    name: str
    bytes: int
    """How much larger it is; below zero where it is smaller."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operator of the graph."""

    number: str
    """Its index, with its subgraph's where that is not the main one."""
    name: str
    reads: str
    """Types of what it reads: "int8, int32"."""
    writes: str
    activation: str
    floating: str
    """How it computes where that is not in integers alone; empty where it is."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDifference:
    """How far a layer of the candidate is from its counterpart in the reference."""

    name: str
    operator: str
    """The kind of its operator: "CONV_2D"."""
    sqnr: str
    """The signal-to-quantization-noise ratio in words: "31.2 dB"."""
    difference: float
    """RMS of the difference as a share of the reference's RMS; infinite where it has none."""
    diverges: bool
    """Whether it is the first layer that diverges."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One epoch of a training."""

    stage: str
    number: int
    scores: Mapping[str, float]
    """Loss and accuracy, and both on the evaluation split ("val_...")."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactData:
    """One of the artifacts side by side."""

    role: str
    """ "reference", "base" or "candidate"."""
    artifact: str
    """SHA-256 of the file."""
    bytes: int
    operators: int
    floating: int
    """Operators that do not compute in integers alone."""
    accuracy: float | None
    """None where it does not choose between classes."""
    epochs: tuple[Epoch, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateData:
    """Everything that is shown of a candidate beside its verdicts."""

    model: str
    recipe: str
    sides: tuple[ArtifactData, ...]
    """The reference, the base where there is one, the candidate."""
    sheet: FlipSheet | None
    confusions: Confusions | None
    classes: tuple[ClassChange, ...]
    """The greatest loss first."""
    parts: tuple[Part, ...]
    grown: tuple[Growth, ...]
    """Against the base, the greatest difference first."""
    grown_more: int
    """How many more parts differ."""
    steps: tuple[Step, ...]
    steps_left_out: int
    layers: tuple[LayerDifference, ...]
    """In the candidate's order; empty where nothing differs from the reference."""
    gaps: tuple[str, ...]
    """What cannot be shown, each with the reason."""

    @property
    def name(self) -> str:
        """As the verdicts name it: "mnist_cnn/int8_qat"."""
        return f"{self.model}/{self.recipe}"
