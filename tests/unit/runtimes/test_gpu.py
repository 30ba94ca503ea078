"""LiteRT's GPU accelerator: its adapter, answers, refusals and endings."""

import os
import re
import signal
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from several import crossed, two_signatures
from single import single
from static_files import static

from litegate.core.errors import ArtifactError, ConfigError
from litegate.measures.structure.runtime_trial import try_on
from litegate.runtimes import gpu as accelerator
from litegate.runtimes import program, runtime
from litegate.runtimes.child_runtime import ChildRuntime
from litegate.runtimes.inference import predict
from litegate.runtimes.litert import Runner
from litegate.spec import Inputs, Kind
from litegate.spec.runtimes import GPU
from litegate.testing import artifact, evaluation, tiny

INSTALL = "apt-get install libvulkan1 chromium, or name a Vulkan driver in VK_DRIVER_FILES"
SAMPLES = evaluation().x


@pytest.fixture(autouse=True)
def runtimes_are_threads():
    """They are processes here."""


@pytest.fixture
def no_driver(monkeypatch, tmp_path):
    """A machine without a Vulkan driver, of which nothing is known yet."""
    monkeypatch.setenv("VK_DRIVER_FILES", str(tmp_path / "absent.json"))
    monkeypatch.setattr(program, "_IDENTITIES", {})


def test_without_a_driver_the_error_says_what_to_install(no_driver):
    reason = runtime.missing(GPU)
    assert reason.startswith("LiteRT's GPU accelerator has no adapter (")
    assert reason.endswith(f"): {INSTALL}")
    with pytest.raises(ConfigError, match="there is no gpu on this machine") as caught:
        ChildRuntime(static(), GPU)
    assert (caught.value.got, caught.value.remedy) == (reason.removesuffix(f": {INSTALL}"), INSTALL)


@pytest.mark.parametrize("variable", ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"])
def test_a_driver_that_the_environment_names_stays(monkeypatch, tmp_path, variable):
    found = [tmp_path / name for name in ("absent.json", "first.json", "second.json")]
    for path in found[1:]:
        path.touch()
    monkeypatch.setattr(accelerator, "_SWIFTSHADER", found)
    drivers = dict.fromkeys(("VK_DRIVER_FILES", "VK_ICD_FILENAMES"), "")
    environ = drivers | {variable: "mine.json"}
    monkeypatch.setattr(os, "environ", environ)
    accelerator._choose_driver()
    assert environ == drivers | {variable: "mine.json"}
    environ[variable] = ""
    accelerator._choose_driver()
    assert environ == dict.fromkeys(drivers, str(tmp_path / "first.json"))


def test_words_of_a_refusal_leave_out_what_litert_loads():
    """As LiteRT 2.3.0 writes them."""
    written = """INFO: [gpu_registry.cc:138] Dynamically loaded GPU accelerator registered.
WARNING: [compiler_plugin.cc:312] Failed to load plugin at: a.so with error: ERROR: [b.cc:259]
└ Could not load shared library a.so: libopenvino.so: cannot open shared object file.
I0000 00:00:1796026038.773444   11208 environment.cc:532] Selected adapter: SwiftShader Device
ERROR: Following operations are not supported by GPU delegate:
ZEROS_LIKE: Operation is not supported.
15 operations will run on the GPU, and the remaining 1 operations will run on the CPU.
"""
    error = RuntimeError("ERROR: [./litert_compiled_model.h:1961]\n└ Some ops are not accelerated.")
    assert accelerator._words(written, error).splitlines() == [
        "Following operations are not supported by GPU delegate:",
        "ZEROS_LIKE: Operation is not supported.",
        "Some ops are not accelerated.",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Kind.FLOAT32, Kind.INT8_QAT])
def test_answers_are_near_those_of_the_processor(gpu, kind):
    """And name the adapter. Without a multiplication in two ways, integers are off by a step."""
    split = evaluation(40)
    there = predict(replace(artifact(static(kind), split=split), runtime=gpu))
    (here,) = Runner(static(kind)).answer(Runner(static(kind)).ready(split.x)).values()
    step = 0.2 if kind is Kind.INT8_QAT else 1e-4
    np.testing.assert_allclose(there.raw, here, atol=step)
    described = runtime.described(gpu)
    assert described.startswith("LiteRT 2.")
    assert ", driver " in described
    assert runtime.key_parts(gpu)[0] in described


@pytest.mark.slow
def test_inputs_and_outputs_are_those_of_the_signature(gpu):
    x = Inputs({"left": np.full((2, 3), 2, np.float32), "right": np.full((2, 3), 3, np.float32)})
    with closing(ChildRuntime(crossed(), gpu)) as child:
        answers = child.run(x)
        assert {name: values.tolist() for name, values in answers.items()} == {
            "sum": [[5.0] * 3] * 2,
            "product": [[6.0] * 3] * 2,
        }
        child.load(two_signatures(), "twice")
        (doubled,) = child.run(np.full((1, 3), 4, np.float32)).values()
        assert doubled.tolist() == [[8.0] * 3]
        with pytest.raises(ArtifactError, match="2 signatures"):
            child.load(two_signatures())
        child.finish()


REFUSED = {
    "operator": (single("ZEROS_LIKE", [("float32", (1, 4))], ("float32", (1, 4))), "ZEROS_LIKE: "),
    "sizes": (tiny(Kind.FLOAT32), "only supports static-sized tensors"),
    "type": (single("ABS", [("int16", (1, 4))], ("int16", (1, 4))), "Unsupported dtype"),
}


@pytest.mark.slow
@pytest.mark.parametrize("why", REFUSED)
def test_what_the_accelerator_does_not_take_is_told_in_its_words(gpu, why):
    tflite, words = REFUSED[why]
    trial = try_on(gpu, tflite, subject="mine")
    assert re.match(r"gpu .+ refuses mine: ", trial.refusal)
    assert words in trial.refusal


@pytest.mark.slow
def test_a_crash_or_a_hang_is_an_error_with_its_stderr(gpu):
    with closing(ChildRuntime(static(Kind.FLOAT32), gpu, subject="mine")) as child:
        child._program._timeout = 0.5
        os.kill(child._program._process.pid, signal.SIGSTOP)
        with pytest.raises(ArtifactError, match="does not finish with mine") as hung:
            child.run(SAMPLES[:2])
    assert "Selected adapter: " in hung.value.got
    with closing(ChildRuntime(static(Kind.FLOAT32), gpu, subject="mine")) as child:
        os.kill(child._program._process.pid, signal.SIGSEGV)
        with pytest.raises(ArtifactError, match=r"gpu 2\.\S+ crashes on mine") as crashed:
            child.run(SAMPLES[:2])
    assert "SIGSEGV" in crashed.value.got
    assert "Selected adapter: " in crashed.value.got
