"""Define what a page shows of a candidate beside its verdicts, as plain values for the charts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

MOST_ON_ONE_PAGE = 10
"""Models on one page, which stays below 1 MB; with more, each model has a file of its own beside an
overview."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A box in an image, in shares of its width and height."""

    kind: str
    """"label", or the artifact that detected it: "before" or "after"."""
    left: float
    top: float
    width: float
    height: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A sample as an image, or as a map of features such as a spectrogram."""

    png: bytes
    width: int
    height: int
    note: str
    """Its shape, and of features the smallest and largest value."""
    is_features: bool = False
    """True for a map of features: its pixels need not be square."""
    marks: tuple[Mark, ...] = ()
    """Boxes that are drawn over it."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """A sample as a line."""

    values: tuple[float, ...]
    """From 0, the sample's minimum, to 1, its maximum."""
    note: str
    """Count of values, the smallest and the largest."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A sample as a row of numbers."""

    values: tuple[float, ...]
    note: str
    """The numbers as text, with the count of those that are left out."""


Picture = Image | Wave | Numbers


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A model's answer to one sample."""

    chosen: str
    """The name of the class, or words about a box."""
    confidence: float | None
    """0 to 1: the output itself if the outputs sum to 1, else their softmax. None for a box."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A sample, or a box in it, that exactly one of two models answers correctly."""

    sample: int
    """Its index in the evaluation split."""
    broken: bool
    """True if the change broke the sample, False if it fixed it."""
    before: Answer
    after: Answer
    picture: Picture


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FlippedClass:
    """A class with flips."""

    name: str
    n: int
    """Count of its samples in the evaluation split."""
    broken: int
    fixed: int
    shown: tuple[Flip, ...]
    """The flips that fit on the sheet, the broken ones first."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FlipSheet:
    """The samples that a change broke or fixed, by class, the worst class first."""

    role: str
    """The artifact that the candidate is compared with: "base" or "reference"."""
    n: int
    broken: int
    fixed: int
    confused_with: str
    """The class that the candidate most often predicts for broken samples of the worst class."""
    confused_count: int
    """Count of those samples."""
    classes: tuple[FlippedClass, ...]
    threshold: float | None = None
    """The least score of a detection, if the sheet is of labelled boxes; None for samples."""

    @property
    def nouns(self) -> tuple[str, str]:
        """The singular and the plural of what changed sides."""
        return ("sample", "samples") if self.threshold is None else ("box", "boxes")

    @property
    def shown(self) -> int:
        """Count of flips with a picture."""
        return sum(len(flipped_class.shown) for flipped_class in self.classes)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A sample on which two runtimes decide differently."""

    sample: int
    """Its index in the evaluation split."""
    label: str
    """The name of its true class."""
    default: Answer
    """The answer on XNNPACK."""
    other: Answer
    picture: Picture


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSheet:
    """The samples on which a runtime decides otherwise than XNNPACK."""

    runtime: str
    n: int
    """Samples of the evaluation split."""
    lost: int
    """Samples that differ and that XNNPACK alone answers correctly."""
    won: int
    """Samples that the other runtime alone answers correctly."""
    both_wrong: int
    """Samples that both answer wrongly, and differently."""
    shown: tuple[Disagreement, ...]
    """Those that fit, the lost ones first."""

    @property
    def differing(self) -> int:
        """Count of samples that differ."""
        return self.lost + self.won + self.both_wrong


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Confusions:
    """Confusion matrices of several models on the same samples."""

    names: tuple[str, ...]
    """The classes shown; of too many, those with the most mistakes."""
    left_out: int
    """Count of classes that are not shown."""
    counts: Mapping[str, tuple[tuple[int, ...], ...]]
    """By role: samples by true class (rows) and predicted class (columns), ordered as `names`."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClassChange:
    """The accuracy of a class before and after a change."""

    name: str
    n: int
    before: float
    """A share, 0 to 1."""
    after: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SizeShare:
    """The bytes of a tensor, of a kind of operator, or of a structure of the file."""

    name: str
    kind: str
    """ "weight", "bias", "constant", "operators" or "structure"."""
    operator: str
    """The kind of the operator, or of the first that reads the tensor; may be empty."""
    bytes: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SizeDifference:
    """A tensor or structure whose size differs from the base's."""

    name: str
    bytes: int
    """The growth; negative if it shrank."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTypes:
    """An operator of the graph with the types that it reads and writes."""

    number: str
    """Its index, preceded by its subgraph's unless that is the main one."""
    name: str
    reads: str
    """Types of its inputs: "int8, int32"."""
    writes: str
    activation: str
    floating: str
    """The arithmetic, if it is not purely integer; else empty."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDifference:
    """The difference of a candidate's layer from its counterpart in the reference."""

    name: str
    operator: str
    """The kind of its operator: "CONV_2D"."""
    sqnr: str
    """The signal-to-quantization-noise ratio as text: "31.2 dB"."""
    difference: float
    """RMS of the difference divided by the reference's RMS; infinite if the latter is 0."""
    diverges: bool
    """True for the first layer that diverges."""


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
    """A column of the side-by-side table."""

    role: str
    """ "reference", "base" or "candidate"."""
    artifact: str
    """SHA-256 of the file."""
    bytes: int
    operators: int
    floating: int
    """Count of operators whose arithmetic is not purely integer."""
    accuracy: float | None
    """None if the model does not choose between classes."""
    epochs: tuple[Epoch, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateData:
    """The data of a candidate's section, besides its verdicts."""

    model: str
    recipe: str
    sides: tuple[ArtifactData, ...]
    """The reference, the base if there is one, the candidate."""
    sheet: FlipSheet | None
    runtime_sheets: tuple[RuntimeSheet, ...]
    """One for each further runtime that the candidate was judged on."""
    confusions: Confusions | None
    classes: tuple[ClassChange, ...]
    """The greatest loss first."""
    size_shares: tuple[SizeShare, ...]
    size_changes: tuple[SizeDifference, ...]
    """Against the base, the greatest difference first."""
    size_changes_left_out: int
    operators: tuple[OperatorTypes, ...]
    operators_left_out: int
    layers: tuple[LayerDifference, ...]
    """In the candidate's order; empty if nothing differs from the reference."""
    gaps: tuple[str, ...]
    """What cannot be shown, each with the reason."""

    @property
    def name(self) -> str:
        """The name that verdicts use: "mnist_cnn/int8_qat"."""
        return f"{self.model}/{self.recipe}"
