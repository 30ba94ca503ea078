"""Published files on TensorFlow Lite Micro: their memory, and what LiteRT does with the same."""

import os
import re
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import needs
import numpy as np
import pytest

from litegate.core.errors import ArtifactError
from litegate.measures.structure.arena import arena
from litegate.measures.structure.runtime_trial import try_on
from litegate.runtimes.inference import predict
from litegate.runtimes.litert import Runner
from litegate.runtimes.sandbox import run_in_sandbox
from litegate.spec import Evaluation
from litegate.testing import artifact

DATA = Path(os.environ.get("LITEGATE_DATA", ""))
pytestmark = [
    needs.tflm,
    pytest.mark.skipif(
        not (DATA / "mlperf_tiny").is_dir() and "CI" not in os.environ,
        reason="LITEGATE_DATA names no folder with the MLPerf Tiny files",
    ),
]
LITERT = version("ai-edge-litert")
RECORDED = {"ad01_int8": 3_984, "ad01_float32": 6_224}
"""Printed by tflite-micro 0.dev20261023 as "Arena allocation total"."""


@pytest.fixture(autouse=True)
def runtimes_are_threads():
    """They are processes here."""


def file(name):
    folder = "streaming" if "keyword" in name else "mlperf_tiny"
    return (DATA / folder / f"{name}.tflite").read_bytes()


@pytest.mark.parametrize(("name", "total"), RECORDED.items())
def test_arena_is_the_interpreter_s_own_total(name, total):
    assert arena(replace(artifact(file(name)), runtime="tflm")).value == total


@pytest.mark.parametrize("name", ["ad01_float32", "ad01_int8"])
def test_autoencoder_answers_on_tflm_as_in_a_direct_script(name):
    """To the bit; and near LiteRT's, within 8 of 256 steps of the integer file's output."""
    from tflite_micro.python.tflite_micro.runtime import Interpreter

    tflite = file(name)
    samples = np.random.default_rng(0).uniform(-40, 10, (8, 640)).astype(np.float32)
    split = Evaluation(digest="", x=samples, y=None, classes=(), domain=(-60.0, 60.0))
    there = predict(replace(artifact(tflite, split=split), runtime="tflm"))
    interpreter = Interpreter.from_bytes(tflite, arena_size=1 << 16)
    runner = Runner(tflite)
    for sample, answer in zip(runner.input.quantize(samples), there.raw, strict=True):
        interpreter.set_input(sample[None], 0)
        interpreter.invoke()
        assert np.array_equal(interpreter.get_output(0)[0], answer)
    (here,) = runner.run(samples).values()
    tolerance = 8 if name == "ad01_int8" else 0.05
    np.testing.assert_allclose(here.astype(float), there.raw.astype(float), atol=tolerance)


@pytest.mark.slow
def test_keyword_file_runs_on_tflm_and_crashes_litert_which_is_named():
    """LiteRT 2.3.0 corrupts its heap on it."""
    keyword = file("keyword_scrambled_8bit")
    there = try_on("tflm", keyword, subject="keyword")
    assert (there.refusal, there.samples) == ("", 8)
    assert there.arena.total == there.arena.head + there.arena.tail
    for runtime in ("reference", "xnnpack"):
        refusal = try_on(runtime, keyword, subject="keyword").refusal
        # It ends by a signal, or nonsense is left of what it should read: memory of its own.
        assert re.match(
            rf"{runtime} {re.escape(LITERT)} (crashes on keyword: SIG|refuses keyword: )", refusal
        )
    with pytest.raises(ArtifactError, match="LiteRT crashes on keyword") as error:
        run_in_sandbox(keyword, subject="keyword")
    assert f"LiteRT {LITERT} cannot run it" in str(error.value)
