"""Quantize the float `.tflite` of a model with litert-quantizer, without TensorFlow.

The parent has copied the float artifact into the folder `FLOAT` of the staging folder. The
quantized ones inherit the outputs of Keras and the training curve: the network is the same.
"""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.build.toolchain.calibration import calibration_indices
from litegate.build.toolchain.determinism import check_versions, machine_facts
from litegate.build.toolchain.failures import LONGEST, ToolchainError
from litegate.build.toolchain.pins import INSTALL_QUANTIZER, QUANTIZER_PINS
from litegate.build.toolchain.protocol import CONVERTED, FLOAT
from litegate.build.toolchain.reporter import Reporter
from litegate.build.toolchain.scratch_signature import SignedFile, finished, signed
from litegate.build.toolchain.strip import stripped
from litegate.core.errors import ArtifactError, LitegateError
from litegate.core.escaping import shortened
from litegate.data.sources import digest
from litegate.measures.structure.tensor_roles import float_operators, int16_operators
from litegate.runtimes.inference import all_outputs
from litegate.spec import Model, Recipe, Samples, Splits
from litegate.spec.recipe import STATIC_KINDS
from litegate.tflite.graph import ABSENT, Graph, Subgraph
from litegate.tflite.layers import layer_names
from litegate.tflite.parser import parse
from litegate.tflite.ports import arrays_by_port, parsed_ports

_MODEL, _CERTIFICATE = "model.tflite", "certificate.json"
_THREADS = 1
"""Threads of the calibration: the order of float sums decides the ranges."""
_TRIED = 32
"""Samples on which a quantized file must answer with finite numbers, before the checks run it on
all: enough for damage that shows in every answer, and milliseconds."""


def check_quantizer() -> None:
    """Raise ToolchainError unless the pinned version of litert-quantizer is installed."""
    check_versions(QUANTIZER_PINS, INSTALL_QUANTIZER)


def quantize_all(
    model: Model, recipes: list[Recipe], splits: Splits, staging: Path, report: Reporter
) -> None:
    """Write the files of each recipe into its folder of the staging folder.

    Raises ToolchainError if a file cannot be quantized, if no tensor of it is, or if its answers
    are not finite, or if there are no samples to calibrate it.
    """
    source = FloatFile.read(staging / FLOAT, model)
    for recipe in recipes:
        report.stage(recipe.name, "quantize")
        tflite = source.quantized(recipe, splits.x_train, report.alive)
        _demand_finite(tflite, model, recipe, splits.x_test)
        _write(model, recipe, tflite, staging, report.seconds(recipe.name))
        report.ready(recipe.name)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FloatFile:
    """A float `.tflite` to quantize."""

    model: Model
    tflite: bytes
    graph: Graph

    @classmethod
    def read(cls, folder: Path, model: Model) -> FloatFile:
        """Read the float artifact. Raises ToolchainError if it is quantized already."""
        tflite = (folder / _MODEL).read_bytes()
        graph = parse(tflite, subject=f"{model.name}/float32", signature=model.signature)
        if quantized := _quantized_tensors(graph):
            raise ToolchainError(
                "quantizer",
                f"the reference of {model.name} is quantized already",
                expected="a float32 file",
                got=f"{len(quantized)} quantized tensors, such as {quantized[0]!r}",
                remedy="pass the float file as reference=...",
            )
        return cls(model=model, tflite=tflite, graph=graph)

    def quantized(self, recipe: Recipe, x: Samples, alive: Callable[[], None]) -> bytes:
        """Return the file that litert-quantizer makes by a recipe; `x` are training samples."""
        name = f"{self.model.name}/{recipe.name}"
        self._demand_layers(recipe)
        file = signed(self.tflite, self.graph, subject=name)
        ranges = None
        if recipe.kind in STATIC_KINDS:
            ranges = _run_upstream(recipe, lambda: self._calibrate(file, recipe, x, alive))
        tflite = _run_upstream(recipe, lambda: self._quantize(file, recipe, ranges))
        tflite = finished(tflite, file, subject=name)
        if not _quantized_tensors(parse(tflite, subject=name, signature=self.model.signature)):
            raise ToolchainError(
                "quantizer",
                f"{recipe.kind} quantizes no tensor of {self.model.name}",
                expected="at least one layer that the recipe quantizes",
                got=_kinds_of_operators(self.graph),
                remedy="choose a recipe that quantizes these operators",
            )
        return tflite

    def _calibrate(
        self, file: SignedFile, recipe: Recipe, x: Samples, alive: Callable[[], None]
    ) -> Any:
        """Return the ranges of the activations, by the tensors' names."""
        if x is None:
            raise ToolchainError(
                "quantizer",
                f"{recipe.name} is calibrated on training samples, but {self.model.data.name} has "
                "none",
                expected="lg.Splits(x_train=..., ...)",
                remedy="load training samples, or use a recipe without calibration: dynamic_wi8_"
                "afp32, weight_only_wi8_afp32",
            )
        indices = calibration_indices(len(x), recipe, self.model.training)
        ports = parsed_ports(self.graph, "inputs", self.model.signature)
        arrays = {
            file.keys[ports[name].index]: np.asarray(values[indices]).astype(ports[name].dtype)
            for name, values in arrays_by_port(ports, x, self.model.name).items()
        }
        samples = _CalibrationSamples(arrays=arrays, alive=alive)
        quantizer = self._quantizer(file, recipe)
        return quantizer.calibrate({file.signature: samples}, num_threads=_THREADS)

    def _quantize(self, file: SignedFile, recipe: Recipe, ranges: Any) -> bytes:
        result = self._quantizer(file, recipe).quantize(
            ranges, enable_progress_bar=False, enable_progress_report=False
        )
        return bytes(result.quantized_model)

    def _quantizer(self, file: SignedFile, recipe: Recipe) -> Any:
        """Return a Quantizer with the upstream recipe that the kind names.

        Inputs and outputs that the recipe declares as float32 are left out of quantization, and so
        are its `float_layers`.
        """
        # Late: collecting models and the tool chain's other builds do not need it.
        from litert_quantizer import qtyping, quantizer
        from litert_quantizer import recipe as upstream

        made = quantizer.Quantizer(file.tflite, getattr(upstream, recipe.kind.value)())
        skip, names = quantizer.AlgorithmName.NO_QUANTIZE, qtyping.TFLOperationName
        ports = {"INPUT": recipe.input_type, "OUTPUT": recipe.output_type}
        for name in (name for name, dtype in ports.items() if dtype == "float32"):
            made.update_quantization_recipe(".*", names(name), None, skip)
        for scope, kind in self._scopes(float_operators, recipe):
            if kind in {it.value for it in names}:  # it never quantizes other kinds
                made.update_quantization_recipe(scope, names(kind), None, skip)
        for scope, kind in self._scopes(int16_operators, recipe):
            made.add_static_config(scope, names(kind), activation_num_bits=16, weight_num_bits=8)
        return made

    def _scopes(
        self, operators_of: Callable[[Graph, Subgraph, Recipe], frozenset[int]], recipe: Recipe
    ) -> Iterator[tuple[str, str]]:
        """Yield the regular expression of each operator's scope with the kind of operator.

        litert-quantizer's scope of an operator is the list of the tensors that it writes.
        """
        for subgraph in self.graph.subgraphs:
            for index in sorted(operators_of(self.graph, subgraph, recipe)):
                operator = subgraph.operators[index]
                tensors = [subgraph.tensors[it].name for it in operator.outputs if it != ABSENT]
                yield f"^{re.escape(''.join(f'{name};' for name in tensors))}$", operator.name

    def _demand_layers(self, recipe: Recipe) -> None:
        """Raise ToolchainError for layers that the file does not have, or if all stay float."""
        known = [
            name
            for subgraph in self.graph.subgraphs
            for name in layer_names(self.graph, subgraph).values()
        ]
        for field, names in recipe.kept_layers.items():
            if missing := [name for name in names if name not in known]:
                near = get_close_matches(missing[0], known)
                raise ToolchainError(
                    "config",
                    f"{field} names layers that the float file does not have: {', '.join(missing)}",
                    expected=", ".join(dict.fromkeys(known)),
                    remedy=f"did you mean {' or '.join(map(repr, near))}?" if near else "",
                )
        if recipe.float_layers and {*known} <= {*recipe.float_layers}:
            raise ToolchainError(
                "config",
                "float_layers names every layer, so none would be quantized",
                got=", ".join(recipe.float_layers),
                remedy="name fewer layers, or use float32()",
            )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _CalibrationSamples:
    """Single samples by the names of the signature; litert-quantizer reads them twice."""

    arrays: Mapping[str, NDArray[Any]]
    alive: Callable[[], None]

    def __iter__(self) -> Iterator[dict[str, NDArray[Any]]]:
        count = min(len(array) for array in self.arrays.values())
        for number in range(count):
            self.alive()
            yield {name: array[number : number + 1] for name, array in self.arrays.items()}


def _run_upstream(recipe: Recipe, step: Callable[[], Any]) -> Any:
    """Run a step of litert-quantizer; raise ToolchainError, with its words, for what it raises."""
    try:
        with warnings.catch_warnings():
            # LiteRT advises against what a calibration needs, the values of inner tensors, and
            # NumPy warns of divisions by 0 that show in the file, which is judged.
            warnings.simplefilter("ignore")
            return step()
    except (LitegateError, MemoryError):
        raise
    except Exception as error:
        raise ToolchainError(
            "quantizer",
            f"litert-quantizer cannot make {recipe.kind}",
            got=shortened(f"{type(error).__name__}: {error}", LONGEST),
            remedy="leave out this recipe, or change the layer that it names",
        ) from error


def _demand_finite(tflite: bytes, model: Model, recipe: Recipe, x: Samples) -> None:
    """Raise ToolchainError if LiteRT refuses a file, or answers any sample with NaN or infinity.

    The largest of some scores may be right beside a NaN, so a decision does not show it.
    """
    name = f"{model.name}/{recipe.name}"
    chosen = x[np.unique(np.linspace(0, len(x) - 1, _TRIED).astype(int))]
    try:
        outputs = all_outputs(tflite, chosen, subject=name, signature=model.signature)
    except ArtifactError as error:
        raise ToolchainError(
            "quantizer",
            f"LiteRT does not run the file that litert-quantizer made by {recipe.kind}",
            got=error.got or error.what,
            remedy="leave out this recipe, or change the layer that it names",
        ) from error
    for output, answers in outputs.items():
        finite = np.isfinite(answers[:].real).reshape(len(chosen), -1).all(axis=1)
        if not finite.all():
            raise ToolchainError(
                "quantizer",
                f"{recipe.kind} gives NaN or infinite answers",
                expected="finite outputs",
                got=f"{output}: {int((~finite).sum())} of {len(chosen)} evaluation samples",
                remedy="look for weights of very different size in one block or channel, or leave "
                "out this recipe",
            )


def _write(
    model: Model, recipe: Recipe, tflite: bytes, staging: Path, seconds: Mapping[str, float]
) -> None:
    """Write the files of a build: the quantized one, and what the float artifact has beside it."""
    folder, source = staging / recipe.name, staging / FLOAT
    folder.mkdir()
    for file in source.iterdir():
        if file.name not in (_MODEL, _CERTIFICATE):
            shutil.copyfile(file, folder / file.name)
    certificate = (
        machine_facts(QUANTIZER_PINS)
        | {
            "model": model.name,
            "training": model.training.spec(),
            "recipe": recipe.spec(),
            "seed": model.training.seed,
            "float": digest(source / _MODEL),
            "seconds": dict(seconds),
        }
        | _inherited(json.loads((source / _CERTIFICATE).read_bytes()))
    )
    if recipe.strip:
        (folder / CONVERTED).write_bytes(tflite)
        tflite = stripped(tflite, subject=f"{model.name}/{recipe.name}")
    (folder / _MODEL).write_bytes(tflite)
    text = json.dumps(certificate, indent=1, sort_keys=True, allow_nan=False)
    (folder / _CERTIFICATE).write_text(text)


def _inherited(certificate: Mapping[str, Any]) -> dict[str, Any]:
    """Return what holds of a quantized file, too: its batch, and the file that all began from."""
    inherited = {name: certificate[name] for name in ("batch", "start") if name in certificate}
    if "prebuilt" in certificate:
        inherited["start"] = certificate["prebuilt"] | {"sha256": certificate["sha256"]}
    return inherited


def _quantized_tensors(graph: Graph) -> list[str]:
    tensors = (tensor for subgraph in graph.subgraphs for tensor in subgraph.tensors)
    return [tensor.name for tensor in tensors if tensor.is_quantized]


def _kinds_of_operators(graph: Graph) -> str:
    operators = (operator for subgraph in graph.subgraphs for operator in subgraph.operators)
    return ", ".join(sorted({operator.name for operator in operators}))
