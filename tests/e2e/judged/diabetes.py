"""How diabetes progresses in a year: a regression on scikit-learn's 442 patients."""

import numpy as np

import litegate as lg


def load(_locations):
    from sklearn.datasets import load_diabetes

    patients = load_diabetes()
    order = np.random.RandomState(0).permutation(442)
    x, y = (np.float32(each[order]) for each in (patients.data * 20, patients.target / 100))
    older = x[:142, 0] > 0
    return lg.Splits(
        x_train=x[142:], y_train=y[142:], x_test=x[:142], y_test=y[:142], slices={"older": older}
    )


def as_it_is(samples):
    return samples


PATIENTS = lg.Data(name="patients", load=load, digests={}, preprocess=as_it_is, domain=(-5.0, 5.0))


@lg.model(
    data=PATIENTS,
    training=lg.Training(epochs=20, loss="mse"),
    recipes=[lg.recipes.int8_qat(fine_tune_epochs=5)],
    budget=lg.Budget(
        metrics=(
            lg.metrics.rmse(most=0.7, loss=0.02, slice_loss=0.03, regression=0.02),
            lg.metrics.mae(loss=0.02),
        ),
        output_error=lg.percent(3),
    ),
)
def diabetes(keras):
    """Ten figures of a patient, two layers of 48 units, one number."""
    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=(10,)),
            keras.layers.Dense(48, activation="relu"),
            keras.layers.Dense(48, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
