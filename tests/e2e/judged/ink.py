"""Where the ink is: each pixel of a noisy digit is ink or paper."""

import numpy as np

import litegate as lg


def load(_locations):
    from sklearn.datasets import load_digits

    clean = load_digits().images[np.random.RandomState(0).permutation(1797)]
    noise = np.random.RandomState(1).normal(0, 2, clean.shape)
    x, masks = np.float32(clean + noise)[..., None], (clean > 7).astype(np.uint8)
    thin = masks[:360].sum(axis=(1, 2)) < 18
    return lg.Splits(
        x_train=x[360:],
        y_train=masks[360:],
        x_test=x[:360],
        y_test=masks[:360],
        slices={"thin": thin},
    )


def scale(samples):
    return np.clip(samples / np.float32(16), 0, 1)


PAGES = lg.Data(
    name="pages",
    load=load,
    digests={},
    preprocess=scale,
    domain=(0.0, 1.0),
    classes=("paper", "ink"),
)


@lg.model(
    data=PAGES,
    training=lg.Training(epochs=5),
    recipes=[lg.recipes.int8_qat(fine_tune_epochs=1)],
    budget=lg.Budget(
        metrics=(lg.metrics.iou(least=0.75, loss=0.02, class_loss=0.03, slice_loss=0.03),),
        output_error=lg.percent(20),
    ),
)
def ink(keras):
    """Sixteen 3x3 filters, twice, and two scores a pixel."""
    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=(8, 8, 1)),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(2, 1),
        ]
    )
