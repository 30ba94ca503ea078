"""Training: the same batches in the same order for a reference and its candidate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.feeds import Answers, Network, Samples, expected_of, fed_to, part
from litegate.build.toolchain.networks import Judged, compile_network, inference, reseed
from litegate.build.toolchain.protocol import Progress
from litegate.build.toolchain.reporter import Reporter
from litegate.spec import Training

_CALL = 0.25
"""Seconds that one call into TensorFlow should take: long enough to be cheap."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One epoch of a training history."""

    stage: str
    epoch: int
    """Counted from 1 over the network's whole life."""
    loss: float
    accuracy: float | None
    """Running means on the training split, as Keras's `fit` gives them; no accuracy where the loss
    does not choose between classes."""
    val_loss: float | None
    val_accuracy: float | None
    """On the evaluation split, after the epoch; None where its labels are of another kind."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Which epochs are trained, and how."""

    recipe: str
    stage: str
    epochs: range
    """Counted from 0 over the network's whole life."""
    rate: float | None
    """Learning rate; None leaves the optimizer's own default."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training gives beside the network's new weights."""

    outputs: Answers
    """The network's answers to the evaluation split, shape (m, ...); of several outputs a mapping
    from the output's name."""
    rows: tuple[Row, ...]


def order_of(training: Training, epoch: int, count: int) -> NDArray[np.int32]:
    """The order of `count` samples in an epoch, counted from 0: of seed and epoch alone."""
    drawn = np.random.default_rng([training.seed, epoch]).permutation(count)
    return drawn.astype(np.int32)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer:
    """What every training of a run needs."""

    frameworks: Frameworks
    samples: Samples
    training: Training
    report: Reporter
    output: str = ""
    """The output whose accuracy is told, where there are several."""

    def train(self, network: Network, course: Course) -> Trained:
        """Train a network in place, with a fresh optimizer; no epochs at all only evaluate it.

        Refuses a loss that is not finite, with its epoch and step.
        """
        reseed(self.frameworks, self.training)
        judged = Judged(labelled=self.samples.labelled, output=self.output)
        compile_network(self.frameworks, network, self.training, course.rate, judged)
        steps = self._compiled_steps(network)
        infer = inference(self.frameworks, network, self.samples, self.report.alive)
        rows, answers = [], None
        for epoch in course.epochs:
            found = self._epoch(network, course, epoch, steps)
            if epoch + 1 == course.epochs.stop:
                self.report.stage(course.recipe, "evaluate", shared=self.report.now.shared)
            answers = infer()
            rows.append(_row(course, epoch, found, self._validate(network, answers)))
        if answers is None:
            answers = infer()
            self._validate(network, answers)
        return Trained(outputs=answers, rows=tuple(rows))

    def _compiled_steps(self, network: Network) -> Callable[[Any, int, int], None]:
        """A function of (order, first, last) that trains on the batches from first to last.

        The loop runs inside TensorFlow on arrays that are there already; each step is Keras's own
        `train_step`, so the losses are those of `fit` to the last bit.
        """
        tf, size = self.frameworks.tf, self.training.batch_size
        x = fed_to(network, self.samples.x_train)
        y = expected_of(network, self.samples.y_train)
        self._create_variables(network)
        number = tf.TensorSpec([], tf.int32)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), number, number])  # type: ignore[untyped-decorator]
        def steps(order: Any, first: Any, last: Any) -> None:
            for step in tf.range(first, last):
                picked = order[step * size : (step + 1) * size]
                network.train_step((_gathered(tf, x, picked), _gathered(tf, y, picked)))

        return lambda order, first, last: steps(order, tf.constant(first), tf.constant(last))

    def _create_variables(self, network: Network) -> None:
        """Make Keras create what it would create in the first step: a loop must not."""
        network.optimizer.build(network.trainable_variables)
        tf, first = self.frameworks.tf, slice(0, 1)
        x = part(tf, fed_to(network, self.samples.x_train), first)
        y = part(tf, expected_of(network, self.samples.y_train), first)
        self._judge(network, network(x, training=False), x, y)

    def _judge(self, network: Network, answers: Any, x: Any, y: Any) -> dict[str, float]:
        """Loss and accuracy of the network's answers to samples, as Keras's `evaluate` has them."""
        convert = self.frameworks.tf.convert_to_tensor
        answers = self.frameworks.tf.nest.map_structure(convert, answers)
        network.reset_metrics()
        network.compute_loss(x, y, answers)
        network.compute_metrics(x, y, answers, None)
        return _results(network)

    def _epoch(
        self, network: Network, course: Course, epoch: int, steps: Callable[[Any, int, int], None]
    ) -> dict[str, float]:
        count = len(self.samples)
        order = self.frameworks.tf.constant(order_of(self.training, epoch, count))
        total = math.ceil(count / self.training.batch_size)
        network.reset_metrics()
        done, size, began = 0, 1, time.monotonic()
        while done < total:
            called = time.monotonic()
            goal = min(total, done + size)
            steps(order, done, goal)
            found = _results(network)
            done, now = goal, time.monotonic()
            size = size * 2 if now - called < _CALL else size
            self._tell(course, epoch, found, (done, total), now - began)
        return found

    def _tell(
        self,
        course: Course,
        epoch: int,
        found: dict[str, float],
        steps: tuple[int, int],
        spent: float,
    ) -> None:
        done, total = steps
        _check_finite(
            found, f"in epoch {epoch + 1} of {course.epochs.stop}, step {done} of {total}"
        )
        left = total - done + (course.epochs.stop - epoch - 1) * total
        self.report.progress(
            Progress(
                recipe=course.recipe,
                stage=course.stage,
                epoch=epoch + 1,
                epochs=course.epochs.stop,
                step=done,
                steps=total,
                loss=found["loss"],
                accuracy=found.get("accuracy"),
                eta=round(spent / done * left, 1),
            )
        )

    def _validate(self, network: Network, answers: Answers) -> dict[str, float]:
        """Loss and accuracy on the evaluation split; nothing where its labels are other things."""
        if not self.samples.validates:
            return {}
        given = expected_of(network, answers)
        x = fed_to(network, self.samples.x_test)
        judged = self._judge(network, given, x, expected_of(network, self.samples.y_test))
        _check_finite(judged, "on the evaluation split")
        return judged


def _gathered(tf: Any, tensors: Any, picked: Any) -> Any:
    return tf.nest.map_structure(lambda each: tf.gather(each, picked), tensors)


def _results(network: Network) -> dict[str, float]:
    """The loss, and the accuracy of the output that decides where its loss has one."""
    found = {name: float(value) for name, value in network.get_metrics_result().items()}
    told = [value for name, value in found.items() if name.endswith("accuracy")]
    return {"loss": found["loss"]} | ({"accuracy": told[0]} if told else {})


def _row(course: Course, epoch: int, found: dict[str, float], judged: dict[str, float]) -> Row:
    return Row(
        stage=course.stage,
        epoch=epoch + 1,
        loss=found["loss"],
        accuracy=found.get("accuracy"),
        val_loss=judged.get("loss"),
        val_accuracy=judged.get("accuracy"),
    )


def _check_finite(found: dict[str, float], where: str) -> None:
    if not math.isfinite(found["loss"]):
        raise ToolchainError(
            "non-finite-loss",
            f"the loss is {found['loss']} {where}",
            expected="a finite number",
            remedy="lower Training(learning_rate=...), look whether from_logits suits the last "
            "layer, and whether labels and preprocessing are right",
        )
