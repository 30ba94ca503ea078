"""Digits that nobody taught: an autoencoder that never saw a zero gives it back badly."""

import numpy as np

import litegate as lg

ODD = 0


def load(_locations):
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.RandomState(0).permutation(1797)
    x, label = np.float32(digits.data[order]), digits.target[order]
    seen = x[600:][label[600:] != ODD]
    odd = (label[:600] == ODD).astype(np.uint8)
    return lg.Splits(x_train=seen, y_train=scale(seen), x_test=x[:600], y_test=odd)


def scale(samples):
    return samples / np.float32(16)


def reconstruction_error(outputs, inputs):
    return np.square(outputs - inputs).mean(axis=1)


DIGITS = lg.Data(name="odd digits", load=load, digests={}, preprocess=scale, domain=(0.0, 1.0))


@lg.model(
    data=DIGITS,
    training=lg.Training(epochs=40, loss="mse", learning_rate=0.003),
    recipes=[lg.recipes.int8_qat(fine_tune_epochs=3)],
    budget=lg.Budget(
        metrics=(lg.metrics.auc(score=reconstruction_error, least=0.9, loss=0.02),),
        output_error=lg.percent(20),
    ),
)
def oddity(keras):
    """Sixty-four pixels through eight units and back."""
    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=(64,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(64),
        ]
    )
