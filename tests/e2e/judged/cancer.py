"""Tumours, of which one in eight is malignant: accuracy alone would hide those that are missed."""

import numpy as np

import litegate as lg


def load(_locations):
    from sklearn.datasets import load_breast_cancer

    tumours = load_breast_cancer()
    malignant = np.flatnonzero(tumours.target == 0)[:51]
    rows = np.concatenate([malignant, np.flatnonzero(tumours.target == 1)])
    rows = rows[np.random.RandomState(0).permutation(len(rows))]
    x = tumours.data[rows]
    x = np.float32((x - x.mean(axis=0)) / x.std(axis=0))
    y = (tumours.target[rows] == 0).astype(np.uint8)
    return lg.Splits(x_train=x[204:], y_train=y[204:], x_test=x[:204], y_test=y[:204])


def as_it_is(samples):
    return samples


TUMOURS = lg.Data(
    name="tumours",
    load=load,
    digests={},
    preprocess=as_it_is,
    domain=(-13.0, 13.0),
    classes=("benign", "malignant"),
)


@lg.model(
    data=TUMOURS,
    training=lg.Training(epochs=15),
    recipes=[lg.recipes.int8_ptq()],
    budget=lg.Budget(
        accuracy=lg.percent(90),
        metrics=(
            lg.metrics.f1(of="malignant", least=0.7, loss=0.1),
            lg.metrics.auc(of="malignant", least=0.85, loss=0.05),
        ),
    ),
)
def cancer(keras):
    """Thirty figures of a tumour, 128 units, two scores."""
    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=(30,)),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(2),
        ]
    )
