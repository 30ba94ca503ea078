"""How often the rule of `measures/layer_error.py` names the layer that a fault was planted in.

    python benchmarks/layer_error.py REFERENCE.tflite CANDIDATE.tflite SAMPLES.npz [...]

Takes one or more triples; an .npz file holds samples `x`, float32, and labels `y` where there are
any. Each fault is planted in each layer of the candidate by itself. It counts where it costs a
point of accuracy or more; without labels, where it adds a point to the outputs' relative RMS error.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from litegate.core.errors import LitegateError
from litegate.measures.accuracy.layer_error import first_diverging, layer_errors
from litegate.mutation.faults.layers import Layer, layers
from litegate.mutation.faults.scene import with_bytes
from litegate.runtimes.inference import outputs
from litegate.spec import Artifact, Evaluation, Kind, Recipe
from litegate.tflite.editing.draft import Draft, edit

SAMPLES = 600
Weights = Any


def _rescaled(factor: float) -> Callable[[Draft, Layer], None]:
    def change(_: Draft, layer: Layer) -> None:
        for tensor in (layer.weight, layer.bias):
            tensor.quantization.scale = [float(one) * factor for one in tensor.quantization.scale]

    return change


def _moved_output(draft: Draft, layer: Layer) -> None:
    steps = draft.graph.tensors[layer.operator.outputs[0]].quantization
    steps.scale = [2 * float(one) for one in steps.scale]


def _rolled_bias(draft: Draft, layer: Layer) -> None:
    draft.store(layer.bias, np.roll(draft.values(layer.bias), 1))


def _weights(make: Callable[[Weights], Weights]) -> Callable[[Draft, Layer], None]:
    def change(draft: Draft, layer: Layer) -> None:
        held = draft.values(layer.weight)
        draft.store(layer.weight, make(held.copy()).astype(held.dtype))

    return change


def _pruned(share: float) -> Callable[[Weights], Weights]:
    def make(held: Weights) -> Weights:
        order = np.argsort(np.abs(held.astype(float)).ravel(), kind="stable")
        held.ravel()[order[: int(share * held.size)]] = 0
        return held

    return make


def _clipped(share: float) -> Callable[[Weights], Weights]:
    def make(held: Weights) -> Weights:
        most = np.quantile(np.abs(held.astype(float)), 1 - share)
        return np.clip(held, -most, most)

    return make


def _drawn(size: int, share: float) -> Any:
    """The places of a share of so many values, at least one."""
    return np.random.default_rng(0).permutation(size)[: max(1, int(share * size))]


def _flipped(share: float) -> Callable[[Weights], Weights]:
    def make(held: Weights) -> Weights:
        bits = np.unpackbits(np.frombuffer(held.tobytes(), np.uint8))
        which = _drawn(bits.size, share)
        bits[which] ^= 1
        return np.frombuffer(np.packbits(bits).tobytes(), held.dtype).reshape(held.shape)

    return make


def _saturated(share: float) -> Callable[[Weights], Weights]:
    def make(held: Weights) -> Weights:
        which = _drawn(held.size, share)
        held.ravel()[which] = np.where(held.ravel()[which] < 0, -127, 127)
        return held

    return make


FAULTS = (
    _rescaled(1.5),
    _rescaled(5),
    _moved_output,
    _rolled_bias,
    _weights(lambda held: np.roll(held, 1, axis=0 if held.shape[0] > 1 else -1)),
    *(_weights(_pruned(share)) for share in (0.5, 0.8)),
    *(_weights(_clipped(share)) for share in (0.5, 0.9)),
    *(_weights(_flipped(share)) for share in (0.01, 0.05, 0.2)),
    *(_weights(_saturated(share)) for share in (0.01, 0.05, 0.3)),
    _weights(lambda held: 0 * held),
)


def artifact(file: str, split: Evaluation) -> Artifact:
    """A file as an artifact."""
    tflite = Path(file).read_bytes()
    return Artifact(
        model=Path(file).stem,
        recipe=Recipe(name="file", kind=Kind.INT8_PTQ),
        tflite=tflite,
        sha256=sha256(tflite).hexdigest(),
        certificate={},
        evaluation=split,
    )


def harm(reference: Artifact, candidate: Artifact) -> float:
    """Points of accuracy lost; without labels, the relative RMS error in per cent."""
    split = candidate.evaluation
    one, other = (outputs(each.tflite, split.x).real for each in (reference, candidate))
    if split.y is None:
        return 100 * float(np.sqrt(((other - one) ** 2).mean() / (one**2).mean()))
    right = [
        (each.reshape(len(each), -1).argmax(axis=1) == split.y).mean() for each in (one, other)
    ]
    return 100 * float(right[0] - right[1])


def faulty(candidate: Artifact) -> Iterator[tuple[int, Artifact]]:
    """Each fault in each layer: the operator's number, and the artifact that has it."""
    numbers: list[int] = []
    edit(candidate.tflite, lambda model: numbers.extend(one.number for one in layers(Draft(model))))
    for place, number in enumerate(numbers):
        for fault in FAULTS:

            def change(model: Any, place: int = place, fault: Any = fault) -> None:
                draft = Draft(model)
                fault(draft, layers(draft)[place])

            yield number, with_bytes(candidate, edit(candidate.tflite, change))


def named(reference: Artifact, candidate: Artifact) -> Counter[str]:
    """How often the rule named the faulty layer, another, or none."""
    found: Counter[str] = Counter()
    least = 1 + (harm(reference, candidate) if candidate.evaluation.y is None else 0)
    for number, planted in faulty(candidate):
        try:
            if harm(reference, planted) < least:
                continue
            first = first_diverging(layer_errors(reference, planted))
        except LitegateError:
            found["refused by LiteRT"] += 1
            continue
        told = "none" if first is None else "right" if first.index == number else "wrong"
        found[told] += 1
    return found


def main(*files: str) -> None:
    """Print a line for each triple, and their sum."""
    total: Counter[str] = Counter()
    for reference, candidate, samples in zip(*[iter(files)] * 3, strict=True):
        with np.load(samples) as held:
            chosen = np.unique(np.linspace(0, len(held["x"]) - 1, SAMPLES).astype(int))
            x, y = held["x"][chosen], held["y"][chosen] if "y" in held else None
        split = Evaluation(digest=samples, x=x, y=y, classes=(), domain=(0.0, 1.0))
        one, other = (artifact(file, split) for file in (reference, candidate))
        found = named(one, replace(other, evaluation=split))
        print(f"{other.model:30} {dict(found)}")
        total += found
    print(f"{'all':30} {dict(total)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
