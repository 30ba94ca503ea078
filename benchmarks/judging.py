"""A damaged `.tflite` file against the sound one: verdicts, and whether they are true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from damage import Source
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, LitegateError
from litegate.core.units import byte, percent
from litegate.data.npz import LabelledSamples
from litegate.measures.accuracy import accuracy
from litegate.measures.accuracy.agreement import agreement_with_reference
from litegate.measures.accuracy.output_error import output_error
from litegate.measures.accuracy.runtime_agreement import runtime_agreement
from litegate.measures.measurement import Outcome, Verdict
from litegate.measures.names import Name
from litegate.measures.regression.file_comparison import compare, file_artifact
from litegate.measures.structure.size import size
from litegate.measures.structure.tensors import operator_violations, tensor_violations
from litegate.runtimes.inference import predict
from litegate.spec import Artifact, Kind, Recipe
from litegate.spec.recipe import port_types

SAMPLES = 32
FAILED, UNDECIDED, WITHIN = "ran, failed a limit", "ran, undecided", "ran within limits"
UNMEASURED, REFUSED = "ran, not measurable", "refused by LiteRT"
OUTCOMES = (REFUSED, UNMEASURED, FAILED, UNDECIDED, WITHIN)
ALIKE, ERROR, LOST = 80, 10, 0.5
"""Per cent: least share of decisions as the sound file's, most output error, most accuracy lost."""
_AGAINST_BASE = (
    Name.ACCURACY_REGRESSION,
    Name.LOST_TYPES,
    Name.OPERATOR_CHANGES,
    Name.INTERFACE_CHANGES,
)
KERNELS_ALIKE = 60
"""Per cent; sound files that hesitate over noise are decided otherwise by other kernels."""

Real = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """A sound file, ready to be compared with."""

    artifact: Artifact
    """Its labels are its own decisions."""
    outputs: Real
    kernels_alike: bool
    """Whether the reference kernels decide as the file does: those of LiteRT 2.3.0 ignore the
    scales of blocks."""
    recipes: tuple[Recipe, ...]
    """Those whose promises it keeps."""


def bench(source: Source) -> Bench:
    """Choose samples on which the file decides for many classes; it keeps all limits itself."""
    drawn = [_samples(source.tflite, top) for top in (1, 16, 255)]
    answered = [(x, plain(source.tflite, x)) for x in drawn]
    x, outputs = max(answered, key=lambda pair: len(set(pair[1].argmax(axis=1))))
    artifact = file_artifact(
        source.name, source.tflite, LabelledSamples(x=x, y=outputs.argmax(axis=1))
    )
    predict(artifact)  # kept: forks need not run it again
    recipes = [
        Recipe(name=kind.value, kind=kind, input_type=port, output_type=port)
        for kind in Kind
        for port in port_types(kind)
        if port in ("float32", "int8")
    ]
    kept = [one for one in recipes if all(map(_passed, _promised(artifact, one)))]
    sound = Bench(
        artifact=artifact,
        outputs=outputs,
        kernels_alike=_passed(_runtime_agreement(artifact)),
        recipes=tuple(kept),
    )
    if judge(sound, source.tflite) != WITHIN:
        raise AssertionError(f"{source.name} itself does not keep the limits")
    return sound


def _samples(tflite: bytes, top: int) -> NDArray[np.float32]:
    """Noise of a brightness of its own for each sample and each channel, from 0 to `top`."""
    shape = Interpreter(model_content=tflite).get_input_details()[0]["shape"][1:]
    rng = np.random.default_rng(top)
    bright = rng.uniform(0, top, (SAMPLES, *[1] * (len(shape) - 1), shape[-1]))
    return (bright * rng.uniform(0, 1, (SAMPLES, *shape))).astype(np.float32)


def judge(sound: Bench, tflite: bytes) -> str:
    """One of OUTCOMES. AssertionError for a wrong pass, any other error for a crash in Python."""
    split = sound.artifact.evaluation
    mutant = file_artifact("damaged", tflite, LabelledSamples(x=split.x, y=split.y))
    verdicts: list[Verdict] = []
    refusals = []
    for measure in _measures(sound, mutant):
        try:
            verdicts += measure()
        except LitegateError as error:
            refusals.append(error)
    refute(sound, tflite, [one.measurement.name for one in verdicts if _passed(one)])
    ends = {one.outcome for one in verdicts if one.measurement.name not in _AGAINST_BASE}
    if any(isinstance(one, ArtifactError) for one in refusals):
        return REFUSED
    if refusals:
        return UNMEASURED
    if Outcome.FAIL in {one.outcome for one in verdicts}:
        return FAILED
    return UNDECIDED if Outcome.INCONCLUSIVE in ends else WITHIN


def _passed(verdict: Verdict) -> bool:
    return verdict.outcome is Outcome.PASS


def _measures(sound: Bench, mutant: Artifact) -> Iterator[Callable[[], tuple[Verdict, ...]]]:
    """The gate's measures with limits, then `compare`."""
    base, most = sound.artifact, byte(len(sound.artifact.tflite))
    yield lambda: (accuracy(mutant) >= percent(ALIKE),)
    yield lambda: (agreement_with_reference(base, mutant) >= percent(ALIKE),)
    yield lambda: (_explained(output_error(base, mutant) <= percent(ERROR)),)
    if sound.kernels_alike:
        yield lambda: (_runtime_agreement(mutant),)
    yield lambda: (size(mutant) <= most,)
    for recipe in sound.recipes:
        yield lambda recipe=recipe: _promised(mutant, recipe)
    yield lambda: compare(base, mutant, run=True, labelled=True, latency=False).verdicts


def _runtime_agreement(artifact: Artifact) -> Verdict:
    return runtime_agreement(replace(artifact, runtime="reference")) >= percent(KERNELS_ALIKE)


def _promised(artifact: Artifact, recipe: Recipe) -> tuple[Verdict, ...]:
    made = replace(artifact, recipe=recipe)
    return (tensor_violations(made) <= 0, operator_violations(made) <= 0)


def _explained(verdict: Verdict) -> Verdict:
    """Ask a failing verdict for its reason, as a report does: layers are run on both files."""
    if not _passed(verdict) and verdict.measurement.why:
        verdict.measurement.why()
    return verdict


def refute(sound: Bench, tflite: bytes, passed: list[str]) -> None:
    """AssertionError where a verdict passed that the outputs, read without litegate, refute."""
    if "size" in passed and len(tflite) > len(sound.artifact.tflite):
        raise AssertionError("a larger file passed")
    judged = {"accuracy", "agreement with the reference", "output error"} & {*passed}
    if not judged:
        return
    outputs = plain(tflite, sound.artifact.evaluation.x)
    same = 100 * np.mean(outputs.argmax(axis=1) == sound.artifact.evaluation.y)
    off = np.square(outputs - sound.outputs).sum() / np.square(sound.outputs).sum()
    true = {
        "accuracy": same >= ALIKE,
        "agreement with the reference": same >= ALIKE,
        "output error": 100 * np.sqrt(off) <= ERROR,
        "accuracy regression": 100 - same <= LOST,
    }
    if wrong := [name for name in passed if not true.get(name, True)]:
        told = f"{same:.0f} % alike, output error {np.sqrt(off):.3g}"
        raise AssertionError(f"wrong pass: {wrong}, {told}")
    if not np.isfinite(outputs).all():
        raise AssertionError(f"outputs that are not finite passed: {judged}")


def plain(tflite: bytes, x: NDArray[np.float32]) -> Real:
    """Real outputs of LiteRT, one sample at a time, shape (n, outputs)."""
    interpreter = Interpreter(model_content=tflite)
    given, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(given["index"], (1, *x.shape[1:]))
    interpreter.allocate_tensors()
    outputs = []
    for sample in x:
        interpreter.set_tensor(given["index"], _quantized(sample[np.newaxis], given))
        interpreter.invoke()
        raw = interpreter.get_tensor(answer["index"]).astype(np.float64).ravel()
        scale, zero = answer["quantization"]
        is_quantized = scale and np.issubdtype(answer["dtype"], np.integer)
        outputs.append((raw - zero) * scale if is_quantized else raw)
    return np.stack(outputs)


def _quantized(x: NDArray[np.float32], port: dict[str, Any]) -> NDArray[Any]:
    if not np.issubdtype(port["dtype"], np.integer):
        return x.astype(port["dtype"])
    scale, zero = port["quantization"]
    limits = np.iinfo(port["dtype"])
    return np.clip(np.rint(x / scale) + zero, limits.min, limits.max).astype(port["dtype"])
