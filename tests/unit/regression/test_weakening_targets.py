"""Weakening of MACs, the arena and the target, as two checkouts declare them."""

from types import SimpleNamespace

import pytest

from litegate.core.units import byte, percent
from litegate.regression.declaration import _limits, _target, _vela
from litegate.regression.weakening.models import weakened_models
from litegate.spec import Budget, Vela

OWN = "source = 'x'\n[operators]\nADD = {}\n"


def declared(budget, target=None):
    """A checkout with one model of one recipe, as far as limits and targets go."""
    limits = _limits(SimpleNamespace(has_accuracy=True), budget)
    recipe = {
        "gate": True,
        "kind": "int8_qat",
        "spec": {"input_type": "int8", "output_type": "int8"},
        "shipped": None,
        "target": target,
        "budget": limits,
    }
    data = {"digests": {}, "preprocessing": "", "domain": [0, 1], "classes": []}
    model = {"renamed_from": None, "data": data, "budget": limits, "recipes": {"int8_qat": recipe}}
    return {"models": {"tiny": model}}


def weakenings(base, head):
    return [(one.field, one.before, one.after) for one in weakened_models(base, head)]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (Budget(macs=5000), Budget(macs=5001), [("macs", "5,000", "5,001")]),
        (Budget(macs=5000), Budget(macs=5000), []),
        (Budget(macs=5000), Budget(macs=4999), []),
        (Budget(leaked_samples=0), Budget(leaked_samples=1), [("leaked_samples", "0", "1")]),
        (Budget(leaked_samples=1), Budget(leaked_samples=0), []),
        (Budget(macs=5000), Budget(), [("macs", "5,000", "no limit")]),
        (Budget(arena=byte(528)), Budget(arena=byte(529)), [("arena", "528 B", "529 B")]),
        (Budget(arena=byte(528)), Budget(arena=byte(527)), []),
        (Budget(), Budget(macs=1, arena=byte(1)), []),
        (Budget(npu_cycles=9), Budget(npu_cycles=10), [("npu_cycles", "9", "10")]),
        (Budget(npu_sram=byte(9)), Budget(npu_sram=byte(8)), []),
        (Budget(npu_dram=byte(9)), Budget(), [("npu_dram", "9 B", "no limit")]),
        (
            Budget(npu_share=percent(99)),
            Budget(npu_share=percent(98)),
            [("npu_share", "99 %", "98 %")],
        ),
        (Budget(npu_share=percent(98)), Budget(npu_share=percent(99)), []),
    ],
)
def test_a_raised_or_dropped_limit_is_named(before, after, found):
    assert weakenings(declared(before), declared(after)) == found


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("tflm", "tflm", []),
        (None, "tflm", []),
        ("tflm", None, [("target", "tflm", "nothing")]),
        ("edgetpu", "tflm", [("target", "edgetpu", "tflm")]),
    ],
)
def test_another_target_or_none_is_named(before, after, found):
    assert weakenings(declared(Budget(), before), declared(Budget(), after)) == found


def test_a_base_of_before_there_were_targets_loosens_nothing():
    base = declared(Budget())
    del base["models"]["tiny"]["recipes"]["int8_qat"]["target"]
    assert weakenings(base, declared(Budget(), "tflm")) == []


def test_a_changed_list_of_the_project_is_another_target(tmp_path):
    place = tmp_path / "own.toml"
    place.write_text(OWN)
    before = _target("own.toml", tmp_path)
    place.write_text(f"{OWN}SUB = {{}}\n")
    after = _target("own.toml", tmp_path)
    found = weakenings(declared(Budget(), before), declared(Budget(), after))
    assert found == [("target", before, after)]
    assert before.startswith("own.toml (")


def test_a_list_that_is_gone_is_declared_by_its_name(tmp_path):
    assert _target("own.toml", tmp_path) == "own.toml"
    assert _target(None, tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"accelerator": "ethos-u55-256"},
        {"memory_mode": "Sram_Only"},
        {"options": ("--optimise=Size",)},
        {"config": "npu.ini"},
    ],
)
def test_another_configuration_of_the_compiler_is_named(tmp_path, change):
    """Neither is the stricter one; the digest of a configuration file belongs to it."""
    names = {"accelerator": "ethos-u55-128", "system_config": "A", "memory_mode": "Shared_Sram"}
    (tmp_path / "npu.ini").write_text("[System_Config.A]\n")
    before, after = (_vela(Vela(**it), tmp_path) for it in (names, names | change))
    base, head = declared(Budget()), declared(Budget())
    base["models"]["tiny"]["recipes"]["int8_qat"]["vela"] = before
    head["models"]["tiny"]["recipes"]["int8_qat"]["vela"] = after
    assert weakenings(base, head) == [("vela", before, after)]
    assert weakenings(base, base) == []
    head["models"]["tiny"]["recipes"]["int8_qat"]["vela"] = _vela(None, tmp_path)
    assert weakenings(base, head) == [("vela", before, "nothing")]
    assert weakenings(head, base) == []


def test_an_edited_configuration_file_is_another_configuration(tmp_path):
    vela = Vela(accelerator="a", system_config="A", memory_mode="B", config="npu.ini")
    (tmp_path / "npu.ini").write_text("[System_Config.A]\n")
    before = _vela(vela, tmp_path)
    (tmp_path / "npu.ini").write_text("[System_Config.A]\ncore_clock=1\n")
    assert _vela(vela, tmp_path) != before
    (tmp_path / "npu.ini").unlink()
    assert _vela(vela, tmp_path) == vela.described  # the checks raise the error
