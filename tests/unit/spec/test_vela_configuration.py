"""The configuration of Vela: what a declaration accepts, and which limits need it."""

import pytest

from litegate import Budget, Vela, kib, percent
from litegate.core.errors import ConfigError
from litegate.spec.budget import NPU_LIMITS
from litegate.spec.loader import discover
from litegate.spec.relevant_source import source_digest

NAMES = {
    "accelerator": "ethos-u55-128",
    "system_config": "Ethos_U55_High_End_Embedded",
    "memory_mode": "Shared_Sram",
}
VELA = Vela(**NAMES)
MODEL = """
import litegate as lg

NPU = lg.Vela(accelerator="ethos-u55-128", system_config="A", memory_mode="B")

@lg.model(
    data=lg.datasets.digits(),
    recipes=[lg.recipes.int8_qat(budget=lg.Budget({recipe}))],
    budget=lg.Budget({budget}),
)
def digits(keras):
    "A network."
"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["", " ", "--help", "a b", "a\nb", None])
def test_each_name_is_given_and_one_word(name, value):
    with pytest.raises(ConfigError, match=rf"Vela\({name}=...\) must be a name"):
        Vela(**NAMES | {name: value})


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"config": "boards/npu.toml"}, "must be the path of a .ini file"),
        ({"config": None}, "must be the path of a .ini file"),
        ({"options": "--optimise=Size"}, "must be a tuple of options"),
        ({"options": ("--optimise", "Size")}, "must be a tuple of options"),
        ({"options": ("model.tflite",)}, "must be a tuple of options"),
        ({"options": ("--output-dir=/tmp",)}, "cannot have --output-dir=/tmp"),
        ({"options": ("--output-d=/tmp",)}, "cannot have --output-d=/tmp"),
        ({"options": ("--config=mine.ini",)}, "cannot have --config=mine.ini"),
        ({"timeout": 0}, "must be a number of seconds"),
        ({"timeout": float("nan")}, "must be a number of seconds"),
    ],
)
def test_a_declaration_is_checked(change, part):
    with pytest.raises(ConfigError, match=part):
        Vela(**NAMES | change)


def test_arguments_name_everything():
    vela = Vela(**NAMES, options=("--optimise=Size",))
    assert vela.arguments == (
        "--accelerator-config=ethos-u55-128",
        "--system-config=Ethos_U55_High_End_Embedded",
        "--memory-mode=Shared_Sram",
        "--config=Arm/vela.ini",
        "--optimise=Size",
    )


def test_a_file_of_the_project_is_part_of_the_identity(tmp_path):
    """Its path is absolute for Vela; its digest stands in words."""
    (tmp_path / "npu.ini").write_text("[System_Config.A]\n")
    vela = Vela(**NAMES, config="npu.ini")
    assert f"--config={tmp_path / 'npu.ini'}" in vela.located(tmp_path).arguments
    before = vela.identified(tmp_path)
    assert before.startswith("ethos-u55-128, Ethos_U55_High_End_Embedded, Shared_Sram, npu.ini (")
    assert vela.located(tmp_path).identified(tmp_path) == before
    (tmp_path / "npu.ini").write_text("[System_Config.B]\n")
    assert vela.identified(tmp_path) != before
    (tmp_path / "npu.ini").unlink()
    with pytest.raises(ConfigError, match=r"configuration file npu\.ini cannot be read"):
        vela.identified(tmp_path)
    assert VELA.located(tmp_path) == VELA


def test_a_budget_takes_a_configuration_and_nothing_else():
    with pytest.raises(ConfigError, match=r"Budget\(vela=...\) must be a litegate.Vela"):
        Budget(vela="ethos-u55-128")
    with pytest.raises(ConfigError, match=r"Budget\(npu_share=...\) is a floor below 1 %"):
        Budget(vela=VELA, npu_share=percent(0.9))
    merged = Budget(npu_sram=kib(50)).with_defaults(Budget(vela=VELA, npu_cycles=1))
    assert (merged.vela, merged.npu_sram, merged.npu_cycles) == (VELA, kib(50), 1)
    assert set(Budget().unset_limits()) >= NPU_LIMITS


@pytest.mark.parametrize(
    ("recipe", "budget"),
    [
        ("npu_cycles=1", ""),
        ("", "npu_share=lg.percent(99)"),
    ],
)
def test_limits_of_an_npu_need_its_configuration(tmp_path, recipe, budget):
    models = tmp_path / "models"
    models.mkdir()
    (models / "digits.py").write_text(MODEL.format(recipe=recipe, budget=budget))
    with pytest.raises(ConfigError, match=r"models/digits.py:6: int8_qat limits npu_\w+, but"):
        discover(models, tmp_path)
    (models / "digits.py").write_text(MODEL.format(recipe="vela=NPU", budget="npu_cycles=1"))
    assert discover(models, tmp_path)["digits"].budget.npu_cycles == 1


def test_a_configuration_is_no_part_of_a_network():
    text = MODEL.format(recipe="", budget="")
    assert source_digest(text) == source_digest(text.replace("u55-128", "u85-256"))
