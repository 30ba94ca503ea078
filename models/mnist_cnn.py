"""MNIST: twelve 3x3 filters and one dense layer, the network of TensorFlow's QAT example."""

import litegate as lg


@lg.model(
    data=lg.datasets.mnist(),
    training=lg.Training(epochs=1, batch_size=32, seed=7),
    recipes=[
        lg.recipes.float32(),
        lg.recipes.int8_qat(fine_tune_epochs=1),
        lg.recipes.int8_qat(from_scratch=True, gate=False),
        lg.recipes.dynamic_range(gate=False),
        lg.recipes.int8_ptq(gate=False),
    ],
    budget=lg.Budget(
        accuracy=lg.percent(96),
        accuracy_drop=lg.points(0.5),
        extra_errors=lg.per_thousand(5),
        class_drop=lg.points(1),
        keras_agreement=lg.percent(99.8),
        keras_difference=lg.quanta(8),
        runtime_agreement=lg.percent(99),
        runtimes=("xnnpack", "tflm"),
        size=lg.kib(25),
        size_ratio=0.30,
        compressed_size=lg.kib(24),
        latency=lg.ms(0.25),
        latency_ratio=10,  # int8 is often slower than float on x86-64: no promise of a speed-up
    ),
)
def mnist_cnn(keras):
    """Twelve 3x3 filters, one pooling step, ten logits."""
    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=(28, 28)),
            keras.layers.Reshape(target_shape=(28, 28, 1)),
            keras.layers.Conv2D(filters=12, kernel_size=3, activation="relu"),
            keras.layers.MaxPooling2D(pool_size=2),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
