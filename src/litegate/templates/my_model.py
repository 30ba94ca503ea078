"""An example that runs as it stands: handwritten digits, 8x8 pixels, from scikit-learn.

To gate your own model, replace the data, the network, the recipe and the limits, and rename the
file and the function: the function's name is the model's.
"""

import litegate as lg


@lg.model(
    # Your own arrays: lg.Data(name=..., load=..., preprocess=..., domain=..., classes=...), then
    # `litegate digests MODEL --write`, which pins them in this file.
    data=lg.datasets.digits(),
    training=lg.Training(epochs=30, batch_size=32, seed=7),
    # The file that ships. With shipped="app/digits.tflite", that file must be the gated one:
    # `litegate export MODEL int8_qat --to app/digits.tflite` writes it.
    recipes=[lg.recipes.int8_qat(fine_tune_epochs=5, input_type="uint8", output_type="uint8")],
    # The limits; a limit that is left out has no check. To see one fail, write size=lg.kib(6).
    budget=lg.Budget(
        accuracy=lg.percent(94),
        accuracy_drop=lg.points(2),
        keras_agreement=lg.percent(99),
        size=lg.kib(12),
        size_ratio=0.70,
        latency=lg.ms(1),
        # Each training gives the outputs another scale, which the application reads from the file.
        regression=lg.Regression(
            interface=("output 'quant_dense': scale", "output 'quant_dense': zero point"),
        ),
    ),
)
def my_model(keras):
    """Sixteen 3x3 filters, one pooling step, ten logits."""
    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=(8, 8)),
            keras.layers.Reshape(target_shape=(8, 8, 1)),
            keras.layers.Conv2D(filters=16, kernel_size=3, activation="relu"),
            keras.layers.MaxPooling2D(pool_size=2),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
