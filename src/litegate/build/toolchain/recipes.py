"""The recipes of one model, made one after another from one trained float network."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from litegate.build.toolchain.compress import compressions
from litegate.build.toolchain.convert import calibration_of, converted
from litegate.build.toolchain.determinism import Frameworks, facts
from litegate.build.toolchain.feeds import Network, Samples
from litegate.build.toolchain.networks import Weights, fresh, reseed, restored
from litegate.build.toolchain.pretrained import Graph
from litegate.build.toolchain.protocol import CONVERTED, START
from litegate.build.toolchain.quantize import quantized
from litegate.build.toolchain.reporter import Reporter
from litegate.build.toolchain.strip import stripped
from litegate.build.toolchain.train import Course, Trained, Trainer
from litegate.data.array_files import save
from litegate.data.sources import digest
from litegate.spec import Kind, Model, Recipe


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """The trained float network that recipes start from."""

    weights: Weights
    trained: Trained
    seconds: dict[str, float]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every recipe of a run needs."""

    model: Model
    frameworks: Frameworks
    samples: Samples
    report: Reporter
    staging: Path
    graph: Graph | None = None
    """What the model starts from, where that is no network to train."""

    def make(self, recipes: Sequence[Recipe]) -> None:
        """Make each recipe's files; the float network is trained once, when it is first needed.

        Every network is built anew and seeded, so no recipe's bytes depend on another recipe.
        """
        base: _Base | None = None
        for recipe in recipes if self.graph is None else ():
            if base is None and not recipe.from_scratch:
                base = self._train_base(recipe)
            self._make_one(recipe, None if recipe.from_scratch else base)
        if self.graph:
            self._make_of_graph(recipes, self.graph)

    def _make_of_graph(self, recipes: Sequence[Recipe], graph: Graph) -> None:
        for recipe in recipes:
            graph.demand(recipe, self.model.training.epochs)
        outputs = graph.answers(self.samples.x_test, self.report.alive)
        for recipe in recipes:
            self.report.stage(recipe.name, "convert")
            tflite = self._convert(recipe, graph)
            trained = Trained(outputs=outputs, rows=())
            self._write(recipe, tflite, trained, self.report.seconds(recipe.name))
            self.report.ready(recipe.name)

    def _train_base(self, recipe: Recipe) -> _Base:
        self.report.stage(recipe.name, "train", shared=True)
        network = fresh(self.frameworks, self.model, self.samples)
        trained = self._trainer().train(network, self._first_course(recipe))
        seconds = self.report.seconds(recipe.name)
        return _Base(weights=network.get_weights(), trained=trained, seconds=seconds)

    def _make_one(self, recipe: Recipe, base: _Base | None) -> None:
        network, trained = self._network(recipe, base)
        self.report.stage(recipe.name, "convert")
        tflite = self._convert(recipe, network)
        seconds = (base.seconds if base else {}) | self.report.seconds(recipe.name)
        self._write(recipe, tflite, trained, seconds)
        self.report.ready(recipe.name)

    def _network(self, recipe: Recipe, base: _Base | None) -> tuple[Network, Trained]:
        """The network to convert and what its training gave; without a base, from scratch."""
        aware = recipe.kind is Kind.INT8_QAT
        self.report.stage(recipe.name, _first_stage(recipe))
        network, trained = self._compressed(self._start(base), recipe, base)
        if aware:
            self.report.stage(recipe.name, "quantize")
            reseed(self.frameworks, self.model.training)
            network = quantized(self.frameworks, network, recipe, self.samples)
        if trained is None:
            self.report.stage(recipe.name, "train")
            return network, self._trainer().train(network, self._first_course(recipe))
        if aware or recipe.fine_tune_epochs:
            trained = self._train_on(network, recipe, trained, "fine-tune", recipe.fine_tune_epochs)
        return network, trained

    def _compressed(
        self, network: Network, recipe: Recipe, base: _Base | None
    ) -> tuple[Network, Trained | None]:
        """The float network pruned and clustered, as the recipe wants it."""
        if base is None:
            return network, None
        trained = base.trained
        steps = math.ceil(len(self.samples) / self.model.training.batch_size)
        for each in compressions(self.frameworks, recipe, steps):
            self.report.stage(recipe.name, each.stage)
            reseed(self.frameworks, self.model.training)
            network = each.wrap(network)
            trained = self._train_on(network, recipe, trained, each.stage, each.epochs)
            network = each.strip(network)
        return network, trained

    def _start(self, base: _Base | None) -> Network:
        if base is None:
            return fresh(self.frameworks, self.model, self.samples)
        return restored(self.frameworks, self.model, self.samples, base.weights)

    def _train_on(
        self, network: Network, recipe: Recipe, before: Trained, stage: str, epochs: int
    ) -> Trained:
        """Train for `epochs` after those before, with a fresh optimizer."""
        self.report.stage(recipe.name, stage)
        training, done = self.model.training, len(before.rows)
        rate = training.fine_tune_learning_rate
        course = Course(
            recipe=recipe.name,
            stage=stage,
            epochs=range(done, done + epochs),
            rate=training.learning_rate if rate is None else rate,
        )
        tuned = self._trainer().train(network, course)
        return Trained(outputs=tuned.outputs, rows=before.rows + tuned.rows)

    def _first_course(self, recipe: Recipe) -> Course:
        training = self.model.training
        epochs = range(training.epochs)
        return Course(recipe=recipe.name, stage="train", epochs=epochs, rate=training.learning_rate)

    def _trainer(self) -> Trainer:
        return Trainer(
            frameworks=self.frameworks,
            samples=self.samples,
            training=self.model.training,
            report=self.report,
            output=self.model.data.output,
        )

    def _convert(self, recipe: Recipe, made: Network | Graph) -> bytes:
        training = self.model.training
        reseed(self.frameworks, training)
        calibration = calibration_of(
            self.frameworks, self.samples, recipe, training, self.report.alive
        )
        return converted(self.frameworks, made, recipe, calibration)

    def _write(
        self, recipe: Recipe, tflite: bytes, trained: Trained, seconds: dict[str, float]
    ) -> None:
        """Write the four files that the store keeps of a build."""
        folder = self.staging / recipe.name
        folder.mkdir()
        certificate = (
            facts()
            | {
                "model": self.model.name,
                "training": asdict(self.model.training),
                "recipe": recipe.spec(),
                "seed": self.model.training.seed,
                "threads": self.model.training.threads,
                "seconds": seconds,
            }
            | self._start_told()
        )
        if recipe.strip:
            (folder / CONVERTED).write_bytes(tflite)
            tflite = stripped(tflite, subject=f"{self.model.name}/{recipe.name}")
        (folder / "model.tflite").write_bytes(tflite)
        save(folder, "keras_outputs", trained.outputs)
        (folder / "history.json").write_text(_json([asdict(row) for row in trained.rows]))
        (folder / "certificate.json").write_text(_json(certificate))

    def _start_told(self) -> dict[str, Any]:
        """Where the trained network came from, for the birth certificate."""
        start = self.model.start
        if start is None:
            return {}
        told = {name: getattr(start, name) for name in ("path", "url", "command")}
        named = {name: text for name, text in told.items() if text}
        return {"start": named | {"sha256": digest(self.staging / START)}}


def _first_stage(recipe: Recipe) -> str:
    if recipe.pruning:
        return "prune"
    if recipe.clustering:
        return "cluster"
    return "quantize" if recipe.kind is Kind.INT8_QAT else "convert"


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
