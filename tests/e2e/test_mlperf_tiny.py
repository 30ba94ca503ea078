"""The published MLPerf Tiny pairs through `litegate inspect` and `litegate compare`."""

import csv
import functools
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import needs
import numpy as np
import pytest

from litegate.measures.accuracy import accuracy, flips
from litegate.measures.accuracy.runtime_agreement import runtime_agreement
from litegate.measures.structure import npu
from litegate.runtimes.vela import compile_file
from litegate.spec import Evaluation, Vela
from litegate.testing import artifact

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
NPUS = {
    # accelerator: system configuration, memory mode, what Vela 5.2.0 reports of resnet8_int8
    "ethos-u55-128": (
        "Ethos_U55_High_End_Embedded",
        "Shared_Sram",
        {
            "npu_share": 1,
            "npu_cycles": 185_542,
            "npu_sram": 51_840,
            "npu_dram": 0,
            "npu_on_chip_flash": 0,
            "npu_off_chip_flash": 79_248,
        },
    ),
    "ethos-u85-256": (
        "Ethos_U85_SYS_DRAM_Mid",
        "Dedicated_Sram_384KB",
        {
            "npu_share": 1,
            "npu_cycles": 87_969,
            "npu_sram": 57_072,
            "npu_dram": 91_264,
            "npu_on_chip_flash": 0,
            "npu_off_chip_flash": 0,
        },
    ),
}
MEMORY = {
    "SRAM": "npu_sram",
    "DRAM": "npu_dram",
    "On-chip Flash": "npu_on_chip_flash",
    "Off-chip Flash": "npu_off_chip_flash",
}
"""Limits by the name of the memory in the command's output."""
SIZES = {"resnet8_int8": 96, "ad01_int8": 270}
"""KB, as the MLPerf Tiny paper has them (Banbury et al. 2021)."""


@pytest.fixture(autouse=True)
def runtimes_are_threads():
    """They are processes here."""


@functools.cache
def litegate(*args):
    """Run the command, once for all tests that look at the same answer."""
    argv = [Path(sys.executable).with_name("litegate"), *args]
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)


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


@needs.vela
@pytest.mark.parametrize("accelerator", NPUS)
def test_limits_of_an_npu_are_of_the_command_s_own_summary(accelerator, tmp_path):
    """Its CSV, what it prints, and the bytes that it writes."""
    system, mode, figures = NPUS[accelerator]
    configuration = Vela(accelerator=accelerator, system_config=system, memory_mode=mode)
    argv = [sys.executable, "-m", "ethosu.vela", file("resnet8_int8"), *configuration.arguments]
    argv.append(f"--output-dir={tmp_path}")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=True)
    with (tmp_path / f"resnet8_int8_summary_{system}.csv").open(newline="") as lines:
        (row,) = csv.DictReader(lines)
    candidate = artifact(Path(file("resnet8_int8")).read_bytes())
    measured = {name: getattr(npu, name)(candidate, configuration).value for name in figures}
    assert measured == figures
    assert measured["npu_cycles"] == int(row["cycles_npu"])
    printed = dict(re.findall(r"Total (\S.*\S) used +([\d.]+) KiB", done.stdout))
    for kind, name in MEMORY.items():
        column = f"{name.removeprefix('npu_')}_memory_used"
        assert measured[name] == Fraction(row[column]) * 1024
        assert printed.get(kind, "0.00") == f"{float(row[column]):.2f}"
    assert "CPU operators = 0 (0.0%)" in done.stdout
    compiled = compile_file(candidate.tflite, configuration, candidate.name)
    assert compiled.tflite == (tmp_path / "resnet8_int8_vela.tflite").read_bytes()


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


def decisions_without_litegate(name, runtime, step, folder):
    out = folder / f"{name}-{runtime}.npy"
    images = Path(DATA) / "cifar10_test.npz"
    script = Path(__file__).with_name("direct_answers.py")
    argv = [sys.executable, script, file(name), runtime, images, str(step), out]
    subprocess.run(argv, check=True, capture_output=True, timeout=3600)
    return np.load(out)


@pytest.mark.slow
@pytest.mark.parametrize("step", [50, 1], ids=["200 images", "10,000 images"])
def test_runtimes_answer_as_their_own_packages_do(tmp_path, step):
    """Accuracy, flips and agreement, to the digit."""
    pytest.importorskip("tflite_micro", exc_type=ImportError)
    with np.load(Path(DATA) / "cifar10_test.npz") as arrays:
        x, labels = arrays["x_test"][::step].astype(np.float32), arrays["y_test"][::step]
    split = Evaluation(
        digest=f"every {step}", x=x, y=labels, classes=tuple("0123456789"), domain=(0.0, 255.0)
    )
    pair = [
        artifact(Path(file(f"resnet8_{kind}")).read_bytes(), split=split)
        for kind in ("float32", "int8")
    ]
    direct = {}
    for runtime in ("xnnpack", "reference", "tflm"):
        reference, candidate = (replace(side, runtime=runtime) for side in pair)
        direct[runtime] = [
            decisions_without_litegate(f"resnet8_{kind}", runtime, step, tmp_path)
            for kind in ("float32", "int8")
        ]
        before, after = (decided == labels for decided in direct[runtime])
        assert accuracy(reference).value == Fraction(int(before.sum()), len(labels))
        assert accuracy(candidate).value == Fraction(int(after.sum()), len(labels))
        counted = flips(reference, candidate)
        assert counted.broken == (before & ~after).sum()
        assert counted.fixed == (~before & after).sum()
        if runtime != "xnnpack":
            for side, here, there in zip(
                (reference, candidate), direct["xnnpack"], direct[runtime], strict=True
            ):
                agreement = runtime_agreement(side, most=len(x))
                assert agreement.value == Fraction(int((here == there).sum()), len(labels))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_the_gpu_answers_as_in_a_direct_script(gpu, tmp_path, kind):
    """On 200 images; the float file decides on SwiftShader as on XNNPACK."""
    with np.load(Path(DATA) / "cifar10_test.npz") as arrays:
        x, labels = arrays["x_test"][::50].astype(np.float32), arrays["y_test"][::50]
    split = Evaluation(
        digest="every 50", x=x, y=labels, classes=tuple("0123456789"), domain=(0.0, 255.0)
    )
    tflite = Path(file(f"resnet8_{kind}")).read_bytes()
    candidate = replace(artifact(tflite, split=split), runtime=gpu)
    direct = decisions_without_litegate(f"resnet8_{kind}", gpu, 50, tmp_path)
    assert accuracy(candidate).value == Fraction(int((direct == labels).sum()), len(labels))
    here = decisions_without_litegate(f"resnet8_{kind}", "xnnpack", 50, tmp_path)
    agreement = runtime_agreement(candidate)
    assert agreement.value == Fraction(int((here == direct).sum()), len(labels))
    if kind == "float32":
        assert agreement.value == 1
