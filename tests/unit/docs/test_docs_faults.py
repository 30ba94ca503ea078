"""The catalogue of faults and docs/reference/kill_matrix.md agree."""

import re

import pytest
from documents import PROJECT

from litegate.core.errors import ConfigError
from litegate.mutation.faults import Family, fault
from litegate.mutation.faults.catalogue import select_faults, shipped_faults

MATRIX = PROJECT / "docs" / "reference" / "kill_matrix.md"
OF_THE_WIRING = ("check_requires_nothing", "report_missing")
"""Planted in checks and reports, not in a model."""


@pytest.mark.parametrize("model", ["digits_cnn", "mnist_cnn"])
def test_the_kill_matrix_has_every_fault_of_either_model(model):
    """For a new fault, run the proof again and write the page with benchmarks/kill_matrix.py."""
    section = MATRIX.read_text("utf-8").partition(f"## {model}/int8_qat\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    left_out = re.findall(r"^- Not planted: `(\w+)`", section, re.MULTILINE)
    catalogue = [one.name for one in shipped_faults()]
    assert sorted(rows + left_out) == sorted([*catalogue, *OF_THE_WIRING])
    assert "the gate is proven" in section


def test_every_family_has_faults_and_every_fault_a_name_of_its_own():
    faults = select_faults(shipped_faults(), ())
    assert {one.family for one in faults} == set(Family)
    assert all(one.summary.endswith(".") for one in faults)


def test_one_family_can_be_select_faults():
    assert {one.family for one in select_faults(shipped_faults(), ["size"])} == {Family.SIZE}


def test_two_faults_of_one_name_are_refused():
    @fault(family="size", noticed_by=())
    def padding(scene, _grade):
        """Zeros."""
        return scene

    with pytest.raises(ConfigError, match="two faults are named padding"):
        select_faults((*shipped_faults(), padding), ())
