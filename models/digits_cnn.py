"""Handwritten digits, 8x8: small enough for any microcontroller, and for a machine offline."""

import litegate as lg


@lg.model(
    data=lg.datasets.digits(),
    training=lg.Training(epochs=30, batch_size=32, seed=7),
    recipes=[
        lg.recipes.float32(),
        lg.recipes.int8_qat(fine_tune_epochs=5, input_type="uint8", output_type="uint8"),
    ],
    budget=lg.Budget(
        accuracy=lg.percent(94),
        accuracy_drop=lg.points(2),
        keras_agreement=lg.percent(99),
        runtime_agreement=lg.percent(99),
        runtimes=("xnnpack", "tflm"),
        size=lg.kib(12),
        size_ratio=0.70,
        latency=lg.ms(0.05),
        latency_ratio=10,  # int8 is often slower than float on x86-64: no promise of a speed-up
        # Each training gives logits another scale, which the application reads from the file.
        regression=lg.Regression(
            interface=("output 'quant_dense': scale", "output 'quant_dense': zero point"),
        ),
    ),
)
def digits_cnn(keras):
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
