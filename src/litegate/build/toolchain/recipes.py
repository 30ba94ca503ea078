"""Build the recipes of a model, one after another, from one trained float network."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from litegate.build.toolchain.calibration import make_calibration
from litegate.build.toolchain.compress import compressions
from litegate.build.toolchain.convert import Converted, convert
from litegate.build.toolchain.determinism import Frameworks, environment_facts
from litegate.build.toolchain.networks import Weights, build_network, rebuild_network, reseed
from litegate.build.toolchain.pretrained import ConvertedGraph
from litegate.build.toolchain.protocol import CONVERTED, START
from litegate.build.toolchain.quantize import quantize
from litegate.build.toolchain.reporter import Reporter
from litegate.build.toolchain.strip import stripped
from litegate.build.toolchain.tensor_samples import Network, TensorSamples
from litegate.build.toolchain.train import Trainer, TrainingPhase, TrainingResult
from litegate.data.array_files import save
from litegate.data.sources import digest
from litegate.spec import Kind, Model, Recipe


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _FloatNetwork:
    """The weights of the trained float network that recipes start from."""

    weights: Weights
    result: TrainingResult
    seconds: dict[str, float]
    """Spent on its training, by stage."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeBuilder:
    """Builds the recipes of one model."""

    model: Model
    frameworks: Frameworks
    samples: TensorSamples
    report: Reporter
    staging: Path
    graph: ConvertedGraph | None = None
    """The pretrained network, if it has no layers and cannot be trained."""

    def build(self, recipes: Sequence[Recipe]) -> None:
        """Write each recipe's files; train the float network once, when it is first needed.

        Every network is built and seeded again, so that no recipe's bytes depend on another recipe.
        """
        if self.graph is None:
            self._demand_quantizable(recipes)
        float_network: _FloatNetwork | None = None
        for recipe in recipes if self.graph is None else ():
            if float_network is None and not recipe.from_scratch:
                float_network = self._train_float_network(recipe)
            self._build_recipe(recipe, None if recipe.from_scratch else float_network)
        if self.graph:
            self._build_from_graph(recipes, self.graph)

    def _demand_quantizable(self, recipes: Sequence[Recipe]) -> None:
        """Quantize an untrained network, so that no training ends at a layer that tfmot refuses.

        A recipe from scratch quantizes before it trains anyway.
        """
        if not self.model.training.epochs:
            return
        for recipe in recipes:
            if recipe.kind is Kind.INT8_QAT and not recipe.from_scratch:
                self.report.stage(recipe.name, "check layers")
                network = build_network(self.frameworks, self.model, self.samples)
                quantize(self.frameworks, network, recipe, self.samples)

    def _build_from_graph(self, recipes: Sequence[Recipe], graph: ConvertedGraph) -> None:
        for recipe in recipes:
            graph.demand(recipe, self.model.training.epochs)
        outputs = graph.predict(self.samples.x_test, self.report.alive)
        for recipe in recipes:
            self.report.stage(recipe.name, "convert")
            converted = self._convert(recipe, graph)
            result = TrainingResult(outputs=outputs, curve=())
            self._write(recipe, converted, result, self.report.seconds(recipe.name))
            self.report.ready(recipe.name)

    def _train_float_network(self, recipe: Recipe) -> _FloatNetwork:
        self.report.stage(recipe.name, "train", shared=True)
        network = build_network(self.frameworks, self.model, self.samples)
        result = self._trainer().train(network, self._first_phase(recipe))
        seconds = self.report.seconds(recipe.name)
        return _FloatNetwork(weights=network.get_weights(), result=result, seconds=seconds)

    def _build_recipe(self, recipe: Recipe, float_network: _FloatNetwork | None) -> None:
        network, result = self._train_recipe(recipe, float_network)
        self.report.stage(recipe.name, "convert")
        converted = self._convert(recipe, network)
        seconds = (float_network.seconds if float_network else {}) | self.report.seconds(
            recipe.name
        )
        self._write(recipe, converted, result, seconds)
        self.report.ready(recipe.name)

    def _train_recipe(
        self, recipe: Recipe, float_network: _FloatNetwork | None
    ) -> tuple[Network, TrainingResult]:
        """Return the network to convert and the result of its training.

        Without a trained float network, the network is trained from scratch.
        """
        is_quantization_aware = recipe.kind is Kind.INT8_QAT
        self.report.stage(recipe.name, _first_stage(recipe))
        network, result = self._compress(self._start(float_network), recipe, float_network)
        if is_quantization_aware:
            self.report.stage(recipe.name, "quantize")
            reseed(self.frameworks, self.model.training)
            network = quantize(self.frameworks, network, recipe, self.samples)
        if result is None:
            self.report.stage(recipe.name, "train")
            return network, self._trainer().train(network, self._first_phase(recipe))
        if is_quantization_aware or recipe.fine_tune_epochs:
            epochs = recipe.fine_tune_epochs
            result = self._continue_training(network, recipe, result, "fine-tune", epochs)
        return network, result

    def _compress(
        self, network: Network, recipe: Recipe, float_network: _FloatNetwork | None
    ) -> tuple[Network, TrainingResult | None]:
        """Prune and cluster the float network, if the recipe does."""
        if float_network is None:
            return network, None
        result = float_network.result
        steps = math.ceil(len(self.samples) / self.model.training.batch_size)
        for compression in compressions(self.frameworks, recipe, steps):
            stage, epochs = compression.stage, compression.epochs
            self.report.stage(recipe.name, stage)
            reseed(self.frameworks, self.model.training)
            network = compression.wrap(network)
            result = self._continue_training(network, recipe, result, stage, epochs)
            network = compression.strip(network)
        return network, result

    def _start(self, float_network: _FloatNetwork | None) -> Network:
        if float_network is None:
            return build_network(self.frameworks, self.model, self.samples)
        return rebuild_network(self.frameworks, self.model, self.samples, float_network.weights)

    def _continue_training(
        self, network: Network, recipe: Recipe, previous: TrainingResult, stage: str, epochs: int
    ) -> TrainingResult:
        """Train for `epochs` after the previous ones, with a fresh optimizer."""
        self.report.stage(recipe.name, stage)
        training, done = self.model.training, len(previous.curve)
        rate = training.fine_tune_learning_rate
        phase = TrainingPhase(
            recipe=recipe.name,
            stage=stage,
            epochs=range(done, done + epochs),
            rate=training.learning_rate if rate is None else rate,
        )
        result = self._trainer().train(network, phase)
        return TrainingResult(outputs=result.outputs, curve=previous.curve + result.curve)

    def _first_phase(self, recipe: Recipe) -> TrainingPhase:
        training = self.model.training
        epochs = range(training.epochs)
        return TrainingPhase(
            recipe=recipe.name, stage="train", epochs=epochs, rate=training.learning_rate
        )

    def _trainer(self) -> Trainer:
        return Trainer(
            frameworks=self.frameworks,
            samples=self.samples,
            training=self.model.training,
            report=self.report,
            output=self.model.data.output,
        )

    def _convert(self, recipe: Recipe, network: Network | ConvertedGraph) -> Converted:
        training = self.model.training
        reseed(self.frameworks, training)
        calibration = make_calibration(
            self.frameworks, self.samples, recipe, training, self.report.alive
        )
        return convert(self.frameworks, network, recipe, calibration)

    def _write(
        self,
        recipe: Recipe,
        converted: Converted,
        result: TrainingResult,
        seconds: dict[str, float],
    ) -> None:
        """Write the files of a build that the store keeps."""
        folder = self.staging / recipe.name
        folder.mkdir()
        certificate = (
            environment_facts(self.frameworks)
            | {
                "model": self.model.name,
                "training": self.model.training.spec(),
                "recipe": recipe.spec(),
                "seed": self.model.training.seed,
                "threads": self.model.training.threads,
                "seconds": seconds,
            }
            | self._start_origin()
            | ({"batch": converted.batch} if converted.batch else {})
        )
        tflite = converted.tflite
        if recipe.strip:
            (folder / CONVERTED).write_bytes(tflite)
            tflite = stripped(tflite, subject=f"{self.model.name}/{recipe.name}")
        (folder / "model.tflite").write_bytes(tflite)
        save(folder, "keras_outputs", result.outputs)
        (folder / "history.json").write_text(_json([asdict(epoch) for epoch in result.curve]))
        (folder / "certificate.json").write_text(_json(certificate))

    def _start_origin(self) -> dict[str, Any]:
        """Return the origin of the pretrained network, for the birth certificate; empty without."""
        start = self.model.start
        if start is None:
            return {}
        fields = {name: getattr(start, name) for name in ("path", "url", "command")}
        origin = {name: text for name, text in fields.items() if text}
        return {"start": origin | {"sha256": digest(self.staging / START)}}


def _first_stage(recipe: Recipe) -> str:
    if recipe.pruning:
        return "prune"
    if recipe.clustering:
        return "cluster"
    return "quantize" if recipe.kind is Kind.INT8_QAT else "convert"


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
