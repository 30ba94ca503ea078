"""The published MLPerf Tiny pairs through `litegate inspect` and `litegate compare`."""

import functools
import json
import os
import sys
from pathlib import Path

import forked
import pytest

DATA = os.environ.get("LITEGATE_DATA", "")
MISSING = "LITEGATE_DATA names no folder with the MLPerf Tiny files"

pytestmark = pytest.mark.skipif(
    not (Path(DATA) / "mlperf_tiny").is_dir() and "CI" not in os.environ, reason=MISSING
)
FIGURES = {
    # file: MACs, arena; MACs as Vela 5.2.0 counts them, less what it counts of pooling and softmax,
    # the arena as tflite-micro 0.dev20261023 plans it ("Arena allocation head")
    "resnet8_float32": (12_501_632, 196_608),
    "resnet8_int8": (12_501_632, 49_152),
    "ad01_float32": (264_192, 3_072),
    "ad01_int8": (264_192, 768),
}


VELA = {
    # file: MACs by Vela's original operators, `vela --verbose-performance`
    "resnet8_int8": {
        "CONV_2D": [131_072] * 2 + [442_368] + [1_179_648] * 2 + [2_359_296] * 4,
        "FULLY_CONNECTED": [640],
        "AVERAGE_POOL_2D": [4_096],
        "SOFTMAX": [10, 10],
    },
    "ad01_int8": {"FULLY_CONNECTED": [1_024] * 2 + [16_384] * 6 + [81_920] * 2},
}
TOTAL = {"resnet8_int8": 12_505_748, "ad01_int8": 264_192}
"""What Vela counts of all."""
SIZES = {"resnet8_int8": 96, "ad01_int8": 270}
"""KB, as the MLPerf Tiny paper has them (Banbury et al. 2021)."""


@functools.cache
def litegate(*args):
    """Run the command, once for all tests that look at the same answer; in forks."""
    forked.load()
    argv = [Path(sys.executable).with_name("litegate"), *args]
    return forked.run(argv, capture_output=True, text=True, timeout=300, check=False)


def file(name):
    return str(Path(DATA) / "mlperf_tiny" / f"{name}.tflite")


@pytest.mark.parametrize(("name", "macs", "arena"), [(k, *v) for k, v in FIGURES.items()])
def test_macs_and_arena_are_the_published_ones(name, macs, arena):
    done = litegate("inspect", file(name), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["macs"], found["arena"]) == (macs, arena)
    assert found["form"] == name.split("_")[1]
    assert found["bytes"] == Path(file(name)).stat().st_size
    assert bool(found["not_integer"]) is name.endswith("float32")


@pytest.mark.parametrize("name", VELA)
def test_layers_have_the_macs_that_vela_counts(name):
    """One by one; what Vela counts besides is pooling and softmax, which have no products."""
    found = json.loads(litegate("inspect", file(name), "--json").stdout)["operators"]
    for kind, counted in VELA[name].items():
        ours = sorted(one["macs"] for one in found if one["name"] == kind)
        assert ours == (counted if kind in ("CONV_2D", "FULLY_CONNECTED") else [0])
    besides = sum(sum(VELA[name].get(kind, [])) for kind in ("AVERAGE_POOL_2D", "SOFTMAX"))
    assert TOTAL[name] == FIGURES[name][0] + besides


@pytest.mark.parametrize("name", SIZES)
def test_the_integer_files_are_as_large_as_published(name):
    found = json.loads(litegate("inspect", file(name), "--json").stdout)
    assert found["bytes"] // 1024 == SIZES[name]


@pytest.mark.parametrize("name", ["resnet8_int8", "ad01_int8"])
def test_integer_files_suit_the_targets(name):
    """Vela 5.2.0 puts every operator of both on the NPU; XNNPACK has no integer softmax."""
    found = json.loads(litegate("inspect", file(name), "--json").stdout)["targets"]
    assert found["tflm"] == found["ethos-u"] == found["edgetpu"] == []
    outside = [one.split(":")[0] for one in found["xnnpack-int8"]]
    wanted = ["operator 12 AVERAGE_POOL_2D v2", "operator 15 SOFTMAX v2"]
    assert outside == (wanted if name == "resnet8_int8" else [])


@pytest.mark.parametrize("name", FIGURES)
def test_the_terminal_shows_all_four(name):
    done = litegate("inspect", file(name))
    assert done.returncode == 0, done.stderr
    assert f"{FIGURES[name][0]:,}" in done.stdout


@pytest.mark.parametrize("name", ["resnet8", "ad01"])
def test_quantizing_is_no_regression_and_the_way_back_is(name):
    pair = [file(f"{name}_float32"), file(f"{name}_int8")]
    assert litegate("compare", *pair).returncode == 0
    assert litegate("compare", *reversed(pair)).returncode == 1


@pytest.mark.slow
def test_resnet8_on_cifar10_loses_six_hundredths_of_a_point():
    """Float 75.48 %, int8 75.42 %, on 10,000 images: within half a point, and proven."""
    images = str(Path(DATA) / "cifar10_test.npz")
    pair = [file("resnet8_float32"), file("resnet8_int8")]
    done = litegate("compare", *pair, "--data", images, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    accuracy = next(row for row in found["rows"] if row["what"] == "accuracy")
    assert (accuracy["a"], accuracy["b"]) == (0.7548, 0.7542)
    lost = next(one for one in found["verdicts"] if one["measurement"].startswith("accuracy"))
    assert lost["verdict"] == "pass"
    assert lost["interval"]["low"] < lost["value"] < lost["interval"]["high"] < 0.005
