"""Networks: built anew each time, checked, compiled, and run on many samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.spec import Model, Splits, Training
from litegate.toolchain.environment import Frameworks
from litegate.toolchain.failures import ToolchainError
from litegate.toolchain.translation import loaded_keras3, translated

Network = Any
"""A tf_keras model."""
Weights = list[NDArray[Any]]
_BATCH = 250
_OF_CLASSES = frozenset({"sparsecategoricalcrossentropy", "categoricalcrossentropy"})
"""The losses of networks that choose between classes, which have an accuracy."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The data set as TensorFlow's own arrays, made once for all trainings of a run."""

    x_train: Any
    """float32, shape (n, ...)."""
    y_train: Any
    """int32 or float32, shape (n, ...)."""
    x_test: Any
    """float32, shape (m, ...)."""
    y_test: Any
    """int32 or float32, shape (m, ...)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(self.x_train.shape[1:])

    @property
    def validates(self) -> bool:
        """Whether the evaluation split's labels are of the kind that is trained towards."""
        one, other = self.y_train, self.y_test
        return bool(one.dtype == other.dtype and one.shape[1:] == other.shape[1:])

    def __len__(self) -> int:
        return int(self.x_train.shape[0])


def samples_of(frameworks: Frameworks, splits: Splits) -> Samples:
    """Copy a prepared data set into TensorFlow."""
    tf = frameworks.tf
    return Samples(
        x_train=tf.constant(splits.x_train),
        y_train=_labels(tf, splits.y_train),
        x_test=tf.constant(splits.x_test),
        y_test=_labels(tf, splits.y_test),
    )


def _labels(tf: Any, labels: NDArray[Any]) -> Any:
    return tf.constant(labels, tf.float32 if labels.dtype.kind == "f" else tf.int32)


def reseed(frameworks: Frameworks, training: Training) -> None:
    """Seed Python, NumPy and TensorFlow before a stage, so that no stage depends on another."""
    for keras in _in_use(frameworks):
        keras.utils.set_random_seed(training.seed)


def fresh(frameworks: Frameworks, model: Model, shape: tuple[int, ...]) -> Network:
    """The network as its builder makes it, with the seed's initial weights; always of tf_keras."""
    network = translated(frameworks, _made(frameworks, model))
    _check_kind(frameworks, network, model)
    _check_ports(network, model, shape)
    return network


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


def restored(
    frameworks: Frameworks, model: Model, shape: tuple[int, ...], weights: Weights
) -> Network:
    """The network built anew with the trained weights."""
    network = fresh(frameworks, model, shape)
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


def _check_ports(network: Network, model: Model, shape: tuple[int, ...]) -> None:
    """Refuse a network that is not one declared input of the samples' shape and one output."""
    inputs, outputs = network.inputs or (), network.outputs or ()
    got = [tuple(port.shape)[1:] for port in inputs]
    if len(got) == len(outputs) == 1 and _fits(got[0], shape):
        return
    raise ToolchainError(
        "builder",
        "the network does not take the data set's samples",
        expected=f"one input of shape {shape} and one output",
        got=f"{len(outputs)} outputs and inputs of shape {got}" if got else "no declared input",
        remedy=f"begin with keras.layers.InputLayer(input_shape={shape}), "
        f"or change the preprocessing of {model.data.name}",
    )


def _fits(declared: tuple[int | None, ...], shape: tuple[int, ...]) -> bool:
    same_rank = len(declared) == len(shape)
    return same_rank and all(d in (None, s) for d, s in zip(declared, shape, strict=True))


def compile_network(
    frameworks: Frameworks, network: Network, training: Training, rate: float | None
) -> None:
    """Give a network a fresh optimizer, the loss and, where the loss chooses, the accuracy."""
    network.compile(
        optimizer=_optimizer(frameworks.keras, training, rate),
        loss=_loss(frameworks.keras, training),
        metrics=["accuracy"] if _wanted(training.loss) in _OF_CLASSES else [],
    )


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
    wanted = _wanted(training.loss)
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
    frameworks: Frameworks, network: Network, x: Any, alive: Callable[[], None]
) -> Callable[[], NDArray[np.float32]]:
    """A function that gives the network's answers to samples of shape (n, ...): shape (n, ...).

    It runs in inference mode, and is compiled once, however often the network's weights change.
    """
    tf = frameworks.tf
    signature = tf.TensorSpec([None, *x.shape[1:]], x.dtype)
    infer = tf.function(lambda batch: network(batch, training=False), input_signature=[signature])

    def answers() -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(x), _BATCH):
            parts.append(infer(x[start : start + _BATCH]).numpy())
            alive()
        return np.concatenate(parts).astype(np.float32)

    return answers
