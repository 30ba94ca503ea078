"""What can go wrong, each with what happened, what was expected, what was got and what to do."""

from __future__ import annotations

from litegate.core.escaping import plain_lines


class LitegateError(Exception):
    """A fault that litegate foresees; its text is written for the person who runs the gate.

    Parameters are sentences or fragments without a final full stop; empty ones are left out.
    """

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
        parts += [f"what to do: {self.remedy}"] if self.remedy else []
        return plain_lines("\n  ".join(parts))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.expected, self.got, self.remedy)


def _rebuild(
    kind: type[LitegateError], what: str, expected: str, got: str, remedy: str
) -> LitegateError:
    return kind(what, expected=expected, got=got, remedy=remedy)


class ConfigError(LitegateError):
    """An option, setting, model file or check that litegate cannot accept."""


class DataUnavailable(LitegateError):
    """A data set that could not be had: not on this machine and not to be downloaded."""


class DataError(LitegateError):
    """A data set that was had and is wrong: another digest, shape or type than promised."""


class BuildError(LitegateError):
    """Training, quantizing or converting did not give an artifact."""

    recipe: str = ""
    """The recipe that it stopped; empty where that is unknown."""
    shared: bool = True
    """Whether it stands in the way of the model's other recipes too."""


class StoreError(LitegateError):
    """The store could not be read or written."""


class StoreCorrupt(StoreError):
    """Bytes in the store no longer have the digest that they were stored under."""


class ArtifactError(LitegateError):
    """A `.tflite` file that cannot be parsed, loaded or run."""


class MeasurementError(LitegateError):
    """A measurement that gave no usable number, such as NaN or an empty evaluation split."""
