"""Train networks, with the same batches in the same order for a reference and its candidate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.epoch_order import epoch_order
from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.networks import (
    OutputRoles,
    compile_inference,
    compile_network,
    reseed,
)
from litegate.build.toolchain.protocol import Progress
from litegate.build.toolchain.reporter import Reporter
from litegate.build.toolchain.tensor_samples import (
    Network,
    Outputs,
    TensorSamples,
    ordered_inputs,
    ordered_outputs,
    slice_samples,
)
from litegate.spec import Training

_CALL = 0.25
"""Seconds that one call into TensorFlow should take.

Longer calls cost less overhead; shorter ones report progress and check the loss more often. A
quarter of a second is half of the reporter's pause. The losses do not depend on it, because a call
is a loop over the same steps.
"""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EpochMetrics:
    """Loss and accuracy of one epoch: a point of the training curve."""

    stage: str
    epoch: int
    """Counted from 1 over the network's whole life."""
    loss: float
    accuracy: float | None
    """Running means on the training split, as Keras's `fit` reports them; accuracy is None unless
    the loss is one of classification."""
    val_loss: float | None
    val_accuracy: float | None
    """On the evaluation split, after the epoch; None if its labels have another type or shape."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPhase:
    """A stage of training: which epochs, at which learning rate."""

    recipe: str
    stage: str
    epochs: range
    """Counted from 0 over the network's whole life."""
    rate: float | None
    """Learning rate; None for the optimizer's default."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """The result of a training, besides the network's new weights."""

    outputs: Outputs
    """The network's outputs for the evaluation split, shape (m, ...); a mapping by name if there
    are several outputs."""
    curve: tuple[EpochMetrics, ...]
    """Of all epochs since the network was built."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer:
    """Trains networks of one model."""

    frameworks: Frameworks
    samples: TensorSamples
    training: Training
    report: Reporter
    output: str = ""
    """The output whose accuracy is reported, if there are several."""

    def train(self, network: Network, phase: TrainingPhase) -> TrainingResult:
        """Train a network in place, with a fresh optimizer; without epochs, only evaluate it.

        Raises ToolchainError, naming epoch and step, if the loss is not finite.
        """
        reseed(self.frameworks, self.training)
        roles = OutputRoles(labelled=self.samples.labelled_outputs, deciding=self.output)
        compile_network(self.frameworks, network, self.training, phase.rate, roles)
        steps = self._compiled_steps(network)
        predict = compile_inference(self.frameworks, network, self.samples, self.report.alive)
        curve, outputs = [], None
        for epoch in phase.epochs:
            metrics = self._train_epoch(network, phase, epoch, steps)
            if epoch + 1 == phase.epochs.stop:
                self.report.stage(phase.recipe, "evaluate", shared=self.report.now.shared)
            outputs = predict()
            validation = self._validate(network, outputs)
            curve.append(_epoch_metrics(phase, epoch, metrics, validation))
        if outputs is None:
            outputs = predict()
            self._validate(network, outputs)
        return TrainingResult(outputs=outputs, curve=tuple(curve))

    def _compiled_steps(self, network: Network) -> Callable[[Any, int, int], None]:
        """Return a function of (order, first, last) that trains on the batches first to last - 1.

        The loop runs inside TensorFlow on tensors in memory; each step is Keras's own
        `train_step`, so the losses equal those of `fit` to the last bit.
        """
        tf, size = self.frameworks.tf, self.training.batch_size
        x = ordered_inputs(network, self.samples.x_train)
        y = ordered_outputs(network, self.samples.y_train)
        self._create_variables(network)
        scalar = tf.TensorSpec([], tf.int32)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), scalar, scalar])  # type: ignore[untyped-decorator]
        def steps(order: Any, first: Any, last: Any) -> None:
            for step in tf.range(first, last):
                indices = order[step * size : (step + 1) * size]
                network.train_step((_gather(tf, x, indices), _gather(tf, y, indices)))

        return lambda order, first, last: steps(order, tf.constant(first), tf.constant(last))

    def _create_variables(self, network: Network) -> None:
        """Create the variables of optimizer, loss and metrics.

        Keras would create them in the first step, but TensorFlow allows no new variables in a loop.
        """
        network.optimizer.build(network.trainable_variables)
        tf, first = self.frameworks.tf, slice(0, 1)
        x = slice_samples(tf, ordered_inputs(network, self.samples.x_train), first)
        y = slice_samples(tf, ordered_outputs(network, self.samples.y_train), first)
        self._evaluate(network, network(x, training=False), x, y)

    def _evaluate(self, network: Network, outputs: Any, x: Any, y: Any) -> dict[str, float]:
        """Return loss and accuracy of the network's outputs, as computed by Keras's `evaluate`."""
        convert = self.frameworks.tf.convert_to_tensor
        outputs = self.frameworks.tf.nest.map_structure(convert, outputs)
        network.reset_metrics()
        network.compute_loss(x, y, outputs)
        network.compute_metrics(x, y, outputs, None)
        return _metrics(network)

    def _train_epoch(
        self,
        network: Network,
        phase: TrainingPhase,
        epoch: int,
        steps: Callable[[Any, int, int], None],
    ) -> dict[str, float]:
        count = len(self.samples)
        order = self.frameworks.tf.constant(epoch_order(self.training, epoch, count))
        total = math.ceil(count / self.training.batch_size)
        network.reset_metrics()
        done, size, started = 0, 1, time.monotonic()
        while done < total:
            call_started = time.monotonic()
            goal = min(total, done + size)
            steps(order, done, goal)
            metrics = _metrics(network)
            done, now = goal, time.monotonic()
            size = size * 2 if now - call_started < _CALL else size
            self._report_progress(phase, epoch, metrics, (done, total), now - started)
        return metrics

    def _report_progress(
        self,
        phase: TrainingPhase,
        epoch: int,
        metrics: dict[str, float],
        steps: tuple[int, int],
        seconds: float,
    ) -> None:
        """Report the steps of an epoch, (done, total); `seconds` have passed since its start.

        Raises ToolchainError if the loss is not finite.
        """
        done, total = steps
        _check_finite(
            metrics, f"in epoch {epoch + 1} of {phase.epochs.stop}, step {done} of {total}"
        )
        remaining = total - done + (phase.epochs.stop - epoch - 1) * total
        self.report.progress(
            Progress(
                recipe=phase.recipe,
                stage=phase.stage,
                epoch=epoch + 1,
                epochs=phase.epochs.stop,
                step=done,
                steps=total,
                loss=metrics["loss"],
                accuracy=metrics.get("accuracy"),
                eta=round(seconds / done * remaining, 1),
            )
        )

    def _validate(self, network: Network, outputs: Outputs) -> dict[str, float]:
        """Return loss and accuracy on the evaluation split; empty if its labels do not fit.

        Raises ToolchainError if the loss is not finite.
        """
        if not self.samples.can_validate:
            return {}
        ordered = ordered_outputs(network, outputs)
        x = ordered_inputs(network, self.samples.x_test)
        y = ordered_outputs(network, self.samples.y_test)
        metrics = self._evaluate(network, ordered, x, y)
        _check_finite(metrics, "on the evaluation split")
        return metrics


def _gather(tf: Any, tensors: Any, indices: Any) -> Any:
    return tf.nest.map_structure(lambda tensor: tf.gather(tensor, indices), tensors)


def _metrics(network: Network) -> dict[str, float]:
    """Return the network's "loss" and, if it is computed, the deciding output's "accuracy"."""
    results = {name: float(value) for name, value in network.get_metrics_result().items()}
    accuracies = [value for name, value in results.items() if name.endswith("accuracy")]
    return {"loss": results["loss"]} | ({"accuracy": accuracies[0]} if accuracies else {})


def _epoch_metrics(
    phase: TrainingPhase,
    epoch: int,
    training: dict[str, float],
    validation: dict[str, float],
) -> EpochMetrics:
    return EpochMetrics(
        stage=phase.stage,
        epoch=epoch + 1,
        loss=training["loss"],
        accuracy=training.get("accuracy"),
        val_loss=validation.get("loss"),
        val_accuracy=validation.get("accuracy"),
    )


def _check_finite(metrics: dict[str, float], location: str) -> None:
    if not math.isfinite(metrics["loss"]):
        raise ToolchainError(
            "non-finite-loss",
            f"the loss is {metrics['loss']} {location}",
            expected="a finite number",
            remedy="lower Training(learning_rate=...), and check from_logits for the last "
            "layer, the labels and the preprocessing",
        )
