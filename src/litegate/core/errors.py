"""Define the errors of litegate; each says what happened, what was expected, and what to do."""

from __future__ import annotations

from litegate.core.escaping import plain_lines


class LitegateError(Exception):
    """A foreseen error, whose text is written for the person who runs the gate.

    The parameters are sentences or fragments without a full stop; empty ones are omitted.
    """

    place: str = ""
    """File and line of the model that the error concerns, as "models/kws.py:9"; empty if unknown,
    or if the texts name it."""

    def __init__(self, what: str, *, expected: str = "", got: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.got = got
        self.remedy = remedy

    def __str__(self) -> str:
        parts = [self.what]
        parts += [f"expected: {self.expected}"] if self.expected else []
        parts += [f"got: {self.got}"] if self.got else []
        parts += [f"declared at: {self.place}"] if self.place else []
        parts += [f"what to do: {self.remedy}"] if self.remedy else []
        return plain_lines("\n  ".join(parts))

    def name_place(self, file: str, line: int) -> None:
        """Name the file and line that declare the model, unless the texts name the file."""
        if f"{file}:" not in str(self):
            self.place = f"{file}:{line}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.expected, self.got, self.remedy)


def _rebuild(
    kind: type[LitegateError], what: str, expected: str, got: str, remedy: str
) -> LitegateError:
    return kind(what, expected=expected, got=got, remedy=remedy)


class ConfigError(LitegateError):
    """An option, setting, model file or check that litegate cannot accept."""


class DataUnavailable(LitegateError):
    """A data set that is not on this machine and cannot be downloaded."""


class DataError(LitegateError):
    """A data set that differs from its declaration: another digest, shape or dtype."""


class BuildError(LitegateError):
    """Training, quantization or conversion failed."""

    recipe: str = ""
    """The recipe that failed; empty if unknown."""
    shared: bool = True
    """True if the model's other recipes cannot be built either."""


class StoreError(LitegateError):
    """The store could not be read or written."""


class StoreCorrupt(StoreError):
    """Bytes in the store do not match the digest in their key."""


class ArtifactError(LitegateError):
    """A `.tflite` file that cannot be parsed, loaded or run."""


class MeasurementError(LitegateError):
    """A measurement without a usable number, such as NaN or an empty evaluation split."""
