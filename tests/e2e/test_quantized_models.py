"""litert-quantizer beside TensorFlow's recipes, of a network that is trained here, and judged."""

import pytest
from needs import quantizer
from projects import BareProject

pytestmark = [pytest.mark.slow, quantizer]

MODEL = '''
import litegate as lg


@lg.model(
    data=lg.datasets.digits(),
    training=lg.Training(epochs=10, batch_size=32, seed=7),
    recipes=[
        lg.recipes.int8_ptq(gate=False),
        lg.recipes.static_wi8_ai8(strip=True),
        lg.recipes.static_wi8_ai16(input_type="int16", output_type="int16"),
        lg.recipes.dynamic_wi8_afp32(),
        lg.recipes.weight_only_wi8_afp32(),
        lg.recipes.weight_only_wi4_afp32(),
        lg.recipes.dynamic_wi4b32_afp32(),
    ],
    budget=lg.Budget(accuracy=lg.percent(85), accuracy_drop=lg.points(5), size_ratio=0.9),
)
def dense_digits(keras):
    """Two dense layers, whose inputs are multiples of 32."""
    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=(8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
'''
QUANTIZED = (
    "static_wi8_ai8",
    "static_wi8_ai16",
    "dynamic_wi8_afp32",
    "weight_only_wi8_afp32",
    "weight_only_wi4_afp32",
    "dynamic_wi4b32_afp32",
)


def test_every_recipe_stands_beside_tensorflows_and_is_judged(tmp_path):
    """The float file is trained once; the other network's answers are Keras's own."""
    project = BareProject(tmp_path)
    (tmp_path / "models" / "dense_digits.py").write_text(MODEL)
    done = project.gate("--litegate-runtime", "xnnpack")
    assert done.returncode == 0, done.stdout
    rows = {row["recipe"]: row for row in project.report["recipes"]}
    assert {"float32", "int8_ptq", *QUANTIZED} <= rows.keys()
    sizes = {name: row["bytes"] for name, row in rows.items()}
    assert sizes["weight_only_wi4_afp32"] < sizes["weight_only_wi8_afp32"] < sizes["float32"]
    judged = {row["recipe"] for row in project.report["verdicts"]} - {""}
    assert judged == {*QUANTIZED}
    again = project.gate("--litegate-runtime", "xnnpack")
    assert again.returncode == 0
    assert "quantize" not in again.stderr
