"""Networks: built anew each time, checked, compiled, and run on many samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.feeds import (
    Answers,
    Network,
    Samples,
    check_ports,
    count,
    fed_to,
    in_lists,
    output_names,
    part,
)
from litegate.build.toolchain.keras3 import loaded_keras3, translated
from litegate.spec import Model, Training

Weights = list[NDArray[Any]]
_BATCH = 250
_OF_CLASSES = frozenset({"sparsecategoricalcrossentropy", "categoricalcrossentropy"})
"""The losses of networks that choose between classes, which have an accuracy."""


def reseed(frameworks: Frameworks, training: Training) -> None:
    """Seed Python, NumPy and TensorFlow before a stage, so that no stage depends on another."""
    for keras in _in_use(frameworks):
        keras.utils.set_random_seed(training.seed)


def fresh(frameworks: Frameworks, model: Model, samples: Samples) -> Network:
    """The network as its builder makes it, with the seed's initial weights; always of tf_keras."""
    network = translated(frameworks, _made(frameworks, model))
    _check_kind(frameworks, network, model)
    check_ports(network, model, samples)
    _check_scores(network, model)
    return in_lists(frameworks, network)


def _made(frameworks: Frameworks, model: Model) -> Network:
    """What the builder gives on cleared ground.

    Keras's own state is cleared: automatic layer names carry a counter that reaches the file. The
    import of Keras 3 may draw random numbers: a builder in which it happens is called once more.
    """
    keras3 = loaded_keras3()
    for keras in _in_use(frameworks):
        keras.backend.clear_session()
    reseed(frameworks, model.training)
    network = model.build(frameworks.keras)
    return network if loaded_keras3() is keras3 else _made(frameworks, model)


def _in_use(frameworks: Frameworks) -> list[Any]:
    """Keras 3, where it is imported, and tf_keras."""
    return [keras for keras in (loaded_keras3(), frameworks.keras) if keras]


def restored(frameworks: Frameworks, model: Model, samples: Samples, weights: Weights) -> Network:
    """The network built anew with the trained weights."""
    network = fresh(frameworks, model, samples)
    try:
        network.set_weights(weights)
    except ValueError as error:
        raise ToolchainError(
            "builder",
            "the builder gives another network each time that it is called",
            got=str(error),
            remedy=f"make {model.name} depend on nothing but its argument",
        ) from error
    return network


def _check_kind(frameworks: Frameworks, network: Network, model: Model) -> None:
    if isinstance(network, frameworks.keras.Model):
        return
    raise ToolchainError(
        "builder",
        "the builder gave no network",
        expected="a network of tf_keras, the module that the builder is handed, or of Keras 3",
        got=f"{type(network).__module__}.{type(network).__qualname__}",
        remedy=f"let {model.name} return keras.Sequential(...) or keras.Model(inputs, outputs)",
    )


def _check_scores(network: Network, model: Model) -> None:
    """Refuse other scores than one a class before training on labels that they do not fit.

    A single score may say yes or no; of several outputs, and of masks, others judge.
    """
    classes, shape = len(model.data.classes), network.output_shape
    if (
        not (classes and model.has_accuracy)
        or isinstance(shape, list | dict)
        or len(shape) != len("nk")
    ):
        return
    if shape[-1] not in (1, classes):
        raise ToolchainError(
            "config",
            f"the network of {model.name} gives {shape[-1]} scores, and its data set names "
            f"{classes} classes",
            expected=f"a last layer of {classes} units",
            remedy=f"compare the last layer with classes=... of {model.data.name}",
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The outputs that labels are named for, and the one whose accuracy is told."""

    labelled: tuple[str, ...] = ()
    output: str = ""


def compile_network(
    frameworks: Frameworks,
    network: Network,
    training: Training,
    rate: float | None,
    judged: Judged,
) -> None:
    """Give a network a fresh optimizer, the losses, and the accuracy of the output that decides.

    There is an accuracy only where that output's loss chooses between classes.
    """
    names = output_names(network, judged.labelled)
    trainings = losses_of(training, names)
    losses = [_loss(frameworks.keras, each) for each in trainings]
    several = len(names) > 1
    told = [
        ["accuracy"] if _chooses(each) and (name == judged.output or not several) else []
        for name, each in zip(names, trainings, strict=True)
    ]
    network.compile(
        optimizer=_optimizer(frameworks.keras, training, rate),
        loss=losses if several else losses[0],
        metrics=told if several else told[0],
    )


def losses_of(training: Training, outputs: list[str]) -> list[Training]:
    """The training with the loss of each output; refuses a mapping that names others."""
    if isinstance(training.loss, str):
        return [training] * len(outputs)
    if {*training.loss} != {*outputs}:
        raise ToolchainError(
            "config",
            "Training(loss=...) names other outputs than the network has",
            expected=", ".join(outputs),
            got=", ".join(training.loss),
        )
    return [replace(training, loss=training.loss[name]) for name in outputs]


def _chooses(training: Training) -> bool:
    return _wanted(str(training.loss)) in _OF_CLASSES


def _wanted(name: str) -> str:
    """A name of Keras's as its classes have it, in small letters."""
    return name.replace("_", "").lower()


def _optimizer(keras: Any, training: Training, rate: float | None) -> Any:
    known = _classes(keras.optimizers)
    known.pop("optimizer")
    wanted = _wanted(training.optimizer)
    if wanted not in known:
        raise ToolchainError(
            "config",
            f"Training(optimizer={training.optimizer!r}) is no Keras optimizer",
            expected=", ".join(sorted(known)),
        )
    return known[wanted]() if rate is None else known[wanted](learning_rate=rate)


def _loss(keras: Any, training: Training) -> Any:
    known = _classes(keras.losses)
    wanted = _wanted(str(training.loss))
    try:
        if wanted not in known:
            return keras.losses.get(training.loss)
        if wanted.endswith("crossentropy"):
            return known[wanted](from_logits=training.from_logits)
        return known[wanted]()
    except ValueError as error:
        raise ToolchainError(
            "config",
            f"Training(loss={training.loss!r}) is no Keras loss",
            expected=", ".join(sorted(known)),
        ) from error


def _classes(module: Any) -> dict[str, Any]:
    return {name.lower(): each for name, each in vars(module).items() if isinstance(each, type)}


def inference(
    frameworks: Frameworks,
    network: Network,
    samples: Samples,
    alive: Callable[[], None],
) -> Callable[[], Answers]:
    """A function that gives the network's answers to the evaluation split, shape (m, ...).

    Of several outputs a mapping from the output's name. It runs in inference mode, some samples at
    a time, and is compiled once, however often the network's weights change.
    """
    tf, fed = frameworks.tf, fed_to(network, samples.x_test)
    signature = tf.nest.map_structure(
        lambda each: tf.TensorSpec([None, *each.shape[1:]], each.dtype), fed
    )
    infer = tf.function(lambda batch: network(batch, training=False), input_signature=[signature])

    def answers() -> Answers:
        parts = []
        for start in range(0, count(tf, fed), _BATCH):
            given = infer(part(tf, fed, slice(start, start + _BATCH)))
            parts.append([each.numpy() for each in tf.nest.flatten(given)])
            alive()
        joined = [np.concatenate(each).astype(np.float32) for each in zip(*parts, strict=True)]
        names = output_names(network, samples.labelled)
        return dict(zip(names, joined, strict=True)) if len(names) > 1 else joined[0]

    return answers
