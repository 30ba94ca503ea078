"""Models with several inputs and outputs, sequences and int16 ports, as users write them."""

TWO = '''
"""Digits seen twice: the picture, and how dark its rows are; two questions about each."""
import numpy as np
import litegate as lg


def load(locations):
    from sklearn.datasets import load_digits

    found = load_digits()
    x, y = found.images.astype(np.float32), found.target.astype(np.int64)

    def samples(part):
        return {"picture": x[part], "darkness": x[part].mean(axis=2)}

    def labels(part):
        return {"which": y[part], "even": (y[part] % 2).astype(np.int64)}

    train, test = slice(0, 1400), slice(1400, None)
    return lg.Splits(
        x_train=samples(train), y_train=labels(train), x_test=samples(test), y_test=labels(test)
    )


def scale(samples):
    return {"picture": samples["picture"][..., None] / 16, "darkness": samples["darkness"] / 8 - 1}


DIGITS = lg.Data(
    name="digits, twice",
    load=load,
    digests={DIGESTS},
    preprocess=scale,
    domain={"picture": (0, 1), "darkness": (-1, 1)},
    classes=tuple("0123456789"),
    output="which",
)


@lg.model(
    data=DIGITS,
    training=lg.Training(epochs=6, batch_size=32, seed=7, loss={LOSS}),
    recipes=[{RECIPES}],
    budget=lg.Budget(
        accuracy=lg.percent(85),
        accuracy_drop=lg.points(3),
        keras_agreement=lg.percent(95),
        runtime_agreement=lg.percent(95),
        agreement=lg.percent(94),
        output_error=lg.percent(30),
    ),
)
def two(keras):
    """One convolution beside one dense layer, ten logits and two."""
    {IMPORT}
    picture = keras.Input((8, 8, 1), name="picture")
    darkness = keras.Input((8,), name="darkness")
    seen = keras.layers.Conv2D(8, 3, activation="relu")(picture)
    seen = keras.layers.Flatten()(seen)
    dark = keras.layers.Dense(8, activation="relu")(darkness)
    both = keras.layers.Concatenate()([seen, dark])
    which = keras.layers.Dense(10, name="which")(both)
    even = keras.layers.Dense(2, name="even")(both)
    return keras.Model([picture, darkness], [which, even])
'''

TONES = '''
"""Which of three tones is heard: convolutions along time, sequences of any length."""
import numpy as np
import litegate as lg


def load(locations):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 900)
    time = np.arange(64) / 64
    pitch = np.array([3, 7, 13])[y][:, None]
    waves = np.sin(2 * np.pi * (pitch * time + rng.random((900, 1))))
    x = (waves + rng.normal(0, 0.3, waves.shape)).clip(-2, 2).astype(np.float32)
    return lg.Splits(x_train=x[:600], y_train=y[:600], x_test=x[600:], y_test=y[600:])


def as_sequence(samples):
    return samples[..., None]


TONES = lg.Data(
    name="tones",
    load=load,
    digests={DIGESTS},
    preprocess=as_sequence,
    domain=(-2, 2),
    classes=("low", "middle", "high"),
)


@lg.model(
    data=TONES,
    training=lg.Training(epochs=6, batch_size=32, seed=7),
    recipes=[{RECIPES}],
    budget=lg.Budget(
        accuracy=lg.percent(90),
        accuracy_drop=lg.points(2),
        keras_agreement=lg.percent(97),
        runtime_agreement=lg.percent(97),
    ),
)
def tones(keras):
    """Two convolutions along time, a mean over it, three logits."""
    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=({LENGTH}, 1)),
            keras.layers.Conv1D(24, 9, activation="relu"),
            keras.layers.Conv1D(24, 5, activation="relu"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(3),
        ]
    )
'''

TOKENS = '''
"""Which of three words stands most often: token ids into an embedding."""
import numpy as np
import litegate as lg


def load(locations):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 900)
    x = rng.integers(0, 20, (900, 12))
    for n in range(900):
        x[n, rng.choice(12, 6, replace=False)] = y[n]
    return lg.Splits(x_train=x[:600], y_train=y[:600], x_test=x[600:], y_test=y[600:])


def as_they_are(samples):
    return samples


WORDS = lg.Data(
    name="words",
    load=load,
    digests={DIGESTS},
    preprocess=as_they_are,
    domain=(0, 19),
    classes=("a", "b", "c"),
)


@lg.model(
    data=WORDS,
    training=lg.Training(epochs=8, batch_size=32, seed=7),
    recipes=[{RECIPES}],
    budget=lg.Budget(
        accuracy=lg.percent(80),
        accuracy_drop=lg.points(3),
        keras_agreement=lg.percent(95),
        output_error=lg.percent(20),
    ),
)
def words(keras):
    """An embedding, a mean, three logits."""
    tokens = keras.Input((12,), dtype="int32", name="tokens")
    seen = keras.layers.Embedding(20, 64)(tokens)
    seen = keras.layers.GlobalAveragePooling1D()(seen)
    seen = keras.layers.Dense(32, activation="relu")(seen)
    return keras.Model(tokens, keras.layers.Dense(3)(seen))
'''

PAIR = '''
"""Ready-made files of the network with two inputs and two outputs."""
import numpy as np
import litegate as lg


def load(locations):
    from sklearn.datasets import load_digits

    found = load_digits()
    x, y = found.images[1400:].astype(np.float32), found.target[1400:].astype(np.int64)
    return lg.Splits(x_test={"picture": x, "darkness": x.mean(axis=2)}, y_test=y)


def scale(samples):
    return {"picture": samples["picture"][..., None] / 16, "darkness": samples["darkness"] / 8 - 1}


pair = lg.prebuilt(
    reference="float.tflite",
    candidate="int8.tflite",
    kind="int8_qat",
    data=lg.Data(
        name="digits, twice",
        load=load,
        digests={DIGESTS},
        preprocess=scale,
        domain={"picture": (0, 1), "darkness": (-1, 1)},
        classes=tuple("0123456789"),
        output="which",
    ),
    budget=lg.Budget(
        accuracy=lg.percent(80),
        accuracy_drop=lg.points(3),
        agreement=lg.percent(90),
        output_error=lg.percent(30),
    ),
)
'''

SIGNED = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf


class Module(tf.Module):
    def __init__(self):
        super().__init__()
        draw = tf.random.Generator.from_seed(3)
        self.weight = tf.Variable(draw.normal([64, 48]))

    @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.float32, name="x")])
    def score(self, x):
        return {"scores": x @ self.weight}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 64], tf.float32, name="x"),
            tf.TensorSpec([None, 64], tf.float32, name="y"),
        ]
    )
    def mix(self, x, y):
        return {"sum": (x + y) @ self.weight, "difference": x - y}


for name in ("float", "small"):
    module, saved = Module(), os.path.join(sys.argv[1], name)
    tf.saved_model.save(module, saved, signatures={"score": module.score, "mix": module.mix})
    converter = tf.lite.TFLiteConverter.from_saved_model(saved, signature_keys=["score", "mix"])
    converter.optimizations = [tf.lite.Optimize.DEFAULT] if name == "small" else []
    with open(saved + ".tflite", "wb") as file:
        file.write(converter.convert())
"""
