"""Build networks with the model's builder; check, compile and run them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.keras3 import loaded_keras3, translate
from litegate.build.toolchain.tensor_samples import (
    Network,
    Outputs,
    TensorSamples,
    check_ports,
    ordered_inputs,
    output_names,
    sample_count,
    slice_samples,
    with_port_lists,
)
from litegate.spec import Model, Training

Weights = list[NDArray[Any]]
_BATCH = 250
"""Samples in one call: larger batches need more memory, smaller ones more calls.

Fixed, because the batch may decide the order of float sums, hence the stored outputs of Keras. The
number is a choice: 250 samples of MNIST are 0.8 MB."""
_CLASSIFICATION_LOSSES = frozenset({"sparsecategoricalcrossentropy", "categoricalcrossentropy"})
"""Losses of networks that choose between classes; only these networks have an accuracy."""


def reseed(frameworks: Frameworks, training: Training) -> None:
    """Seed Python, NumPy and TensorFlow before a stage, so that stages are independent."""
    for keras in _imported_keras_modules(frameworks):
        keras.utils.set_random_seed(training.seed)


def build_network(frameworks: Frameworks, model: Model, samples: TensorSamples) -> Network:
    """Call the model's builder; return a checked tf_keras network with seeded initial weights."""
    network = translate(frameworks, _call_builder(frameworks, model))
    _check_kind(frameworks, network, model)
    check_ports(network, model, samples)
    _check_scores(network, model)
    return with_port_lists(frameworks, network)


def _call_builder(frameworks: Frameworks, model: Model) -> Network:
    """Call the builder with cleared Keras state and a fresh seed.

    The state is cleared because automatic layer names contain a counter that reaches the file. The
    import of Keras 3 may draw random numbers, so a builder that imports it is called once more.
    """
    keras3 = loaded_keras3()
    for keras in _imported_keras_modules(frameworks):
        keras.backend.clear_session()
    reseed(frameworks, model.training)
    network = model.build(frameworks.keras)
    return network if loaded_keras3() is keras3 else _call_builder(frameworks, model)


def _imported_keras_modules(frameworks: Frameworks) -> list[Any]:
    """Return Keras 3, if it is imported, and tf_keras."""
    return [keras for keras in (loaded_keras3(), frameworks.keras) if keras]


def rebuild_network(
    frameworks: Frameworks, model: Model, samples: TensorSamples, weights: Weights
) -> Network:
    """Build the network again and load the trained weights.

    Raises ToolchainError if the builder returns another architecture than before.
    """
    network = build_network(frameworks, model, samples)
    try:
        network.set_weights(weights)
    except ValueError as error:
        raise ToolchainError(
            "builder",
            "the builder returns a different network in each call",
            got=str(error),
            remedy=f"make {model.name} depend only on its parameter",
        ) from error
    return network


def _check_kind(frameworks: Frameworks, network: Network, model: Model) -> None:
    if isinstance(network, frameworks.keras.Model):
        return
    raise ToolchainError(
        "builder",
        "the builder did not return a network",
        expected="a network of Keras 3, or of tf_keras, the builder's parameter",
        got=f"{type(network).__module__}.{type(network).__qualname__}",
        remedy=f"return keras.Sequential(...) or keras.Model(inputs, outputs) from {model.name}",
    )


def _check_scores(network: Network, model: Model) -> None:
    """Raise ToolchainError before training if the number of scores is not the number of classes.

    A single score is allowed for a binary decision. Several outputs and masks are not checked.
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
            f"{model.name} has {shape[-1]} scores, but its data set names {classes} classes",
            expected=f"a last layer of {classes} units",
            remedy=f"compare the last layer with classes=... of {model.data.name}",
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRoles:
    """Which outputs have labels, and which of them decides."""

    labelled: tuple[str, ...] = ()
    """Empty if the labels are a single array."""
    deciding: str = ""
    """The output whose accuracy is reported, if there are several."""


def compile_network(
    frameworks: Frameworks,
    network: Network,
    training: Training,
    rate: float | None,
    roles: OutputRoles,
) -> None:
    """Compile a network with a fresh optimizer, the losses, and the deciding output's accuracy.

    The accuracy is only computed if that output's loss is one of classification.
    """
    names = output_names(network, roles.labelled)
    trainings = losses_of(training, names)
    losses = [_loss(frameworks.keras, output_training) for output_training in trainings]
    has_several = len(names) > 1
    metrics = [
        ["accuracy"]
        if _is_classification(output_training) and (name == roles.deciding or not has_several)
        else []
        for name, output_training in zip(names, trainings, strict=True)
    ]
    network.compile(
        optimizer=_optimizer(frameworks.keras, training, rate),
        loss=losses if has_several else losses[0],
        metrics=metrics if has_several else metrics[0],
    )


def losses_of(training: Training, outputs: list[str]) -> list[Training]:
    """Return the training with the loss of each output.

    Raises ToolchainError if `training.loss` maps other names than `outputs`.
    """
    if isinstance(training.loss, str):
        return [training] * len(outputs)
    if {*training.loss} != {*outputs}:
        raise ToolchainError(
            "config",
            "Training(loss=...) and the network have different outputs",
            expected=", ".join(outputs),
            got=", ".join(training.loss),
        )
    return [replace(training, loss=training.loss[name]) for name in outputs]


def _is_classification(training: Training) -> bool:
    return _class_name(str(training.loss)) in _CLASSIFICATION_LOSSES


def _class_name(name: str) -> str:
    """Return the lower-case name of the Keras class: "mean_squared_error" to "meansquarederror"."""
    return name.replace("_", "").lower()


def _optimizer(keras: Any, training: Training, rate: float | None) -> Any:
    known = _classes(keras.optimizers)
    known.pop("optimizer")  # the abstract base class
    name = _class_name(training.optimizer)
    if name not in known:
        raise ToolchainError(
            "config",
            f"Training(optimizer={training.optimizer!r}) is not a Keras optimizer",
            expected=", ".join(sorted(known)),
        )
    return known[name]() if rate is None else known[name](learning_rate=rate)


def _loss(keras: Any, training: Training) -> Any:
    known = _classes(keras.losses)
    name = _class_name(str(training.loss))
    try:
        if name not in known:
            return keras.losses.get(training.loss)
        if name.endswith("crossentropy"):
            return known[name](from_logits=training.from_logits)
        return known[name]()
    except ValueError as error:
        raise ToolchainError(
            "config",
            f"Training(loss={training.loss!r}) is not a Keras loss",
            expected=", ".join(sorted(known)),
        ) from error


def _classes(module: Any) -> dict[str, Any]:
    members = vars(module).items()
    return {name.lower(): member for name, member in members if isinstance(member, type)}


def compile_inference(
    frameworks: Frameworks,
    network: Network,
    samples: TensorSamples,
    alive: Callable[[], None],
) -> Callable[[], Outputs]:
    """Return a function that computes the network's outputs for the evaluation split.

    It returns shape (m, ...), or a mapping by name if there are several outputs. It runs in
    inference mode, a batch at a time, and is compiled only once: changed weights take effect.
    """
    tf, inputs = frameworks.tf, ordered_inputs(network, samples.x_test)
    signature = tf.nest.map_structure(
        lambda tensor: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype), inputs
    )
    infer = tf.function(lambda batch: network(batch, training=False), input_signature=[signature])

    def predict() -> Outputs:
        batches = []
        for start in range(0, sample_count(tf, inputs), _BATCH):
            outputs = infer(slice_samples(tf, inputs, slice(start, start + _BATCH)))
            batches.append([tensor.numpy() for tensor in tf.nest.flatten(outputs)])
            alive()
        by_output = zip(*batches, strict=True)
        joined = [np.concatenate(arrays).astype(np.float32) for arrays in by_output]
        names = output_names(network, samples.labelled_outputs)
        return dict(zip(names, joined, strict=True)) if len(names) > 1 else joined[0]

    return predict
