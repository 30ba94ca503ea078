"""Training on a GPU, as far as it can be tested without one: TensorFlow is a stand-in here."""

import os
from types import SimpleNamespace

import pytest

from litegate.build.toolchain import determinism, gpu
from litegate.build.toolchain.failures import ToolchainError, failure


class TensorFlow:
    """What the tool chain uses of TensorFlow, with some GPUs; remembers what was set."""

    def __init__(self, *gpus):
        self.calls = []
        experimental = SimpleNamespace(
            set_memory_growth=lambda name, value: self.calls.append(("growth", name, value)),
            enable_tensor_float_32_execution=lambda value: self.calls.append(("tf32", value)),
            enable_op_determinism=lambda: self.calls.append("determinism"),
            get_device_details=lambda name: {"device_name": name.upper()},
        )
        self.config = SimpleNamespace(
            list_physical_devices=lambda _: list(gpus), experimental=experimental
        )
        build_info = {"cuda_version": "12.5", "cudnn_version": "9"}
        self.sysconfig = SimpleNamespace(get_build_info=lambda: build_info)

    def get_logger(self):
        return SimpleNamespace(setLevel=lambda _: None)


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Put a program in the place of nvidia-smi."""

    def answer(script):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return answer


def test_a_machine_without_a_gpu_is_refused_before_the_training(monkeypatch):
    """The error says what happened, what was expected, and what to do."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(ToolchainError) as caught:
        determinism._configured(TensorFlow(), None, "gpu")
    report = failure(caught.value, stage="train", project=gpu.__file__)
    assert report.kind == "device"
    assert report.what == "there is no GPU that TensorFlow can use"
    assert 'Training(device="gpu")' in report.expected
    assert report.got == "nvidia-smi: not installed, with CUDA_VISIBLE_DEVICES=1"
    assert "--litegate-device cpu" in report.remedy
    assert "tensorflow[and-cuda]==2.21.0" in report.remedy


@pytest.mark.parametrize(
    ("script", "seen"),
    [
        ("echo 'NVIDIA L4, 550.90'", "nvidia-smi: NVIDIA L4, 550.90"),
        ("echo 'no driver' >&2; exit 9", "nvidia-smi: no driver"),
        ("exit 9", "nvidia-smi: no answer"),
    ],
)
def test_the_error_quotes_the_driver(driver, monkeypatch, script, seen):
    """A GPU that the driver sees and TensorFlow does not is a matter of CUDA's libraries."""
    driver(script)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(ToolchainError) as caught:
        gpu.prepare_gpu(TensorFlow())
    assert caught.value.got == seen


def test_a_gpu_trains_in_float32_and_shares_its_memory():
    """Operator determinism is off: the gradient of fake quantization would be refused."""
    tf = TensorFlow("gpu:0", "gpu:1")
    assert determinism._configured(tf, None, "gpu").device == "gpu"
    assert tf.calls == [("growth", "gpu:0", True), ("growth", "gpu:1", True), ("tf32", False)]
    tf = TensorFlow("gpu:0")
    determinism._configured(tf, None, "cpu")
    assert tf.calls == ["determinism"]


def test_the_certificate_names_device_and_driver(driver, monkeypatch):
    """And that the build cannot be repeated to the last bit."""
    driver("printf 'NVIDIA L4, 550.90\\nNVIDIA L4, 550.90\\n'")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    determinism.set_flags("gpu")
    tf = TensorFlow("a", "b")
    frameworks = determinism.Frameworks(tf=tf, keras=None, device="gpu")
    facts = determinism.environment_facts(frameworks)
    assert facts["bit_reproducible"] is False
    assert facts["device"] == {
        "kind": "gpu",
        "names": ["A", "B"],
        "driver": ["NVIDIA L4, 550.90", "NVIDIA L4, 550.90"],
        "cuda": "12.5",
        "cudnn": "9",
    }
    assert "CUDA_VISIBLE_DEVICES" not in facts["environment"]


@pytest.mark.parametrize(("device", "visible"), [("cpu", "-1"), ("gpu", "0,2")])
def test_gpus_are_hidden_from_a_build_on_the_cpu_alone(monkeypatch, device, visible):
    """On a GPU the user, or Ray, chooses which."""
    monkeypatch.setattr(os, "environ", os.environ | {"CUDA_VISIBLE_DEVICES": "0,2"})
    determinism.set_flags(device)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible
    facts = determinism.environment_facts(determinism.Frameworks(tf=TensorFlow(), keras=None))
    assert facts["device"] == {"kind": "cpu"}
    assert facts["bit_reproducible"] is True
