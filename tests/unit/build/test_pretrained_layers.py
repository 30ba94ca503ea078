"""What the written form of a network may name: read here as plain JSON, before Keras reads it."""

import pytest

from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.pretrained.allowed_layers import demand_own_classes

LAYERS = frozenset({"Dense", "Flatten", "Bidirectional", "LSTM"})


def network(*layers, kind="Sequential", **more):
    return {"class_name": kind, "config": {"name": "net", "layers": list(layers)}} | more


def layer(kind, **config):
    return {"class_name": kind, "config": {"name": kind.lower(), **config}}


def refusal(written):
    with pytest.raises(ToolchainError) as caught:
        demand_own_classes(written, LAYERS, "net.keras")
    assert caught.value.kind == "start"
    return caught.value.got


@pytest.mark.parametrize("kind", ["Sequential", "Functional", "Model"])
def test_layers_of_keras_are_taken(kind):
    inner = network(layer("Flatten"))
    wrapped = layer("Bidirectional", layer=layer("LSTM", module="keras.layers"))
    written = network(layer("Dense", activation="relu"), inner, wrapped, kind=kind)
    demand_own_classes(written, LAYERS, "net.keras")


@pytest.mark.parametrize("module", [None, "keras", "keras.layers", "tf_keras.layers", "builtins"])
def test_modules_of_keras_are_taken(module):
    demand_own_classes(network(layer("Dense") | {"module": module}), LAYERS, "net.keras")


@pytest.mark.parametrize("module", ["os", "kerasx.layers", "mine", "subprocess", ""])
def test_other_modules_are_refused_wherever_they_stand(module):
    deep = layer("Dense", kernel_initializer={"class_name": "Zeros", "module": module})
    assert f"of the module {module}" in refusal(network(deep))
    assert f"of the module {module}" in refusal(network(module=module))


@pytest.mark.parametrize("kind", ["Lambda", "TFSMLayer", "JaxLayer", "TorchModuleWrapper"])
def test_layers_that_carry_code_are_refused_however_deep(kind):
    carrier = layer(kind)
    for written in (
        network(carrier),
        network(network(carrier)),
        network(layer("Dense", layer=carrier)),
    ):
        assert (
            refusal(written) == f"the layer {kind.lower()} of the class {kind}, which contains code"
        )


def test_functions_are_refused():
    named = {"module": "builtins", "class_name": "function", "config": "eval"}
    assert refusal(network(layer("Dense", activation=named))) == "the function 'eval'"
    assert "contains code" in refusal(network(layer("Dense", activation=layer("__lambda__"))))


@pytest.mark.parametrize("function", ["math.add", "__operators__.getitem", "nn.relu", "concat"])
def test_operations_on_tensors_are_taken(function):
    demand_own_classes(network(layer("TFOpLambda", function=function)), LAYERS, "net.keras")


@pytest.mark.parametrize("function", ["io.write_file", "py_function", "mathx", None, ["math.add"]])
def test_operations_that_reach_out_are_refused(function):
    got = refusal(network(layer("TFOpLambda", function=function)))
    assert got == f"the layer tfoplambda, which calls TensorFlow's {function}"


def test_classes_of_ones_own_are_named():
    assert refusal(network(layer("Mine"))) == "the layer mine of your own class Mine"
    assert "class Net is not a class of Keras" in refusal(network(kind="Net"))


@pytest.mark.parametrize("written", [None, 3, [], {}, {"class_name": ["Sequential"]}, "Sequential"])
def test_what_is_no_written_form_is_refused(written):
    assert "is not a class of Keras" in refusal(written)


def test_a_deep_nest_comes_to_an_end():
    """No recursion: a file may nest further than Python does."""
    written = layer("Dense")
    for _ in range(20_000):
        written = network(written)
    demand_own_classes(written, LAYERS, "net.keras")
