"""litert-quantizer's recipes: what they make of a float file, and what they refuse by name."""

import json
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from needs import quantizer as needs_quantizer

import litegate as lg
from litegate.build.toolchain import determinism
from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.protocol import FLOAT
from litegate.build.toolchain.quantizer import check_quantizer, quantize_all
from litegate.build.toolchain.reporter import Reporter
from litegate.build.toolchain.scratch_signature import signed
from litegate.core.errors import ArtifactError, ConfigError
from litegate.measures.structure.operators import operator_breaches
from litegate.measures.structure.tensors import tensor_breaches
from litegate.runtimes.inference import outputs
from litegate.spec import Data, Kind, Splits
from litegate.spec.recipe import QUANTIZER_KINDS, STATIC_KINDS
from litegate.testing import Draft, edit, evaluation, tiny
from litegate.testing.network import samples
from litegate.tflite.editing.writer import ModelWriter
from litegate.tflite.parser import parse

SPLIT = evaluation()
FLOAT_FILE = tiny(Kind.FLOAT32)
CERTIFICATE = {"prebuilt": {"path": "net.tflite"}, "sha256": "a" * 64}
DATA = Data(
    name="tiny", load=len, digests={}, preprocess=np.asarray, domain=(0.0, 1.0), classes=("a", "b")
)


def recipe(kind, **fields):
    return getattr(lg.recipes, kind.value)(**fields)


def model(*recipes):
    return lg.prebuilt(reference="net.tflite", recipes=recipes, data=DATA, name="net")


def quantized(folder, *recipes, tflite=FLOAT_FILE, x_train=..., x_test=SPLIT.x):
    """What the child writes for recipes, by their names: the files, and the certificates."""
    source = folder / FLOAT
    source.mkdir()
    (source / "model.tflite").write_bytes(tflite)
    (source / "history.json").write_text("[7]")
    (source / "certificate.json").write_text(json.dumps(CERTIFICATE))
    x_train = samples(20) if x_train is ... else x_train
    splits = Splits(x_train=x_train, x_test=x_test)
    quantize_all(model(*recipes), list(recipes), splits, folder, Reporter(BytesIO()))
    return {
        it.name: (
            (folder / it.name / "model.tflite").read_bytes(),
            json.loads((folder / it.name / "certificate.json").read_bytes()),
        )
        for it in recipes
    }


@needs_quantizer
def test_every_recipe_keeps_the_rules_of_its_kind(tmp_path):
    """The same float file, without signatures, and no recipe changes what another gives."""
    recipes = [recipe(kind) for kind in sorted(QUANTIZER_KINDS)]
    made = quantized(tmp_path, *recipes)
    for it in recipes:
        tflite, certificate = made[it.name]
        graph = parse(tflite)
        assert (tensor_breaches(graph, it), operator_breaches(graph, it)) == ((), ())
        assert graph.signatures == ()
        right = (outputs(tflite, SPLIT.x).real.argmax(axis=1) == SPLIT.y).mean()
        assert right > (0.7 if "wi4" in it.name else 0.85)
        assert certificate["start"] == {"path": "net.tflite", "sha256": "a" * 64}
        assert certificate["versions"]["litert-quantizer"] == "0.11.0"
        assert (tmp_path / it.name / "history.json").read_text() == "[7]"
    again = quantized(tmp_path / "again" if (tmp_path / "again").mkdir() is None else "", *recipes)
    assert {name: it[0] for name, it in again.items()} == {n: it[0] for n, it in made.items()}


@needs_quantizer
@pytest.mark.parametrize(
    ("kind", "port"), [(Kind.STATIC_WI8_AI8, "int8"), (Kind.STATIC_WI8_AI16, "int16")]
)
def test_ports_have_the_declared_types(tmp_path, kind, port):
    declared = recipe(kind, input_type=port)
    main = parse(quantized(tmp_path, declared)[declared.name][0]).main
    types = [main.tensors[ports[0]].dtype for ports in (main.inputs, main.outputs)]
    assert types == [port, "float32"]


@needs_quantizer
def test_a_stripped_recipe_leaves_the_converted_file_beside_it(tmp_path):
    """The pipeline proves that both answer alike."""
    declared = recipe(Kind.DYNAMIC_WI8_AFP32, strip=True)
    [(tflite, _)] = quantized(tmp_path, declared).values()
    assert len(tflite) < len((tmp_path / declared.name / "converted.tflite").read_bytes())


LAYERS = ("conv", "depthwise", "dense")


def types_of(tflite):
    """The type of the tensor that each layer writes."""
    tensors = parse(tflite).main.tensors
    return {it.name: it.dtype for it in tensors if it.name in LAYERS}


@needs_quantizer
def test_single_layers_stay_float_or_get_int16_activations(tmp_path):
    """Those and no others, whatever their neighbours are; the rules of types follow."""
    kind, wide_kind = Kind.STATIC_WI8_AI8, Kind.STATIC_WI8_AI16
    recipes = [
        *(recipe(kind, name=f"float-{it}", float_layers=it) for it in LAYERS),
        *(recipe(kind, name=f"wide-{it}", int16_layers=it, input_type="int8") for it in LAYERS),
        recipe(kind, name="both", float_layers="conv", int16_layers=["depthwise"]),
        recipe(kind, name="ports", float_layers=["conv", "dense"], output_type="int8"),
        recipe(wide_kind, name="of-int16", float_layers=["depthwise"]),
    ]
    made = quantized(tmp_path, *recipes)
    for it in recipes:
        tflite, _ = made[it.name]
        narrow = "int16" if it.kind is wide_kind else "int8"
        expected = dict.fromkeys(LAYERS, narrow) | dict.fromkeys(it.int16_layers, "int16")
        assert types_of(tflite) == expected | dict.fromkeys(it.float_layers, "float32")
        graph = parse(tflite)
        assert (tensor_breaches(graph, it), operator_breaches(graph, it)) == ((), ())
        plain = replace(it, float_layers=(), int16_layers=())
        assert tensor_breaches(graph, plain)


@needs_quantizer
def test_declared_layers_that_are_like_the_others_are_violations(tmp_path):
    declared = recipe(Kind.STATIC_WI8_AI8)
    [(tflite, _)] = quantized(tmp_path, declared).values()
    graph = parse(tflite)
    (sentence,) = operator_breaches(graph, replace(declared, float_layers=("depthwise",)))
    assert sentence.endswith("its layer is declared float")
    sentences = tensor_breaches(graph, replace(declared, int16_layers=("depthwise",)))
    assert "'depthwise', activation of operator" in "".join(sentences)
    assert any(it.endswith("is int8; expected int16") for it in sentences)
    assert any(it.endswith("is int32; expected int64") for it in sentences)


@needs_quantizer
@pytest.mark.parametrize("field", ["float_layers", "int16_layers"])
def test_unknown_layers_are_an_error_with_near_names(tmp_path, field):
    with pytest.raises(ToolchainError, match=f"{field} names layers that the float") as caught:
        quantized(tmp_path, recipe(Kind.STATIC_WI8_AI8, **{field: "depthwis"}))
    assert caught.value.expected == "conv, depthwise, dense"
    assert caught.value.remedy == "did you mean 'depthwise'?"


@needs_quantizer
def test_all_layers_in_float_are_an_error(tmp_path):
    with pytest.raises(ToolchainError, match="float_layers names every layer"):
        quantized(tmp_path, recipe(Kind.STATIC_WI8_AI8, float_layers=LAYERS))


def convolution():
    """A network of one convolution."""
    writer = ModelWriter("convolution")
    x = writer.computed("x", "float32", (1, 10, 10, 1))
    weight = writer.constant("weight", np.ones((4, 3, 3, 1), np.float32))
    bias = writer.constant("bias", np.zeros(4, np.float32))
    y = writer.computed("y", "float32", (1, 8, 8, 4))
    options = schema.Conv2DOptionsT(padding=schema.Padding.VALID, strideW=1, strideH=1)
    writer.operator("CONV_2D", 1, (x, weight, bias), y, options)
    return writer.finish([x], [y])


def dense(columns, value=1.0, rows=2):
    """A dense layer with `columns` inputs, its weights `value`."""
    writer = ModelWriter("dense")
    x = writer.computed("x", "float32", (1, columns))
    weight = writer.constant("weight", np.full((rows, columns), value).astype(np.float32))
    y = writer.computed("y", "float32", (1, rows))
    writer.operator("FULLY_CONNECTED", 1, (x, weight, -1), y, schema.FullyConnectedOptionsT())
    return writer.finish([x], [y])


BLOCKS = Kind.DYNAMIC_WI4B32_AFP32


@needs_quantizer
def test_a_recipe_that_quantizes_nothing_is_an_error_by_name(tmp_path):
    with pytest.raises(ToolchainError, match="dynamic_wi4b32_afp32 quantizes no tensor of net"):
        quantized(tmp_path, recipe(BLOCKS), tflite=convolution())
    assert not (tmp_path / BLOCKS.value).exists()


@needs_quantizer
@pytest.mark.parametrize(("columns", "is_refused"), [(31, True), (32, False), (33, True)])
def test_upstreams_refusal_keeps_its_words(tmp_path, columns, is_refused):
    x = np.ones((3, columns), np.float32)
    if not is_refused:
        assert quantized(tmp_path, recipe(BLOCKS), tflite=dense(columns), x_test=x)
        return
    with pytest.raises(ToolchainError, match="cannot make dynamic_wi4b32_afp32") as caught:
        quantized(tmp_path, recipe(BLOCKS), tflite=dense(columns), x_test=x)
    assert "not divisible by block size 32" in caught.value.got


@needs_quantizer
def test_answers_that_are_not_finite_are_an_error(tmp_path):
    """Sums beyond float32's range in one of two scores: the other would still decide right."""
    x = np.ones((3, 32), np.float32)
    kind = Kind.WEIGHT_ONLY_WI8_AFP32
    with pytest.raises(ToolchainError, match="gives NaN or infinite answers") as caught:
        quantized(tmp_path, recipe(kind), tflite=dense(32, [[1], [-1e38]]), x_test=x)
    assert caught.value.got.endswith("3 of 3 evaluation samples")


@needs_quantizer
@pytest.mark.parametrize(("weights", "scale"), [(1e7, "inf"), ([[1], [0]], "0.000000")])
def test_blocks_that_float16_scales_cannot_hold_are_an_error(tmp_path, weights, scale):
    """Too large, or zeros alone, as pruning leaves them: LiteRT refuses what upstream makes."""
    x = np.ones((3, 32), np.float32)
    with pytest.raises(ToolchainError, match="LiteRT does not run the file") as caught:
        quantized(tmp_path, recipe(BLOCKS), tflite=dense(32, weights), x_test=x)
    assert f"unsupported scale value ({scale})" in caught.value.got


@needs_quantizer
@pytest.mark.parametrize("kind", sorted(STATIC_KINDS))
def test_calibration_needs_training_samples(tmp_path, kind):
    with pytest.raises(ToolchainError, match=f"{kind} is calibrated on training samples, but tiny"):
        quantized(tmp_path, recipe(kind), x_train=None)


@needs_quantizer
def test_other_recipes_need_none(tmp_path):
    assert quantized(tmp_path, recipe(Kind.WEIGHT_ONLY_WI8_AFP32), x_train=None)


def test_a_quantized_file_is_not_quantized_again(tmp_path):
    with pytest.raises(ToolchainError, match="the reference of net is quantized already"):
        quantized(tmp_path, recipe(BLOCKS), tflite=tiny(Kind.INT8_PTQ))


@pytest.mark.parametrize("length", [0, 8, len(FLOAT_FILE) // 2])
def test_a_damaged_file_is_refused(tmp_path, length):
    with pytest.raises(ArtifactError, match="net/float32 is not a valid"):
        quantized(tmp_path, recipe(BLOCKS), tflite=FLOAT_FILE[:length])


def test_another_version_is_refused_with_the_command_to_install(monkeypatch):
    monkeypatch.setattr(determinism, "installed", lambda _: "0.10.0")
    with pytest.raises(ToolchainError, match="other versions") as caught:
        check_quantizer()
    assert "litert-quantizer 0.11.0" in caught.value.expected
    assert caught.value.remedy == 'pip install "litegate[quantizer]"'


@needs_quantizer
def test_weights_of_a_large_file_are_inside_its_flatbuffer(tmp_path):
    """Upstream writes them behind it from 256 KiB on, so that stripping could not read them."""
    large, x = dense(512, rows=1024), np.ones((1, 512), np.float32)
    declared = recipe(Kind.DYNAMIC_WI8_AFP32, strip=True)
    [(tflite, _)] = quantized(tmp_path, declared, tflite=large, x_test=x).values()
    assert (1 << 18) < len(tflite) < len(large) / 3
    assert all(not it.offset for it in schema.ModelT.InitFromPackedBuf(tflite, 0).buffers)
    assert (outputs(tflite, x).real > 500).all()


def test_a_file_without_signatures_gets_one_in_a_copy():
    before = parse(FLOAT_FILE)
    made = signed(FLOAT_FILE, before, subject="net")
    (signature,) = parse(made.tflite).signatures
    assert signature.inputs == tuple(made.keys.items())
    assert [it.name for it in parse(made.tflite).main.tensors] == [
        it.name for it in before.main.tensors
    ]


def test_a_signature_of_the_file_is_kept():
    def change(model):
        Draft(model).model.signatureDefs = [
            schema.SignatureDefT(
                signatureKey="own",
                subgraphIndex=0,
                inputs=[schema.TensorMapT(name="image", tensorIndex=0)],
                outputs=[],
            )
        ]

    tflite = edit(FLOAT_FILE, change)
    made = signed(tflite, parse(tflite), subject="net")
    assert (made.tflite, made.signature, made.keys) == (tflite, "own", {0: "image"})


# What `prebuilt` takes


def test_recipes_take_the_place_of_a_candidate():
    made = model(recipe(BLOCKS), lg.recipes.float32())
    assert list(made.prebuilt) == ["float32"]
    assert [it.name for it in made.recipes] == ["dynamic_wi4b32_afp32", "float32"]
    both = lg.prebuilt(reference="r", candidate="c", recipes=[recipe(BLOCKS)], data=DATA)
    assert list(both.prebuilt) == ["float32", "int8_ptq"]
    assert [it.name for it in both.recipes] == ["int8_ptq", "dynamic_wi4b32_afp32"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "has neither a candidate nor recipes"),
        ({"recipes": [lg.recipes.int8_qat()]}, "int8_qat cannot be made of a ready-made file"),
        ({"recipes": [recipe(BLOCKS), recipe(BLOCKS)]}, "two recipes named dynamic_wi4b32"),
        ({"recipes": [recipe(BLOCKS, budget=lg.Budget(keras_agreement=lg.percent(9)))]}, "Keras"),
    ],
)
def test_what_cannot_be_made_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        lg.prebuilt(reference="r", data=DATA, **fields)


@pytest.mark.parametrize(
    ("kind", "ports"),
    [
        (Kind.STATIC_WI8_AI8, {"input_type": "uint8"}),
        (Kind.STATIC_WI8_AI8, {"output_type": "int16"}),
        (Kind.STATIC_WI8_AI16, {"input_type": "int8"}),
    ],
)
def test_other_ports_are_refused(kind, ports):
    with pytest.raises(ConfigError, match=f"{kind} cannot have"):
        recipe(kind, **ports)


def test_the_kinds_without_integer_arithmetic_have_float_ports():
    weights = lg.recipes.dynamic_wi8_afp32()
    with pytest.raises(ConfigError, match="dynamic_wi8_afp32 cannot have int8 as input_type"):
        replace(weights, input_type="int8")
